"""Everything that we are responsible for: finding it through /proc, and signalling that and nothing else."""

import _signal
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def left() -> "list[int]":
    """The processes that would outlive the program: all others of our PID namespace if we are its PID 1, otherwise our
    descendants, whichever session they are in. Zombies are not among them. Empty if /proc does not tell."""
    own_pid = posix.getpid()
    parents = {pid: _parent(pid) for pid in _everybody()}
    living = [pid for pid, parent in parents.items() if parent >= 0 and pid != own_pid]
    return living if own_pid == 1 else [pid for pid in living if _is_below(own_pid, pid, parents)]


def signal_all(signal: int) -> None:
    """Signal what `left` finds. As PID 1 in one call, which misses none that is being forked (man 2 kill)."""
    if posix.getpid() == 1:
        try:
            posix.kill(-1, signal)
        except OSError:  # ESRCH: there is none
            pass
        return
    for pid in left():
        _signal_descendant(pid, signal)


def signal_group(group: int, signal: int) -> None:
    """Signal what is left of a process group, if anything is."""
    try:
        posix.kill(-group, signal)
    except OSError:  # ESRCH: nobody is left
        pass


def children() -> "list[int]":
    """Our children, zombies too (man 5 proc, CONFIG_PROC_CHILDREN)."""
    own_pid = posix.getpid()
    try:
        return [int(pid) for pid in read(f"/proc/self/task/{own_pid}/children").split()]
    except OSError:
        return [pid for pid in _everybody() if _parent(pid) == own_pid]


def describe(pids: "Iterable[int]", signal: int) -> "list[str]":
    """Who these are, and which of them ignore a signal: `17 (sleep)`, `18 (java, ignores it)`."""
    described = []
    for pid in pids:
        try:
            status = dict(line.split(b":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if b":\t" in line)
            ignores = int(status[b"SigIgn"], 16) >> (signal - 1) & 1
            name = status[b"Name"].decode("utf-8", "replace")
            described.append(f"{pid} ({name}{', ignores it' if ignores else ''})")
        except (OSError, KeyError, ValueError):  # gone meanwhile
            pass
    return described


def read(path: str) -> bytes:
    """The start of a file of /proc. Raises OSError: a process may be gone at any time."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return posix.read(descriptor, 65536)
    finally:
        posix.close(descriptor)


def _everybody() -> "list[int]":
    """All processes that /proc shows, if it shows our PID namespace: the numbers of another would mean other processes
    to us. Empty if it does not, or cannot be read."""
    try:
        if posix.readlink("/proc/self") == str(posix.getpid()):
            return [int(name) for name in posix.listdir("/proc") if name.isdigit()]
    except OSError:
        pass
    return []


def _signal_descendant(pid: int, signal: int) -> None:
    """Signal a process if it is below us, and not another that has its number now.

    A pidfd means one process. That this one is below us is looked up while it is held: if it has died in between, the
    call fails, and if it has not, nobody else can have had its number (man 2 pidfd_open).
    """
    own_pid = posix.getpid()
    try:
        descriptor = posix.pidfd_open(pid)
    except (OSError, AttributeError):  # before Linux 5.3: nobody but us can free the number of a child of ours
        if _parent(pid) == own_pid:
            posix.kill(pid, signal)
        return
    try:
        if _is_below(own_pid, pid, {}):
            _signal.pidfd_send_signal(descriptor, signal)
    except OSError:  # ESRCH: it has ended; EPERM: another user's, and we are not root
        pass
    finally:
        posix.close(descriptor)


def _is_below(top: int, pid: int, parents: "dict[int, int]") -> bool:
    """Whether a process descends from `top`. Parents that are not known yet are looked up."""
    while pid > 0 and pid != top:
        pid = parents[pid] if pid in parents else _parent(pid)
    return pid == top


def _parent(pid: int) -> int:
    """The parent of a living process, -1 if there is none (man 5 proc_pid_stat)."""
    try:
        # The name before ")" may hold anything.
        state, parent = read(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 2)[:2]
    except (OSError, ValueError):
        return -1
    return -1 if state in b"ZX" else int(parent)
