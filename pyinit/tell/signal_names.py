"""Signal names and numbers, for people. Imported only when one is read or said."""

import _signal

from pyinit.tell.text import is_number

# CPython names STKFLT from 3.11 on. (Number 16 is another's on Alpha, MIPS and SPARC, man 7 signal, which comes first.)
_NUMBERS = {**vars(_signal), "SIGSTKFLT": getattr(_signal, "SIGSTKFLT", 16)}


def number(text: str) -> int:
    """The number of a signal given as `TERM`, `SIGTERM`, `15`, `RTMIN+2` or `RTMAX-1`, in any case.

    Raises ValueError, with what is wrong, for anything else.
    """
    value = int(text) if is_number(text) else _number_of_name(text.upper())
    if not 1 <= value < _signal.NSIG:
        raise ValueError(f"{text!r} is no signal: a name such as TERM or RTMIN+1, or 1 to {_signal.NSIG - 1}")
    return value


def _number_of_name(name: str) -> int:
    """The number of an upper-case name, with or without SIG; 0 if there is none."""
    if name.startswith("SIG"):
        name = name[3:]
    for base, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        if name.startswith(base + sign) and is_number(name[6:]):
            value = _number_of_name(base) + int(sign + name[6:])
            return value if _signal.SIGRTMIN <= value <= _signal.SIGRTMAX else 0
    if not name.isalnum():  # SIG_BLOCK and its like are no signals
        return 0
    return int(_NUMBERS.get("SIG" + name, 0))


def name(number: int) -> str:
    """`SIGTERM` for 15; real-time signals are `SIGRTMIN+n`; a number without a name is `SIG` and the number."""
    if _signal.SIGRTMIN <= number <= _signal.SIGRTMAX:
        offset = number - _signal.SIGRTMIN
        return f"SIGRTMIN+{offset}" if offset else "SIGRTMIN"
    for key, value in _NUMBERS.items():
        if value == number and key.startswith("SIG") and key.isalnum() and key not in ("SIGCLD", "SIGIOT", "SIGPOLL"):
            return key
    return f"SIG{number}"
