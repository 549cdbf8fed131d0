"""The controlling terminal and its foreground process group (man 4 tty_ioctl, man 3 tcsetpgrp).

Imported only when there is a controlling terminal. SIGTTOU is blocked throughout, so that a process group in the
background may change the foreground group.
"""

import _signal
import posix

from pyinit.kernel import IS_STANDALONE

if IS_STANDALONE:
    from _pyinit import TIOCNOTTY, TIOCSCTTY, ioctl
else:
    from fcntl import ioctl
    from termios import TIOCNOTTY, TIOCSCTTY


class Terminal:
    """The controlling terminal, which we and the program share: it goes to whoever is to read from it."""

    def __init__(self, descriptor: int, session: bool) -> None:
        """`session` says whether the program gets a session of its own, and with it the terminal for good."""
        self._descriptor = descriptor
        self._shared = not session
        self._own_pid = posix.getpid()
        self._own_group = posix.getpgrp()

    def before_fork(self) -> None:
        """Leave the terminal, if the program's session is to have it."""
        if not self._shared and posix.getsid(0) == self._own_pid:
            give_up(self._descriptor)

    def take(self) -> None:
        """In the child, once its session or its process group is made: be in the foreground."""
        if self._shared:
            hand_over(self._descriptor, self._own_group, posix.getpid())
        else:
            make_controlling(self._descriptor)

    def give(self, program_pid: int) -> None:
        """Put the program in the foreground, if we are there, as after a shell's `fg`."""
        hand_over(self._descriptor, self._own_group, program_pid)

    def take_back(self, program_pid: int) -> None:
        """Put our own group in the foreground again, for a script that runs pyinit and then reads from the terminal."""
        if self._shared:
            hand_over(self._descriptor, program_pid, self._own_group)

    def program_stopped(self, program_pid: int, signal: int) -> bool:
        """Under a shell with job control, stop with the program: the shell sees a stopped job and has its terminal.
        Returns whether the program is to go on now.

        Unless the program was stopped for using the terminal while we are in the foreground: a shell's `fg` sends no
        CONT to a job that runs, so that only now can the program be given the terminal.
        """
        if not self._shared or posix.getsid(0) == self._own_pid:
            return False
        wants_terminal = signal in (_signal.SIGTTIN, _signal.SIGTTOU)
        if not (wants_terminal and hand_over(self._descriptor, self._own_group, program_pid)):
            hand_over(self._descriptor, program_pid, self._own_group)
            if suspend_job() or signal != _signal.SIGTSTP or self._own_pid == 1:
                return False
            # Nobody could resume us, so the program must not stay stopped.
            hand_over(self._descriptor, self._own_group, program_pid)
        return True


def of_standard_streams(instead_of: int, session: bool) -> int:
    """A descriptor of our own for the standard stream that is the controlling terminal, or that a session of its own
    may make one; -1 if there is none. What was found at /dev/tty, and is no terminal, is closed."""
    if instead_of >= 0:
        posix.close(instead_of)
    for stream in (0, 1, 2):
        try:
            if not session:
                posix.tcgetpgrp(stream)  # ENOTTY: it is no terminal, or not ours
            if posix.isatty(stream):
                return posix.dup(stream)
        except OSError:
            pass
    return -1


def hand_over(terminal: int, giver: int, taker: int) -> bool:
    """Make `taker` the foreground process group if `giver` is it. False if it is not, or the terminal is gone.

    A job in the background must not take the terminal away from the shell that started it.
    """
    try:
        if posix.tcgetpgrp(terminal) != giver:
            return False
        posix.tcsetpgrp(terminal, taker)
        return True
    except OSError:  # ENOTTY, EIO: hung up; EPERM: the group has gone
        return False


def suspend_job() -> bool:
    """Stop our own process group as Ctrl-Z does, until it gets CONT. False if that did not stop us.

    By TSTP, since the kernel discards that where nobody could resume us: in an orphaned process group (POSIX.1, 2.4.3),
    as under `docker exec -it CONTAINER sh -c ...`, and for PID 1.
    """
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGTSTP,))
    posix.kill(0, _signal.SIGTSTP)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGTSTP,))
    return _signal.SIGCONT in _signal.sigpending()


def give_up(terminal: int) -> None:
    """Leave the controlling terminal, so that a new session may have it. For a session leader.

    The kernel then sends HUP and CONT to the foreground group, ours among them. Exactly these two are dropped: one
    that was pending before stays so, and merges with the kernel's.
    """
    before = _signal.sigpending()
    try:
        ioctl(terminal, TIOCNOTTY)
    except OSError:  # ENOTTY: it was not ours
        return
    for caused in {_signal.SIGHUP, _signal.SIGCONT} - before:
        _signal.sigtimedwait((caused,), 0)


def make_controlling(descriptor: int) -> None:
    """Make an open terminal the controlling one of the calling session leader. Not being allowed to is no error."""
    try:
        ioctl(descriptor, TIOCSCTTY)
    except OSError:  # EPERM: it still belongs to the session that started us
        pass
