"""Signal names and numbers, and which signals pyinit deals with (man 7 signal)."""

import _signal

# Blocking takes all of these but KILL and STOP. The few that the C library keeps for its threads are not among them.
# A tuple, since every wait converts it, and a set takes longer.
EVERY = tuple(map(int, _signal.valid_signals()))

# SIGCHLD is number 17 and the lowest pending number is collected first: in a storm of orphans it would hide the rest.
ALL_BUT_CHILD = tuple(number for number in EVERY if number != _signal.SIGCHLD)

# What pyinit's own write to a log that nobody reads, or that is full, raises in itself.
RAISED_BY_WRITING = (_signal.SIGPIPE, _signal.SIGXFSZ)

# How the terminal suspends a process group.
TERMINAL_STOPS = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)

# By these an engine or a person asks a program to end.
ASKS_TO_END = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)


def number(text: str) -> int:
    """The number of a signal given as `TERM`, `SIGTERM`, `15`, `RTMIN+2` or `RTMAX-1`, in any case.

    Raises ValueError, with what is wrong, for anything else.
    """
    value = int(text) if text.isascii() and text.isdigit() else _number_of_name(text.upper())
    if not 1 <= value < _signal.NSIG:
        raise ValueError(f"{text!r} is no signal: a name such as TERM or RTMIN+1, or 1 to {_signal.NSIG - 1}")
    return value


def _number_of_name(name: str) -> int:
    """The number of an upper-case name, with or without SIG; 0 if there is none."""
    if name.startswith("SIG"):
        name = name[3:]
    for base, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        if name.startswith(base + sign) and name[6:].isascii() and name[6:].isdigit():
            value = _number_of_name(base) + int(sign + name[6:])
            return value if _signal.SIGRTMIN <= value <= _signal.SIGRTMAX else 0
    if not name.isalnum():  # SIG_BLOCK and its like are no signals
        return 0
    return int(getattr(_signal, "SIG" + name, 0))


def name(number: int) -> str:
    """`SIGTERM` for 15; real-time signals are `SIGRTMIN+n`; a number without a name is `SIG` and the number."""
    if _signal.SIGRTMIN <= number <= _signal.SIGRTMAX:
        offset = number - _signal.SIGRTMIN
        return f"SIGRTMIN+{offset}" if offset else "SIGRTMIN"
    for key, value in vars(_signal).items():
        if value == number and key.startswith("SIG") and key.isalnum() and key not in ("SIGCLD", "SIGPOLL"):
            return key
    return f"SIG{number}"
