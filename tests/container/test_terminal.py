"""`podman run -it`: with a terminal, everything is as it would be without pyinit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .support import Containers, Terminal

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

CTRL_C = "\x03"
CTRL_Z = "\x1a"
SHELL_PROMPT = "[prompt] "
# Without readline, which now and then (3 of 400, with no init at all) shows no prompt after an early Ctrl-C.
BASH = ("bash", "--norc", "--noediting", "-i")


def test_f09_interrupt_from_the_terminal_arrives_once(containers: Containers) -> None:
    terminal = containers.open_terminal("python3", "/programs/signals.py")
    terminal.wait_for("ready")
    terminal.send(CTRL_C)
    assert terminal.wait() == 4
    assert terminal.seen.count("SIGINT") == 1


def test_resizing_reaches_the_program(containers: Containers) -> None:
    terminal = containers.open_terminal("python3", "/programs/resizing.py")
    terminal.wait_for("ready")
    for _ in range(30):  # an engine may not look at its terminal's size yet
        terminal.resize(24, 80)
        terminal.resize(40, 123)
        if terminal.shows("123x40", 1):
            break
    else:
        pytest.fail(f"no new size was shown: {terminal.seen!r}")
    terminal.send("\n")
    assert terminal.wait() == 0


def open_shell(containers: Containers, *shell: str) -> Terminal:
    """An interactive shell that has shown its prompt."""
    terminal = containers.open_terminal(*shell, options=("--env", f"PS1={SHELL_PROMPT}"))
    terminal.wait_for(SHELL_PROMPT)
    return terminal


@pytest.mark.parametrize("shell", [BASH, ("dash", "-i")], ids=["bash", "dash"])
def test_f10_shell_has_job_control(containers: Containers, shell: tuple[str, ...]) -> None:
    terminal = open_shell(containers, *shell)
    # Typed words are echoed; only the shell turns 40+2 into 42.
    terminal.send("set -m; sh -c 'echo job-$((40+2)); read -r word; echo got:$word; exec sleep 1000'\n")
    terminal.wait_for("job-42")
    terminal.send(CTRL_Z)
    terminal.wait_for("Stopped")
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("echo still-$((40+2)); fg\n")
    terminal.wait_for("still-42")
    terminal.send("word\n")
    terminal.wait_for("got:word")  # only now it is surely the foreground that Ctrl-C goes to
    terminal.send(CTRL_C)
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("echo status-$?; exit 5\n")
    terminal.wait_for("status-130")
    assert terminal.wait() == 5
    assert "no job control" not in terminal.seen
    assert "can't access tty" not in terminal.seen


def test_interrupt_at_the_prompt_leaves_the_shell_alive(containers: Containers) -> None:
    terminal = open_shell(containers, *BASH)
    terminal.send(CTRL_C)
    terminal.wait_for("^C")
    # Only then: the shell throws away what was typed before its new prompt.
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("echo alive-$((40+2)); exit 0\n")
    terminal.wait_for("alive-42")
    assert terminal.wait() == 0


def test_f10_password_prompt_reads_from_the_terminal(containers: Containers) -> None:
    ask = "import getpass; print('length', len(getpass.getpass()))"
    terminal = containers.open_terminal("python3", "-c", ask)
    terminal.wait_for("Password: ")
    terminal.send("secret\n")
    terminal.wait_for("length 6")
    assert terminal.wait() == 0
    assert "secret" not in terminal.seen


def test_f10_background_job_that_asks_is_stopped_until_it_is_in_the_foreground(containers: Containers) -> None:
    terminal = open_shell(containers, *BASH)
    terminal.send("sh -c 'read -r answer; echo answer:$answer' &\n")
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("until jobs | grep -q Stopped; do :; done; echo stopped-$((40+2))\n")
    terminal.wait_for("stopped-42")
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("fg\n")
    terminal.wait_for("sh -c")
    terminal.send("blue\n")
    terminal.wait_for("answer:blue")
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("exit 6\n")
    assert terminal.wait() == 6


def test_stop_of_a_program_on_a_terminal(containers: Containers) -> None:
    terminal = containers.open_terminal("python3", "/programs/signals.py")
    terminal.wait_for("ready")
    [container] = containers.engine("ps", "--quiet", "--filter", f"label={containers.label}").stdout.split()
    containers.engine("stop", container)
    assert terminal.wait() == 7
    assert terminal.seen.count("SIGTERM") == 1


def test_session_of_its_own_has_job_control_too(containers: Containers) -> None:
    terminal = containers.open_terminal(*BASH, init=("--session", "--"), options=("--env", f"PS1={SHELL_PROMPT}"))
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("sh -c 'echo job-$((40+2)); exec sleep 1000'\n")
    terminal.wait_for("job-42")
    terminal.send(CTRL_C)
    terminal.wait_for(SHELL_PROMPT)
    terminal.send("exit 5\n")
    assert terminal.wait() == 5
    assert "no job control" not in terminal.seen
