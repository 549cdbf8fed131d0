"""What is due at a time, and not with a signal: the end of --stop-timeout, and the next look for orphans."""

import _signal
from time import monotonic

from pyinit import drain, signals, timer
from pyinit.log import Log
from pyinit.orphans import Orphans
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

    from pyinit.journal import Journal
    from pyinit.supervisor import Supervisor


class Schedule:
    """Waits in place of the loop if one of the two is asked for. Times are those of CLOCK_MONOTONIC."""

    def __init__(self, settings: Settings, log: Log, journal: "Journal | None") -> None:
        self._log = log
        self._journal = journal
        self._stop_timeout = settings.stop_timeout
        self._kill_at = 0.0  # when the program is killed, 0 for never
        self._orphans = Orphans(settings.grace, log) if settings.orphans == "end" else None

    def asked_to_end(self) -> None:
        """The first request to end has come: it starts the clock of --stop-timeout."""
        if self._stop_timeout:
            self._kill_at = monotonic() + self._stop_timeout

    def wait(self, supervisor: "Supervisor") -> "struct_siginfo | None":
        """Do what is due, then wait for a signal; None if the next thing is due before one comes."""
        if self._kill_at and monotonic() >= self._kill_at:
            self._kill_at = 0.0
            drain.kill_program(supervisor, self._log, self._journal)
        due = [self._orphans.due] if self._orphans else []
        due += [self._kill_at] if self._kill_at else []
        if not due:
            return _signal.sigwaitinfo(signals.EVERY)
        return timer.wait(signals.EVERY, min(due) - monotonic())

    def look(self, program_pid: int) -> None:
        """Look for orphans, if they are to be ended: a child may just have died and left some."""
        if self._orphans:
            self._orphans.look(program_pid)
