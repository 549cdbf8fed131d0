"""Run a command as PID 1 of a fresh PID namespace, and observe it from outside.

Nothing is left behind: when PID 1 of a namespace ends, the kernel kills the rest of it (man 7 pid_namespaces). We kill
PID 1, and if we are killed the kernel does (the parent-death signals that setpriv and unshare set). It forgets to for a
PID 1 that became another user (man 2 prctl); programs of the lab end by themselves within a minute.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pyinit.ctl.lab.process import Process, stat_of, status_of

DEADLINE = 30.0  # seconds that anything may take on a slow machine

# What unshare is asked for: a PID namespace with a process forked into it, and the /proc that shows it.
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

# The same for somebody who is not root: in a user namespace, in which they are.
AS_ROOT_INSIDE = ("--user", "--map-root-user")

# unshare dies with us, whatever happens, and with it what it has started (--kill-child).
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")

# PID 1 leads a session and a process group, as in a container.
LEADER = ("setsid",)
WITH_TERMINAL = ("setsid", "--ctty")

_LOOK_AGAIN = 0.02  # seconds
_LOOKS_UNTIL_SETTLED = 10


class NotAvailable(Exception):
    """What an experiment needs is not to be had here; the message says what that is."""


class TooLate(Exception):
    """Something did not happen in time; the message says what."""


def check_proc() -> None:
    """The lab looks at everything through /proc: of our PID namespace, with its numbers. Raises NotAvailable."""
    try:
        shown = os.readlink("/proc/self")
    except OSError as error:
        raise NotAvailable(f"needs /proc, and it does not tell: {error.strerror}; is it mounted?") from None
    if shown != str(os.getpid()):
        raise NotAvailable("needs the /proc of its own PID namespace, and here is another's: mount -t proc proc /proc")
    if "NSpid" not in status_of(os.getpid()):
        raise NotAvailable("needs a /proc that tells the numbers in PID namespaces (NSpid), as Linux has it")


def find_unshare() -> "tuple[str, ...]":
    """The command that makes a PID namespace here, as root or in a user namespace. Raises NotAvailable."""
    check_proc()
    said = ""
    for command in (NAMESPACE, (*NAMESPACE, *AS_ROOT_INSIDE))[0 if os.geteuid() == 0 else 1 :]:
        try:
            done = subprocess.run(
                [*DIES_WITH_US, *command, *LEADER, "true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=DEADLINE,
            )
        except FileNotFoundError as error:
            raise NotAvailable(f"needs the program {error.filename}, of the package util-linux") from None
        if done.returncode == 0:
            return command
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"status {done.returncode}"
    raise NotAvailable(f"needs root, or user namespaces, for a PID namespace of its own; {said}")


def wait_until(condition: "Callable[[], object]", what: str) -> None:
    """Wait for what nothing announces. Raises TooLate."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TooLate(f"waited {DEADLINE:.0f} s in vain: {what}")
        time.sleep(_LOOK_AGAIN)


