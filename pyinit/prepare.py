"""What is arranged between the kernel and us before the program starts: our orphans, and our own parent."""

import posix

from pyinit.log import Fatal, Log
from pyinit.settings import Settings


def adopt_orphans(settings: Settings, log: Log) -> None:
    """See to it that orphans become our children. PID 1 of a PID namespace has that from the kernel.

    Anywhere else (a shared PID namespace, an engine that keeps PID 1 for itself) we become a subreaper. Raises Fatal
    if that was asked for and fails. Under the names of tini and dumb-init it happens only when asked for, as they have
    it.
    """
    if posix.getpid() == 1 or settings.exec:
        return
    if settings.personality in ("tini", "dumb-init") and not settings.subreaper:
        if settings.personality == "tini":
            what = "is not running as PID 1 and isn't registered as a child subreaper"
            log.warning(f"Tini {what}: orphans will not be reaped here (use -s or TINI_SUBREAPER)")
        return
    if _linux("become_subreaper"):
        log.info("not PID 1: became a subreaper, orphans of the program are reaped here")
    elif settings.subreaper:
        raise Fatal("--subreaper: the kernel refused (Linux 3.4 and an interpreter with ctypes are needed)", 1)
    else:
        log.warning("not PID 1 and cannot become a subreaper: orphans will not be reaped here")


def watch_parent(settings: Settings, original_parent: int) -> None:
    """Ask for the parent death signal. If the parent died before the kernel knew that we ask, send it ourselves."""
    if not settings.parent_death_signal:
        return
    if not _linux("set_parent_death_signal", settings.parent_death_signal):
        raise Fatal("--parent-death-signal: the kernel refused (an interpreter with ctypes is needed)", 1)
    if posix.getppid() != original_parent:
        posix.kill(posix.getpid(), settings.parent_death_signal)


def _linux(call: str, *arguments: int) -> bool:
    """Whether one call of pyinit.linux succeeded. The smallest interpreters have no ctypes."""
    try:
        from pyinit import linux

        getattr(linux, call)(*arguments)
    except (ImportError, OSError):
        return False
    return True
