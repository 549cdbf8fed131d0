"""What processes have cost, as the kernel counts it (man 2 getrusage). Imported only where there is a journal.

posix.wait4 makes its result with the module `resource`, most often a shared library: it is loaded here, before the
program starts, since an upgrade may take it away. Without it importing this raises ImportError.
"""

import posix
import sys

from pyinit.kernel import IS_STANDALONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Costs = dict[str, float]

if IS_STANDALONE:
    from _pyinit import own_usage, wait4
else:
    from posix import wait4

    from pyinit.kernel.extensions import load

    sys.modules["resource"] = resource = load("resource")  # where wait4 looks for it

    def own_usage() -> "tuple[float, ...]":
        usage: "tuple[float, ...]" = resource.getrusage(resource.RUSAGE_SELF)
        return usage


# Where each stands in struct rusage, and how many of our units it is: seconds, bytes, or how often.
_FIELDS = (
    ("user_time", 0, 1),
    ("system_time", 1, 1),
    ("max_rss", 2, 1024),
    ("minor_faults", 6, 1),
    ("major_faults", 7, 1),
    ("disk_read", 9, 512),
    ("voluntary_switches", 14, 1),
    ("involuntary_switches", 15, 1),
)


class Waiting:
    """Waits for children, and adds up what they have cost."""

    def __init__(self) -> None:
        self._sums: "Costs" = {name: 0 for name, _, _ in _FIELDS}  # the largest set of all is no sum

    def wait(self, found: "posix.waitid_result", options: int) -> "tuple[int, int, Costs]":
        """posix.wait4 for the child that waitid has found. What it cost has that of the children that it had waited
        for in it; it is empty if there is no memory for it: the status is never lost."""
        try:
            pid, status, usage = wait4(found.si_pid, options)
            costs = _costs(usage)
            if pid and not posix.WIFSTOPPED(status):
                self._add(costs)
            return pid, status, costs
        except MemoryError:  # it may have been reaped
            try:
                posix.waitpid(found.si_pid, options)
            except ChildProcessError:
                pass
            return found.si_pid, wait_status(found), {}

    def costs(self) -> "dict[str, Costs]":
        """What all whom we waited for have cost; and we ourselves, with what our process was before it became us.

        Raises nothing, since a run ends with it: then it is empty."""
        try:
            return {"reaped": self._sums, "own": _costs(own_usage())}
        except (MemoryError, OSError):
            return {}

    def _add(self, costs: "Costs") -> None:
        for name, value in costs.items():
            self._sums[name] = max(self._sums[name], value) if name == "max_rss" else self._sums[name] + value


def _costs(usage: "Sequence[float]") -> "Costs":
    return {name: usage[place] * unit for name, place, unit in _FIELDS}


def wait_status(found: "posix.waitid_result") -> int:
    """What wait(2) reports of a child, from what waitid(2) does."""
    if found.si_code == posix.CLD_EXITED:
        return found.si_status << 8
    if found.si_code in (posix.CLD_KILLED, posix.CLD_DUMPED):
        return found.si_status | (0x80 if found.si_code == posix.CLD_DUMPED else 0)
    return found.si_status << 8 | 0x7F
