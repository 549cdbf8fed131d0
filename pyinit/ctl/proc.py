"""Processes as /proc shows them (man 5 proc). Root may read all of it, others what belongs to them.

psutil has no process groups, sessions and signals, and no numbers inside another PID namespace; and what is shown as
evidence should be the kernel's own line. So these files are read here.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIZE_LIMIT = 1 << 20  # bytes; of a longer file of /proc, a command line or an environment, the start is enough

EVERY_SIGNAL = (1 << 64) - 1

# Where a thread sleeps (/proc/PID/wchan) in sigwait, sigwaitinfo and sigtimedwait.
_COLLECTING = "sigtimedwait"
_SIGNAL_SET = 8  # bytes, whatever the architecture (but MIPS, which Python has hardly ever run on)


def mask_of(*numbers: int) -> int:
    """The set of some signals, as /proc writes it: bit n - 1 is signal n."""
    return sum(1 << (number - 1) for number in set(numbers))


def numbers_in(mask: int) -> "list[int]":
    return [number for number in range(1, 65) if mask & mask_of(number)]


@dataclass(frozen=True)
class Process:
    """One process at one moment. `pid` is its number in the /proc that was read."""

    pid: int
    status: "dict[str, str]"  # the fields of /proc/PID/status, as they are
    command: "tuple[str, ...]"  # empty for a zombie
    started: int  # clock ticks since boot; with the pid it means one process
    tty: int  # device number of the controlling terminal, 0 for none
    blocked: int  # signals that every thread blocks: none can take them
    pending: int  # signals that were sent to the process or to a thread, and wait
    collected: int  # signals that it needs no handler for: see `collected` below
    is_open: bool  # whether we may read what /proc shows to its owner alone; otherwise nothing is `collected`

    @property
    def name(self) -> str:
        return self.status.get("Name", "?")

    @property
    def state(self) -> str:
        """R, S, D, T, t, Z and so on."""
        return self.status.get("State", "?")[:1]

    @property
    def is_zombie(self) -> bool:
        """Ended, and its parent has not waited for it. (A process whose first thread alone has ended looks like it.)"""
        return self.state == "Z" and self.number("Threads", 1) <= 1

    @property
    def parent(self) -> int:
        return self.number("PPid")

    @property
    def caught(self) -> int:
        return self.mask("SigCgt")

    @property
    def ignored(self) -> int:
        return self.mask("SigIgn")

    @property
    def identity(self) -> "tuple[int, int]":
        return self.pid, self.started

    @property
    def uid(self) -> int:
        """The effective one, numbered as in the user namespace of whoever reads /proc."""
        return self.numbers("Uid")[1]

    @property
    def gid(self) -> int:
        return self.numbers("Gid")[1]

    @property
    def groups(self) -> "set[int]":
        """The effective group and the supplementary ones."""
        return {self.gid, *self.numbers("Groups")}

    def number(self, field: str, default: int = 0) -> int:
        """The first word of a field: sizes have their unit behind it."""
        return next(map(int, self.status.get(field, "").split()), default)

    def numbers(self, field: str) -> "list[int]":
        return [int(word) for word in self.status.get(field, "").split()]

    def mask(self, field: str) -> int:
        return int(self.status.get(field, "0"), 16)

    def at(self, field: str, level: int) -> int:
        """A number that this process has in the PID namespace so many levels below that of /proc (NSpid and so on)."""
        numbers = self.numbers(field)
        return numbers[level] if level < len(numbers) else self.pid

    def evidence(self, *fields: str) -> "list[str]":
        """Lines of /proc/PID/status, with the file that they are in."""
        return [f"/proc/{self.pid}/status: {field}:\t{self.status.get(field, '')}" for field in fields]


def pids() -> "list[int]":
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def readable() -> "Iterator[Process]":
    """All processes but those that we may not see: hidepid=1 shows that they are there, and no more (man 5 proc)."""
    for pid in pids():
        with contextlib.suppress(PermissionError):
            process = read(pid)
            if process:
                yield process


def read(pid: int) -> "Process | None":
    """A process, None if it is gone. Raises OSError for what is odd, such as no /proc."""
    directory = Path("/proc", str(pid))
    try:
        status = fields(text_of(directory / "status"))
        if int(status.get("Tgid", pid)) != pid:  # a thread, which has a directory as well, though none that is listed
            return None
        # The name before ")" may hold anything.
        stat = text_of(directory / "stat").rpartition(")")[2].split()
        words = words_of(text_of(directory / "cmdline"))
        threads = [*thread_fields(directory)] or [status]
    except (FileNotFoundError, ProcessLookupError):
        return None
    blocked = EVERY_SIGNAL
    pending = int(status.get("ShdPnd", "0"), 16)
    for thread in threads:
        blocked &= int(thread.get("SigBlk", "0"), 16)
        pending |= int(thread.get("SigPnd", "0"), 16)
    uid, gid = (int(status[field].split()[1]) for field in ("Uid", "Gid"))
    with as_owner(pid, uid, gid) as is_open:
        signals = collected(pid) if is_open else 0
    return Process(pid, status, tuple(words), int(stat[19]), int(stat[4]), blocked, pending, signals, is_open)


@contextlib.contextmanager
def as_owner(pid: int, uid: int, gid: int) -> "Iterator[bool]":
    """Where we may not read what is a process's own, do so with its effective IDs. Yields whether that will do.

    Root in a container has no CAP_SYS_PTRACE, and may read what belongs to root alone ("Ptrace access mode checking" in
    man 2 ptrace); but it may take on other IDs. The real ones stay root's: whoever has these IDs cannot signal us.
    """
    if is_open(pid):
        yield True
        return
    own_uid, own_gid = os.geteuid(), os.getegid()
    try:
        try:
            if own_uid == 0:
                os.setegid(gid)
                os.seteuid(uid)
            may_read = own_uid == 0 and is_open(pid)
        except OSError:  # no CAP_SETUID, or an owner whom our user namespace does not have
            may_read = False
        yield may_read
    finally:
        os.seteuid(own_uid)
        os.setegid(own_gid)


def is_open(pid: int) -> bool:
    """Whether we may read what is a process's own (man 2 ptrace, PTRACE_MODE_READ_FSCREDS)."""
    try:
        os.readlink(f"/proc/{pid}/exe")
    except PermissionError:
        return False
    except OSError:  # a zombie, or gone: there is nothing to read
        pass
    return True


