"""One run: what is known of the program, of its end, and of who asked for it. Nobody else keeps any of that."""

import _signal
import posix
from time import monotonic

from pyinit.settings import WARNING, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinit.start.terminal import Terminal
    from pyinit.tell.events import Events
    from pyinit.tell.log import Log


# Children of every kind: one that was cloned to end without a SIGCHLD, too (man 2 wait, __WALL).
ANY_KIND = 0x40000000

_REAPS = posix.WNOHANG | ANY_KIND


def _descendants() -> "dict[int, int]":
    """Those that we have, by their pids, with when each was started: what was ours before we became pyinit."""
    try:
        posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT | ANY_KIND)
    except ChildProcessError:  # there are none, as nearly always
        return {}
    except OSError:  # before Linux 4.7 it does not know every kind
        pass
    from pyinit.kernel import proc

    return proc.identities(proc.below(posix.getpid(), proc.everybody()))


class Run:
    """The owner of the run. Times are those of CLOCK_MONOTONIC, in seconds."""

    def __init__(self, settings: Settings, owner: "Run | None" = None) -> None:
        """A run, or with an `owner` that of a command before or after the program, which tells things where that does.

        Raises Fatal with status 2 if there is to be a journal and it cannot be opened.
        """
        self.settings = settings
        self.terminal: "Terminal | None" = None
        self.own_pid = posix.getpid()
        self.before = {} if self.own_pid == 1 else _descendants()  # who is nobody's left-over
        self.program_pid = 0  # 0 in a pause, where there is no program
        self.status = -1  # of the program as a shell reports it, -1 while it runs
        self.wait_status = 0  # as wait(2) reports it
        self.killed = False  # by us
        self.spares = False  # somebody is left, or was, whom we may not signal
        self.sent = 0  # which signals that end a program by a fault, or KILL, we have handed on: a bit each
        self.childless = False  # no child was left when we reaped last
        self.stop = 0  # the first signal that came by which somebody asked to end
        self.stopped_at = 0.0  # when that was
        self.had_stop: "dict[int, int]" = {}  # who got it with the program: pids, and when each was started
        self.there_at_stop: "dict[int, int]" = {}  # who was left when the stop was handed on, in the same form
        self.due: "list[tuple[float, Callable[[Run], None]]]" = []  # what is to be done, and when; see deadlines
        self.look_for_orphans: "Callable[[Run], None] | None" = None  # if they are to be ended
        self.watched = bool(settings.events) or settings.verbosity > WARNING  # somebody wants to hear of everything
        self._events: "Events | None" = owner._events if owner else None
        self._log: "Log | None" = owner._log if owner else None
        if self.watched and not owner:
            self.events.begin()  # now: what cannot be told must not start

    @property
    def log(self) -> "Log":
        """Where people are told things. Loaded when there is something to tell."""
        if self._log is None:
            from pyinit.tell.log import Log

            self._log = Log(self.settings.verbosity, self.settings.personality)
        return self._log

    @property
    def events(self) -> "Events":
        """Where everybody is told what happens. Loaded when something does."""
        if self._events is None:
            from pyinit.tell.events import Events

            self._events = Events(self.settings, self.log)
        return self._events

    @property
    def target(self) -> int:
        """What kill(2) is given: the program, or minus its process group."""
        return self.program_pid if self.settings.single_child else -self.program_pid

    def send(self, signal: int, to_group: bool = False) -> int:
        """Send a signal to the program's group, or to the program. Returns whom it was sent to. Raises OSError."""
        target = -self.program_pid if to_group else self.target
        try:
            posix.kill(target, signal)
            if target < 0 and self._has_left_its_group():
                posix.kill(self.program_pid, signal)
            return target
        except ProcessLookupError:
            # The child has not made its group yet. It has the signal blocked, and the program will find it pending.
            # Its pid is not another's, since it has not been reaped.
            posix.kill(self.program_pid, signal)
            return self.program_pid

    def _has_left_its_group(self) -> bool:
        try:
            return posix.getpgid(self.program_pid) != self.program_pid
        except OSError:
            return False

    def is_somebody_left(self) -> bool:
        """Whether a process of ours is there. As PID 1 that is everybody in the PID namespace, also who came in by an
        engine's `exec` and is nobody's child here (man 2 kill, the pid -1). Who was there before is nobody of ours."""
        if self.before and not self.childless:
            from pyinit.kernel import processes

            return bool(processes.left(self.before))
        if not self.childless or self.own_pid != 1:
            return not self.childless
        try:
            posix.kill(-1, 0)
        except ProcessLookupError:
            return False
        except OSError:  # EPERM: there is somebody whom we may not signal
            pass
        return True

    def forget_outlived_stop(self) -> None:
        """An INT that the program has outlived by the whole grace was no request to end, but to stop what was going on,
        as at a prompt; unless it is what the engine stops with. With no grace it is the usual one that counts."""
        outlived = self.stopped_at + (self.settings.grace or Settings.grace) < monotonic()
        if self.stop == _signal.SIGINT and self.settings.stop_signal != self.stop and outlived:
            self.stop = 0
            self.had_stop.clear()

    def ended(self, status: int) -> None:
        """The program has this wait status. A shell reports the exit status, or 128 + the signal that killed."""
        self.wait_status = status
        self.status = 128 + posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else posix.WEXITSTATUS(status)

    def reap(self, limit: int) -> int:
        """Reap what is there to be reaped, up to a limit. Returns how many that was. Raises OSError."""
        for number in range(limit):
            try:
                pid, status = posix.waitpid(-1, _REAPS)
            except ChildProcessError:
                self.childless = True
                return number
            if pid == 0:
                return number
            if pid == self.program_pid and not posix.WIFSTOPPED(status):  # as who has us trace it tells (man 2 ptrace)
                self.ended(status)
        self.look_again()
        return limit

    def look_again(self) -> None:
        """There may be more to reap, and the kernel will not say so again: tell ourselves."""
        posix.kill(self.own_pid, _signal.SIGCHLD)
