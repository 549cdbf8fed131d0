"""The processes of our PID namespace, as /proc shows them (man 5 proc). Nothing else here reads that.

There may be no /proc, something else in its place, or that of another PID namespace, whose numbers mean other processes
to us: then nothing is told.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# The root of every procfs (linux/proc_ns.h, PROC_ROOT_INO). That of a tmpfs has the number, too, but also a size.
_ROOT_INODE, _ROOT_SIZE = 1, 0


class Process:
    """What /proc/PID/stat says of one process (man 5 proc_pid_stat)."""

    __slots__ = ("group", "name", "parent", "pid", "session", "started", "state", "terminal", "threads")

    def __init__(self, pid: int, line: bytes) -> None:
        """Raises ValueError for a line that is none."""
        # The name may hold anything, brackets too.
        head, bracket, tail = line.rpartition(b")")
        fields = tail.split()
        if not bracket or len(fields) < 20:
            raise ValueError("not a line of /proc/PID/stat")
        self.pid = pid
        self.name = head.partition(b"(")[2].decode("utf-8", "replace")
        self.state = fields[0].decode()
        self.parent, self.group, self.session, self.terminal = map(int, fields[1:5])  # 0 for one elsewhere, or for none
        self.threads = int(fields[17])
        self.started = int(fields[19])  # ticks of the clock since the machine started

    def is_one_of(self, known: "dict[int, int]") -> bool:
        """Whether it is among those whom `identities` told, and no other that has a number of theirs now."""
        return known.get(self.pid) == self.started

    @property
    def is_dead(self) -> bool:
        """A first thread that has ended is shown as a zombie, too, while others go on."""
        return self.state in "ZX" and self.threads <= 1


def read(path: str) -> bytes:
    """A whole file, however long: one read of a file of /proc is a page. Raises OSError: a process may be gone."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: posix.read(descriptor, 65536), b""))
    finally:
        posix.close(descriptor)


def lines(path: str) -> "list[bytes]":
    """The lines of a file. A name in one may hold a carriage return, which ends none. Raises OSError."""
    return read(path).rstrip(b"\n").split(b"\n")


def is_ours() -> bool:
    """Whether /proc is a procfs, and shows our own PID namespace."""
    try:
        return _is_root(posix.stat("/proc")) and posix.readlink("/proc/self") == str(posix.getpid())
    except OSError:
        return False


def holds(status: "posix.stat_result") -> bool:
    """Whether a file is in /proc, and that is a procfs, of whichever PID namespace."""
    try:
        top = posix.stat("/proc")
    except OSError:
        return False
    return _is_root(top) and status.st_dev == top.st_dev


def _is_root(status: "posix.stat_result") -> bool:
    """Whether it is the root of a procfs."""
    return (status.st_ino, status.st_size) == (_ROOT_INODE, _ROOT_SIZE)


def process(pid: int) -> "Process | None":
    """One process, None if there is none. For who knows that /proc is ours. Raises OSError if it cannot be read."""
    try:
        return Process(pid, read(f"/proc/{pid}/stat"))
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def seen(pid: int) -> "Process | None":
    """One process, for who can do without: None where it cannot be read, too, as somebody else's with hidepid."""
    try:
        return process(pid)
    except OSError:
        return None


def identities(processes: "Iterable[Process]") -> "dict[int, int]":
    """Who they are, whoever has their numbers later: pids, and when each was started."""
    return {each.pid: each.started for each in processes}


def everybody() -> "dict[int, Process]":
    """All processes, by their numbers, the dead ones too. Empty if /proc does not tell."""
    found = {}
    try:
        names = posix.listdir("/proc") if is_ours() else []
    except OSError:
        names = []
    for name in names:
        if name.isdigit():
            each = seen(int(name))
            if each:
                found[each.pid] = each
    return found


def below(top: int, everyone: "dict[int, Process]") -> "list[Process]":
    """The descendants of a process."""
    children: "dict[int, list[Process]]" = {}
    for each in everyone.values():
        children.setdefault(each.parent, []).append(each)
    found: "list[Process]" = []
    parents = [top]
    while parents:
        for each in children.get(parents.pop(), ()):
            found.append(each)
            parents.append(each.pid)
    return found


def children() -> "list[int]":
    """Our children, zombies too (man 5 proc_tid_children, CONFIG_PROC_CHILDREN). Empty if /proc does not tell."""
    own_pid = posix.getpid()
    if not is_ours():
        return []
    try:
        return [int(pid) for pid in read(f"/proc/self/task/{own_pid}/children").split()]
    except OSError:
        return [each.pid for each in everybody().values() if each.parent == own_pid]


def status(pid: int) -> "dict[bytes, bytes]":
    """The fields of /proc/PID/status; empty if there is no such process (man 5 proc_pid_status)."""
    try:
        found = lines(f"/proc/{pid}/status") if is_ours() else []
    except OSError:
        return {}
    return dict(line.split(b":\t", 1) for line in found if b":\t" in line)


def disposition(pid: int, signal: int) -> str:
    """What a process does about a signal: `ignores`, `catches`, `default`; "" if that cannot be told."""
    fields = status(pid)
    for field, word in ((b"SigIgn", "ignores"), (b"SigCgt", "catches")):
        if int(fields.get(field, b"0"), 16) >> (signal - 1) & 1:
            return word
    return "default" if fields else ""
