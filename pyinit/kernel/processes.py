"""Signalling everything that we are responsible for, and nothing else.

As PID 1 that is everybody in the PID namespace, what an engine's `exec` has brought in, too; elsewhere it is our
descendants, whichever session they are in.
"""

import _signal
import posix

from pyinit.kernel import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyinit.kernel.proc import Process


def left(before: "dict[int, int]") -> "list[Process]":
    """The processes that would outlive the program. Empty if /proc does not tell.

    Outside PID 1 descendants that we had `before` the program are not among them, nor who descends from them: what a
    shell started before it became us. They are given by their pids, with when each was started.
    """
    everyone = proc.everybody()
    own_pid = posix.getpid()
    if own_pid == 1:
        found = list(everyone.values())
    else:
        others = {pid: each for pid, each in everyone.items() if not each.is_one_of(before)}
        found = proc.below(own_pid, others)
    return [each for each in found if each.pid != own_pid and not each.is_dead]


def signal_everybody(signal: int) -> None:
    """For PID 1: signal all that is left in one call, which misses none that is being forked (man 2 kill)."""
    try:
        posix.kill(-1, signal)
    except OSError:  # ESRCH: there is none. EPERM: there are some, and we may signal none of them
        pass


def signal_each(processes: "Iterable[Process]", signal: int) -> "tuple[list[Process], list[Process]]":
    """Signal these, as far as they are still there. Returns who was signalled, and who could not be (CAP_KILL)."""
    done, refused = [], []
    for each in processes:
        try:
            if _signal_process(each, signal):
                done.append(each)
        except ProcessLookupError:
            pass
        except OSError:
            refused.append(each)
    return done, refused


def _signal_process(target: "Process", signal: int) -> bool:
    """Signal a process, and not another that has its number now. Whether it was there. Raises OSError.

    A pidfd means one process. That it is the one that was seen is looked up while it is held: if that has died in
    between, the call fails (man 2 pidfd_open). Before Linux 5.3, where a filter forbids it, and where there is no
    descriptor left, it is the number.
    """
    try:
        descriptor = posix.pidfd_open(target.pid)
    except (OSError, AttributeError):
        descriptor = -1
    try:
        is_there = _is_there(target)
        if is_there:
            _send(target, descriptor, signal)
        return is_there
    finally:
        if descriptor >= 0:
            posix.close(descriptor)


def _send(target: "Process", descriptor: int, signal: int) -> None:
    if descriptor >= 0:
        try:
            _signal.pidfd_send_signal(descriptor, signal)
            return
        except ProcessLookupError:
            raise
        except OSError:  # not permitted, or a filter: kill(2) says which
            pass
    posix.kill(target.pid, signal)


def _is_there(target: "Process") -> bool:
    try:
        now = proc.process(target.pid)
    except OSError:  # no descriptor left to look: nothing speaks against it
        return True
    return now is not None and now.started == target.started


def signal_group(group: int, signal: int) -> None:
    """Signal what is left of a process group, if anything is, and if we may. 0 is none: to kill(2) it is ours."""
    try:
        if group:
            posix.kill(-group, signal)
    except OSError:
        pass
