"""Guests: whom an engine's exec has brought into the container, and who is nobody's child there."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import WITHOUT_KILL, Pyinit, Run, Terminal, children, set_user_id, stop_and_resume, wait_until


def enter(run_pid: int, *command: str) -> "subprocess.Popen[str]":
    """As an engine's exec: a process in the container that is nobody's child there."""
    words = ["nsenter", "-t", str(run_pid), "--pid", "--mount", *command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("options", [[], ["--wait-all"]], ids=["drain", "wait-all"])
def test_f94_what_came_in_by_exec_gets_the_stop_and_time(pyinit: Pyinit, options: "list[str]") -> None:
    script = "trap 'sleep 0.4; echo exec has ended; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with sleeping(pyinit, *options) as run, enter(run.pid, "sh", "-c", script) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 143
        assert other.stdout.read() == "exec has ended\n"


BASH = ("bash", "--norc", "--noprofile", "-i")


def enter_terminal(run_pid: int, *command: str) -> Terminal:
    """As an engine's `exec -it`."""
    return Terminal("nsenter", "-t", str(run_pid), "--pid", "--mount", *command)


def enter_shell(run_pid: int) -> Terminal:
    """Of a shell, at its prompt."""
    terminal = enter_terminal(run_pid, *BASH)
    terminal.type("sleep 1000 & echo $((6 * 7))\n")
    terminal.wait_for("42")
    return terminal


def enter_script(run_pid: int, script: str) -> Terminal:
    """Of a script that has said that it is ready."""
    terminal = enter_terminal(run_pid, "sh", "-c", script)
    terminal.wait_for("ready")
    return terminal


@contextlib.contextmanager
def sleeping(pyinit: Pyinit, *options: str) -> Iterator[Run]:
    """pyinit with a program that runs, and that any stop ends."""
    with pyinit.start(*options, "--", "sleep", "1000") as run:
        wait_until(lambda: children(run.pid), "the program runs")
        yield run


def end_program(run: Run) -> None:
    """Of one that ends with its standard input."""
    assert run.process.stdin
    run.process.stdin.close()
    run.process.stdin = None
    wait_until(lambda: not children(run.pid), "the program has ended")


@pytest.mark.parametrize(
    ("options", "number"),
    [([], 15), (["--wait-all"], 15), (["--stop-signal", "INT"], 2), (["-r", "TERM:INT"], 15)],
    ids=["drain", "wait-all", "int", "rewritten"],
)
def test_f94_a_shell_at_a_prompt_that_came_in_by_exec_is_hung_up(
    pyinit: Pyinit, options: "list[str]", number: int
) -> None:
    """It ignores TERM, and nobody else would hang up: the other side of its terminal is the engine's."""
    with sleeping(pyinit, *options, "--grace", "1000") as run, enter_shell(run.pid):
        run.send(number)
        status, _, errors = run.finish()
    assert status == (130 if options[-1:] in (["INT"], ["TERM:INT"]) else 143)
    assert "killed" not in errors


@pytest.mark.parametrize("options", [[], ["--wait-all"]], ids=["drain", "wait-all"])
def test_f94_one_that_forgets_it_is_hung_up_again(pyinit: Pyinit, options: "list[str]") -> None:
    """As bash may, if an INT has just made it begin a new prompt."""
    script = "trap '' TERM TSTP; trap '[ $again ] && exit; again=1' HUP; echo re''ady; while :; do sleep 0.05; done"
    with sleeping(pyinit, *options, "--grace", "1000") as run, enter_script(run.pid, script):
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 143
    assert "killed" not in errors


def test_f94_such_a_shell_is_hung_up_when_the_program_has_ended_long_before(pyinit: Pyinit) -> None:
    command = ("--wait-all", "--", "sh", "-c", "echo ready; read -r _; exit 5")
    with pyinit.start(*command, stdin=subprocess.PIPE) as run, enter_shell(run.pid):
        run.wait_for("ready\n")
        end_program(run)
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 5


@pytest.mark.parametrize("program", ["exec sleep 1000", "setsid sleep 1000 & exec sleep 1000"], ids=["alone", "mixed"])
@pytest.mark.parametrize("options", [["--grace", "1000"], ["--wait-all", "--stop-timeout", "2"]], ids=["drain", "all"])
def test_who_may_not_be_signalled_is_not_waited_for(shared_pyinit: Pyinit, options: "list[str]", program: str) -> None:
    """As root's that came in by exec, where pyinit is a user's: to wait would take the engine's whole patience."""
    user = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
    with shared_pyinit.start(*options, "--", "sh", "-c", program, wrapper=user) as run:
        wait_until(lambda: children(run.pid), "the program runs")
        with enter(run.pid, "sh", "-c", "echo ready; exec sleep 1000") as other:
            assert other.stdout
            assert other.stdout.readline() == "ready\n"
            run.send(signal.SIGTERM)
            status, _, errors = run.finish()
    assert status == 143
    assert "cannot send SIGTERM to " in errors
    assert "killed" not in errors and "still there" not in errors


# In the foreground of a shell, and behind it: what gets TERM, and needs time for it.
JOB = "sh -c 'trap \"sleep 1; : >SAVED; exit\" TERM; echo $((6 * 7)); while :; do sleep 0.05; done'"


