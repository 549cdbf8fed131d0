"""The end: what the program has left behind gets the stop that the program would get, time to deal with it, and KILL.

Who has got the stop with the program is waited for and not sent it again: for many a worker a second one means "now".
As PID 1 the end waits for processes and not for children: what came in by an engine's `exec` is nobody's child here.
"""

import _signal
from time import monotonic

from pyinit.kernel import proc, processes
from pyinit.supervise import deadlines, loop, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.kernel.proc import Process
    from pyinit.supervise.run import Run

# How long killed processes may take to disappear. One that cannot die (a broken disk) must not keep us.
_AFTER_KILL = 2.0  # seconds

# Whoever is asked to end gets at least that long, although the time since the stop is nearly over.
_LEAST = 0.2

# How often the list of all processes is read, if it shows nobody.
_LOOKS = 5

# How often to look whether the shells of a terminal that came in can be hung up, and are gone.
_AGAIN = 0.2
_RARELY = 20  # times as long as it takes, where there are thousands

# How often to look for processes that are not our children: the kernel tells nobody of their end.
_INTERVAL = 0.05  # seconds
_LOOK_INTERVAL = 1.0  # with --wait-all, which may take days


def drain(run: "Run") -> None:
    """End everything that is left, within the grace and what KILL takes, and reap it as it goes."""
    grace = run.settings.grace
    run.forget_outlived_stop()
    end = max(run.stopped_at + grace, monotonic() + min(grace, _LEAST)) if run.stop else monotonic() + grace
    begin(run)
    if not grace or not run.is_somebody_left():
        return
    left = _seen(run)
    if left or run.own_pid == 1:
        asked, refused = hand_on(run, left)
        if left and len(refused) == len(left):  # nobody whom we could end is worth waiting for
            return
        run.events.left_behind(left, run.settings.stop_sent if asked else 0, end - monotonic())
    elif run.program_pid and not proc.is_ours():
        _signal_unseen(run, run.settings.stop_sent)
        run.log.warning("the program has left processes, and /proc does not tell which: its group gets the stop")
    else:
        return  # children that we had before the program, and who are theirs; or nobody can say who is ours
    if not _wait(run, end):
        _kill(run)


def _seen(run: "Run") -> "list[Process]":
    """Who is left. Who is forked while the list is read is not in it, and who has forked it may be dead by then: where
    somebody must be there, and nobody was seen, it is read again."""
    for _ in range(_LOOKS):
        left = processes.left(run.before)
        if left or not proc.is_ours():
            break
        begin(run)
        if not run.is_somebody_left():
            break
    return left


def begin(run: "Run") -> None:
    """From the program's end on no clock runs but that of who waits, and reaping says whether there are children."""
    run.due.clear()
    run.childless = False
    try:
        loop.reap(run)
    except Exception as error:
        loop.survive(run, error)


def hand_on(run: "Run", left: "list[Process]") -> "tuple[bool, list[Process]]":
    """Send what is left the stop that the program would get, except who has had it. Whether anybody was sent it, and
    whom we may not signal: it may be in the program's group, too."""
    signal = run.settings.stop_sent
    if not signal:
        return False, []
    if not left and not run.had_stop:  # /proc does not tell, and nobody has had it
        _signal_unseen(run, signal)
        return True, []
    had = [each for each in left if stopping.has_had_it(run, each)]
    others = [each for each in left if not stopping.has_had_it(run, each)]
    in_vain = _in_vain(run, left, signal)
    done, refused = processes.signal_each(others, signal)
    refused += processes.signal_each(had, 0)[1]
    processes.signal_each(in_vain, _signal.SIGTERM)
    processes.signal_each(left, _signal.SIGCONT)  # a stopped process acts on it only when it goes on
    _hang_up(run, left)
    run.had_stop.update(proc.identities(done))
    _spare(run, refused, signal)
    return bool(done), refused


