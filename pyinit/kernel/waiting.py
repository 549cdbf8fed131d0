"""Waiting for a signal, but not for ever."""

import _signal
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

# The si_code of a signal that the kernel sends for a timer, and that no process can give its own (man 2 sigaction).
_SI_KERNEL = 0x80


def wait(numbers: "tuple[int, ...]", seconds: float) -> "struct_siginfo | None":
    """Wait for one of these signals, which are blocked, for at most so many seconds; None if none comes.

    What ends the wait is a SIGALRM from the kernel (man 2 setitimer). sigtimedwait has a timeout, but if we are
    stopped, or paused by an engine, until it is over, CPython's returns memory that nobody has written to: often the
    signal before, or a SIGHUP.
    """
    # An alarm that was set before our exec is to reach the program, and there is one timer of the kind.
    if seconds <= 0 or not _set_timer(seconds):
        info = _signal.sigtimedwait(numbers, max(0, seconds))
        return info if info and info.si_signo in numbers else None
    somebodys = False  # whether an ALRM came that is not the timer's, and not waited for here
    try:
        while True:
            info = _signal.sigwaitinfo((*numbers, _signal.SIGALRM))
            if _is_timers(info):
                return None
            if info.si_signo in numbers:
                return info
            somebodys = True
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        late = _signal.sigtimedwait((_signal.SIGALRM,), 0)  # the timer's, if another signal was faster
        if somebodys or (late and not _is_timers(late)):
            posix.kill(posix.getpid(), _signal.SIGALRM)


def _set_timer(seconds: float) -> bool:
    """Whether it could be set: somebody else's stays as it is, and a filter may refuse it."""
    try:
        if _signal.getitimer(_signal.ITIMER_REAL)[0]:
            return False
        _signal.setitimer(_signal.ITIMER_REAL, seconds)
        return True
    except OSError:
        return False


def _is_timers(info: "struct_siginfo") -> bool:
    return info.si_signo == _signal.SIGALRM and info.si_code == _SI_KERNEL
