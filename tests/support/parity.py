"""One scenario, run with an init's real binary or with pyinit under its name, and what came of it."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple, Union

from tests.support import NAMESPACE, Pyinit, Run, Terminal, children, probe, proc_status, state, wait_until

PROGRAM = probe("relations")
ENDS_PROGRAM = signal.SIGUSR2
KEYS = {"\x03": signal.SIGINT, "\x1c": signal.SIGQUIT, "\x1a": signal.SIGTSTP}
RESIZE = "resize"

# How another init's process IDs show in its messages: they are no one's to compare.
_PID = re.compile(r"(PID |pid |pid '|pid=|tini \(|catatonit:|pid1 \(|process )\d+")


class Scenario(NamedTuple):
    """What is done. Without `words` for a program of its own the program is tests/programs/relations.py."""

    name: str
    options: "tuple[str, ...]" = ()
    words: "tuple[str, ...] | None" = None
    environment: "dict[str, str]" = {}
    does: "tuple[Union[int, str], ...]" = ()  # signals for the init, or keys for its terminal, one after another
    namespace: bool = True
    terminal: bool = False
    wrapper: "tuple[str, ...]" = ()  # what starts the init
    parent_dies: bool = False
    errors: str = "some"  # "exact", "told": the same lines on any stream, "some": whether there are any
    own_words: bool = False  # what is on standard output is each one's own
    relations: bool = False  # what the program says about itself counts, too


class Outcome(NamedTuple):
    status: int
    output: str
    errors: str


class Difference(NamedTuple):
    """A difference that is meant: why, and what is in each part that differs, theirs and ours.

    Of an output it is what only the one has; "" for nothing in particular.
    """

    why: str
    status: "tuple[int, int] | None" = None
    output: "tuple[str, str] | None" = None
    errors: "tuple[str, str] | None" = None

    def describes(self, theirs: Outcome, ours: Outcome) -> bool:
        """Whether these two differ in this way and in no other."""
        if (self.status or (ours.status, ours.status)) != (theirs.status, ours.status):
            return False
        for expected, their, our in (
            (self.output, theirs.output, ours.output),
            (self.errors, theirs.errors, ours.errors),
        ):
            if expected is None or their == our:
                if expected or their != our:
                    return False
            elif not (_only_in(expected[0], their, our) and _only_in(expected[1], our, their)):
                return False
        return True


def _only_in(text: str, one: str, other: str) -> bool:
    return text in one and not (text and text in other)


# Lines that only the peers tell, and that pyinit has no event for: what they found about the terminal, and their loop.
NOT_TOLD: "tuple[str, ...]" = (
    "foreground process",
    "as tty fd",
    "No child to",
    "Received SIGCHLD",
    "Exiting: child",
)
NOT_TOLD += ("got ECHILD", "Registered as child subreaper")


def carry_out(init: "str | Path", scenario: Scenario) -> Outcome:
    """Run the scenario with the init at that path."""
    command = [
        *scenario.wrapper,
        str(init),
        *scenario.options,
        *(PROGRAM if scenario.words is None else scenario.words),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", **scenario.environment}
    if scenario.terminal:
        return _on_terminal(command, environment, scenario)
    pyinit = Pyinit(Path(command[0]), "")
    stdin = subprocess.PIPE if scenario.parent_dies else subprocess.DEVNULL
    with pyinit.start(*command[1:], namespace=scenario.namespace, env=environment, stdin=stdin) as run:
        output = ""
        if scenario.words is None:
            output = _act(run, scenario)
        status, rest, errors = run.finish()
    return _outcome(scenario, status, output + rest, errors)


def _act(run: Run, scenario: Scenario) -> str:
    """Wait for the program, then do what the scenario says. Returns what was seen besides the output."""
    run.wait_for("ready.*\n")
    parent = run.pid
    init = children(parent)[0] if scenario.parent_dies else parent
    if scenario.parent_dies:
        assert run.process.stdin
        run.process.stdin.close()
        run.process.stdin = None
        wait_until(lambda: state(parent) in ("", "Z"), "the parent ends")
        settle(init)
    seen = ""
    for action in scenario.does:
        assert isinstance(action, int)
        seen += send(init, action)
    if state(init) not in ("", "Z"):
        os.kill(init, ENDS_PROGRAM)
    return seen


def send(init: int, number: int) -> str:
    """Send a signal to the init, and wait until all has come of it that will. Says who is stopped by it."""
    if state(init) in ("", "Z"):
        return ""
    program = (children(init) or [0])[0]
    os.kill(init, number)
    settle(init)
    if state(init) in ("", "Z"):
        for pid in (*children(program), program):
            os.kill(pid, signal.SIGKILL)
        return f"signal {number} ends the init\n"
    stopped = [name for name, pid in (("init", init), ("program", program)) if state(pid) == "T"]
    if stopped:
        os.kill(init, signal.SIGCONT)
        settle(init)
    return f"signal {number} stops: {', '.join(stopped)}\n" if stopped else ""


def settle(init: int) -> None:
    """Wait until the init and all below it wait for signals, with none pending, or are stopped."""
    processes = [init, *children(init)]
    processes += [grandchild for child in children(init) for grandchild in children(child)]
    wait_until(lambda: all(map(_is_settled, processes)), "every signal has arrived")


def _is_settled(pid: int) -> bool:
    status = proc_status(pid)
    if not status or status["State"][0] in "TZX":
        return True
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return status["State"][0] == "S" and pending == 0 and state(pid) == "S"


def _on_terminal(command: "list[str]", environment: "dict[str, str]", scenario: Scenario) -> Outcome:
    """As `docker run -it` has it: the init leads the session that has the terminal."""
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *NAMESPACE]
    with Terminal(*words, "setsid", "--ctty", *command) as terminal:
        terminal.wait_for("ready.*\n")
        [init] = children(terminal.pid)
        for action in scenario.does:
            if action == RESIZE:
                terminal.resize(33, 99)
                terminal.wait_for(f"program {signal.SIGWINCH}\r\n")
            elif isinstance(action, str):
                terminal.type(action)
                terminal.wait_for(f"program {KEYS[action]}\r\n")
            else:
                send(init, action)
            settle(init)
        os.kill(init, ENDS_PROGRAM)
        status = terminal.finish()
    return _outcome(scenario, status, terminal.output.replace("\r\n", "\n"), "")


def _outcome(scenario: Scenario, status: int, output: str, errors: str) -> Outcome:
    output = re.sub(r"\^[C\\]", "", output)  # the terminal's echo
    for number in (signal.SIGHUP, signal.SIGCONT):
        if scenario.terminal and number not in scenario.does:
            # The kernel sends them when the session's leader, the init, has ended (man 2 _exit): a race with its end.
            output = re.sub(rf"^child {number:d}\n", "", output, flags=re.MULTILINE)
    if not scenario.relations:
        output = re.sub("ready .*\n?", "", output)
    if scenario.errors == "told":
        # catatonit writes its prefix and the rest one after the other, while its child does the same.
        errors = re.sub(r"(INFO|DEBUG) \(catatonit:\d+\): ", "", errors)
        lines = [line for line in (output + errors).splitlines() if not any(part in line for part in NOT_TOLD)]
        output, errors = "\n".join(sorted(_PID.sub(r"\1N", line) for line in lines)), ""
    elif scenario.errors == "exact":
        errors = _PID.sub(r"\1N", errors)
    else:
        errors = "some" if errors else ""
    if scenario.own_words:
        output = "some" if output else ""
    if scenario.words is None and scenario.errors != "told":
        # The program and its child write each for itself: only the order of each one's lines says something.
        lines = output.splitlines(keepends=True)
        output = "".join(sorted(lines, key=lambda line: line.split(" ")[0]))
    return Outcome(status if not scenario.parent_dies else 0, output, errors)
