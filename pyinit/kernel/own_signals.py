"""Signals that are pending because of what we did ourselves: whoever we become must not get them.

Imported only where we become somebody, since a child has nothing pending (man 2 fork).
"""

import _signal
import posix

_SI_USER = 0  # man 2 sigaction


def take_back() -> None:
    """Drop them, and no others.

    A write that failed has left PIPE or XFSZ, which say that we ourselves sent them (man 2 write). CHLD tells of
    children that have been reaped; while one is there it is for whoever we become, as one that somebody sent.
    """
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGCHLD):
        others = False
        # Asked for first: with none there, CPython's call may return memory that nobody has written to (see waiting).
        while number in _signal.sigpending() and (info := _signal.sigtimedwait((number,), 0)):
            others = others or (info.si_pid != posix.getpid() if number != _signal.SIGCHLD else _tells_something(info))
        if others:
            posix.kill(posix.getpid(), number)


def _tells_something(info: "_signal.struct_siginfo") -> bool:
    if info.si_code == _SI_USER:
        return True
    try:
        return posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT) is not None
    except ChildProcessError:
        return False
