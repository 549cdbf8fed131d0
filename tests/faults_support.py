"""pyinit with one system call failing: strace makes the kernel refuse it, in pyinit alone and not in the program.

strace without -f traces one process, and must not be PID 1 itself: a shell is, and pyinit is a subreaper below it.
"""

import contextlib
import os
import pty
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.identity_support import Etc
from tests.support import Pyinit, Run, children

STATUS = 7  # what the program ends with when it gets TERM

# It leaves a process behind in a session of its own, which no signal for its group reaches: that is for the drain.
PROGRAM = ("sh", "-c", f"trap 'exit {STATUS}' TERM; setsid sh -c 'echo ready; exec sleep 60' & wait")

# Runs what follows as a child of PID 1.
BESIDE_A_SHELL = ("sh", "-c", '"$@"; exit "$?"', "sh")

PATIENCE = 20.0  # seconds until a run counts as one that does not end by itself

LOADING, PREPARING, RUNNING, ENDING = "loading", "preparing", "running", "ending"

# These cannot fail (their manual pages name no error), or never return.
_CANNOT_FAIL = {"execve", "exit_group", "getegid", "geteuid", "getgid", "getpgrp", "getpid", "getppid", "getuid", "brk"}

_SPAWNS = {"clone", "clone3", "fork", "vfork"}


class Setting(NamedTuple):
    """A run to make calls fail in: options, and what they need around them."""

    options: "tuple[str, ...]" = ()
    accounts: bool = False  # account files, and a home, of the run's own
    terminal: bool = False


SETTINGS = {
    "plain": Setting(),
    "--grace": Setting(("--grace", "0.5")),
    "--session": Setting(("--session",), terminal=True),
    "--events": Setting(("-w", "--events", "{directory}/journal")),
    "--user": Setting(("--user", "nobody")),
    "--match-owner": Setting(("--user", "dev", "--match-owner", "{directory}/mount"), accounts=True),
    "--secrets": Setting(("--secrets", "{directory}/secrets")),
}


class Step(NamedTuple):
    """One system call of a run: the `number`th of that name since the process was made."""

    call: str
    number: int
    phase: str


class Ended(NamedTuple):
    """How a run ended."""

    status: int
    started: bool  # whether the program said that it runs
    heard: bool  # whether TERM reached the program through pyinit
    in_time: bool
    injected: int  # how often the call failed
    errors: "list[str]"  # lines on standard error
    files: "dict[str, str]"  # the account files, and whatever else is beside them


@contextlib.contextmanager
def controlling_terminal(wanted: bool) -> "Iterator[tuple[tuple[str, ...], int]]":
    """A command's first words that give it a terminal of its own, and its standard input."""
    if not wanted:
        yield ("setsid",), subprocess.DEVNULL
        return
    master, slave = pty.openpty()
    try:
        yield ("setsid", "--ctty"), slave
    finally:
        os.close(master)
        os.close(slave)


def prepare(directory: Path, setting: Setting) -> "tuple[str, ...]":
    """Make what a run's options name; returns the first words of a command that sees its account files."""
    for name in ("mount", "tree", "secrets"):
        (directory / name).mkdir()
    (directory / "secrets" / "TOKEN").write_text("x\n")
    if not setting.accounts:
        return ()
    os.chown(directory / "mount", 4242, 4242)
    etc = Etc(directory)
    for tree in (directory / "tree", etc.home / "dev"):
        tree.mkdir(exist_ok=True)
        (tree / "file").touch()
        for path in (tree / "file", tree):
            os.chown(path, 1000, 1000)
    return etc.mounted


def run(pyinit: Pyinit, directory: Path, setting: Setting, *tracing: str, patience: float = PATIENCE) -> Ended:
    """One run under strace with more of its options. The program gets TERM once it is there."""
    directory.mkdir()
    trace = directory / "trace"
    around = prepare(directory, setting)
    options = [word.format(directory=directory) for word in setting.options]
    with controlling_terminal(setting.terminal) as (session, stdin):
        tracer = ("strace", "-qq", "-e", "signal=none", "-o", str(trace), *tracing)
        wrapper = (*session, *around, *BESIDE_A_SHELL, *tracer)
        with pyinit.start(*options, "--", *PROGRAM, wrapper=wrapper, stdin=stdin) as run:
            started = saw(run, b"ready")
            heard, in_time = (ask_to_end(run, patience / 4), True) if started else (False, True)
            try:
                run.process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                in_time = False
                run.process.kill()
            status, _, errors = run.finish()
    injected = trace.read_text(errors="replace").count("(INJECTED)")
    files = {path.name: path.read_text() for path in (directory / "etc").glob("*") if path.name != ".pwd.lock"}
    return Ended(status, started, heard, in_time, injected, errors.splitlines(), files)


