"""Reaping where somebody wants to know who it was, and seeing that the program was stopped at a terminal."""

import _signal
import errno
import posix

from pyinit.kernel import proc
from pyinit.supervise.run import ANY_KIND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.kernel.costs import Costs
    from pyinit.supervise.run import Run


def reap(run: "Run", limit: int) -> int:
    """As pyinit.supervise.loop.reap. Each zombie is looked at before it is reaped, and then that one is reaped."""
    tells = run.watched or run.settings.warn_on_reap
    wanted = posix.WEXITED | (posix.WSTOPPED if run.terminal else 0)
    is_ours = tells and proc.is_ours()
    waiting = run.events.waiting if run.watched else None
    costs: "Costs" = {}
    for number in range(limit):
        try:
            found = _next(wanted | posix.WNOHANG | posix.WNOWAIT)
        except ChildProcessError:
            run.childless = True
            found = None
        except OSError:  # a filter: then nobody is told who it was
            return run.reap(limit)
        if found is None:
            if run.look_for_orphans and run.status < 0:
                run.look_for_orphans(run)  # a child may just have died and left some
            return number
        told = tells and (run.watched or found.si_pid != run.program_pid)
        zombie = proc.seen(found.si_pid) if told and is_ours else None  # who cannot be seen is reaped as well
        options = posix.WNOHANG | ANY_KIND | (posix.WUNTRACED if run.terminal else 0)
        if waiting:
            pid, status, costs = waiting.wait(found, options)
        else:
            pid, status = posix.waitpid(found.si_pid, options)
        if posix.WIFSTOPPED(status) and pid:
            if pid == run.program_pid and run.terminal and run.terminal.program_stopped(pid, posix.WSTOPSIG(status)):
                run.send(_signal.SIGCONT)
            continue
        if pid and pid == run.program_pid:
            run.ended(status)
        if pid and told:
            run.events.reaped(pid, status, zombie, pid != run.program_pid, costs)
    run.look_again()
    return limit


def _next(options: int) -> "posix.waitid_result | None":
    """Who is to be reaped next. Raises OSError."""
    try:
        return posix.waitid(posix.P_ALL, 0, options | ANY_KIND)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return posix.waitid(posix.P_ALL, 0, options)  # before Linux 4.7 it does not know every kind
