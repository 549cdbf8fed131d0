"""--orphans end: a process whose parent died is asked to end, and killed if it does not."""

import _signal
import posix
from time import monotonic

from pyinit.kernel import proc
from pyinit.supervise import deadlines, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.supervise.run import Run

# The kernel tells nobody that a process was adopted, unless its parent was a child of ours: then SIGCHLD comes. So we
# look that often, which takes 0.2 ms of processor time.
_INTERVAL = 1.0  # seconds


def begin(run: "Run") -> None:
    """Before the program starts: children that we have already were not adopted."""
    orphans = Orphans(run.settings.grace)
    run.look_for_orphans = orphans.look
    deadlines.add(run, 0, orphans.look)


class Orphans:
    """The orphans that have been asked to end. Nobody but us can free their numbers, since they are our children."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._spared = set(proc.children())
        self._kill_at: "dict[int, float]" = {}

    def look(self, run: "Run") -> None:
        """End orphans, and look again when the next is due or may be there."""
        self._end(run)
        now = monotonic()
        deadlines.add(run, min([_INTERVAL, *(end - now for end in self._kill_at.values())]), self.look)

    def _end(self, run: "Run") -> None:
        """Ask new orphans to end, and kill those whose time is over. With a grace of 0 nobody is killed."""
        now = monotonic()
        present = set(proc.children()) - self._spared - ({run.program_pid} if run.status < 0 else set())
        for pid in self._kill_at.keys() - present:
            del self._kill_at[pid]
            run.had_stop.pop(pid, None)
        signal = run.settings.stop_sent
        for pid in present - self._kill_at.keys():
            self._kill_at[pid] = now + self._grace if self._grace else float("inf")
            orphan = proc.seen(pid)
            had = orphan and stopping.has_had_it(run, orphan)
            deaf = orphan and stopping.is_deaf(run, orphan, signal)  # a handler may itself set "ignore"
            if signal and not had and self._send(run, pid, signal):
                self._send(run, pid, _signal.SIGCONT)
                run.events.orphan_asked(pid, signal)
                if orphan:
                    run.had_stop[pid] = orphan.started
            if deaf:
                self._send(run, pid, _signal.SIGTERM)
        for pid, end in self._kill_at.items():
            if now >= end:
                self._kill_at[pid] = float("inf")
                orphan = proc.seen(pid)
                if self._send(run, pid, _signal.SIGKILL):
                    run.events.killed([orphan] if orphan else [], signal, "the orphan ")

    @staticmethod
    def _send(run: "Run", pid: int, signal: int) -> bool:
        try:
            posix.kill(pid, signal)
        except ProcessLookupError:
            return False
        except PermissionError as error:
            run.events.not_sent(signal, pid, error)
            return False
        return True
