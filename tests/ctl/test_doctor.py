"""pyinitctl doctor on the host, beside the other inits and beside programs that are PID 1 themselves."""

import contextlib
import functools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pyinit.ctl import container, proc
from pyinit.ctl.doctor import examination, shells
from pyinit.ctl.doctor.advice import USE_PYINIT
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.doctor.patient import ERROR, NOTE, WARNING, Finding
from pyinit.ctl.doctor.security import is_secret
from tests.support import (
    DEADLINE,
    NAMESPACE,
    REPOSITORY,
    WITHOUT_KILL,
    Pyinit,
    Run,
    Terminal,
    require_namespaces,
    wait_until,
)

DOCTOR = [sys.executable, "-m", "pyinit.ctl", "doctor"]
NO_COLOR = ("env", "NO_COLOR=1")

SHELL = ("sh", "-c", "sh -c 'echo ready; exec sleep 1000'; true")
READY = "print('ready', flush=True); time.sleep(1000)"
SLEEP = ("sh", "-c", "echo ready; exec sleep 1000")
WITH_DAEMON = ("sh", "-c", "(setsid sh -c 'sleep 1000 & echo daemon'; true); echo ready; exec sleep 1000")


NOT_OF_PROCESSES = {"owner", "unwritable", "socket", "secrets", "capabilities"}


def doctor(*arguments: "str | int") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DOCTOR, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def wrong(pid: int, stop: "int | None" = None) -> "dict[str, str]":
    """What is wrong with PID 1 and the processes, and the fix. Rights and mounts are those of who runs the tests."""
    return {check: finding.fix for check, finding in findings(pid, stop) if finding.severity != NOTE}


def notes(pid: int, stop: "int | None" = None) -> str:
    return "\n".join(finding.message for _, finding in findings(pid, stop) if finding.severity == NOTE)


def findings(pid: int, stop: "int | None" = None) -> "list[tuple[str, Finding]]":
    """What the command shows, without its start: a test looks at several containers."""
    found = examination.findings(examination.look_twice(pid, stop))
    return [(check, finding) for check, finding in found if check not in NOT_OF_PROCESSES]


def checks(pid: int, stop: "int | None" = None) -> "set[str]":
    return set(wrong(pid, stop))


@contextlib.contextmanager
def start(*command: "str | Path") -> "Iterator[Run]":
    """A command as PID 1, once there is `ready` from it or from what it runs."""
    require_namespaces()
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is not installed")
    with Pyinit(Path(command[0]), "").start(*command[1:]) as run:
        run.wait_for("ready")
        yield run


def wait_for_program(run: Run, name: str) -> None:
    """A shell says `ready` before it becomes the program."""
    wait_until(lambda: container.look(run.pid).program.name == name, f"{name} is the program")


def patient(name: str) -> "tuple[str, ...]":
    return sys.executable, "-IS", str(REPOSITORY / "tests/container/programs/patient.py"), name


def script(name: str) -> str:
    """A shell in front of a program."""
    return " ".join(patient(name))


def python(script: str) -> "tuple[str, ...]":
    return sys.executable, "-IS", "-c", f"import os, signal, time\n{script}"


