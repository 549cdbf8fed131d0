"""Somebody asks to end: the program gets the signal, and from now on the time counts."""

import _signal
import posix
from time import CLOCK_BOOTTIME, clock_gettime, monotonic

from pyinit.kernel import proc, processes
from pyinit.kernel.signals import TERMINAL_STOPS
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


def begin(run: "Run", received: int, ignored: bool) -> None:
    """The program has been sent the signal. The first time that starts the clocks."""
    now = ticks()
    run.forget_outlived_stop()
    if not run.stop:
        run.stop, run.stopped_at = received, monotonic()
        if run.settings.stop_timeout:
            deadlines.add(run, run.settings.stop_timeout, kill_program)
        deadlines.add(run, _LONG, tell_who_is_still_there)
        if ignored:
            run.events.ignores(run.program_pid, run.settings.forwarded(received))
    everyone = proc.everybody().values()
    _let_go_on(run, received, everyone)
    if run.settings.forwarded(received) == run.settings.stop_sent and not run.had_stop:
        run.had_stop = who_was_sent_it(run, everyone, now)


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
    return {
        each.pid: each.started
        for each in everyone
        if run.program_pid == (each.pid if alone else each.group) and each.started < now
    }


def ticks() -> int:
    """Now, as /proc counts when a process was started (man 5 proc_pid_stat, starttime)."""
    return int(clock_gettime(CLOCK_BOOTTIME) * posix.sysconf("SC_CLK_TCK"))


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
    program = proc.process(run.program_pid)  # a zombie by now at most, since nobody has reaped it
    run.events.killed([program] if program else [], run.settings.forwarded(run.stop))