class Namespace:
    """A command that runs as PID 1 of its own namespace, until the `with` block is left."""

    def __init__(
        self,
        unshare: "tuple[str, ...]",
        command: "Sequence[str]",
        environment: "dict[str, str]",
        terminal: "int | None" = None,
    ) -> None:
        """`terminal`: a descriptor of the terminal that controls it; otherwise it has none, and a pipe for output."""
        leader = LEADER if terminal is None else WITH_TERMINAL
        self._output = b""
        self._process = subprocess.Popen(
            [*DIES_WITH_US, *unshare, *leader, *command],
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C at our terminal is for us alone, who then clear away
        )
        self.pid1 = Process(0)  # nobody, and it stays so if the command has ended before it was seen
        try:
            wait_until(self._has_started, f"{command[0]} starts")
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _has_started(self) -> bool:
        """Whether PID 1 is there and has become the command, or has even ended."""
        for pid in children(self._process.pid):
            if first_word(pid) not in ("", "unshare", "setsid"):
                self.pid1 = Process(pid)
                return True
        return self._process.poll() is not None

    def _stop(self) -> None:
        """Kill PID 1, with which all others end. If it is not there yet, wait for it: it would outlive unshare."""
        try:
            wait_until(lambda: self._kill_pid1() or self._process.poll() is not None, "PID 1 is there to be killed")
            self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait(DEADLINE)
            if self._process.stdout:
                self._process.stdout.close()

    def _kill_pid1(self) -> bool:
        found = [] if self._process.poll() is not None else children(self._process.pid)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def processes(self) -> "list[Process]":
        """All that are inside, zombies too, in the order of their numbers."""
        if not self.pid1.status():
            return []
        parents = parents_of_all()
        pids = [self.pid1.pid]
        for pid in pids:  # which grows meanwhile
            pids += [child for child, parent in parents.items() if parent == pid]
        found = [Process(pid) for pid in pids]
        return sorted((each for each in found if each.is_beside(self.pid1)), key=lambda each: each.inside)

    def find(self, command: str, number: int = 1) -> "list[Process]":
        """So many processes with this command line, or this name; waits until they are there."""
        found: "list[Process]" = []

        def look() -> bool:
            found[:] = [each for each in self.processes() if command in (each.command, each.name)]
            return len(found) >= number

        wait_until(look, f"{number} x {command!r} runs")
        return found[:number]

    def parent(self, process: Process) -> Process:
        """The parent inside. Raises TooLate if that is gone."""
        for each in self.processes():
            if each.inside == process.parent:
                return each
        raise TooLate(f"{process} has no parent inside")

    def child(self, process: Process) -> Process:
        """The first child. Raises TooLate if there is none."""
        for each in self.processes():
            if each.parent == process.inside:
                return each
        raise TooLate(f"{process} has no child")

    def send(self, number: signal.Signals, to: "Process | None" = None) -> None:
        """Send a signal from outside, as `docker stop` and `docker kill` do: to PID 1 unless said otherwise."""
        process = to or self.pid1
        if process.status():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def settle(self) -> None:
        """Wait until everybody has dealt with what came: all sleep and no signal is on its way, or all is over."""
        before: "list[str]" = []
        same = 0

        def look() -> bool:
            nonlocal before, same
            if self.pid1.state in ("", "Z"):
                return self.has_ended()
            now = [f"{each.inside} {each.state} {has_work(each)}" for each in self.processes()]
            calm = all(line.endswith((" S False", " T False")) or " Z " in line for line in now)
            same = same + 1 if calm and now == before else 0
            before = now
            return same >= _LOOKS_UNTIL_SETTLED

        wait_until(look, "everything inside comes to rest")

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read the output until it has `text` so many times. Raises TooLate."""
        end = time.monotonic() + DEADLINE
        while self.output.count(text) < times:
            if not self._read(end - time.monotonic()):
                raise TooLate(f"waited in vain for {text!r} in the output {self.output!r}")

    @property
    def output(self) -> str:
        """What was read of the output so far, standard error included."""
        return self._output.decode(errors="replace")

    def _read(self, seconds: float) -> bool:
        """Read what comes within so many seconds; False at the end of the output, or if nothing comes."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0, seconds))
        data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
        self._output += data
        return bool(data)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> int:
        """Wait for the end: PID 1's exit status, as a shell reports it (128 + signal). Reads the rest of the output."""
        end = time.monotonic() + DEADLINE
        while self._process.stdout and self._read(end - time.monotonic()):
            pass
        try:
            status = self._process.wait(max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TooLate(f"waited {DEADLINE:.0f} s in vain: PID 1 ends") from None
        return 128 - status if status < 0 else self._after_kill(status)

    def _after_kill(self, status: int) -> int:
        """unshare of util-linux 2.38 cannot end by KILL as its child did: it says this, and ends with 1."""
        said = b"unshare: sigprocmask unblock failed: Invalid argument\n"
        if status == 1 and self._output.endswith(said):
            self._output = self._output[: -len(said)]
            return 128 + signal.SIGKILL
        return status


def has_work(process: Process) -> bool:
    """Whether a signal is on its way to it. (A blocked one waits until it is wanted; on a zombie one may stay.)"""
    pending, blocked = (int(process.status().get(field, "0"), 16) for field in ("ShdPnd", "SigBlk"))
    return pending & ~blocked != 0


def parents_of_all() -> "dict[int, int]":
    """Every process that there is, with its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # of others: hidepid=1
                found[int(name)] = int(stat_of(int(name))[1])
    return found


def children(pid: int) -> "list[int]":
    return [child for child, parent in parents_of_all().items() if parent == pid]


def first_word(pid: int) -> str:
    """The first word of a command line, empty for a zombie."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0])
    except (FileNotFoundError, ProcessLookupError):
        return ""