@pytest.mark.parametrize(
    ("init", "program", "expected"),
    [
        (("tini", "--"), SHELL, {"shell"}),
        (("tini", "-g", "--"), SHELL, set()),
        (("catatonit", "--"), SHELL, {"shell"}),
        (("catatonit", "-g", "--"), SHELL, set()),
        (("dumb-init", "--"), SHELL, set()),
        (("dumb-init", "-c", "--"), SHELL, {"shell"}),
        (("dumb-init", "-r", "15:0", "--"), SLEEP, {"stop"}),
        (("tini", "--"), WITH_DAEMON, {"cut-off"}),
        (("catatonit", "--"), WITH_DAEMON, {"cut-off"}),
        (("dumb-init", "--"), WITH_DAEMON, {"cut-off"}),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_what_another_init_does_not_do_is_found(
    init: "tuple[str, ...]", program: "tuple[str, ...]", expected: "set[str]"
) -> None:
    with start(*init, *program) as run:
        found = container.look(run.pid)
        assert found.init is not None
        assert found.init.name == init[0]
        assert checks(run.pid) == expected


@pytest.mark.parametrize("name", ["tini", "catatonit", "dumb-init"])
def test_an_unknown_init_is_recognised_by_what_it_does(tmp_path: Path, name: str) -> None:
    """tini and dumb-init wait in a call, catatonit has a signalfd."""
    binary = shutil.which(name)
    if not binary:
        pytest.skip(f"{name} is not installed")
    shutil.copy(binary, tmp_path / "own-init")
    with start(tmp_path / "own-init", "--", "sh", "-c", "echo ready; exec sleep 1000") as run:
        wait_for_program(run, "sleep")
        found = container.look(run.pid)
        assert found.init is not None
        assert found.init.name == "own-init"
        assert checks(run.pid) == set()


def test_pyinit_under_another_init_is_looked_through(pyinit: Pyinit) -> None:
    with start("tini", "--", str(pyinit.file), "-s", "--", *SHELL) as run:
        wait_for_program(run, "sleep")
        names = [link.process.name for link in container.look(run.pid).chain]
        assert names == ["tini", "pyinit", "sh", "sleep"]
        assert checks(run.pid) == set()


def test_pyinit_is_recognised_however_it_is_started(pyinit: Pyinit) -> None:
    program = ("--", "sh", "-c", "echo ready; exec sleep 1000")
    for command in (
        (str(pyinit.file),),
        (sys.executable, str(pyinit.file)),
        ("env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "pyinit"),
        (str(pyinit.named("tini").file),),
    ):
        with start(*command, *program) as run:
            found = container.look(run.pid)
            assert found.init is not None, command
            assert found.init.name == ("tini" if command[0].endswith("tini") else "pyinit"), command
            assert found.init.settings is not None
            wait_for_program(run, "sleep")


def test_pyinits_variables_count(pyinit: Pyinit) -> None:
    with start("env", "PYINIT_SINGLE_CHILD=yes", "PYINIT_GRACE=0", str(pyinit.file), "--", *SHELL) as run:
        assert checks(run.pid) == {"shell"}


class Case(NamedTuple):
    """What is wrong, and what is right once the fix is applied. Where PYINIT stands, pyinit does."""

    broken: "tuple[str, ...]"
    check: str
    fix: str  # a part of what doctor says
    cured: "tuple[str, ...]"
    status: int  # with which the cured one ends at a stop: 0 where the program has ended by itself


PYINIT = "PYINIT"
TRAPS_INT = ("bash", "-c", "trap '' TERM; trap 'exit 3' INT; echo ready; while :; do sleep .1; done")
IN_VAIN = ("setpriv", "--reuid", "65534", "--clear-groups", *SLEEP)
BEHIND_SHELL = ("sh", "-c", f"{script('good')}; true")

CASES = {
    "no-handler": Case(SLEEP, "stop", USE_PYINIT, (PYINIT, "--", *SLEEP), 143),
    "ignores-term": Case(
        (PYINIT, "--", *patient("ignores_term")),
        "stop",
        "by INT, which it catches: pyinit -r TERM:INT",
        (PYINIT, "-r", "TERM:INT", "--", *patient("ignores_term")),
        130,
    ),
    "ignores-what-it-is-rewritten-to": Case(
        (PYINIT, "-r", "TERM:USR1", "--", *python(f"signal.signal(10, signal.SIG_IGN); {READY}")),
        "stop",
        "pyinit -r TERM:INT instead of -r TERM:USR1",
        (PYINIT, "-r", "TERM:INT", "--", *python(f"signal.signal(10, signal.SIG_IGN); {READY}")),
        130,
    ),
    "script-that-ignores-term-and-has-a-trap": Case(
        (PYINIT, "--", *TRAPS_INT),
        "stop",
        "by INT, which it catches: pyinit -r TERM:INT",
        (PYINIT, "-r", "TERM:INT", "--", *TRAPS_INT),
        3,
    ),
    "inherited-mask": Case(
        ("env", "--block-signal=TERM", PYINIT, "--", *SLEEP),
        "stop",
        "--signal-mask none",
        ("env", "--block-signal=TERM", PYINIT, "--signal-mask", "none", "--", *SLEEP),
        143,
    ),
    "dropped": Case(
        (PYINIT, "-r", "TERM:0", "--", *patient("good")),
        "stop",
        "leave out the rewriting",
        (PYINIT, "--", *patient("good")),
        0,
    ),
    "waits-for-a-child-that-does-not-hear": Case(
        ("tini", "--", *patient("waits_for_its_server")),
        "stop",
        "tini -g",
        ("tini", "-g", "--", *patient("waits_for_its_server")),
        0,
    ),
    "waits-for-a-child-as-pid-1": Case(
        patient("waits_for_its_server"),
        "stop",
        USE_PYINIT,
        (PYINIT, "--", *patient("waits_for_its_server")),
        0,
    ),
    "shell-as-pid-1": Case(BEHIND_SHELL, "shell", USE_PYINIT, (PYINIT, "--", *BEHIND_SHELL), 143),
    "shell-without-exec": Case(BEHIND_SHELL, "shell", "exec", ("sh", "-c", f"exec {script('good')}"), 0),
    "shell-under-tini": Case(
        ("tini", "--", *BEHIND_SHELL), "shell", "tini -g", ("tini", "-g", "--", *BEHIND_SHELL), 143
    ),
    "shell-under-catatonit": Case(
        ("catatonit", "--", *BEHIND_SHELL), "shell", "catatonit -g", ("catatonit", "-g", "--", *BEHIND_SHELL), 143
    ),
    "shell-under-dumb-init": Case(
        ("dumb-init", "-c", *BEHIND_SHELL), "shell", "dumb-init without -c", ("dumb-init", *BEHIND_SHELL), 143
    ),
    "shell-alone-and-no-grace": Case(
        (PYINIT, "-c", "--grace", "0", "--", *BEHIND_SHELL),
        "shell",
        "pyinit without -c",
        (PYINIT, "--grace", "0", "--", *BEHIND_SHELL),
        143,
    ),
    "no-right-to-signal": Case(
        (*WITHOUT_KILL, PYINIT, "--", *IN_VAIN),
        "rights",
        "pyinit --user USER",
        (*WITHOUT_KILL, PYINIT, "--user", "65534", "--", *SLEEP),
        143,
    ),
    "no-right-to-signal-under-tini": Case(
        (*WITHOUT_KILL, "tini", "--", *IN_VAIN), "rights", "--cap-add KILL", ("tini", "--", *IN_VAIN), 143
    ),
    "pid-1-does-not-reap": Case(
        patient("is_left_orphans"), "zombies", USE_PYINIT, (PYINIT, "--", *patient("is_left_orphans")), 0
    ),
    "program-does-not-reap": Case(
        (PYINIT, "--", *patient("has_zombies")), "zombies", "ignore CHLD", (PYINIT, "--", *patient("ignores_chld")), 0
    ),
    "no-grace": Case(
        (PYINIT, "--grace", "0", "--", *patient("leaves_daemon")),
        "cut-off",
        "pyinit without --grace 0",
        (PYINIT, "--", *patient("leaves_daemon")),
        0,
    ),
    "no-grace-but-wait": Case(
        (PYINIT, "--grace", "0", "--", *patient("leaves_daemon")),
        "cut-off",
        "--wait-all",
        (PYINIT, "--wait-all", "--", *patient("leaves_daemon")),
        0,
    ),
    "tini-leaves": Case(
        ("tini", "--", *patient("leaves_daemon")), "cut-off", USE_PYINIT, (PYINIT, "--", *patient("leaves_daemon")), 0
    ),
    "ignores-what-it-is-sent": Case(
        (PYINIT, "-r", "TERM:QUIT", "--", *python(f"os.system('sleep 1000 >/dev/null &'); {READY}")),
        "cut-off",
        "starts with & ignore INT and QUIT",
        (PYINIT, "-r", "TERM:QUIT", "--", *python(f"os.system('setsid -f sleep 1000 >/dev/null'); {READY}")),
        131,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_fix_of_a_finding_cures_it(pyinit: Pyinit, name: str) -> None:
    """Then doctor finds nothing, and a stop ends the program as it should."""
    case = CASES[name]
    broken, cured = (
        [str(pyinit.file) if word == PYINIT else word for word in words] for words in (case.broken, case.cured)
    )
    with start(*broken) as run:
        settled(run)
        found = wrong(run.pid)
        assert set(found) == {case.check}
        assert case.fix in found[case.check]
    with start(*cured) as run:
        settled(run)
        assert checks(run.pid) == set()
        run.send(signal.SIGTERM)
        assert run.finish()[0] == case.status


def settled(run: Run) -> None:
    """Until a shell or setpriv that says `ready` has become what it runs."""
    passing = {"setpriv", "setsid", "env"}
    wait_until(lambda: not passing & {each.name for each in container.look(run.pid).processes.values()}, "all run")


STOPPED_BY_INT = (PYINIT, "--stop-signal", "INT")
SERVES = f"{script('good')} & "
HEARS_INT = shlex.join(python(f"signal.signal(2, lambda *_: os._exit(0)); {READY}"))
ENDS_IT = "kill $!; wait; exit 3"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    ("init", "stop", "text"),
    [
        ((), "INT", f"{SERVES} trap '{ENDS_IT}' INT; wait"),
        ((), "INT", f"{HEARS_INT} & trap 'kill -INT $!; wait; exit 3' INT; wait"),
        ((), "USR1", f"{SERVES} trap '{ENDS_IT}' USR1; wait"),
        (("dumb-init", "-c", "-r", "15:2", "--"), "TERM", f"{SERVES} trap '{ENDS_IT}' INT; wait"),
        ((PYINIT, "-c", "-r", "TERM:INT", "--"), "TERM", "trap 'exit 3' INT; sleep 1000 & echo ready; wait"),
        (
            (PYINIT, "-c", "--grace", "0", "--stop-signal", "QUIT", "--"),
            "QUIT",
            f"{SERVES} trap '{ENDS_IT}' QUIT; wait",
        ),
    ],
)
def test_a_trap_for_the_signal_that_comes_counts(
    pyinit: Pyinit, shell: str, init: "tuple[str, ...]", stop: str, text: str
) -> None:
    number = getattr(signal, f"SIG{stop}")
    with start(*(str(pyinit.file) if word == PYINIT else word for word in init), shell, "-c", text) as run:
        settled(run)
        assert checks(run.pid, number) <= {"cut-off"}  # `sleep` ignores INT
        assert not [check for check, _ in findings(run.pid, number) if check in ("shell", "trap")]
        run.send(number)
        assert run.finish()[0] == 3


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    ("init", "text", "severity", "message"),
    [
        ((), "sleep 1000; true", ERROR, "PID 1 is a shell that does not pass INT on"),
        ((PYINIT, "-c", "--"), "sleep 1000; true", ERROR, "for which it waits"),
        ((PYINIT, "-c", "--"), "sleep 1000 & wait", NOTE, "asked to end when the shell has ended"),
        ((*STOPPED_BY_INT, "-c", "--"), "sleep 1000 & wait", WARNING, "ignores or blocks it: it is killed in the end"),
        (("tini", "--"), "sleep 1000 & wait", ERROR, "a stop ends the shell, and the program is killed"),
    ],
)
def test_a_shell_catches_int_without_a_trap_and_passes_it_on_to_nobody(
    pyinit: Pyinit, shell: str, init: "tuple[str, ...]", text: str, severity: str, message: str
) -> None:
    words = [str(pyinit.file) if word == PYINIT else word for word in init]
    with start(*words, shell, "-c", f"echo ready; {text}") as run:
        wait_for_program(run, "sleep")
        [finding] = [finding for check, finding in findings(run.pid, signal.SIGINT) if check == "shell"]
        assert finding.severity == severity
        assert message in finding.message


@pytest.mark.parametrize(
    ("init", "program", "check", "message"),
    [
        ((PYINIT, "-c", "-r", "TERM:WINCH", "--"), SLEEP, "stop", "has no handler for WINCH, which does nothing then"),
        ((PYINIT, "-c", "-r", "TERM:WINCH", "--"), SHELL, "shell", "and goes on"),
        (("dumb-init", "-r", "15:28", "--"), SLEEP, "stop", "leave out -r 15:28"),
    ],
)
def test_a_signal_that_does_nothing_by_default_ends_nobody(
    pyinit: Pyinit, init: "tuple[str, ...]", program: "tuple[str, ...]", check: str, message: str
) -> None:
    with start(*(str(pyinit.file) if word == PYINIT else word for word in init), *program) as run:
        wait_for_program(run, "sleep")
        [(name, finding)] = [each for each in findings(run.pid) if each[1].severity == ERROR]
        assert name == check
        assert message in f"{finding.message} {finding.fix}"


def test_whether_a_script_in_a_file_has_a_trap_for_int_cannot_be_known(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "entry.sh").write_text("sleep 1000 &\necho ready\nwait\n")
    with start(str(pyinit.file), "-c", "--", "sh", str(tmp_path / "entry.sh")) as run:
        told = [
            json.loads(doctor("--pid", run.pid, "--json", "--stop-signal", stop).stdout) for stop in ("INT", "TERM")
        ]
        assert [text for text in told[0]["unread"] if "has a trap for INT: shells catch it without one" in text]
        assert "shell" in [each["check"] for each in told[1]["findings"]]


FOREGROUND = "trap 'exit 3' TERM; echo ready; sleep 1000; true"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("init", [(), (PYINIT, "-c", "--"), ("tini", "--")], ids=" ".join)
def test_a_trap_waits_for_the_command_in_the_foreground(
    pyinit: Pyinit, monkeypatch: pytest.MonkeyPatch, init: "tuple[str, ...]", shell: str
) -> None:
    words = [str(pyinit.file) if word == PYINIT else word for word in init]
    with start(*words, shell, "-c", FOREGROUND) as run:
        wait_until(lambda: sleeping(run), "sleep runs")
        assert checks(run.pid) == set()
        assert "answers TERM only when what it waits for" in notes(run.pid)
        monkeypatch.setattr(shells, "FULL_SECONDS", 0)
        assert "begin that with &" in wrong(run.pid)["trap"]
        run.send(signal.SIGTERM)
        os.kill(sleeping(run)[0].pid, signal.SIGKILL)
        assert run.finish()[0] == 3
    group = [PYINIT if not init else init[0], *(["-g"] if init[:1] == ("tini",) else []), "--"]
    in_background = FOREGROUND.replace("sleep 1000;", "sleep 1000 & wait;")
    for cured in ((*words, shell, "-c", in_background), (*group, shell, "-c", FOREGROUND)):
        with start(*(str(pyinit.file) if word == PYINIT else word for word in cured)) as run:
            wait_until(functools.partial(sleeping, run), "sleep runs")
            assert not [check for check, _ in findings(run.pid) if check == "trap"]
            run.send(signal.SIGTERM)
            assert run.finish()[0] == 3


def sleeping(run: Run) -> "list[proc.Process]":
    return [each for each in container.look(run.pid).processes.values() if each.name == "sleep"]


def test_a_trap_for_int_waits_as_well_whatever_else_is_ignored(pyinit: Pyinit) -> None:
    text = "trap '' TERM; echo ready; sleep 1000; true"
    with start(str(pyinit.file), "--stop-signal", "INT", "-c", "--", "sh", "-c", text) as run:
        wait_until(lambda: sleeping(run), "sleep runs")
        assert "answers INT only when what it waits for" in notes(run.pid)


@pytest.mark.parametrize(
    ("command", "tty", "interactive"),
    [
        ("bash -i", 0, True),
        ("bash --norc -ic true", 0, True),
        ("-bash", 0x8800, True),
        ("sh", 0x8800, True),
        ("bash -o pipefail", 0x8800, True),
        ("sh", 0, False),
        ("bash -c true", 0x8800, False),
        ("bash -eu /entry.sh -i", 0x8800, False),
        ("sh /entry.sh", 0x8800, False),
        ("bash -o pipefail -c true", 0x8800, False),
    ],
)
def test_an_interactive_shell_has_a_terminal_and_no_script_or_says_so(
    command: str, tty: int, interactive: bool
) -> None:
    own = proc.read(os.getpid())
    assert own is not None
    assert shells.is_interactive(replace(own, command=tuple(command.split()), tty=tty)) is interactive


@pytest.mark.parametrize(
    "asks",
    [
        "while not signal.sigtimedwait([15], 0): time.sleep(.1)",
        "while 15 not in signal.sigpending(): time.sleep(.1)",
    ],
)
@pytest.mark.parametrize("init", [(), (PYINIT, "--")], ids=" ".join)
def test_who_asks_for_a_blocked_signal_now_and_then_is_not_said_to_wait_in_vain(
    pyinit: Pyinit, init: "tuple[str, ...]", asks: str
) -> None:
    text = f"signal.pthread_sigmask(signal.SIG_BLOCK, [15]); print('ready', flush=True)\n{asks}"
    with start(*(str(pyinit.file) if word == PYINIT else word for word in init), *python(text)) as run:
        [finding] = [finding for check, finding in findings(run.pid) if check == "stop"]
        assert finding.severity == WARNING
        assert "unless it asks now and then whether that has come" in finding.message
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 0


def test_what_ignores_the_stop_below_the_program_is_told_of_where_it_is_waited_for(pyinit: Pyinit) -> None:
    """pyinit kills it when its time is up; tini ends, and the kernel kills it at once."""
    child = "if not os.fork(): os.setsid(); signal.signal(15, signal.SIG_IGN); print('ready', flush=True)\n"
    command = python(f"{child}time.sleep(1000)")
    with start(str(pyinit.file), "--grace", "0.1", "--", *command) as run:
        assert checks(run.pid) == set()
        assert "ignores or blocks TERM: if it is left when the program has ended" in notes(run.pid)
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
        assert status == 143
        assert "KILL" in errors
    with start("tini", "--", *command) as run:
        assert "ignores or blocks TERM" not in notes(run.pid)
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 143


DAEMONS = {
    "of-a-group-of-the-dead": "sh -c 'sleep 500 >/dev/null &'",
    "in-a-session": "sh -c 'setsid sleep 500 >/dev/null &'",
    "in-a-group-of-its-own": "bash -c 'set -m; sleep 500 >/dev/null &'",
}


@pytest.mark.parametrize("session", [(), ("--session",)], ids=["", "session"])
@pytest.mark.parametrize("name", DAEMONS)
def test_what_pyinits_before_has_left_is_not_the_program(pyinit: Pyinit, session: "tuple[str, ...]", name: str) -> None:
    with start(str(pyinit.file), *session, "--before", DAEMONS[name], "--", *patient("good")) as run:
        wait_until(lambda: len(sleeping(run)) == 1, "the daemon is there")
        found = container.look(run.pid)
        assert found.program.command == patient("good")
        assert [each.name for each in found.adopted] == ["sleep"]


def test_what_is_left_when_the_program_has_ended_is_not_the_program(pyinit: Pyinit) -> None:
    command = ("sh", "-c", "sleep 500 >/dev/null & echo ready")
    with start(str(pyinit.file), "--wait-all", "--", *command) as run:
        wait_until(lambda: len(container.look(run.pid).processes) == 2, "the program has ended")
        found = container.look(run.pid)
        assert found.program is found.pid1
        assert [each.name for each in found.adopted] == ["sleep"]
        assert checks(run.pid) == set()


def test_a_stop_signal_that_is_not_known_is_said_to_be_assumed() -> None:
    with start(*SLEEP) as run:
        wait_for_program(run, "sleep")
        assumed, told = doctor("--pid", run.pid).stdout, doctor("--pid", run.pid, "--stop-signal", "INT").stdout
        assert "\nstop:    TERM, if the image has no other STOPSIGNAL (--stop-signal)\n" in assumed
        assert "then kills (status 137), if it is stopped by TERM (see --stop-signal)\n" in assumed
        assert "\nstop:    INT\n" in told
        assert "see --stop-signal" not in told


def test_a_stop_through_a_shell_is_one_where_pyinit_asks_what_is_left(pyinit: Pyinit) -> None:
    """With -c the shell alone gets it, and the program does when that has ended."""
    good = f"signal.signal(15, lambda *_: (print('goodbye', flush=True), os._exit(0))); {READY}"
    *command, text = python(good)
    with start(str(pyinit.file), "-c", "--", "sh", "-c", f"{shlex.join(command)} {shlex.quote(text)}; true") as run:
        assert checks(run.pid) == set()
        assert "gets no other signal" in notes(run.pid)
        run.send(signal.SIGTERM)
        assert "goodbye" in run.finish()[1]


def test_a_program_that_ignores_the_stop_with_a_child_that_does_not_is_no_error(pyinit: Pyinit) -> None:
    with start(str(pyinit.file), "--", *patient("waits_for_its_server")) as run:
        assert checks(run.pid) == set()
        assert "a stop ends it if it ends with 3 (" in notes(run.pid)
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 0


def test_workers_that_block_signals_are_their_masters_affair(pyinit: Pyinit) -> None:
    """As those of apache2 do."""
    worker = "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 15)); "
    with start(str(pyinit.file), "--", *python(f"if not os.fork(): {worker}\n{READY}")) as run:
        assert checks(run.pid) == set()
        assert "blocks" not in notes(run.pid)


def test_what_gets_the_stop_with_the_program_is_told_and_no_more_than_a_note(pyinit: Pyinit) -> None:
    """Without a grace nobody waits for it."""
    command = python(f"os.system('sleep 1000 >/dev/null &'); {READY}")
    with start(str(pyinit.file), "--grace", "0", "--", *command) as run:
        settled(run)
        assert checks(run.pid) == set()
        assert "gets the stop with the program, and is killed when that has ended" in notes(run.pid)


def test_a_stopped_process_goes_on(pyinit: Pyinit) -> None:
    with start(str(pyinit.file), "--", *patient("child_is_stopped")) as run:
        assert wrong(run.pid) == {"pending": "kill -CONT it"}
        stopped = next(each for each in container.look(run.pid).processes.values() if each.state == "T")
        os.kill(stopped.pid, signal.SIGCONT)
        wait_until(lambda: stopped.pid not in container.look(run.pid).processes or checks(run.pid), "it takes HUP")
        assert checks(run.pid) <= {"zombies"}


def test_a_signal_that_harms_nobody_by_waiting_is_none(pyinit: Pyinit) -> None:
    script = f"signal.pthread_sigmask(signal.SIG_BLOCK, [17, 28]); os.kill(os.getpid(), 28); {READY}"
    with start(str(pyinit.file), "--", *python(script)) as run:
        assert checks(run.pid) == set()


def master(tmp_path: Path, name: str) -> "tuple[str, ...]":
    """A program of that name with a worker; it ends the worker when it is told to end."""
    file = tmp_path / name
    file.write_text(
        "import os, signal\n"
        "worker = os.fork()\n"
        "if worker:\n"
        "    signal.signal(15, lambda *_: (os.kill(worker, 15), os.waitpid(worker, 0), os._exit(0)))\n"
        "    print('ready', flush=True)\n"
        "while True: signal.pause()\n"
    )
    return sys.executable, "-IS", str(file)


@pytest.mark.parametrize("name", ["celery", "gunicorn"])
@pytest.mark.parametrize(
    ("broken", "fix", "cured"),
    [
        ((PYINIT, "--"), "pyinit -c", (PYINIT, "-c", "--")),
        ((PYINIT, "--", "sh", "-c", '"$@"; true', "sh"), "with exec, and", (PYINIT, "-c", "--")),
        (("tini", "-g", "--"), "tini without -g", ("tini", "--")),
        (("dumb-init", "--"), "dumb-init -c", ("dumb-init", "-c", "--")),
    ],
)
def test_a_master_whose_workers_get_its_signals_is_found(
    pyinit: Pyinit, tmp_path: Path, name: str, broken: "tuple[str, ...]", fix: str, cured: "tuple[str, ...]"
) -> None:
    program = master(tmp_path, name)
    for words, expected in ((broken, {"masters"}), (cured, set[str]())):
        with start(*(str(pyinit.file) if word == PYINIT else word for word in words), *program) as run:
            wait_until(lambda: len(container.look(run.pid).processes) >= 3, "the worker is there")
            found = wrong(run.pid)
            assert set(found) == expected
            assert not expected or fix in found["masters"]
            run.send(signal.SIGTERM)
            assert run.finish()[0] == (143 if "sh" in words else 0)


def test_of_a_master_that_is_not_known_nothing_is_said(pyinit: Pyinit, tmp_path: Path) -> None:
    with start(str(pyinit.file), "--", *master(tmp_path, "another")) as run:
        wait_until(lambda: len(container.look(run.pid).processes) >= 3, "the worker is there")
        assert checks(run.pid) == set()


@pytest.mark.parametrize(
    ("init", "stop", "fix"),
    [
        ((PYINIT, "-c", "--"), "QUIT", "pyinit -r QUIT:TERM; or STOPSIGNAL SIGTERM in the image"),
        ((PYINIT, "-c", "-r", "TERM:QUIT", "--"), "TERM", "leave out -r TERM:QUIT"),
        ((PYINIT, "-c", "-r", "INT:QUIT", "--"), "INT", "pyinit -r INT:TERM instead of -r INT:QUIT"),
        (("dumb-init", "-c", "--"), "QUIT", "dumb-init -r 3:15; or STOPSIGNAL SIGTERM in the image"),
        (("tini", "--"), "QUIT", 'STOPSIGNAL SIGTERM in the image; or ENTRYPOINT ["/pyinit", "-r", "QUIT:TERM", "--"]'),
        ((), "QUIT", 'STOPSIGNAL SIGTERM in the image; or ENTRYPOINT ["/pyinit", "-r", "QUIT:TERM", "--"]'),
        ((PYINIT, "-c", "-r", "QUIT:TERM", "--"), "QUIT", ""),
        ((PYINIT, "-c", "--"), "TERM", ""),
        ((), "TERM", ""),
    ],
)
def test_a_server_that_is_known_is_sent_what_it_wants(
    pyinit: Pyinit, tmp_path: Path, init: "tuple[str, ...]", stop: str, fix: str
) -> None:
    program = master(tmp_path, "gunicorn")
    file = Path(program[-1])
    file.write_text(file.read_text().replace("import os, signal\n", "import os, signal\nsignal.signal(3, id)\n"))
    with start(*(str(pyinit.file) if word == PYINIT else word for word in init), *program) as run:
        found = wrong(run.pid, getattr(signal, f"SIG{stop}"))
        assert set(found) == ({"server"} if fix else set())
        assert fix in found.get("server", "")


def test_the_stop_signal_that_pyinit_was_told_is_taken_as_the_engines(pyinit: Pyinit, tmp_path: Path) -> None:
    with start(str(pyinit.file), "-c", "--stop-signal", "QUIT", "--", *master(tmp_path, "gunicorn")) as run:
        assert checks(run.pid) == {"server"}
        assert checks(run.pid, signal.SIGTERM) == set()


@pytest.mark.parametrize(("how", "found"), [("", True), ("argument", False), ("variable", False), ("file", False)])
def test_uwsgi_reloads_at_term_unless_it_is_told_otherwise(
    pyinit: Pyinit, tmp_path: Path, how: str, found: bool
) -> None:
    program = master(tmp_path, "uwsgi")
    (tmp_path / "app.ini").write_text("[uwsgi]\ndie-on-term = true\n")
    arguments = {"argument": ["--die-on-term"], "file": ["--ini", "app.ini"]}.get(how, [])
    variables = ["UWSGI_DIE_ON_TERM=1"] if how == "variable" else []
    command = ["env", "-C", str(tmp_path), *variables, *program, *arguments]
    with start(str(pyinit.file), "--", *command) as run:
        assert checks(run.pid) == ({"server"} if found else set())
        assert [each.severity for check, each in findings(run.pid) if check == "server"] == [ERROR] * found


def test_node_as_pid_1_is_told_of() -> None:
    """It answers TERM by raising it once more with the default action, which PID 1 has not."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    with start("node", "-e", "console.log('ready'); setInterval(() => {}, 1000)") as run:
        wait_until(lambda: container.look(run.pid).pid1.caught & 1 << 14, "node has its handler")
        assert checks(run.pid) == set()
        assert "sending itself the same again" in notes(run.pid)


def test_names_do_not_write_on_the_terminal() -> None:
    """Neither by escape sequences nor by what rich takes for markup."""
    name = "[red]evil[/red] :smile: \x1b[31mred"
    with start("bash", "-c", f"(echo ready; exec -a {shlex.quote(name)} sleep 1000); true") as run:
        wait_for_program(run, "sleep")
        with Terminal("env", "TERM=xterm", *DOCTOR, "--pid", str(run.pid)) as terminal:
            assert terminal.finish() == 1
            assert "\x1b[31mred" not in terminal.output
            assert "[red]evil[/red] :smile: \\x1b[31mred" in terminal.output


def test_on_a_terminal_lines_are_broken_at_its_width_and_in_a_pipe_they_are_not() -> None:
    with start("sh", "-c", "echo ready; exec sleep 1000") as run:
        command = (*DOCTOR, "--pid", str(run.pid))
        with Terminal("env", "COLUMNS=80", "NO_COLOR=1", *command) as terminal:
            assert terminal.finish() == 1
            lines = terminal.output.splitlines()
        assert max(map(len, lines)) <= 80
        assert any(len(line) > 80 for line in doctor("--pid", run.pid).stdout.splitlines())


def test_libraries_of_the_image_that_reach_the_interpreter_are_noted(pyinit: Pyinit) -> None:
    for variables, expected in ((["LD_LIBRARY_PATH=/opt/app/lib"], 1), ([], 0)):
        with start("env", "-u", "LD_LIBRARY_PATH", *variables, str(pyinit.file), "--", *SHELL) as run:
            told = json.loads(doctor("--pid", run.pid, "--json").stdout)
            found = [each for each in told["findings"] if each["check"] == "libraries"]
            assert len(found) == expected
            assert all("LD_LIBRARY_PATH=/opt/app/lib" in each["fix"] and each["severity"] == "note" for each in found)


def test_waiting_for_other_signals_is_no_handling_of_term() -> None:
    script = "signal.pthread_sigmask(signal.SIG_BLOCK, [10]); print('ready', flush=True); signal.sigwait([10])"
    with start(*python(script)) as run:
        assert checks(run.pid) == {"stop"}
        assert checks(run.pid, signal.SIGUSR1) == set()


def test_a_thread_that_waits_for_term_counts() -> None:
    """As in mariadbd."""
    script = (
        "import threading\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [15])\n"
        "threading.Thread(target=lambda: (print('ready', flush=True), signal.sigwait([15]))).start()\n"
        "signal.pause()\n"
    )
    with start(*python(script)) as run:
        assert checks(run.pid) == set()


def test_the_stop_signal_is_the_images() -> None:
    with start(*python("signal.signal(3, lambda *_: None); print('ready', flush=True); time.sleep(1000)")) as run:
        assert checks(run.pid) == {"stop"}
        assert checks(run.pid, signal.SIGQUIT) == set()
        assert checks(run.pid, signal.SIGKILL) == set()


def test_a_zombie_that_is_reaped_soon_is_none() -> None:
    """Children end all the time, and each is waited for a moment later."""
    script = (
        "signal.signal(15, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    pid = os.posix_spawn('/bin/true', ['true'], {})\n"
        "    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
        "    time.sleep(0.05)\n"
        "    os.waitpid(pid, 0)\n"
    )
    with start(*python(script)) as run:
        assert checks(run.pid) == set()


def test_any_process_of_the_container_will_do(pyinit: Pyinit) -> None:
    with start(str(pyinit.file), "--", *SHELL) as run:
        found = container.look(run.pid)
        assert {container.look(pid).pid1.pid for pid in found.processes} == {run.pid}
        assert [found.number(link.process) for link in found.chain] == [1, 2, 3]


def test_inside_it_looks_at_its_own_pid_namespace(pyinit: Pyinit) -> None:
    """Even where /proc is still that of the namespace above."""
    for namespace in (NAMESPACE, [word for word in NAMESPACE if word != "--mount-proc"]):
        command = [*namespace, str(pyinit.file), "--", *DOCTOR, "--json"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        told = json.loads(done.stdout)
        assert told["pid1"]["init"] == "pyinit"
        assert told["program"]["number"] == 2
        assert told["program"]["command"][-2:] == ["doctor", "--json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pid", "4194304"), "Error: --pid: there is no process 4194304 here\n"),
        (("--pid", "none"), "Error: Invalid value for '--pid': 'none' is not a valid integer"),
        (("--stop-signal", "FOO"), "Error: Invalid value for '--stop-signal': 'FOO' is no signal: a name such as"),
    ],
)
def test_what_cannot_be_looked_at_is_status_2(arguments: "tuple[str, ...]", message: str) -> None:
    done = doctor(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_colour_is_for_a_terminal_that_wants_it() -> None:
    with start("sh", "-c", "echo ready; exec sleep 1000") as run:
        command = (*DOCTOR, "--pid", str(run.pid))
        assert "\x1b" not in doctor("--pid", run.pid).stdout
        for wrapper, colour in (((), True), (NO_COLOR, False)):
            with Terminal("env", "TERM=xterm", *wrapper, *command) as terminal:
                assert terminal.finish() == 1
                assert "stop" in terminal.output
                assert ("\x1b" in terminal.output) is colour


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("POSTGRES_PASSWORD", "hunter2", True),
        ("PGPASSWORD", "hunter2", True),
        ("django_secret_key", "hunter2", True),
        ("AWS_SECRET_ACCESS_KEY", "hunter2", True),
        ("GITHUB_TOKEN", "hunter2", True),
        ("DATABASE_URL", "postgres://app:hunter2@db/app", True),
        ("PROXY", "http://proxy:3128/", False),
        ("DATABASE_URL", "postgres://app@db/app", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db", False),
        ("POSTGRES_PASSWORD", "", False),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes", False),
        ("SSH_PRIVATE_KEY", "/keys/id", False),
        ("TOKENIZERS_PARALLELISM", "8", False),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", False),
        ("PWD", "/srv", False),
        ("MAX_TOKEN", "4096", False),
        ("CONTEXT_TOKEN", "8192", False),
        ("EOS_TOKEN", "endoftext", False),
        ("NO_PASSWORD", "on", False),
        ("REQUIRE_PASSWORD", "Off", False),
        ("ALLOW_PASSWORD", "disabled", False),
        ("DB_PASSWORD", "123456", True),
        ("BOT_TOKEN", "123456:AAF-x", True),
        ("MAX_PASSWORD", "once", True),
    ],
)
def test_secrets_are_told_by_name_and_value(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def test_files_are_not_looked_for_through_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "file").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    files = Files(os.getpid(), is_ours=True)
    for name in ("link/passwd", "file", "pipe"):
        with pytest.raises(OSError, match=name):
            files.read(str(tmp_path / name))
    assert files.read("/etc/passwd") == Path("/etc/passwd").read_bytes()


def test_looking_leaves_no_descriptor_open() -> None:
    before = os.listdir("/proc/self/fd")
    files = Files(os.getpid(), is_ours=True)
    files.status("/etc/passwd")
    list(files.walk("/etc"))
    with contextlib.suppress(OSError):
        files.status("/etc/none/none")
    proc.read(os.getpid())
    assert os.listdir("/proc/self/fd") == before
