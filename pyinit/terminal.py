"""The controlling terminal and its foreground process group (man 4 tty_ioctl, man 3 tcsetpgrp).

Imported only when there is a controlling terminal. SIGTTOU is blocked throughout, so that a process group in the
background may change the foreground group.
"""

import _signal
import fcntl
import posix
import termios


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
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
    except OSError:  # ENOTTY: it was not ours
        return
    for caused in {_signal.SIGHUP, _signal.SIGCONT} - before:
        _signal.sigtimedwait((caused,), 0)


def take(descriptor: int) -> None:
    """Make an open terminal the controlling one of the calling session leader. Not being allowed to is no error."""
    try:
        fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
    except OSError:  # EPERM: it still belongs to the session that started us
        pass
