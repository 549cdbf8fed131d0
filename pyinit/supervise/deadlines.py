"""What is due at a time, and not with a signal. There is no timer unless something is."""

import _signal
from time import monotonic

from pyinit.kernel import waiting
from pyinit.kernel.signals import EVERY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo
    from collections.abc import Callable

    from pyinit.supervise.run import Run


def add(run: "Run", seconds: float, act: "Callable[[Run], None]") -> None:
    """Have something done that many seconds from now, and not when it was to be done before."""
    run.due = [each for each in run.due if each[1] != act]
    run.due.append((monotonic() + seconds, act))


def wait(run: "Run", until: "float | None" = None) -> "struct_siginfo | None":
    """Do what is due, or wait for a signal; None if something was due, or is before one comes, or that time is over."""
    due = [each for each in run.due if each[0] <= monotonic()]
    for each in due:
        if each in run.due:  # what was done before it may have waited itself
            run.due.remove(each)
            each[1](run)
    if due:
        return None
    times = [when for when, _ in run.due] + ([] if until is None else [until])
    if not times:
        return _signal.sigwaitinfo(EVERY)
    return waiting.wait(EVERY, min(times) - monotonic())
