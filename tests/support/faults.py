"""Making the system calls of one pyinit fail, and telling what came of it.

strace is attached to pyinit alone, from outside of its PID namespace, while flock(1) stands in its place and waits for
a lock (`GATE`), by a call that pyinit does not make. So no call of the program can be hit, and strace is nobody's
parent. What the interpreter does before pyinit's own first call is passed over.
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tests.support import DEADLINE, Pyinit, descendants, proc_status, wait_until
from tests.support.identity import GROUP, PASSWD, Etc

GATE = ("flock", "--no-fork")

# A parent that is PID 1 in pyinit's place, and has its status.
NOT_PID_1 = ("sh", "-c", '"$@"; exit $?', "parent")

# Says "ready" and waits to be asked to end: 7. Nobody asks: 8, before pyinit would say who is still running. It leaves
# nothing behind, or one that ignores TERM, and that is what it is called from before "ready" to its end.
SHELL = ("sh", "-c")
ASKED = "trap 'kill -9 $!; wait $!; echo told; exit 7' TERM"
PROGRAM = (*SHELL, f"exec 2>/dev/null; {ASKED}; sleep 4 & echo ready; wait $!; exit 8")
_IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(4)
raise SystemExit(8)
"""
IGNORES_TERM = ("/usr/bin/python3", "-ISc", _IGNORES_TERM)
LEAVES_ONE = (*SHELL, 'trap "echo told; exit 7" TERM; setsid "$@" & wait $!; exit 8', "sh", *IGNORES_TERM)

ONCE, TEN_TIMES, ALWAYS = "once", "10 times", "always"

# The manual says that these cannot fail, or that they do not return.
NEVER_FAIL = (
    "brk",  # which returns no error
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "exit_group",
    "getegid",
    "geteuid",
    "getgid",
    "getpgrp",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "umask",
)

# The first stands for the others where a call is made in a way that is known already.
ERRORS = ("EIO", "EINTR", "EAGAIN", "ENOMEM", "EPERM", "ESRCH", "ENOSPC", "EMFILE")

# Those which fail in a few ways, and in no other.
ERRORS_OF = {
    "openat": ("EIO", "EINTR", "ENOMEM", "EPERM", "ENOSPC", "EMFILE"),
    **dict.fromkeys(("mmap", "mprotect", "munmap", "mremap", "madvise"), ("ENOMEM", "EAGAIN", "EPERM")),
    **dict.fromkeys(("kill", "pidfd_send_signal"), ("EPERM", "ESRCH", "EAGAIN", "ENOMEM")),
    **dict.fromkeys(("newfstatat", "fstat", "stat", "getdents64", "readlink", "lseek"), ("EIO", "ENOMEM", "EPERM")),
}

HANGS = 20.0  # seconds: more than the 15 that pyinit waits for the lock of the account files


class Scenario(NamedTuple):
    """A run of pyinit that a signal TERM ends. `{}` in an option is a directory of the run's own."""

    name: str
    options: "tuple[str, ...]" = ()
    program: "tuple[str, ...]" = PROGRAM
    pid_1: bool = False
    own_name: str = ""  # the name that pyinit is started under
    spawns: int = 1  # the program is the last of so many processes that pyinit makes
    status: int = 7


SCENARIOS = (
    Scenario("plain"),
    Scenario("PID 1", pid_1=True),
    Scenario("something is left", ("--grace", "0.2"), LEAVES_ONE),
    Scenario("something is left to PID 1", ("--grace", "0.2"), LEAVES_ONE, pid_1=True),
    Scenario("--stop-timeout", ("--stop-timeout", "0.2"), IGNORES_TERM, status=137),
    Scenario("--session", ("--session",)),
    Scenario("--wait-all", ("--wait-all",)),
    Scenario("--orphans end", ("--orphans", "end")),
    Scenario("--warn-on-reap -v", ("--warn-on-reap", "-v")),
    Scenario("--events", ("--events", "{}/journal")),
    Scenario("--secrets", ("--secrets", "{}/secrets")),
    Scenario("--before, --after", ("--before", "true", "--after", "true"), spawns=2),
    Scenario("--parent-death-signal", ("--parent-death-signal", "USR1")),
    Scenario("--user", ("--user", "dev")),
    Scenario("--match-owner", ("--user", "dev", "--match-owner", "{}/owned")),
    Scenario("--match-owner as PID 1", ("--user", "dev", "--match-owner", "{}/owned", "--strict"), pid_1=True),
    Scenario("--drop-capabilities", ("--drop-capabilities", "--no-new-privileges")),
    Scenario("tini", ("-s",), own_name="tini"),
    Scenario("dumb-init", (), own_name="dumb-init"),
    Scenario("catatonit", (), own_name="catatonit"),
    Scenario("gosu", ("dev",), own_name="gosu", spawns=0),
)