def saw(run: Run, what: bytes) -> bool:
    """Whether the program wrote this before its output ended."""
    assert run.process.stdout is not None
    os.set_blocking(run.process.stdout.fileno(), False)
    output = b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            data = os.read(run.process.stdout.fileno(), 4096)
            output += data
            if what in output:
                return True
            if not data:
                return False
        time.sleep(0.002)
    return False


def ask_to_end(run: Run, patience: float) -> bool:
    """Send TERM to pyinit. If that reaches nobody, to the program itself: whether the first was enough."""
    [tracer] = children(run.pid)[:1]
    [init] = children(tracer)
    group = children(init)[:1]
    os.kill(init, signal.SIGTERM)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not group or group[0] not in children(init) or run.process.poll() is not None:
            return True
        time.sleep(0.002)
    for pid in group:
        os.kill(-pid, signal.SIGTERM)
    return False


def steps(pyinit: Pyinit, trace: Path) -> "list[Step]":
    """The calls of a traced run that can fail, from the moment when the interpreter opens pyinit's file."""
    counts: "Counter[str]" = Counter()
    found = []
    phase = program = ""
    for line in trace.read_text(errors="replace").splitlines():
        call, parenthesis, rest = line.partition("(")
        if not parenthesis or not call.isidentifier():
            continue
        counts[call] += 1
        if not phase and call == "openat" and f'"{pyinit.file}"' in rest:
            phase = LOADING
        elif phase == LOADING and call == "rt_sigprocmask":
            phase = PREPARING
        if phase and call not in _CANNOT_FAIL:
            found.append(Step(call, counts[call], phase))
        result = rest.rpartition("= ")[2]
        if call in _SPAWNS and "SIGCHLD" in rest and "exit_signal=0" not in rest:
            phase, program = RUNNING, result
        elif call == "wait4" and result == program:
            phase = ENDING
    return found


class Outcome(NamedTuple):
    """What comes of a fault."""

    words: str
    status: int = STATUS
    started: bool = True
    heard: bool = True
    in_time: bool = True
    said: str = ""  # a pattern for one line of standard error


AS_EVER = Outcome("as without it")
INTERPRETER = Outcome("the interpreter's own message, status 1", 1, False, False, said=r"Error: |not seekable")
REFUSED = Outcome("one line, status 1, the program is not started", 1, False, False, said=r"^pyinit: ")
REFUSED_USAGE = Outcome("one line, status 2, the program is not started", 2, False, False, said=r"^pyinit: --")
NOT_SUBREAPER = Outcome("a warning: orphans are not reaped", said="cannot become a subreaper")
SAID = Outcome("a line, then as ever", said="internal error, carrying on")
BY_NUMBER = Outcome(
    "a warning, then the program runs with the numbers; account files whole", said="cannot be written|not possible"
)
NOT_FORWARDED = Outcome(
    "a warning: nothing else can send the signal; status and end as ever", heard=False, said="cannot forward"
)
DEAF = Outcome(
    "a line each time; no signal is forwarded meanwhile, status and end as ever", heard=False, said="carrying on"
)
ENDLESS = Outcome(
    "goes on until a wait works: nothing else tells the status",
    -signal.SIGKILL,
    heard=False,
    in_time=False,
    said="carrying on",
)

EVERY = ("EAGAIN", "ENOMEM", "EPERM", "ESRCH", "EIO", "ENOSPC", "EMFILE")
WITH_EINTR = ("EINTR", *EVERY)


class Fault(NamedTuple):
    """A call that fails `once`, at its first time in a phase, or `always` from then on."""

    setting: str
    phase: str
    call: str
    errors: "tuple[str, ...]"
    how: str
    outcome: Outcome


def faults(
    setting: str, phase: str, calls: str, errors: "tuple[str, ...]", outcome: Outcome, how: str = "once always"
) -> "list[Fault]":
    return [Fault(setting, phase, call, errors, each, outcome) for call in calls.split() for each in how.split()]


