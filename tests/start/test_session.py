"""`--session`: the program leads a session of its own and has the terminal."""

import os
import shlex
import signal
import sys

import pytest

from tests.start.test_terminal import CONTAINER, PROMPT, READS_A_WORD, SUSPEND, in_background, in_shell, the_pyinit_of
from tests.support import (
    Pyinit,
    Terminal,
    children,
    descendants,
    probe,
    proc_status,
    state,
    wait_until,
    waits_for_signals,
)

TERMINAL_STOPS = [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]

# man 5 proc: pid, process group, session, controlling terminal, the terminal's foreground group.
LEADS_ITS_SESSION = (
    "read -r pid _ _ _ group session _ foreground _ </proc/self/stat;"
    ' [ "$pid $pid $pid" = "$group $session $foreground" ]'
)


def test_f47_program_leads_a_session_that_controls_the_terminal(pyinit: Pyinit) -> None:
    for _ in range(20):
        with Terminal(*CONTAINER, pyinit.file, "--session", "--", "sh", "-c", LEADS_ITS_SESSION) as terminal:
            assert terminal.finish() == 0


def test_program_leads_a_session_without_a_terminal(pyinit: Pyinit) -> None:
    script = "import os; print(os.getsid(0) == os.getpgrp() == os.getpid())"
    assert pyinit.run("--session", "--", sys.executable, "-IS", "-c", script) == (0, "True\n", "")


def test_f01_hand_over_kills_no_program_and_a_later_hup_does(pyinit: Pyinit) -> None:
    for _ in range(30):
        with Terminal(*CONTAINER, pyinit.file, "--session", "--", "sh", "-c", READS_A_WORD) as terminal:
            terminal.wait_for("job-42")
            os.kill(the_pyinit_of(terminal), signal.SIGHUP)
            assert terminal.finish() == 128 + signal.SIGHUP


def test_f01_hand_over_sends_the_program_neither_hup_nor_cont(pyinit: Pyinit) -> None:
    for _ in range(30):
        with Terminal(*CONTAINER, pyinit.file, "--session", "--", *probe("recorder")) as terminal:
            terminal.wait_for("ready")
            os.kill(the_pyinit_of(terminal), signal.SIGTERM)
            terminal.wait_for(r"got 15\r")
            assert terminal.output.split() == ["ready", "got", "15"]


@pytest.mark.parametrize("stop", TERMINAL_STOPS)
def test_f08_terminal_stop_stops_a_program_in_an_orphaned_group_and_cont_resumes_it(
    pyinit: Pyinit, stop: signal.Signals
) -> None:
    with Terminal(*CONTAINER, pyinit.file, "--session", "--", "sh", "-c", READS_A_WORD) as terminal:
        terminal.wait_for("job-42")
        pid = the_pyinit_of(terminal)
        [program] = children(pid)
        os.kill(pid, stop)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        wait_until(lambda: waits_for_signals(pid), "PID 1 itself goes on")
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        assert terminal.finish() == 0