def _in_vain(run: "Run", left: "list[Process]", stop: int) -> "list[Process]":
    """Whom that stop will not end, and TERM may: who does nothing about it, and who came in by `exec -it`, where at a
    prompt INT ends a line. Asked before it is sent: a handler may itself set "ignore"."""
    if stop == _signal.SIGTERM:
        return []
    guests = _terminals_of_guests(left)
    return [each for each in left if _terminal(each) in guests or stopping.is_deaf(run, each, stop)]


def _spare(run: "Run", refused: "list[Process]", signal: int) -> None:
    """These are there, and may not be signalled: the end will not wait for them alone."""
    run.spares = bool(refused)
    run.events.spared(refused, signal)


def _hang_up(run: "Run", left: "list[Process]") -> None:
    """On the shells of the terminals that an engine's `exec -it` has brought in: at a prompt they ignore TERM and wait
    for that. But the engine lets go of their terminal only when we have ended.

    Who is at work there has had the stop, and gets its time first: a shell hands HUP on to its jobs. That is nobody
    whom a loop at the prompt starts later, and nobody who waits for a shell, such as sudo.
    """
    run.there_at_stop = proc.identities(left)
    _hang_up_who_is_alone(run, left)


def _hang_up_who_is_alone(run: "Run", left: "list[Process]") -> None:
    """Again and again: on its way to the next prompt a shell takes TERM for a moment, and bash may forget a HUP that
    comes right behind an INT."""
    begun = monotonic()
    terminals = _terminals_of_guests(left)
    for terminal in terminals:
        members = {each.pid: each for each in left if _terminal(each) == terminal}
        shells = [each for each in members.values() if _is_shell(each.pid)]
        if not _are_at_work(run, members, shells):
            processes.signal_each(shells, _signal.SIGHUP)
    if terminals:
        deadlines.add(run, max(_AGAIN, _RARELY * (monotonic() - begun)), _hang_up_again)


def _are_at_work(run: "Run", members: "dict[int, Process]", shells: "list[Process]") -> bool:
    """Whether somebody was on the terminal at the stop who neither is a shell nor waits for one."""
    idle = set()
    for shell in shells:
        pid = shell.pid
        while pid in members:
            idle.add(pid)
            pid = members[pid].parent
    return any(each.is_one_of(run.there_at_stop) for pid, each in members.items() if pid not in idle)


def _hang_up_again(run: "Run") -> None:
    _hang_up_who_is_alone(run, processes.left(run.before))


def _terminals_of_guests(left: "list[Process]") -> "set[tuple[int, int]]":
    """Of those that an engine's `exec -it` has brought in, which are nobody's children here."""
    return {_terminal(each) for each in left if not each.parent and each.terminal}


def _terminal(process: "Process") -> "tuple[int, int]":
    """Which terminal it is on. The session alone would not do: its number is 0 where its leader is elsewhere."""
    return process.session, process.terminal


def _is_shell(pid: int) -> bool:
    """A shell with job control ignores both (man 1 bash, Signals), and hardly anybody else does."""
    return all(proc.disposition(pid, each) == "ignores" for each in (_signal.SIGTERM, _signal.SIGTSTP))


def _is_worth_waiting(run: "Run") -> bool:
    """Whether somebody is left, and not only such as we may not signal. kill(2) to -1 would not tell."""
    if not run.is_somebody_left():
        return False
    left = processes.left(run.before) if run.spares else []
    return not left or len(processes.signal_each(left, 0)[1]) < len(left)


def _is_unannounced(run: "Run") -> bool:
    """Whether somebody else than our children is left, or those that may not be signalled: then the kernel may not tell
    us of the end that we wait for."""
    return run.childless or run.spares


def _signal_unseen(run: "Run", signal: int) -> None:
    """Signal all that can be reached without a list: as PID 1 everybody, elsewhere what is left of the program's group.

    Not that group where /proc has told who is left: its number may mean another one by now.
    """
    for each in (signal, _signal.SIGCONT):
        if run.own_pid == 1:
            processes.signal_everybody(each)
        elif not proc.is_ours():
            processes.signal_group(run.program_pid, each)