class Call(NamedTuple):
    """One system call of a run."""

    name: str
    text: str  # as strace wrote it
    phase: str  # "start" before the program is started, "spawn", "run" until it was reaped, "end"
    number: int  # which one of its name it is, from when strace was attached


class Fault(NamedTuple):
    """A call that fails, from one of the calls on."""

    call: Call
    error: str
    often: str  # ONCE, TEN_TIMES, ALWAYS

    @property
    def inject(self) -> str:
        """What strace calls it. A process that cannot be made in one way is made in another, so all of them fail."""
        first = self.call.number
        until = {ONCE: "", TEN_TIMES: f"..{first + 9}", ALWAYS: "+"}[self.often]
        names = ",".join(SPAWNING) if self.call.name in SPAWNING and self.often != ONCE else self.call.name
        return f"{names}:error={self.error}:when={first}{until}"


class Outcome(NamedTuple):
    """What a run came to."""

    status: int  # -1: it did not end
    output: str
    errors: str
    hits: "tuple[Call, ...]"  # the calls that were made to fail
    calls: "tuple[Call, ...]"
    disk: "dict[str, bytes]"  # what is in the directory of the run


class TooEarly(Exception):
    """A fault hit the interpreter's own start, which made other calls than it did without faults."""


def run(pyinit: Pyinit, scenario: Scenario, inject: "str | None" = None, child: bool = False) -> Outcome:
    """Run a scenario under strace, with its --inject; `child` says whether also in what pyinit starts."""
    for _ in range(3):
        with contextlib.suppress(TooEarly):
            return _run(pyinit, scenario, inject, child)
    raise AssertionError(f"{scenario.name}, {inject}: three times in the interpreter's own start")