def words_of(command_line: str) -> "list[str]":
    """The words of /proc/PID/cmdline. A process may write over it, and leave no NUL behind the last one."""
    return command_line.removesuffix("\0").split("\0") if command_line else []


def thread_fields(directory: Path) -> "Iterator[dict[str, str]]":
    for thread in os.listdir(directory / "task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield fields(text_of(directory / "task" / thread / "status"))


def fields(text: str) -> "dict[str, str]":
    """The lines `NAME:\tVALUE`. A process may have anything in its name: also what only Unicode takes for a blank."""
    return {
        name: value.strip(" \t") for name, colon, value in (line.partition(":") for line in text.split("\n")) if colon
    }


def text_of(path: "Path | str") -> str:
    """The start of a file of /proc, as the interpreter decodes arguments (PEP 383). Raises OSError."""
    with open(path, "rb") as file:
        return os.fsdecode(file.read(SIZE_LIMIT))


def collected(pid: int) -> int:
    """The signals that a process collects by itself and that need no handler: those that a thread waits for in
    sigwaitinfo, and those of its signalfds. What cannot be read is left out."""
    mask = 0
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            mask |= awaited(f"/proc/{pid}/task/{thread}")
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            mask |= signalfd_mask(pid, descriptor)
    return mask


def awaited(thread: str) -> int:
    """The set with which a thread (its directory in /proc) is in sigtimedwait.

    It is that call's first argument, which /proc tells, and whose eight bytes are in the thread's memory. Not everybody
    who may read where a thread sleeps may read these. Then the set is all signals that are not blocked, since the
    kernel shows those that are waited for as not blocked.
    """
    try:
        if _COLLECTING not in text_of(f"{thread}/wchan"):
            return 0
        not_blocked = EVERY_SIGNAL & ~int(fields(text_of(f"{thread}/status"))["SigBlk"], 16)
    except (OSError, KeyError):
        return 0
    try:
        address = int(text_of(f"{thread}/syscall").split()[1], 16)
        with open(f"{thread}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return int.from_bytes(memory.read(_SIGNAL_SET), sys.byteorder)
    except (OSError, IndexError, ValueError, OverflowError):  # not ours to read, or it runs by now
        return not_blocked


def signalfd_mask(pid: int, descriptor: str) -> int:
    """The set of a signalfd (man 5 proc_pid_fdinfo), 0 for any other descriptor."""
    try:
        if "[signalfd]" not in os.readlink(f"/proc/{pid}/fd/{descriptor}"):
            return 0
        return int(fields(text_of(f"/proc/{pid}/fdinfo/{descriptor}")).get("sigmask", "0"), 16)
    except OSError:
        return 0


def environment(process: Process) -> "dict[bytes, bytes]":
    """What a process was started with. Raises OSError."""
    with as_owner(process.pid, process.uid, process.gid), open(f"/proc/{process.pid}/environ", "rb") as file:
        items = file.read(SIZE_LIMIT).split(b"\0")
    return {name: value for name, equals, value in (item.partition(b"=") for item in items) if equals}
