"""The loop: wait for a signal, forward it or reap. Once the program runs, nothing but its end leaves this loop."""

import _signal
import posix

from pyinit import signals
from pyinit.log import INFO, Log
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

    from pyinit.journal import Journal
    from pyinit.schedule import Schedule
    from pyinit.terminal import Terminal

# How many zombies are reaped before signals are looked at again.
_REAPED_AT_ONCE = 256


class Supervisor:
    """The loop, and the few things that it remembers."""

    def __init__(self, settings: Settings, terminal: "Terminal | None", log: Log, journal: "Journal | None") -> None:
        self.program_pid = 0  # 0 in a pause, where there is no program
        self.status = -1  # of the program, -1 while it runs
        self.childless = False  # nothing was left when we reaped last
        self.asked_to_end = 0  # the first TERM, INT or QUIT that came
        self._settings = settings
        self._terminal = terminal
        self._log = log
        self._journal = journal
        self._own_pid = posix.getpid()
        self._target = 0  # what kill is given: the program, or minus its process group
        self._schedule: "Schedule | None" = None
        self._rewrite = settings.rewrite
        if settings.stop_timeout or settings.orphans == "end":
            from pyinit.schedule import Schedule

            self._schedule = Schedule(settings, log, journal)
        if settings.session:
            # In a session of its own the program's group is orphaned, and the kernel discards these three (POSIX
            # 2.4.3, as dumb-init does). STOP it does not.
            self._rewrite = {**dict.fromkeys(signals.TERMINAL_STOPS, _signal.SIGSTOP), **settings.rewrite}

    def run(self, program_pid: int) -> int:
        """Until the program has ended, or with --wait-all everything; with 0 for no program, until INT or TERM.

        Returns the status to end with, as a shell reports it (128 + signal).
        """
        self._log.last_words = False
        self.program_pid = program_pid
        self._target = program_pid if self._settings.single_child else -program_pid
        reaping = False
        while self.status < 0 or (self._settings.wait_all and not self.childless):
            try:
                # After a round of reaping the others are asked first: SIGCHLD would hide the signals above it.
                info = _signal.sigtimedwait(signals.ALL_BUT_CHILD, 0) if reaping else None
                if info is None:
                    info = self._schedule.wait(self) if self._schedule else _signal.sigwaitinfo(signals.EVERY)
                reaping = info is not None and info.si_signo == _signal.SIGCHLD
                if reaping:
                    self.reap()
                elif info:
                    self._deal_with(info)
                if self._schedule:
                    self._schedule.look(program_pid)
            except Exception as error:
                self.survive(error)
        if self._terminal:
            self._terminal.take_back(program_pid)
        if self._settings.end_group:
            from pyinit import processes

            processes.signal_group(program_pid, self._rewrite.get(_signal.SIGTERM, _signal.SIGTERM))
        return self._settings.remap_exit.get(self.status, self.status)

    def survive(self, error: Exception) -> None:
        """An error ends nothing. The pause keeps an error that lasts from taking the processor."""
        from time import sleep

        self._log.error(f"internal error, carrying on: {type(error).__name__}: {error}")
        try:
            sleep(0.1)
            posix.kill(self._own_pid, _signal.SIGCHLD)  # if reaping failed, it has to be tried until it succeeds
            self.reap()
        except Exception:
            pass

    def _deal_with(self, info: "struct_siginfo") -> None:
        """One signal that was sent to us."""
        signal = info.si_signo
        if signal in signals.RAISED_BY_WRITING and info.si_pid == self._own_pid:
            return
        if self._journal:
            from pyinit import report

            report.received(self._journal, info)
        if not self.program_pid:
            if signal in (_signal.SIGINT, _signal.SIGTERM):
                self.status = 0
            return
        if signal in signals.ASKS_TO_END and not self.asked_to_end:
            self.asked_to_end = signal
            if self._schedule:
                self._schedule.asked_to_end()
        if self.status >= 0:  # --wait-all
            from pyinit import processes

            processes.signal_all(self._rewrite.get(signal, signal))
            return
        if signal == _signal.SIGCONT and self._terminal:
            self._terminal.give(self.program_pid)
        self._forward(signal, self._rewrite.get(signal, signal))
        # Stop as well, unless a CONT has come meanwhile, which a STOP to ourselves would take away (man 7 signal). It
        # would do that to PID 1, too, which it does not stop, since nobody could resume it (man 7 pid_namespaces).
        stops = self._settings.session and signal in signals.TERMINAL_STOPS and self._own_pid != 1
        if stops and _signal.SIGCONT not in _signal.sigpending():
            posix.kill(self._own_pid, _signal.SIGSTOP)

    def _forward(self, received: int, signal: int) -> None:
        """Send a signal to the program's process group, or to the program alone."""
        if signal == 0:
            return
        target = self._target
        try:
            try:
                posix.kill(target, signal)
            except ProcessLookupError:
                # The child has not made its group yet. It has the signal blocked, and the program will find it
                # pending. Its pid is not another's, since it has not been reaped.
                target = self.program_pid
                posix.kill(target, signal)
        except OSError as error:  # EPERM: not root, and the program is set-user-ID
            from pyinit import report

            report.not_forwarded(self._log, signal, target, error)
            return
        if self._journal or self._log.level >= INFO or signal in signals.ASKS_TO_END:
            from pyinit import report

            report.forwarded(self._log, self._journal, received, signal, target)
            if signal in signals.ASKS_TO_END:
                report.warn_if_ignored(self._log, self.program_pid, signal)

    def reap(self) -> None:
        """Reap whatever is there to be reaped, the program among it, up to a limit that lets signals pass."""
        options = posix.WNOHANG | (posix.WUNTRACED if self._terminal else 0)
        told = self._journal is not None or self._settings.warn_on_reap
        zombie: "tuple[str, float | None]" = ("", None)
        if told:
            from pyinit import report
        for _ in range(_REAPED_AT_ONCE):
            if told:
                zombie = report.next_zombie()
            try:
                pid, status = posix.waitpid(-1, options)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                return
            if posix.WIFSTOPPED(status):
                if pid == self.program_pid and self._terminal:
                    self._terminal.program_stopped(pid, posix.WSTOPSIG(status))
                continue
            if pid == self.program_pid:
                self.status = exit_status(status)
            if told:
                warn = self._settings.warn_on_reap
                report.reaped(self._log, self._journal, warn, pid, self.program_pid, status, zombie)
        # More may be left, and the kernel will not say so again: we tell ourselves.
        posix.kill(self._own_pid, _signal.SIGCHLD)


def exit_status(status: int) -> int:
    """What a shell reports for a wait status: the exit status, or 128 + the signal that killed."""
    return 128 + posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else posix.WEXITSTATUS(status)