def _run(pyinit: Pyinit, scenario: Scenario, inject: "str | None", child: bool) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="pyinit-faults-") as path:
        directory = Path(path)
        etc = _furnish(directory)
        log = directory / "strace.log"
        named = pyinit.named(scenario.own_name) if scenario.own_name else pyinit
        options = [word.format(f"{directory}/run") for word in scenario.options]
        dashes = [] if scenario.own_name == "gosu" else ["--"]
        wrapper = (*etc.mounted, *(() if scenario.pid_1 else NOT_PID_1), *GATE, str(directory / "gate"))
        environment = {"PATH": "/nonexistent:" + os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8"}
        with (
            _locked(directory / "gate") as gate,
            named.start(*options, *dashes, *scenario.program, wrapper=wrapper, env=environment) as started,
        ):
            pid = _gate(started.process.pid, scenario)
            with _traced(pid, log, inject, child):
                fcntl.flock(gate, fcntl.LOCK_UN)
                status, output, errors = _carry_out(started.process, pid)
                if status < 0:
                    started.process.kill()
        trace = log.read_text(errors="replace")
        calls, hits = read_child(trace) if child else read_trace(trace, scenario.spawns)
        return Outcome(status, output, errors.replace(path, "{}"), hits, calls, _disk(directory))


def errors_of(call: str) -> "tuple[str, ...]":
    return ERRORS_OF.get(call, ERRORS)


def faults(calls: "tuple[Call, ...]", known: "set[str]") -> "Iterator[Fault]":
    """Every fault of the calls of a run; of a call that is `known` from another the first of its name, with one error.

    An interpreter repeats what EINTR interrupts (PEP 475), so that one without end would keep it for ever; a kernel has
    none such. It gets ten in a row.
    """
    seen = set()
    for call in calls:
        if call.name in NEVER_FAIL:
            continue
        # Numbers differ from run to run, and who is alive in which state where /proc is read.
        kind = re.sub(r"0x[0-9a-f]+|[0-9]+|{.*?}", "N", f"{call.phase} {call.text}")
        kind = re.sub(r'"N \(\w+\) [A-Z]', "PROCESS", kind)
        new, first = kind not in known, (call.phase, call.name) not in seen
        known.add(kind)
        seen.add((call.phase, call.name))
        for error in errors_of(call.name) if new else errors_of(call.name)[: int(first)]:
            yield Fault(call, error, ONCE)
            # A lock may be held (EAGAIN), but whether a descriptor blocks can always be told.
            if first and error != "EINTR" and (call.name, error) != ("fcntl", "EAGAIN"):
                yield Fault(call, error, ALWAYS)
            if first and (error == "EINTR" or call.phase in ("run", "end")):
                yield Fault(call, error, TEN_TIMES)


# What no init could do without, and why.
UNAVOIDABLE = {
    ("run", "wait4", ALWAYS): "who cannot wait cannot know that the program has ended",
    ("end", "wait4", ALWAYS): "nor, with --wait-all, that nothing is left",
    ("start", "wait4", ALWAYS): "the same, of a command of --before, or later of the program",
    ("start", "write", ALWAYS): "who cannot write cannot say why",
}


def broken_promise(fault: Fault, plain: Outcome, outcome: Outcome) -> str:
    """What pyinit promises for every fault, and does not hold in this outcome; "" for nothing."""
    phase, name = fault.call.phase, fault.call.name
    unavoidable = (phase, name, fault.often) in UNAVOIDABLE
    if "Traceback" in outcome.errors:
        return "a traceback"
    if outcome.status < 0:
        return "" if unavoidable else "it does not end"
    if any(outcome.disk[file] not in (initial, plain.disk[file]) for file, initial in INITIAL.items()):
        return "an account file or an owner is neither the old nor the new one"
    if not set(outcome.disk) <= {*plain.disk, "etc/.pwd.lock"} and name != "unlink":
        return "a file is left behind"
    if "ready" not in outcome.output:
        new = [line for line in outcome.errors.splitlines() if line not in plain.errors.splitlines()]
        if phase in ("run", "end"):
            return "the program does not run"
        said = len(new) in (1, 2) or unavoidable  # there may be a warning before the error
        return "" if outcome.status in (1, 2) and said else "no line or too many, or another status than 1 or 2"
    if outcome.output == plain.output and outcome.status == plain.status:
        return ""
    return "" if outcome.status == 8 and name in ("kill", "rt_sigtimedwait") else "TERM does not reach the program"


# What is on disk before.
INITIAL = {
    "etc/passwd": PASSWD.encode(),
    "etc/group": GROUP.encode(),
    "home/dev": b"1000:1000",
    "home/dev/file": b"1000:1000",
}


def _furnish(directory: Path) -> Etc:
    """What the scenarios need: account files, a home, a directory that somebody owns, and a secret."""
    etc = Etc(directory)
    work = directory / "run"
    for name in ("owned", "secrets"):
        (work / name).mkdir(parents=True)
    os.chown(work / "owned", 1234, 1234)
    (work / "secrets" / "TOKEN").write_text("value\n")
    (etc.home / "dev").mkdir()
    for path in (etc.home / "dev", etc.home / "dev" / "file"):
        path.touch()
        os.chown(path, 1000, 1000)
    directory.chmod(0o755)
    return etc


def _disk(directory: Path) -> "dict[str, bytes]":
    """Account files and whatever was made beside them; and who owns what is in the home."""
    found = {f"etc/{path.name}": path.read_bytes() for path in (directory / "etc").iterdir()}
    for path in (directory / "home" / "dev", directory / "home" / "dev" / "file"):
        found[str(path.relative_to(directory))] = b"%d:%d" % (path.stat().st_uid, path.stat().st_gid)
    return found


@contextlib.contextmanager
def _locked(path: Path) -> "Iterator[IO[bytes]]":
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _gate(unshare: int, scenario: Scenario) -> int:
    """The pid of what waits for the lock, once it does."""
    found: "list[int]" = []

    def waits() -> bool:
        below = descendants(unshare)
        if len(below) == (1 if scenario.pid_1 else 2):
            with contextlib.suppress(OSError):
                if "lock_inode" in Path(f"/proc/{below[-1]}/wchan").read_text():
                    found.append(below[-1])
        return bool(found)

    wait_until(waits, "the gate is there")
    return found[0]


@contextlib.contextmanager
def _traced(pid: int, log: Path, inject: "str | None", child: bool) -> "Iterator[None]":
    command = ["strace", "-q", "-o", str(log), "-p", str(pid), *(["-e", f"inject={inject}"] if inject else [])]
    command += ["-f"] if child else []
    strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(
            lambda: proc_status(pid).get("TracerPid", "0") != "0" or strace.poll() is not None, "strace is attached"
        )
        yield
        strace.wait(timeout=DEADLINE)  # it ends with the process that it watches
    finally:
        strace.kill()
        strace.communicate()


def _carry_out(process: "subprocess.Popen[bytes]", pid: int) -> "tuple[int, str, str]":
    """Send TERM when the program is ready, and wait for the end: status, output, errors."""
    assert process.stdout
    output = b""
    end = time.monotonic() + HANGS
    while b"ready\n" not in output:
        if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
            return -1, output.decode(errors="replace"), ""
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        output += data
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    try:
        rest, errors = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        return -1, output.decode(errors="replace"), ""
    return process.returncode, (output + rest).decode(errors="replace"), errors.decode(errors="replace")


def read_trace(text: str, spawns: int) -> "tuple[tuple[Call, ...], tuple[Call, ...]]":
    """The calls of pyinit's own, and those of them that were made to fail."""
    counts: "dict[str, int]" = {}
    calls: "list[Call]" = []
    hits = []
    executed = began = False
    phase = "start"
    program = 0
    left = spawns
    for line in text.splitlines():
        match = _CALL.match(line)
        if not match:
            continue
        name = match[1]
        counts[name] = counts.get(name, 0) + 1
        injected = line.endswith("(INJECTED)")
        if not began:
            executed = executed or name == "execve"
            began = executed and name == "getppid"  # the first call of pyinit.boot, once the modules are loaded
            if not began:
                if injected:
                    raise TooEarly(line)
                continue
        spawn = name in SPAWNING
        if spawn and left == 1:
            phase = "spawn"
        call = Call(name, line, phase, counts[name])
        calls.append(call)
        if injected:
            hits.append(call)
        if spawn and _returned_pid(line):
            left -= 1
            if left == 0:
                program = _returned_pid(line)
                phase = "run"
        if name == "wait4" and program and _returned_pid(line) == program and "WIFSTOPPED" not in line:
            phase = "end"
        if name == "execve":
            break
    if not calls:
        raise AssertionError("pyinit made no call that is known to be its first")
    return tuple(calls), tuple(hits)


def read_child(text: str) -> "tuple[tuple[Call, ...], tuple[Call, ...]]":
    """Of a trace of several processes those calls that were made to fail."""
    lines = [line.split(None, 1)[1] for line in text.splitlines() if line.endswith("(INJECTED)")]
    hits = tuple(Call(line.partition("(")[0], line, "child", 0) for line in lines)
    return hits, hits


SPAWNING = ("clone", "clone3", "fork", "vfork")
_CALL = re.compile(r"(\w+)\(")


def _returned_pid(line: str) -> int:
    """The pid that a call returned, 0 for none."""
    found = re.search(r"\) += ([1-9]\d*)( \(INJECTED\))?$", line)
    return int(found[1]) if found else 0
