"""What is examined, and what a check says about it."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from functools import cached_property

from pyinit.ctl import proc
from pyinit.ctl.container import Container, is_shell, more_rights
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.doctor.stopping import Stop
from pyinit.ctl.options import shown
from pyinit.ctl.proc import Process, mask_of
from pyinit.settings import Settings
from pyinit.tell import signal_names

ERROR = "error"  # a stop takes its full time, processes are lost or pile up
WARNING = "warning"  # it will go wrong sooner or later, or is not safe
NOTE = "note"  # good to know; nothing is wrong because of it

FULL_TIME = "`docker stop` waits its full ten seconds, then kills (status 137)"


@dataclass(frozen=True)
class Finding:
    """What one check found: how bad, what, the lines of /proc that show it, and what to do."""

    severity: str
    message: str
    evidence: "tuple[str, ...]"
    fix: str


@dataclass
class Patient:
    """A container at two moments: what is there at both is no passing state."""

    before: Container
    now: Container
    files: Files
    unread: "list[str]" = field(default_factory=list)  # what could not be looked at, and why

    @cached_property
    def stop(self) -> Stop:
        """Who gets the engine's stop signal, and as what."""
        return Stop(self.now)

    @property
    def told(self) -> "Settings | None":
        """What PID 1 was told, if it is an init that shows it."""
        return self.now.init.settings if self.now.init else None

    def cannot_read(self, error: OSError) -> None:
        """Note once what could not be read."""
        text = f"{error.filename}: {error.strerror}; {more_rights()}"
        if text not in self.unread:
            self.unread.append(text)

    def stayed(self, process: Process) -> bool:
        earlier = self.before.processes.get(process.pid)
        return earlier is not None and earlier.identity == process.identity

    def earlier(self, process: Process) -> Process:
        """The same process at the first moment, if it was there already."""
        return self.before.processes[process.pid] if self.stayed(process) else process

    def collected(self, process: Process) -> int:
        """The signals that a process collects. It may have been busy with one at one of the moments."""
        return process.collected | self.earlier(process).collected

    def blocked(self, process: Process) -> int:
        """The signals that wait in vain."""
        return process.blocked & self.earlier(process).blocked & ~self.collected(process)

    def disposition(self, process: Process, number: int) -> str:
        """What a signal meets: "caught", "collected", "ignored", "blocked", "default"; "" if we may not know."""
        this = mask_of(number)
        if process.caught & this and not self.blocked(process) & this:
            return "caught"
        if self.collected(process) & this:
            return "collected"
        if process.ignored & this:
            return "ignored"
        if not process.is_open:
            return ""
        return "blocked" if self.blocked(process) & this else "default"

    def takes(self, process: Process, number: int) -> bool:
        """Whether a signal does anything to a process, as far as we may know."""
        return not process.is_zombie and self.disposition(process, number) not in ("ignored", "blocked")

    def is_of_the_background(self, process: Process) -> bool:
        """Whether a shell has started it with &: it ignores INT and QUIT then (POSIX, 2.11 Signals), but for what it
        has got a handler for. A shell ignores QUIT anyway."""
        told_to_ignore = mask_of(signal.SIGINT) if is_shell(process) else mask_of(signal.SIGINT, signal.SIGQUIT)
        return bool(told_to_ignore & process.ignored)

    def age(self, process: Process) -> float:
        """In seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")


def short_name(number: int) -> str:
    """TERM for 15, as kill(1) has it."""
    return signal_names.name(number)[3:] or str(number)


def lines(process: Process, *fields: str) -> "tuple[str, ...]":
    """The lines of /proc/PID/status that show something."""
    return tuple(process.evidence(*fields))


def cmdline(process: Process) -> "tuple[str, ...]":
    return (f"/proc/{process.pid}/cmdline: {shown(process.command)}",)


def directory(process: Process) -> str:
    """Its working directory; the root where we may not know."""
    with proc.as_owner(process.pid, process.uid, process.gid), contextlib.suppress(OSError):
        return os.readlink(f"/proc/{process.pid}/cwd")
    return "/"
