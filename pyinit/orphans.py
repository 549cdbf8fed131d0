"""--orphans end: a process whose parent died is asked to end, and killed if it does not."""

import _signal
import posix
from time import monotonic

from pyinit import processes
from pyinit.log import Log

# The kernel tells nobody that a process was adopted, unless its parent was a child of ours: then SIGCHLD comes. So we
# look that often, which takes 0.2 ms of processor time.
_INTERVAL = 1.0  # seconds


class Orphans:
    """The orphans that have been asked to end. Nobody but us can free their numbers, since they are our children."""

    def __init__(self, grace: float, log: Log) -> None:
        """Made before the program starts: children that we have already were not adopted."""
        self.due = monotonic() + _INTERVAL  # when to look next
        self._grace = grace
        self._log = log
        self._spared = set(processes.children())
        self._kill_at: "dict[int, float]" = {}

    def look(self, program_pid: int) -> None:
        """Ask new orphans to end, and kill those whose time is over. With a grace of 0 nobody is killed."""
        now = monotonic()
        self.due = now + _INTERVAL
        present = set(processes.children()) - self._spared - {program_pid}
        self._kill_at = {pid: end for pid, end in self._kill_at.items() if pid in present}
        for pid in present - self._kill_at.keys():
            self._kill_at[pid] = now + self._grace if self._grace else float("inf")
            self._log.info(f"the parent of {pid} has died: it gets TERM")
            posix.kill(pid, _signal.SIGTERM)
            posix.kill(pid, _signal.SIGCONT)
        for pid, end in self._kill_at.items():
            if now >= end:
                self._kill_at[pid] = float("inf")
                self._log.warning(
                    f"TERM did not end the orphan {', '.join(processes.describe([pid], _signal.SIGTERM))}: killed"
                )
                posix.kill(pid, _signal.SIGKILL)
        self.due = min(self.due, *self._kill_at.values()) if self._kill_at else self.due
