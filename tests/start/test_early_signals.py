"""The mask that the program starts with, and a file that loses no signal while the interpreter starts."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyinit.ctl import check, init, proc
from tests.support import REPOSITORY, Pyinit, collects_signals, proc_status, wait_until, waits_for_signals

BUILD = [sys.executable, "-m", "pyinit.ctl", "build"]
MASK = ("--", "grep", "SigBlk", "/proc/self/status")


@pytest.fixture
def early(every_pyinit: Pyinit, tmp_path: Path) -> Pyinit:
    return built(every_pyinit.python, tmp_path)


def built(python: str, directory: Path) -> Pyinit:
    file = directory / "pyinit"
    command = [*BUILD, "--early-signals", "-o", str(file), "--python", python]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return Pyinit(file, python)


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], "0000000000000200"), (["--signal-mask", "none"], "0000000000000000"), (["--session"], "0000000000000200")],
)
def test_the_program_starts_with_the_mask_that_was_found_or_with_none(
    pyinit: Pyinit, options: "list[str]", expected: str
) -> None:
    wrapper = ("env", "--block-signal=USR1")
    assert pyinit.run(*options, *MASK, wrapper=wrapper) == (0, f"SigBlk:\t{expected}\n", "")


def test_a_mask_that_is_none_of_the_two_is_refused(pyinit: Pyinit) -> None:
    status, _, errors = pyinit.run("--signal-mask", "all", "true")
    assert (status, errors.splitlines()[0]) == (2, "pyinit: --signal-mask: 'all' is neither none nor inherit")


@pytest.mark.parametrize("options", [(), ("--exec",), ("--session",), ("-v", "-w")], ids=" ".join)
def test_after_an_early_start_the_program_has_nothing_blocked(early: Pyinit, options: "tuple[str, ...]") -> None:
    status, output, _ = early.run(*options, *MASK, wrapper=("env", "--block-signal=USR1"))
    assert (status, output) == (0, "SigBlk:\t0000000000000000\n")


def test_f113_an_early_start_loses_no_stop(early: Pyinit) -> None:
    """From the moment when env has blocked it: the handler runs, or the program ends by it before it has one."""
    script = "trap 'exit 7' TERM; while :; do sleep 0.05; done"
    for _ in range(20):
        with early.start("--", "sh", "-c", script) as run:
            wait_until(lambda: collects_signals(run.pid), "env has blocked signals")
            time.sleep(random.uniform(0, 0.015))
            run.send(signal.SIGTERM)
            assert run.finish()[0] in (7, 143)


def test_an_early_start_is_recognised(pyinit: Pyinit, tmp_path: Path) -> None:
    early = built(pyinit.python, tmp_path)
    found = check.examine(early.file.read_bytes(), pyinit.python)
    assert (found.early_signals, found.python, found.proven) == (True, pyinit.python, True)
    with early.start("-w", "--", "sleep", "1000") as run:
        wait_until(lambda: waits_for_signals(run.pid), "it runs")
        assert proc_status(run.pid)["Name"] == "pyinit"
        process = proc.read(run.pid)
        recognised = process and init.recognise(process)
        assert recognised and recognised.settings and recognised.settings.warn_on_reap


@pytest.mark.parametrize("python", ["/usr/bin/env python3", "/usr/bin/python3"])
def test_the_first_line_has_env_block_signals(python: str, tmp_path: Path) -> None:
    file = built(python, tmp_path).file
    assert file.read_bytes().startswith(b"#!/usr/bin/env -S --block-signal ")
    assert check.examine(file.read_bytes()).python == python


def test_a_first_line_that_is_too_long_is_refused(tmp_path: Path) -> None:
    command = [*BUILD, "--early-signals", "-o", str(tmp_path / "x"), "--python", "/" + "x" * 200]
    done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is too long: at most" in done.stderr
    assert not (tmp_path / "x").exists()
