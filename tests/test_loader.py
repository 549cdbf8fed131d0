"""The loader: everything is blocked before anything else, the mask is the one that was found, and little is needed."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pyinit.ctl import zipapp
from tests.conftest import INTERPRETERS, short
from tests.support import Pyinit, probe, require_namespaces, wait_until
from tests.test_upgrade import Installed

NOTHING_BLOCKED = "SigBlk:\t0000000000000000\n"

# Raises INT in the very call that blocks it, before or after the kernel has done so: the worst moments there are.
INTERRUPTS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    int (*real)(int, const sigset_t *, sigset_t *) = dlsym(RTLD_NEXT, "pthread_sigmask");
    static int done;
    int result;

    if (!AFTER && !done++)
        raise(SIGINT);
    result = real(how, set, old);
    if (AFTER && !done++)
        raise(SIGINT);
    return result;
}
"""


@pytest.mark.parametrize("after", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize("sources", [False, True], ids=["byte-code", "sources"])
def test_an_int_inside_the_call_that_blocks_reaches_the_program_with_the_mask_as_it_was(
    every_pyinit: Pyinit, tmp_path: Path, sources: bool, after: int
) -> None:
    library = tmp_path / "interrupts.so"
    compiler = ["gcc", "-shared", "-fPIC", f"-DAFTER={after}", "-o", str(library), "-xc", "-"]
    subprocess.run(compiler, input=INTERRUPTS, text=True, check=True)
    if sources:
        zipapp.build(tmp_path / "pyinit", every_pyinit.python, source_only=True)
        every_pyinit = Pyinit(tmp_path / "pyinit", every_pyinit.python)
    held = ("env", f"LD_PRELOAD={library}")
    journal = tmp_path / "journal"
    found = every_pyinit.run("-r", "INT:0", "--events", journal, "--", *probe("mask"), wrapper=held)
    assert found == (0, NOTHING_BLOCKED, "")
    assert '"signal": "SIGINT"' in journal.read_text()


def test_an_int_at_any_moment_leaves_the_programs_mask_alone(every_pyinit: Pyinit) -> None:
    """Before the loader runs, the interpreter ends by it: with 1 or 130, and then there is no program."""
    ran = 0
    for _ in range(40):
        with every_pyinit.start("--grace", "0", "-r", "INT:0", "--", *probe("mask")) as run:
            with contextlib.suppress(ProcessLookupError, IndexError):  # it may have ended by then
                pid = run.pid
                end = time.perf_counter() + random.uniform(0, 0.02)
                while time.perf_counter() < end:
                    pass
                os.kill(pid, signal.SIGINT)
            status, output, _ = run.finish()
        assert (status, output) in ((0, NOTHING_BLOCKED), (1, ""), (130, ""))
        ran += status == 0
    assert ran


@pytest.fixture(params=INTERPRETERS)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Installed:
    """A copy of an interpreter that has neither zlib, ctypes nor resource, but where they are built in."""
    require_namespaces()
    copy = Installed(tmp_path / "installed", "keep")
    copy.install(short(INTERPRETERS[request.param]), source_only=False)
    for pattern in ("zlib*.so", "_ctypes*.so", "resource*.so"):
        for path in tmp_path.rglob(pattern):
            path.unlink()
    return copy


def test_without_zlib_and_ctypes_every_start_works_that_needs_neither(bare: Installed) -> None:
    for options in ([], ["-w", "--grace", "2", "--user", "nobody", "--events", "/dev/null"], ["--session"]):
        with bare.start(*options, "--", "sh", "-c", "exit 7") as run:
            assert run.finish()[:2] == (7, "")


def test_without_resource_the_journal_does_not_tell_what_processes_cost(bare: Installed, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with bare.start("--events", journal, "--", "sh", "-c", "exit 7") as run:
        assert run.finish()[:2] == (7, "")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [each["event"] for each in events] == ["start", "spawn", "reaped", "ended"]
    command = [*bare.python[:1], "-ISc", "import resource"]
    is_built_in = subprocess.run(command, env=bare.environment, capture_output=True).returncode == 0
    assert ("user_time" in events[2], "own" in events[3]) == (is_built_in, is_built_in)


def test_what_needs_ctypes_says_so_in_one_line(bare: Installed) -> None:
    loses = "pyinit: not PID 1 and cannot become a subreaper: orphans will not be reaped here\n"
    refused = "pyinit: --no-new-privileges and capabilities: this interpreter has no ctypes that works\n"
    none, broken_one = "this interpreter has no ctypes", "Dynamic loading not supported"
    script = ["sh", "-c", "echo ran; exit 7"]
    for broken in (False, True):
        if broken:  # as in a static interpreter
            says = "def dlopen(*_):\n    raise OSError('Dynamic loading not supported')\n"
            (next(bare.libraries.glob("python3.*")) / "_ctypes.py").write_text(says)
        for options, namespace, expected in (
            ([], False, (7, f"{loses}ran\n")),
            (["-s"], False, (1, f"pyinit: --subreaper: {broken_one if broken else none}\n")),
            (["-p", "TERM"], True, (1, f"pyinit: --parent-death-signal: {broken_one if broken else none}\n")),
            (["--no-new-privileges"], True, (1, refused)),
        ):
            with bare.start(*options, "--", *script, namespace=namespace) as run:
                assert run.finish()[:2] == expected, options


def test_sources_without_zlib_say_in_one_line_that_they_cannot_be_read(bare: Installed) -> None:
    if subprocess.run([*bare.python[:1], "-ISc", "import zlib"], env=bare.environment, capture_output=True).returncode:
        zipapp.build(bare.file, "/usr/bin/env python3", source_only=True)
        with bare.start("--", "true") as run:
            status, output, _ = run.finish()
        assert status == 1
        assert output.startswith("pyinit: cannot load ") and "zlib" in output and output.count("\n") == 1


def test_a_file_that_is_replaced_while_it_starts_is_not_taken_for_itself(pyinit: Pyinit, tmp_path: Path) -> None:
    """What is imported after that would be read from the wrong places."""
    file = tmp_path / "pyinit"
    shutil.copy(pyinit.file, file)
    (tmp_path / "new").write_bytes(b"\0" * file.stat().st_size)
    trace = tmp_path / "trace"
    slowed = ("strace", "-o", str(trace), "-e", "trace=prctl", "-e", "inject=prctl:delay_exit=1000000")
    command = ["--session", "--", "echo", "ran"]
    with Pyinit(file, pyinit.python).start(*command, namespace=False, wrapper=slowed) as run:
        wait_until(lambda: trace.exists() and "SUBREAPER" in trace.read_text(), "it becomes a subreaper")
        os.rename(tmp_path / "new", file)
        status, output, errors = run.finish()
    assert (status, output) == (1, "")
    assert errors == f"pyinit: {str(file)!r} was replaced while it was starting\n"