@pytest.mark.parametrize("behind", ["", " &"], ids=["foreground", "background"])
@pytest.mark.parametrize(
    ("shell", "typed"), [(BASH, ""), (("dash", "-i"), ""), (BASH, "dash -i\n")], ids=["bash", "dash", "dash-in-bash"]
)
def test_f94_what_such_a_shell_runs_gets_its_time(
    pyinit: Pyinit, tmp_path: Path, shell: "tuple[str, ...]", typed: str, behind: str
) -> None:
    """A shell that is hung up hands that on to its jobs, which would cut them off."""
    saved = tmp_path / "saved"
    with sleeping(pyinit, "--grace", "1000") as run, enter_terminal(run.pid, *shell) as terminal:
        terminal.type(typed + JOB.replace("SAVED", str(saved)) + behind + "\n")
        terminal.wait_for("42")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 143
    assert "killed" not in errors
    assert saved.exists()


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (BASH, "while :; do sleep 1; echo $((6 * 7)); done\n"),
        (BASH, "unshare --fork bash --norc -i\necho $((6 * 7))\n"),
        (("unshare", "--fork", *BASH), "echo $((6 * 7))\n"),
    ],
    ids=["loop", "waited-for", "by-one-that-waits"],
)
def test_f94_a_shell_is_hung_up_whatever_it_starts_and_whoever_waits_for_it(
    pyinit: Pyinit, command: "tuple[str, ...]", typed: str
) -> None:
    """As a loop at the prompt, whose next command never had the stop, and sudo, which ends behind its shell."""
    with sleeping(pyinit, "--grace", "1000") as run, enter_terminal(run.pid, *command) as terminal:
        terminal.type(typed)
        terminal.wait_for("42")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 143
    assert "killed" not in errors


PROMPT = "trap : INT; echo re''ady; while :; do sleep 0.05; done"


@pytest.mark.parametrize(
    ("options", "number"),
    [(["--stop-signal", "INT"], 2), (["-r", "TERM:INT"], 15), (["-r", "TERM:INT", "--wait-all"], 15)],
    ids=["stop-signal", "rewritten", "wait-all"],
)
def test_f94_to_whom_an_int_ends_a_line_gets_term(pyinit: Pyinit, options: "list[str]", number: int) -> None:
    """As psql, where the image of its server stops with INT, or a Python at its prompt."""
    with sleeping(pyinit, *options, "--grace", "1000") as run, enter_script(run.pid, PROMPT):
        run.send(number)
        status, _, errors = run.finish()
    assert status == 130
    assert "killed" not in errors


def test_f94_so_it_is_when_the_program_has_ended_long_before(pyinit: Pyinit) -> None:
    command = ("--wait-all", "--", "sh", "-c", "echo ready; read -r _; exit 5")
    with pyinit.start(*command, stdin=subprocess.PIPE) as run, enter_script(run.pid, PROMPT):
        run.wait_for("ready\n")
        end_program(run)
        run.send(signal.SIGINT)
        assert run.finish()[0] == 5


def test_f94_who_ignores_term_and_is_no_shell_is_not_hung_up(pyinit: Pyinit, tmp_path: Path) -> None:
    """To many a daemon HUP means to read its files again, and a script may have a reason to ignore TERM."""
    hung_up = tmp_path / "hung-up"
    script = f"trap '' TERM; trap ': >{hung_up}' HUP; echo re''ady; while :; do sleep 0.05; done"
    with sleeping(pyinit, "--grace", "1") as run, enter_script(run.pid, script):
        run.send(signal.SIGTERM)
        assert "did not end" in run.finish()[2]
    assert not hung_up.exists()


def test_what_is_due_at_once_is_done_once(pyinit: Pyinit) -> None:
    """pyinit was paused over two deadlines, of which the first waits for the killed, and so looks at the second."""
    script = "trap '' TERM TSTP; trap 'echo hung''up' HUP; echo re''ady; while :; do sleep 0.05; done"
    with sleeping(pyinit, "--wait-all", "--stop-timeout", "4") as run, enter_script(run.pid, script) as terminal:
        run.send(signal.SIGTERM)
        terminal.wait_for("(?s)hungup.*hungup")  # from now on that is the second of the two
        stop_and_resume(run.pid, 4)
        status, _, errors = run.finish()
    assert status == 143
    assert "internal error" not in errors


def test_the_end_of_a_guest_is_seen_beside_a_child_that_may_not_be_signalled(pyinit: Pyinit, tmp_path: Path) -> None:
    """The kernel tells us of a child's end alone, and that child's does not come."""
    program = set_user_id(tmp_path, 1000)
    command = ("--grace", "1000", "--", "sh", "-c", '"$0" & exec sleep 1000', program)
    with pyinit.start(*command, wrapper=WITHOUT_KILL) as run:
        run.wait_for("ready\n")
        script = "trap 'sleep 0.5; echo ended; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
        with enter(run.pid, "sh", "-c", script) as other:
            assert other.stdout
            assert other.stdout.readline() == "ready\n"
            run.send(signal.SIGTERM)
            assert run.finish()[0] == 143
            assert other.stdout.read() == "ended\n"


def test_each_further_stop_hangs_up_no_more_often(pyinit: Pyinit, tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    counted.touch()
    script = f"trap '' TERM TSTP; trap 'echo >>{counted}' HUP; echo re''ady; while :; do sleep 0.01; done"
    with sleeping(pyinit, "--wait-all") as run, enter_script(run.pid, script):
        for number in range(10):
            run.send(signal.SIGTERM)
            wait_until(lambda: counted.stat().st_size > number, "it is hung up")  # noqa: B023  # called at once
        begun, before = time.monotonic(), counted.stat().st_size
        wait_until(lambda: counted.stat().st_size >= before + 10, "it is hung up ten times more")
        assert time.monotonic() - begun > 1
        run.process.kill()
