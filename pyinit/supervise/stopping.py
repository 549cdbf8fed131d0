"""Somebody asks to end: the program gets the signal, and from now on the time counts."""

import _signal
import posix
from time import CLOCK_BOOTTIME, clock_gettime, monotonic

from pyinit.kernel import proc, processes
from pyinit.kernel.signals import IGNORED_BY_DEFAULT, TERMINAL_STOPS
from pyinit.supervise import deadlines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyinit.kernel.proc import Process
    from pyinit.supervise.run import Run

# When a stop takes that long, somebody will want to know why: an engine kills after 10.
_LONG = 5.0  # seconds


def is_ignored(run: "Run", received: int) -> bool:
    """Whether the program ignores what it is sent for a signal, as far as can be told."""
    return not run.stop and proc.disposition(run.program_pid, run.settings.forwarded(received)) == "ignores"


def begin(run: "Run", received: int, ignored: bool, now: int) -> None:
    """The program has been sent the signal, at that tick or later. The first time that starts the clocks."""
    run.forget_outlived_stop()
    if not run.stop:
        run.stop, run.stopped_at = received, monotonic()
        if run.settings.stop_timeout:
            deadlines.add(run, run.settings.stop_timeout, kill_program)
        tell_when_it_takes_long(run)
        if ignored:
            run.events.ignores(run.program_pid, run.settings.forwarded(received))
    everyone = proc.everybody().values()
    _let_go_on(run, received, everyone)
    if run.settings.forwarded(received) == run.settings.stop_sent:
        # Who has gone is forgotten: a program may get many.
        run.had_stop = proc.identities(each for each in everyone if has_had_it(run, each))
        run.had_stop.update(who_was_sent_it(run, everyone, now))


def _let_go_on(run: "Run", received: int, everyone: "Iterable[Process]") -> None:
    """A program that is stopped, by Ctrl-Z for example, acts on a signal only when it goes on (man 7 signal). Whoever
    waits for a child of vfork(2) that is stopped is not shown as stopped itself. But an INT may be no end, and for
    others of the group nothing to go on for."""
    if run.settings.forwarded(received) in (_signal.SIGSTOP, *TERMINAL_STOPS):
        return
    alone = run.settings.single_child or received == _signal.SIGINT != run.settings.stop_signal
    targets = [each for each in everyone if run.program_pid in (each.pid, 0 if alone else each.group)]
    if any(each.state == "T" for each in targets):
        try:
            run.send(_signal.SIGCONT)
        except OSError:  # it has gone, or it may not be signalled: the signal before has said so
            pass


def who_was_sent_it(run: "Run", everyone: "Iterable[Process]", now: int) -> "dict[int, int]":
    """Pids, and when each was started. One that was started since, or may have been, has not had it: a handler may
    start somebody and end."""
    alone = run.settings.single_child
    return proc.identities(
        each for each in everyone if run.program_pid == (each.pid if alone else each.group) and each.started < now
    )


def ticks() -> int:
    """Now, as /proc counts when a process was started (man 5 proc_pid_stat, starttime)."""
    return int(clock_gettime(CLOCK_BOOTTIME) * posix.sysconf("SC_CLK_TCK"))


def has_had_it(run: "Run", process: "Process") -> bool:
    """Whether it got the stop with the program: for many a worker a second one means "now"."""
    return process.is_one_of(run.had_stop)


def is_deaf(run: "Run", process: "Process", stop: int) -> bool:
    """Whether that stop is another than TERM and does nothing to it: TERM may.

    What a script has started in the background ignores INT and QUIT (POSIX sh, 2.11), and WINCH is ignored by default.
    Not so who may ignore the stop since it came.
    """
    if stop in (0, _signal.SIGTERM):
        return False
    does = proc.disposition(process.pid, stop)
    if does == "ignores":
        from_start = [proc.disposition(process.pid, each) == "ignores" for each in (_signal.SIGINT, _signal.SIGQUIT)]
        return all(from_start) or not has_had_it(run, process)
    return does == "default" and stop in IGNORED_BY_DEFAULT


def tell_when_it_takes_long(run: "Run") -> None:
    """Unless it has taken long already."""
    rest = run.stopped_at + _LONG - monotonic()
    if rest > 0:
        deadlines.add(run, rest, tell_who_is_still_there)


def tell_who_is_still_there(run: "Run") -> None:
    run.events.still_running(_LONG, processes.left(run.before), run.settings.forwarded(run.stop))


def kill_program(run: "Run") -> None:
    """The time of --stop-timeout is over: kill the program with its process group."""
    try:
        run.send(_signal.SIGKILL, to_group=True)
    except ProcessLookupError:
        return
    except PermissionError as error:
        run.events.not_sent(_signal.SIGKILL, -run.program_pid, error)
        return
    run.killed = True
    program = proc.seen(run.program_pid)  # a zombie by now at most, since nobody has reaped it
    run.events.killed([program] if program else [], run.settings.forwarded(run.stop))
