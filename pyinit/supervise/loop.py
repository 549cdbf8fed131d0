"""The loop: wait for a signal, forward it or reap. Once the program runs, nothing but its end leaves this loop."""

import _signal
import posix

from pyinit.kernel.signals import ALL_BUT_CHILD, EVERY, FATAL, TERMINAL_STOPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo
    from collections.abc import Sequence

    from pyinit.supervise.run import Run

# How many zombies are reaped before the other signals are looked at. SIGCHLD has the lowest number of many, and the
# lowest is collected first: in a storm of orphans it would hide the rest. A signal waits 2 ms for that, at most 10.
_REAPED_BETWEEN = 64
_REAPED_AT_ONCE = 256

_NO_ROUTES: "tuple[int | None, ...]" = (None,) * _signal.NSIG


def supervise(run: "Run") -> int:
    """Until the program has ended, or in a pause until somebody asks to end.

    Returns the status to end with, as a shell reports it (128 + signal).
    """
    sigwait, kill, getpgid = _signal.sigwait, posix.kill, posix.getpgid
    routes = routes_of(run)
    target, program = run.target, run.program_pid
    in_group = target < 0  # which the program may leave
    signal = reaped = 0
    while run.status < 0:
        try:
            info = _signal.sigtimedwait(ALL_BUT_CHILD, 0) if reaped >= _REAPED_BETWEEN else None
            if info or run.watched or run.due:
                info = info or wait(run)
                signal = info.si_signo if info else 0
            else:
                signal = sigwait(EVERY)
            sent = routes[signal]
            if sent is not None:
                reaped = 0
                try:
                    kill(target, sent)
                    if in_group and getpgid(program) != program:
                        kill(program, sent)
                except OSError:
                    forward(run, signal)
            elif signal == _signal.SIGCHLD:
                reaped = reaped % _REAPED_BETWEEN + reap(run)
            elif signal:
                reaped = 0
                deal_with(run, signal, info)
        except Exception as error:
            survive(run, error)
    return run.settings.remap_exit.get(run.status, run.status)


def routes_of(run: "Run") -> "Sequence[int | None]":
    """What is sent for each signal, by its number: 0, which kill(2) takes and nobody gets, to drop it; None where there
    is more to do than to send it, or no signal. A list: to look into a dict takes a microsecond more."""
    if run.watched or not run.program_pid:
        return _NO_ROUTES
    thought: "tuple[int, ...]" = (_signal.SIGTERM, _signal.SIGINT, run.settings.stop_signal, *FATAL)
    thought += tuple(signal for signal, sent in run.settings.rewrite.items() if sent in FATAL)
    if run.terminal or run.settings.session or run.settings.stops_too:
        thought = (*thought, *TERMINAL_STOPS, _signal.SIGCONT)
    try:
        routes = list(_NO_ROUTES)
    except MemoryError:
        return _NO_ROUTES
    for signal in ALL_BUT_CHILD:
        if signal not in thought:
            routes[signal] = run.settings.rewrite.get(signal, signal)
    return routes


def wait(run: "Run") -> "struct_siginfo | None":
    """The next signal, and who sent it; None if something is due before one comes."""
    if not run.due:
        return _signal.sigwaitinfo(EVERY)
    from pyinit.supervise import deadlines

    return deadlines.wait(run)


def deal_with(run: "Run", signal: int, info: "struct_siginfo | None") -> None:
    """A signal that needs more than to be sent."""
    if not run.program_pid:
        if run.settings.stops(signal):
            run.status = 0
    elif run.settings.stops(signal):
        stop(run, signal)
    else:
        if signal == _signal.SIGCONT and run.terminal:
            run.terminal.give(run.program_pid)
        forward(run, signal)
        if signal in TERMINAL_STOPS and (run.settings.session or run.settings.stops_too):
            stop_too(run)
    if run.watched and info:
        run.events.received(info, run.settings.forwarded(signal), run.target)


def stop(run: "Run", signal: int) -> None:
    """Somebody asks to end. The program gets the signal whatever else fails."""
    ignored, now = False, 0
    try:
        from pyinit.supervise import stopping

        # Both before it is sent: a handler may itself set "ignore", and start somebody.
        ignored = stopping.is_ignored(run, signal)
        now = stopping.ticks()
    except Exception:  # no memory, or no /proc that can be read
        pass
    forward(run, signal)
    from pyinit.supervise import stopping

    stopping.begin(run, signal, ignored, now)


def forward(run: "Run", signal: int) -> None:
    """Send the program what is to be sent for a signal. That it has gone is no error: nobody has reaped it yet."""
    sent = run.settings.forwarded(signal)
    try:
        if sent:
            run.send(sent)
        if sent in FATAL:
            run.sent |= 1 << sent
    except ProcessLookupError:
        pass
    except PermissionError as error:  # the program is set-user-ID, and we lack CAP_KILL
        run.events.not_sent(sent, run.target, error)


def stop_too(run: "Run") -> None:
    """Stop with the program, unless a CONT has come meanwhile, which a STOP to ourselves would take away (man 7
    signal). It would do that to PID 1, too, which it does not stop: nobody could resume it (man 7 pid_namespaces)."""
    if run.own_pid != 1 and _signal.SIGCONT not in _signal.sigpending():
        posix.kill(run.own_pid, _signal.SIGSTOP)


def reap(run: "Run") -> int:
    """Reap whatever is there to be reaped, the program among it, up to a limit that lets signals pass. Returns how many
    that was."""
    if run.watched or run.settings.warn_on_reap or run.terminal or run.look_for_orphans:
        try:
            from pyinit.supervise import reaping

            return reaping.reap(run, _REAPED_AT_ONCE)
        except MemoryError:  # then nobody is told who it was
            pass
    return run.reap(_REAPED_AT_ONCE)


def survive(run: "Run", error: Exception) -> None:
    """An error ends nothing. The pause keeps an error that lasts from taking the processor."""
    from time import sleep

    try:
        run.log.error(f"internal error, carrying on: {type(error).__name__}: {error}")
    except Exception:  # no memory to say it
        pass
    try:
        sleep(0.1)
        run.look_again()  # if reaping failed, it has to be tried until it succeeds
        reap(run)
    except Exception:
        pass