MATRIX = [
    *faults("plain", LOADING, "openat read", ("ENOMEM", "EPERM", "ESRCH", "EIO", "ENOSPC", "EMFILE"), INTERPRETER),
    *faults("plain", PREPARING, "rt_sigprocmask rt_sigaction", WITH_EINTR, REFUSED),
    *faults("plain", PREPARING, "openat read", ("ENOMEM", "EPERM", "ESRCH", "EIO", "ENOSPC", "EMFILE"), REFUSED),
    *faults("plain", PREPARING, "openat read", ("EINTR",), AS_EVER, "once"),
    *faults("plain", PREPARING, "close lseek", WITH_EINTR, REFUSED, "once"),
    *faults("plain", PREPARING, "ioctl", WITH_EINTR, AS_EVER),
    *faults("plain", PREPARING, "newfstatat", EVERY, AS_EVER, "once"),
    *faults("plain", PREPARING, "prctl", WITH_EINTR, NOT_SUBREAPER),
    *faults("plain", PREPARING, "mprotect", ("ENOMEM",), NOT_SUBREAPER),
    *faults("plain", PREPARING, "clone3", WITH_EINTR, AS_EVER),
    *faults("plain", RUNNING, "rt_sigtimedwait", EVERY, SAID, "once"),
    *faults("plain", RUNNING, "rt_sigtimedwait", ("EINTR",), AS_EVER),
    *faults("--grace", RUNNING, "rt_sigtimedwait", ("ENOMEM", "EPERM", "EIO"), DEAF, "always"),
    *faults("plain", RUNNING, "kill", ("EAGAIN", "ENOMEM", "EPERM", "EIO"), NOT_FORWARDED),
    *faults("plain", RUNNING, "kill", ("ESRCH",), AS_EVER, "once"),
    *faults("plain", RUNNING, "openat", WITH_EINTR, AS_EVER, "once"),
    *faults("plain", RUNNING, "close", WITH_EINTR, AS_EVER, "once"),
    *faults("plain", RUNNING, "wait4", EVERY, SAID, "once"),
    *faults("plain", RUNNING, "wait4", ("EINTR",), AS_EVER),
    *faults("--grace", RUNNING, "wait4", ("ENOMEM", "EIO"), ENDLESS, "always"),
    *faults("--grace", ENDING, "wait4", EVERY, SAID),
    *faults("--grace", ENDING, "readlink openat newfstatat getdents64", WITH_EINTR, AS_EVER, "once"),
    *faults("--grace", ENDING, "pidfd_open pidfd_send_signal close", EVERY, AS_EVER, "once"),
    *faults("--events", RUNNING, "write", EVERY, AS_EVER),
    *faults("--secrets", PREPARING, "getdents64", EVERY, REFUSED_USAGE, "always"),
    *faults("--user", PREPARING, "getgroups", EVERY, REFUSED),
    *faults("--match-owner", PREPARING, "rename", EVERY, BY_NUMBER),
    *faults("--match-owner", PREPARING, "fsync", EVERY, BY_NUMBER),
    *faults("--match-owner", PREPARING, "fchownat", EVERY, BY_NUMBER, "always"),
]


def injection(fault: Fault, error: str, step: Step) -> "tuple[str, ...]":
    """strace's options. The interpreter tries again after EINTR (PEP 475): always is a hundred times then."""
    last = {"once": "", "always": f"..{step.number + 99}" if error == "EINTR" else "+"}[fault.how]
    return "-e", f"trace={step.call}", "-e", f"inject={step.call}:error={error}:when={step.number}{last}"


TABLE = Path(__file__).with_name("FAULTS.md")

HEAD = """\
# What becomes of system calls that fail

Made by `python -m tests.faults_support`; tests/test_faults.py holds every row: strace makes the call fail, once at its
first time in the phase, or always from then on. EINTR always is a hundred times in a row: the interpreter tries again
until a call is not interrupted (PEP 475). Loading is the interpreter reading pyinit's file, before the first line of
pyinit runs; preparing lasts until the program is made; ending begins when it has ended.

Left out: EAGAIN from a file on a disk, which the kernel never gives and the interpreter takes for the file's end; brk,
which reports no error but returns the old end, and which a memory limit makes fail in a test of its own; and the
rt_sigprocmask within glibc's posix_spawn, whose result glibc does not look at.

With a limit on its memory (`ulimit -v`) pyinit either runs the program or ends with one line and status 1; with less
than the interpreter needs for itself the message, or the signal, is the interpreter's.

| options | phase | call | errors | how often | outcome |
| --- | --- | --- | --- | --- | --- |
"""


def table() -> str:
    """The whole of FAULTS.md."""
    return HEAD + "".join(
        f"| {row.setting} | {row.phase} | `{row.call}` | {', '.join(row.errors)} | {row.how} | {row.outcome.words} |\n"
        for row in MATRIX
    )


if __name__ == "__main__":
    TABLE.write_text(table())