def test_f08_terminal_stop_stops_a_program_without_a_terminal(pyinit: Pyinit) -> None:
    with pyinit.start("--session", "--", "sh", "-c", "echo ready; exec sleep 1000") as run:
        run.wait_for("ready")
        [program] = children(run.pid)
        run.send(signal.SIGTSTP)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        run.send(signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")


def test_f08_cont_that_comes_while_the_program_is_being_stopped_is_not_lost(pyinit: Pyinit) -> None:
    """A STOP that PID 1 sends itself does not stop it, but takes away a CONT that is pending. strace makes time."""
    tracer = ("strace", "-D", "-o", "/dev/null", "-e", "trace=kill", "-e", "inject=kill:delay_exit=300000")
    with pyinit.start("--session", "--", "sh", "-c", "echo ready; exec sleep 1000", wrapper=tracer) as run:
        run.wait_for("ready")
        [program] = [pid for pid in children(run.pid) if proc_status(pid).get("Name") in ("sh", "sleep")]
        run.send(signal.SIGTSTP)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        run.send(signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")


def test_f08_rewriting_overrides_the_stop(pyinit: Pyinit) -> None:
    command = (str(pyinit.file), "--session", "-r", "TSTP:TSTP", "--", *probe("recorder"))
    with Terminal(*CONTAINER, *command) as terminal:
        terminal.wait_for("ready")
        os.kill(the_pyinit_of(terminal), signal.SIGTSTP)
        terminal.wait_for(r"got 20\r")


def test_f10_shell_has_job_control(pyinit: Pyinit) -> None:
    command = (pyinit.file, "--session", "--", "bash", "--norc", "--noprofile", "-i")
    with Terminal(*CONTAINER, "env", "PS1=prompt> ", *command) as terminal:
        terminal.wait_for("prompt> ")
        terminal.type(f"sh -c '{READS_A_WORD}'\n")
        terminal.wait_for("job-42")
        terminal.type(SUSPEND)
        terminal.wait_for("Stopped")
        terminal.wait_for("prompt> ")
        terminal.type("fg\n")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        terminal.type("exit 5\n")
        assert terminal.finish() == 5
        assert "no job control" not in terminal.output


def test_f09_ctrl_c_reaches_the_program_once(pyinit: Pyinit) -> None:
    with Terminal(*CONTAINER, pyinit.file, "--session", "--", *probe("recorder")) as terminal:
        terminal.wait_for("ready")
        terminal.type("\x03")
        terminal.wait_for(r"got 2\r")
        os.kill(the_pyinit_of(terminal), signal.SIGTERM)
        terminal.wait_for(r"got 15\r")
        assert terminal.output.count("got 2\r") == 1


def test_ctrl_z_under_a_shell_suspends_pyinit_and_its_program_and_fg_resumes_them(pyinit: Pyinit) -> None:
    program = [*probe("terminal_job"), "/nonexistent"]
    with in_shell() as terminal:
        terminal.type(shlex.join([str(pyinit.file), "--session", "--", *program]) + "\n")
        terminal.wait_for("job-42")
        terminal.type(SUSPEND)
        terminal.wait_for("Stopped")
        terminal.wait_for(PROMPT)
        [pid] = children(terminal.pid)
        wait_until(lambda: {state(each) for each in descendants(terminal.pid)} == {"T"}, "all are stopped")
        terminal.type("fg\n")
        wait_until(lambda: not in_background(terminal), "the job is in the foreground")
        wait_until(lambda: "T" not in {state(each) for each in descendants(pid)}, "the program goes on")
        terminal.type("\x03")
        terminal.wait_for(PROMPT)
        terminal.type("echo status-$?\n")
        terminal.wait_for("status-130")


CHILD_AND_PARENT = (
    "(trap 'echo child' USR1; echo ready; while :; do sleep 0.02; done) & trap 'echo parent; exit' TERM; "
)
CHILD_AND_PARENT += "trap 'echo parent' USR1; while :; do wait; done"


def test_signals_go_to_the_whole_group(pyinit: Pyinit) -> None:
    with pyinit.start("--session", "--", "sh", "-c", CHILD_AND_PARENT) as run:
        run.wait_for("ready")
        [program] = children(run.pid)
        # The parent sets its trap after the fork: when it waits, it has.
        wait_until(lambda: caught(program, signal.SIGUSR1), "the parent's trap is set")
        run.send(signal.SIGUSR1)
        run.wait_for("(?s)child.*parent|parent.*child")


def test_single_child_gets_signals_alone(pyinit: Pyinit) -> None:
    with pyinit.start("--session", "-c", "--", "sh", "-c", CHILD_AND_PARENT) as run:
        run.wait_for("ready")
        [program] = children(run.pid)
        wait_until(lambda: caught(program, signal.SIGUSR1), "the parent's trap is set")
        run.send(signal.SIGUSR1)
        run.wait_for("parent")
        [child] = children(program)
        os.kill(child, signal.SIGUSR1)
        run.wait_for("child")
        run.send(signal.SIGTERM)
        _, output, _ = run.finish()
        assert output.split() == ["ready", "parent", "child", "parent"]


def caught(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    return bool(int(proc_status(pid).get("SigCgt", "0"), 16) >> (number - 1) & 1)
