"""What is arranged between the kernel and us before the program starts: our orphans, and our own parent."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pyinit.settings import Settings
    from pyinit.supervise.run import Run


def arrange(run: "Run", original_parent: int) -> None:
    """Both, as the settings have it."""
    adopt_orphans(run)
    watch_parent(run.settings, original_parent)


def adopt_orphans(run: "Run") -> None:
    """See to it that orphans become our children. PID 1 of a PID namespace has that from the kernel.

    Anywhere else (a shared PID namespace, an engine that keeps PID 1 for itself) we become a subreaper. Raises Fatal
    if that was asked for and fails. Under the names of tini and dumb-init it happens only when asked for, as they have
    it.
    """
    settings = run.settings
    if posix.getpid() == 1 or settings.exec:
        return
    if not settings.adopt_orphans and not settings.subreaper:
        if settings.without_orphans:
            run.log.warning(settings.without_orphans)
        return
    refused = _refused("become_subreaper")
    if not refused:
        if run.watched:
            run.log.info("not PID 1: became a subreaper, orphans of the program are reaped here")
    elif settings.subreaper:
        fatal(f"--subreaper: {refused}")
    else:
        run.log.warning("not PID 1 and cannot become a subreaper: orphans will not be reaped here")


def watch_parent(settings: "Settings", original_parent: int) -> None:
    """Ask for the parent death signal. If the parent died before the kernel knew that we ask, send it ourselves."""
    if not settings.parent_death_signal:
        return
    refused = _refused("set_parent_death_signal", settings.parent_death_signal)
    if refused:
        fatal(f"--parent-death-signal: {refused}")
    if posix.getppid() != original_parent:
        posix.kill(posix.getpid(), settings.parent_death_signal)


def fatal(message: str) -> "NoReturn":
    from pyinit.tell import Fatal

    raise Fatal(message, 1)


def _refused(call: str, *arguments: int) -> str:
    """Make a call of pyinit.kernel.calls. Returns why it failed, if it did: small interpreters have no ctypes."""
    try:
        from pyinit.kernel import calls

        getattr(calls, call)(*arguments)
    except ImportError:
        return "this interpreter has no ctypes"
    except OSError as error:
        return f"{error.strerror or error}"
    return ""
