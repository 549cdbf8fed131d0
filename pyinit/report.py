"""What is said about signals and processes, to the log and the journal. Imported only if there is something to say."""

import posix
from time import CLOCK_BOOTTIME, clock_gettime

from pyinit import signal_names
from pyinit.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

    from pyinit.journal import Journal


def received(journal: "Journal", info: "struct_siginfo") -> None:
    name = signal_names.name(info.si_signo)
    journal.write("signal", signal=name, sender_pid=info.si_pid, sender_uid=info.si_uid)


def forwarded(log: Log, journal: "Journal | None", source: int, signal: int, target: int) -> None:
    name = signal_names.name(signal)
    if journal:
        journal.write("forwarded", signal=name, target=target)
    log.info(f"forwarded {signal_names.name(source)} as {name} to {target}")


def not_forwarded(log: Log, signal: int, target: int, error: OSError) -> None:
    log.warning(f"cannot forward {signal_names.name(signal)} to {target}: {error.strerror}")


def warn_if_ignored(log: Log, program_pid: int, signal: int) -> None:
    """Say so if the program's disposition for a signal is to ignore it (man 5 proc, SigIgn)."""
    for line in _read(f"/proc/{program_pid}/status").split(b"\n"):
        if line.startswith(b"SigIgn:") and int(line[7:], 16) >> (signal - 1) & 1:
            log.warning(f"the program (pid {program_pid}) ignores {signal_names.name(signal)}")


def reaped(
    log: Log,
    journal: "Journal | None",
    warn: bool,
    pid: int,
    program_pid: int,
    wait_status: int,
    zombie: "tuple[str, float | None]",
) -> None:
    """A process was reaped, a `zombie` before. `warn` says whether an orphan is worth a warning."""
    command, age = zombie
    signal = posix.WTERMSIG(wait_status) if posix.WIFSIGNALED(wait_status) else 0
    status = 128 + signal if signal else posix.WEXITSTATUS(wait_status)
    orphan = pid != program_pid
    if journal:
        name = signal_names.name(signal) if signal else None
        journal.write("reaped", pid=pid, status=status, signal=name, orphan=orphan, command=command, age=age)
    if warn and orphan:
        log.warning(log.reaped.format(pid, command, status))


def next_zombie() -> "tuple[str, float | None]":
    """The process that waitpid will return next: its name, and how long ago it was started, in seconds.

    Empty and None if there is no such process or /proc does not tell (man 5 proc_pid_stat: the 2nd and the 22nd field).
    """
    try:
        found = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    except OSError:
        found = None
    head, _, tail = _read(f"/proc/{found.si_pid}/stat").rpartition(b")") if found else (b"", b"", b"")
    if not head:
        return "", None
    started = int(tail.split()[19]) / posix.sysconf("SC_CLK_TCK")
    return head.partition(b"(")[2].decode("utf-8", "replace"), clock_gettime(CLOCK_BOOTTIME) - started


def _read(path: str) -> bytes:
    """The start of a file of /proc, empty if it cannot be read: a process may be gone at any time."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(descriptor, 8192)
        finally:
            posix.close(descriptor)
    except OSError:
        return b""
