"""What is said about signals and processes, to the log and the journal. Imported only if there is something to say."""

import posix

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
    log: Log, journal: "Journal | None", warn: bool, pid: int, program_pid: int, wait_status: int, command: str
) -> None:
    """A process was reaped. `warn` says whether an orphan is worth a warning."""
    signal = posix.WTERMSIG(wait_status) if posix.WIFSIGNALED(wait_status) else 0
    status = 128 + signal if signal else posix.WEXITSTATUS(wait_status)
    orphan = pid != program_pid
    if journal:
        name = signal_names.name(signal) if signal else None
        journal.write("reaped", pid=pid, status=status, signal=name, orphan=orphan, command=command)
    if warn and orphan:
        log.warning(log.reaped.format(pid, command, status))


def command_of_next_zombie() -> str:
    """The name of the process that waitpid will return next, empty if there is none or /proc does not tell."""
    try:
        found = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    except OSError:
        return ""
    return _read(f"/proc/{found.si_pid}/comm").decode("utf-8", "replace").rstrip("\n") if found else ""


def _read(path: str) -> bytes:
    """The start of a file of /proc, empty if it cannot be read: a process may be gone at any time."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return posix.read(descriptor, 8192)
    except OSError:
        return b""
    finally:
        posix.close(descriptor)
