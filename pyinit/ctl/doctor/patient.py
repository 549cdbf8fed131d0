"""What is examined, and what a check says about it."""

from dataclasses import dataclass, field

from pyinit import signal_names
from pyinit.ctl.container import Container
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.proc import Process, mask_of

ERROR = "error"  # a stop takes its full time, processes are lost or pile up
WARNING = "warning"  # it will go wrong sooner or later, or is not safe
NOTE = "note"  # good to know; nothing is wrong because of it


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
    stop_signal: int  # what the engine sends first
    unread: "list[str]" = field(default_factory=list)  # what could not be looked at, and why

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
        signal = mask_of(number)
        if process.caught & signal and not self.blocked(process) & signal:
            return "caught"
        if self.collected(process) & signal:
            return "collected"
        if process.ignored & signal:
            return "ignored"
        if not process.is_open:
            return ""
        return "blocked" if self.blocked(process) & signal else "default"

    @property
    def signal_name(self) -> str:
        return short_name(self.stop_signal)


def short_name(number: int) -> str:
    """TERM for 15, as kill(1) has it."""
    return signal_names.name(number)[3:] or str(number)
