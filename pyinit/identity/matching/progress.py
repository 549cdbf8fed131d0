"""While a tree is walked: what is told about it, and what must not wait."""

import _signal
import posix
import time

from pyinit.identity import asking
from pyinit.identity.matching.walk import Count
from pyinit.kernel.paths import shortened
from pyinit.tell import Fatal
from pyinit.tell.log import Log

_FIRST_PROGRESS = 2.0  # seconds
_PROGRESS_INTERVAL = 1.0


class Progress:
    """What is told about one tree, and what else must not wait while it is walked: signals and orphans."""

    def __init__(self, path: str, log: Log, ends_start: "tuple[int, ...]" = asking.USUAL) -> None:
        self.path = shortened(path)
        self.log = log
        self._ends_start = ends_start
        self._next = time.monotonic() + _FIRST_PROGRESS

    def check(self, count: Count, workers: "set[int] | None" = None) -> None:
        """Reap. Where there are workers, wait for a signal first, until there may be something to tell.

        Takes workers that have ended out of `workers`. Raises Fatal if somebody asks to end, or a worker has failed.
        """
        seconds = 0 if workers is None else _PROGRESS_INTERVAL
        asking.give_up_if_asked(self._ends_start, seconds, (_signal.SIGCHLD,), f"re-owning {self.path}")
        self._reap(workers or set())
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_INTERVAL
            self.log.warning(f"re-owning {self.path}: {count.looked_at} entries looked at, {count.changed} changed")

    def _reap(self, workers: "set[int]") -> None:
        """Reap everything: as PID 1 we may have orphans already."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in workers:
                workers.discard(pid)
                if status:
                    raise Fatal(f"re-owning {self.path}: a worker failed, wait status {status:#x}", 1)

    def finish(self, count: Count) -> None:
        """Say what cannot be changed. That is no failure: a read-only mount, say, is as it was before."""
        if count.failed:
            self.log.warning(f"re-owning {self.path}: {count.failed} not possible, the first: {count.failure}")
        self.log.info(f"re-owned {self.path}: {count.looked_at} entries looked at, {count.changed} changed")
