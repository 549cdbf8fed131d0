"""The end: what the program has left behind gets TERM, time to deal with it, and then KILL."""

import _signal
import posix
from time import monotonic

from pyinit import processes, signals, timer
from pyinit.log import Log
from pyinit.signal_names import name as name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.journal import Journal
    from pyinit.supervisor import Supervisor

# How long killed processes may take to disappear. One that cannot die (a broken disk) must not keep us.
_AFTER_KILL = 2.0  # seconds

_NAMED = 20  # processes in one line of the log


def run(supervisor: "Supervisor", grace: float, log: Log, journal: "Journal | None") -> None:
    """End everything that is left, within `grace` seconds and what KILL takes, and reap it as it goes."""
    end = monotonic() + grace
    supervisor.childless = False
    _step(supervisor, (_signal.SIGCHLD,), 0)
    if supervisor.childless:
        return
    left = processes.left()
    if left:
        number = f"{len(left)} process{'es' if len(left) > 1 else ''}"
        log.warning(f"the program has left {number}: TERM now, KILL in {grace:g} s")
    if journal:
        journal.write("drain", left=left, grace=grace)
    processes.signal_all(_signal.SIGTERM)
    processes.signal_all(_signal.SIGCONT)  # a stopped process acts on TERM only when it goes on
    if _wait(supervisor, end):
        return
    say_killed(processes.left(), _signal.SIGTERM, log, journal)
    end = monotonic() + _AFTER_KILL
    while not supervisor.childless and monotonic() < end:
        processes.signal_all(_signal.SIGKILL)  # again, outside PID 1, for what was forked meanwhile
        _step(supervisor, (_signal.SIGCHLD,), end)


def kill_program(supervisor: "Supervisor", log: Log, journal: "Journal | None") -> None:
    """The time of --stop-timeout is over: kill the program with its process group; after its end, what is left."""
    ended = supervisor.status >= 0
    say_killed(processes.left() if ended else [supervisor.program_pid], supervisor.asked_to_end, log, journal)
    if ended:
        processes.signal_all(_signal.SIGKILL)
        return
    try:
        posix.kill(-supervisor.program_pid, _signal.SIGKILL)
    except ProcessLookupError:  # between fork and setpgid
        posix.kill(supervisor.program_pid, _signal.SIGKILL)


def _wait(supervisor: "Supervisor", end: float) -> bool:
    """Reap until nothing is left. False if that takes too long, or TERM comes once more: somebody is in a hurry."""
    while not supervisor.childless:
        signal = _step(supervisor, signals.EVERY, end)
        if not signal:
            return False
        if signal == _signal.SIGTERM:
            if supervisor.asked_to_end:
                return False
            supervisor.asked_to_end = _signal.SIGTERM
    return True


def _step(supervisor: "Supervisor", numbers: "tuple[int, ...]", end: float) -> int:
    """Wait for a signal until `end`, and reap. Returns its number, 0 when the time is over. No error ends the drain:
    then the number is 1, which means nothing here."""
    try:
        info = timer.wait(numbers, end - monotonic())
        supervisor.reap()
        return info.si_signo if info else 0
    except OSError as error:
        supervisor.survive(error)
        return monotonic() < end


def say_killed(pids: "list[int]", signal: int, log: Log, journal: "Journal | None") -> None:
    """Say who is killed, before that happens: afterwards nobody knows their names."""
    described = processes.describe(pids, signal)
    if journal:
        journal.write("killed", pids=pids, processes=described)
    if described:
        more = f" and {len(described) - _NAMED} more" if len(described) > _NAMED else ""
        log.warning(f"{name_of(signal)} did not end {', '.join(described[:_NAMED])}{more}: killed")
