"""Which signals pyinit deals with (man 7 signal)."""

import _signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo

# Blocking takes all of these but KILL and STOP. The few that the C library keeps for its threads are not among them.
# A tuple, since every wait converts it, and a set takes longer.
EVERY = tuple(_signal.valid_signals())

# SIGCHLD is number 17 and the lowest pending number is collected first: in a storm of orphans it would hide the rest.
ALL_BUT_CHILD = tuple(set(EVERY) - {_signal.SIGCHLD})

# CPython ignores these two for itself; the program must find them at their default.
IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)

# What pyinit's own write to a log that nobody reads, or that is full, raises in itself.
RAISED_BY_WRITING = IGNORED_BY_PYTHON

# How the terminal suspends a process group.
TERMINAL_STOPS = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)

# By these an engine or a person asks a program to end.
ASKS_TO_END = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)


def wait(numbers: "tuple[int, ...]", seconds: float) -> "struct_siginfo | None":
    """Wait for one of these signals, which are blocked, for at most so many seconds; None if none comes.

    If we were stopped and resumed, or paused by an engine, until the time was over, CPython's sigtimedwait returns
    memory that nobody has written to.
    """
    info = _signal.sigtimedwait(numbers, max(0, seconds))
    return info if info and info.si_signo in numbers else None
