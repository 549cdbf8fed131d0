"""Orphans where we are not PID 1, and our own parent's death."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support import Pyinit, children, state, wait_until


def test_f22_not_being_pid_1_is_said_with_v_only(pyinit: Pyinit) -> None:
    assert pyinit.run("--", "true", namespace=False) == (0, "", "")
    status, _, errors = pyinit.run("-v", "--", "true", namespace=False)
    assert (status, len(errors.splitlines())) == (0, 1)
    assert "became a subreaper" in errors


def test_f22_tini_warns_that_it_is_not_pid_1(pyinit: Pyinit) -> None:
    tini = pyinit.named("tini")
    assert "Tini is not running as PID 1" in tini.run("true", namespace=False)[2]
    assert tini.run("-s", "true", namespace=False)[2] == ""


@pytest.mark.parametrize("options", [[], ["-s"]])
def test_f21_not_pid_1_it_becomes_a_subreaper(every_pyinit: Pyinit, options: "list[str]") -> None:
    script = "(sh -c 'echo orphan $$; exec sleep 60' &) ; while :; do sleep 1; done"
    with every_pyinit.start(*options, "--", "sh", "-c", script, namespace=False) as run:
        orphan = int(run.wait_for(r"orphan (\d+)\n").group(1))
        wait_until(lambda: orphan in children(run.pid), "the orphan is adopted")
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: orphan not in children(run.pid), "the orphan is reaped")


def test_the_parent_death_signal_reaches_the_program(every_pyinit: Pyinit) -> None:
    parent = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    trap = "trap 'echo got usr1; exit' USR1; echo ready; while :; do sleep 0.1; done"
    command = (sys.executable, "-c", parent)
    with every_pyinit.start("-p", "USR1", "--", "sh", "-c", trap, namespace=False, wrapper=command) as run:
        run.wait_for("ready")
        run.process.kill()
        run.wait_for("got usr1")


def test_f28_a_parent_that_died_before_the_signal_was_set_counts(pyinit: Pyinit, tmp_path: Path) -> None:
    """strace holds pyinit back before prctl, and the parent is killed meanwhile."""
    parent = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    log = tmp_path / "log"
    trace = ("strace", "-D", "-o", str(log), "-e", "trace=prctl", "-e", "inject=prctl:delay_enter=1000000")
    command = (sys.executable, "-c", parent, *trace)
    with pyinit.start("-p", "USR1", "--", "sleep", "60", namespace=False, wrapper=command) as run:
        wait_until(lambda: children(run.process.pid), "strace starts")
        (init,) = children(run.process.pid)
        wait_until(lambda: log.exists() and "prctl(" in log.read_text(), "pyinit is held back")
        run.process.kill()
        wait_until(lambda: not state(init), "pyinit ends with its program")
