"""Which signals pyinit deals with (man 7 signal)."""

import _signal

# Blocking takes all of these but KILL and STOP. The few that the C library keeps for its threads are not among them.
# A tuple, since every wait converts it, and a set takes longer.
_VALID = _signal.valid_signals()
EVERY = tuple(_VALID)

# SIGCHLD is number 17 and the lowest pending number is collected first: in a storm of orphans it would hide the rest.
ALL_BUT_CHILD = tuple(_VALID - {_signal.SIGCHLD})

# CPython ignores these two for itself; the program must find them at their default.
IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)

# How the terminal suspends a process group.
TERMINAL_STOPS = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)

# What ends a program, and nobody stops one with.
FATAL = (
    _signal.SIGKILL,
    _signal.SIGSEGV,
    _signal.SIGBUS,
    _signal.SIGILL,
    _signal.SIGFPE,
    _signal.SIGABRT,
    _signal.SIGSYS,
)

# What only a handler makes something of (man 7 signal, Ign).
IGNORED_BY_DEFAULT = (_signal.SIGCHLD, _signal.SIGCONT, _signal.SIGURG, _signal.SIGWINCH)
