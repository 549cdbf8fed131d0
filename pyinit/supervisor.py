"""The loop: wait for a signal, forward it or reap. Once the program runs, nothing but its end leaves this loop."""

import _signal
import posix
import time

from pyinit import signals
from pyinit.log import INFO, Log
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

    from pyinit.journal import Journal

# How many zombies are reaped before signals are looked at again.
_REAPED_AT_ONCE = 256


class Supervisor:
    """The loop, and the few things that it remembers."""

    __slots__ = (
        "_journal",
        "_log",
        "_own_pid",
        "_rewrite",
        "_settings",
        "_target",
        "_terminal",
        "program_pid",
        "status",
    )

    def __init__(self, settings: Settings, terminal: int, log: Log, journal: "Journal | None") -> None:
        self.program_pid = 0  # 0 in a pause, where there is no program
        self.status = -1  # of the program, -1 while it runs
        self._settings = settings
        self._terminal = terminal
        self._log = log
        self._journal = journal
        self._own_pid = posix.getpid()
        self._target = 0  # what kill is given: the program, or minus its process group
        self._rewrite = dict(settings.rewrite)
        if settings.session:
            # In a session of its own the program's group is orphaned, and the kernel discards these three (POSIX
            # 2.4.3, as dumb-init does). STOP it does not.
            for stop in signals.TERMINAL_STOPS:
                self._rewrite.setdefault(stop, _signal.SIGSTOP)

    def run(self, program_pid: int) -> int:
        """Until the program has ended; with 0 for no program, until INT or TERM.

        Returns the status to end with, as a shell reports it (128 + signal).
        """
        self.program_pid = program_pid
        self._target = program_pid if self._settings.single_child else -program_pid
        reaping = False
        while self.status < 0:
            try:
                # After a round of reaping the others are asked first: SIGCHLD would hide the signals above it.
                info = _signal.sigtimedwait(signals.ALL_BUT_CHILD, 0) if reaping else None
                if info is None:
                    info = _signal.sigwaitinfo(signals.EVERY)
                reaping = info.si_signo == _signal.SIGCHLD
                if reaping:
                    self._reap()
                else:
                    self._deal_with(info)
            except Exception as error:
                self._survive(error)
        self._return_terminal()
        return self._settings.remap_exit.get(self.status, self.status)

    def _survive(self, error: Exception) -> None:
        """An error ends nothing. The pause keeps an error that lasts from taking the processor."""
        self._log.error(f"internal error, carrying on: {type(error).__name__}: {error}")
        time.sleep(0.1)
        try:
            self._reap()
        except Exception:
            pass

    def _deal_with(self, info: "struct_siginfo") -> None:
        """One signal that was sent to us."""
        signal = info.si_signo
        if signal in signals.RAISED_BY_WRITING and info.si_pid == self._own_pid:
            return
        if self._journal:
            self._journal.write("signal", signal=signals.name(signal), sender_pid=info.si_pid, sender_uid=info.si_uid)
        if not self.program_pid:
            if signal in (_signal.SIGINT, _signal.SIGTERM):
                self.status = 0
            return
        if signal == _signal.SIGCONT and self._terminal >= 0:
            self._resume()
        self._forward(signal, self._rewrite.get(signal, signal))
        if self._settings.session and signal in signals.TERMINAL_STOPS:
            # The kernel ignores this from PID 1 to itself, which nobody could resume (man 7 pid_namespaces).
            posix.kill(self._own_pid, _signal.SIGSTOP)

    def _forward(self, received: int, signal: int) -> None:
        """Send a signal to the program's process group, or to the program alone."""
        if signal == 0:
            return
        target = self._target
        try:
            posix.kill(target, signal)
        except ProcessLookupError:
            # The child has not made its group yet. It has the signal blocked, and the program will find it pending.
            # Its pid is not another's, since it has not been reaped.
            target = self.program_pid
            try:
                posix.kill(target, signal)
            except OSError as error:
                self._log.warning(f"cannot forward {signals.name(signal)} to {target}: {error.strerror}")
                return
        except OSError as error:  # EPERM: not root, and the program is set-user-ID
            self._log.warning(f"cannot forward {signals.name(signal)} to {target}: {error.strerror}")
            return
        if self._journal:
            self._journal.write("forwarded", signal=signals.name(signal), target=target)
        if self._log.level >= INFO:
            self._log.info(f"forwarded {signals.name(received)} as {signals.name(signal)} to {target}")
        if signal in signals.ASKS_TO_END and self._ignores(signal):
            self._log.warning(f"the program (pid {self.program_pid}) ignores {signals.name(signal)}")

    def _ignores(self, signal: int) -> bool:
        """Whether the program's disposition for a signal is to ignore it (man 5 proc, SigIgn)."""
        for line in _read(f"/proc/{self.program_pid}/status").split(b"\n"):
            if line.startswith(b"SigIgn:"):
                return bool(int(line[7:], 16) >> (signal - 1) & 1)
        return False

    def _reap(self) -> None:
        """Reap whatever is there to be reaped, the program among it, up to a limit that lets signals pass."""
        options = posix.WNOHANG | (posix.WUNTRACED if self._terminal >= 0 else 0)
        told = self._journal is not None or self._settings.warn_on_reap
        for _ in range(_REAPED_AT_ONCE):
            command = _command_of_next_zombie() if told else ""
            try:
                pid, status = posix.waitpid(-1, options)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if posix.WIFSTOPPED(status):
                if pid == self.program_pid:
                    self._program_stopped(posix.WSTOPSIG(status))
            elif pid == self.program_pid:
                self.status = exit_status(status)
                self._tell("reaped", pid, status, command)
            elif told:
                self._tell("reaped", pid, status, command)
                if self._settings.warn_on_reap:
                    self._log.warning(f"reaped orphan {pid} ({command}), status {exit_status(status)}")
        # More may be left, and the kernel will not say so again: we tell ourselves.
        posix.kill(self._own_pid, _signal.SIGCHLD)

    def _tell(self, event: str, pid: int, status: int, command: str) -> None:
        if self._journal:
            died_of = signals.name(posix.WTERMSIG(status)) if posix.WIFSIGNALED(status) else None
            orphan = pid != self.program_pid
            self._journal.write(
                event, pid=pid, status=exit_status(status), signal=died_of, orphan=orphan, command=command
            )

    def _return_terminal(self) -> None:
        """Put our own group in the foreground again, for a script that runs pyinit and then reads from the terminal."""
        if self._terminal >= 0 and not self._settings.session:
            from pyinit import terminal

            terminal.hand_over(self._terminal, self.program_pid, posix.getpgrp())

    def _program_stopped(self, signal: int) -> None:
        """Under a shell with job control, stop with the program: the shell sees a stopped job and has its terminal.

        Unless the program was stopped for using the terminal while we are in the foreground: a shell's `fg` sends no
        CONT to a job that runs, so that only now can the program be given the terminal.
        """
        if self._terminal >= 0 and not self._settings.session and posix.getsid(0) != self._own_pid:
            from pyinit import terminal

            group = posix.getpgrp()
            wants_terminal = signal in (_signal.SIGTTIN, _signal.SIGTTOU)
            if wants_terminal and terminal.hand_over(self._terminal, group, self.program_pid):
                posix.kill(-self.program_pid, _signal.SIGCONT)
            else:
                terminal.hand_over(self._terminal, self.program_pid, group)
                if not terminal.suspend_job() and signal == _signal.SIGTSTP and self._own_pid != 1:
                    terminal.hand_over(self._terminal, group, self.program_pid)
                    posix.kill(-self.program_pid, _signal.SIGCONT)

    def _resume(self) -> None:
        """Give the terminal back to the program, if the shell put us in the foreground again."""
        from pyinit import terminal

        terminal.hand_over(self._terminal, posix.getpgrp(), self.program_pid)


def exit_status(status: int) -> int:
    """What a shell reports for a wait status: the exit status, or 128 + the signal that killed."""
    return 128 + posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else posix.WEXITSTATUS(status)


def _command_of_next_zombie() -> str:
    """The name of the process that waitpid will return next, empty if there is none or /proc does not tell."""
    try:
        found = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    except OSError:
        return ""
    return _read(f"/proc/{found.si_pid}/comm").decode("utf-8", "replace").rstrip("\n") if found else ""


def _read(path: str) -> bytes:
    """The start of a file of /proc, empty if it cannot be read: a process may be gone at any time."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(descriptor, 8192)
        finally:
            posix.close(descriptor)
    except OSError:
        return b""
