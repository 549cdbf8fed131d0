"""That tools/coverage measures what runs: an init that records does what the shipped one does, and loses nothing."""

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from pyinit.supervise import drain, loop
from tests.conftest import short
from tests.coverage.plugin import write
from tests.support import REPOSITORY, Pyinit, require_namespaces, wait_until, waits_for_signals


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    directory = tmp_path / "steps"
    directory.mkdir()
    return directory


@pytest.fixture
def measured(tmp_path: Path, steps: Path) -> Pyinit:
    require_namespaces()
    python = short(sys.executable)
    write(tmp_path / "pyinit", python, str(steps))
    (tmp_path / "pyinit").chmod(0o755)
    return Pyinit(tmp_path / "pyinit", python)


def lines_of(file: str, steps: Path) -> "set[int]":
    """The lines of a module that coverage.py takes for covered."""
    output = steps.parent / "data"
    command = [sys.executable, "-m", "tests.coverage", str(steps), str(output)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL)
    data = CoverageData(basename=str(output))
    data.read()
    return set(data.lines(str(REPOSITORY / file)) or ())


def body(function: object) -> "set[int]":
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    return set(range(first + 1, first + len(lines)))


def test_what_ran_is_covered_and_what_did_not_is_not(measured: Pyinit, steps: Path) -> None:
    assert measured.run("--", "sh", "-c", "exit 7") == (7, "", "")
    covered = lines_of("pyinit/supervise/loop.py", steps)
    assert covered & body(loop.reap)
    assert not covered & body(loop.survive)
    assert not lines_of("pyinit/supervise/drain.py", steps)
    assert measured.run("--grace", "1", "--", "sh", "-c", "sleep 60 & exit 8")[:2] == (8, "")
    assert lines_of("pyinit/supervise/drain.py", steps) & body(drain.drain)


def test_an_init_that_is_killed_has_recorded_what_it_did(measured: Pyinit, steps: Path) -> None:
    with measured.start("--", "sleep", "60") as run:
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        os.kill(run.pid, signal.SIGKILL)
        run.process.wait(timeout=30)
    assert lines_of("pyinit/supervise/loop.py", steps) & body(loop.supervise)


def test_without_the_directory_it_only_runs(measured: Pyinit, steps: Path) -> None:
    steps.rmdir()
    assert measured.run("--", "sh", "-c", "exit 7") == (7, "", "")


def test_the_program_finds_the_descriptors_that_it_would_find(measured: Pyinit) -> None:
    assert measured.run("--", "sh", "-c", "ls /proc/self/fd") == (0, "0\n1\n2\n3\n", "")