def _wait(run: "Run", end: float) -> bool:
    """Reap until nobody is left whom we can end. False if that takes too long, or somebody asks once more: he is in a
    hurry."""
    while _is_worth_waiting(run):
        now = monotonic()
        if now >= end:
            return False
        signal = _step(run, min(end, now + _INTERVAL) if _is_unannounced(run) else end)
        if run.settings.stops(signal):
            if run.stop:
                return False
            run.stop, run.stopped_at = signal, monotonic()
            end = min(end, run.stopped_at + run.settings.grace)
    return True


def _kill(run: "Run") -> None:
    killed, refused = processes.signal_each(processes.left(run.before), _signal.SIGKILL)
    _signal_unseen(run, _signal.SIGKILL)  # who could not be listed, and as PID 1 who is being forked
    end = monotonic() + _AFTER_KILL
    run.events.killed(killed, run.settings.stop_sent)
    _spare(run, refused, _signal.SIGKILL)
    while _is_worth_waiting(run) and monotonic() < end:
        _step(run, min(end, monotonic() + _INTERVAL))
        if run.own_pid != 1:
            processes.signal_each(processes.left(run.before), _signal.SIGKILL)  # who was forked meanwhile
    spared = {each.pid for each in refused}
    survivors = [each for each in processes.left(run.before) if each.pid not in spared]
    if survivors:
        run.events.survived(survivors, _AFTER_KILL)


def wait_for_all(run: "Run") -> None:
    """--wait-all: until nobody is left. The stop that ended the program goes to the others, and so do later signals."""
    begin(run)
    run.forget_outlived_stop()
    if run.stop:
        hand_on(run, _seen(run))
        _start_clock(run)
    if run.look_for_orphans:
        run.look_for_orphans(run)  # without the program everybody is one
    while _is_worth_waiting(run):
        interval = _INTERVAL if run.stop else _LOOK_INTERVAL
        signal = _step(run, monotonic() + interval if _is_unannounced(run) else None)
        sent = run.settings.forwarded(signal)
        if signal in (0, _signal.SIGCHLD) or not sent:
            continue
        if run.settings.stops(signal):
            _stop_all(run, signal, sent)
        else:
            _to_all(run, sent)


def _stop_all(run: "Run", signal: int, sent: int) -> None:
    """Somebody asks to end while --wait-all waits."""
    left = processes.left(run.before)
    in_vain = _in_vain(run, left, sent)
    _to_all(run, sent)
    processes.signal_each(in_vain, _signal.SIGTERM)
    _to_all(run, _signal.SIGCONT)
    _hang_up(run, left)
    if sent == run.settings.stop_sent:
        run.had_stop.update(proc.identities(left))
    _spare(run, processes.signal_each(left, 0)[1], sent)
    if not run.stop:
        run.stop, run.stopped_at = signal, monotonic()
        _start_clock(run)


def _to_all(run: "Run", signal: int) -> None:
    if run.own_pid == 1:
        processes.signal_everybody(signal)
    else:
        processes.signal_each(processes.left(run.before), signal)


def _start_clock(run: "Run") -> None:
    stopping.tell_when_it_takes_long(run)
    if run.settings.stop_timeout:
        deadlines.add(run, run.stopped_at + run.settings.stop_timeout - monotonic(), _kill)


def _step(run: "Run", until: "float | None") -> int:
    """Wait for a signal until then, and reap. Returns its number, 0 when the time is over. No error ends the drain."""
    try:
        info = deadlines.wait(run, until)
        loop.reap(run)
        if info and run.watched and info.si_signo != _signal.SIGCHLD:
            run.events.received(info, 0, 0)
        return info.si_signo if info else 0
    except Exception as error:
        loop.survive(run, error)
        return 0
