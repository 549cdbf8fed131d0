"""The core tests on other processors: pyinit under an emulated Debian Python, everything else as it is.

With 64 bits, with 32, and with the other byte order. The interpreter comes from Debian's packages, unpacked and never
installed, and runs in qemu's user mode, which passes system calls on to the real kernel.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.prepare.test_hooks import *  # noqa: F403
from tests.prepare.test_secrets import *  # noqa: F403
from tests.start.test_spawn import *  # noqa: F403
from tests.supervise.test_reaping import *  # noqa: F403
from tests.supervise.test_signals import *  # noqa: F403
from tests.support import Pyinit, Run, require_namespaces

ARCHITECTURES = {"arm64": "aarch64", "armel": "arm", "s390x": "s390x"}  # Debian's name, and qemu's
PACKAGES = "libc6,libexpat1,libffi8,libpython3.11-minimal,libpython3.11-stdlib,python3.11-minimal,zlib1g"

# What qemu's user mode (seen with 7.2) is not like the kernel in.
LEFT_OUT = {
    "its vfork is a fork, so posix_spawn does not tell that the program cannot be executed": [
        "a_script_without_a_first_line_is_run_by_the_shell",
        "f20_a_bad_interpreter_line_gives_126",
        "f20_a_broken_binary_gives_126",
        "f20_a_missing_path_gives_127",
        "f20_a_missing_program_gives_127",
        "f20_what_is_no_program_gives_126",
        "f72_a_script_that_comes_first_is_run_and_not_passed_over",
        "f72_the_search_ends_where_that_of_execvp_does",
        "f72_what_may_not_be_executed_is_remembered_when_nothing_else_is_found",
        "f72_without_a_shell_a_script_is_126_with_the_reason",
        "one_that_is_not_there_ends_the_start_with_127",
        "path_is_searched_and_an_unusable_file_does_not_end_the_search",
    ],
    "it keeps the fault signals and some real-time ones for itself, and renumbers the others": [
        "a_program_killed_by_a_signal_gives_128_and_the_signal",
        "every_signal_arrives_once",
        "f04_sigpipe_has_its_default_disposition",
        "mask_and_dispositions_are_those_pyinit_was_started_with",
    ],
    "it starts a thread, which a user without processes must not": ["a_fork_that_fails_is_said_and_gives_1"],
    "a start takes half a second, and these have hundreds": [
        "every_exit_status_is_passed_on",
        "f02_a_signal_around_fork_and_exec_is_not_lost",
    ],
}
for names in LEFT_OUT.values():
    for name in names:
        del globals()[f"test_{name}"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.environ.get("TESTS_PYINIT_LONG") != "1", reason="takes minutes: PYINIT_LONG=1"),
    pytest.mark.timeout(900),
]


def unavailable(reason: str) -> None:
    if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def unpack(root: str, architecture: str, packages: str) -> None:
    """Unpack Debian's packages in a directory. Nothing of it is run, so the kernel need not know the emulator
    (binfmt_misc)."""
    command = ["mmdebstrap", "--quiet", "--skip=check/qemu", "--variant=extract"]
    command += [f"--architectures={architecture}", f"--include={packages}", "bookworm", root]
    made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if made.returncode:
        unavailable(f"no packages for {architecture}: {made.stderr}")


@pytest.fixture(autouse=True)
def as_pid_1(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    if callspec and callspec.params.get("namespace") is False:
        pytest.skip("qemu's user mode does not know PR_SET_CHILD_SUBREAPER (seen with 7.2: EINVAL)")


@pytest.fixture(autouse=True)
def without_what_is_said_of_the_emulators_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qemu's user mode has one of its own in the process."""
    finish = Run.finish

    def finish_without(run: Run) -> "tuple[int, str, str]":
        status, output, errors = finish(run)
        said = "pyinit: another thread runs in this process"
        return status, output, "".join(line for line in errors.splitlines(True) if not line.startswith(said))

    monkeypatch.setattr(Run, "finish", finish_without)


@pytest.fixture(params=ARCHITECTURES, scope="module")
def emulated(request: pytest.FixtureRequest) -> "Iterator[str]":
    """The path of a script that runs such a Python, short enough for a first line."""
    emulator = f"qemu-{ARCHITECTURES[request.param]}-static"
    for program in ("mmdebstrap", emulator):
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="pyinit-") as directory:
        Path(directory).chmod(0o755)
        root = f"{directory}/root"
        unpack(root, request.param, PACKAGES)
        script = Path(directory, "python")
        script.write_text(f'#!/bin/sh\nexec {emulator} -L {root} {root}/usr/bin/python3.11 "$@"\n')
        script.chmod(0o755)
        yield str(script)


@pytest.fixture(scope="module")
def pyinit(emulated: str, build: "Callable[[str], Pyinit]") -> Pyinit:
    require_namespaces()
    return build(emulated)


@pytest.fixture(scope="module")
def every_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit
