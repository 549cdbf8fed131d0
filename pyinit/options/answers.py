"""What --help, --version and --license show. Imported only to show it."""

import posix

from pyinit import __version__
from pyinit.kernel import IS_STANDALONE
from pyinit.options.table import OPTIONS, USAGE

_CLOSING = """
Options end at the first word that is not one. Each has a variable, such as
PYINIT_REWRITE=TERM:QUIT (yes or no for a switch, a number for -v and -q, commas
between repeated values); the command line wins. TINI_SUBREAPER,
TINI_KILL_PROCESS_GROUP and TINI_VERBOSITY work too.

Exit status: the program's, or 128 + the signal that killed it; 127 not found, 126
cannot be executed, 2 wrong usage, 1 anything else that keeps it from starting.
"""


def help_text() -> str:
    """The whole of --help."""
    heads = [(f"  -{option.letter}, " if option.letter else "      ") + option.head for option in OPTIONS]
    width = max(map(len, heads)) + 2
    rows = [head.ljust(width) + option.text for head, option in zip(heads, OPTIONS)]
    purpose = "Run PROGRAM: forward signals to it, reap orphans, and end with its status."
    return "\n".join([USAGE, "", purpose, "", *rows, _CLOSING])


def show(answer: str, personality: str) -> int:
    """Write what was asked for. Returns the exit status: 1 if it cannot be written."""
    descriptor, text = text_of(answer, personality)
    return write_out(text.encode(), descriptor)


def text_of(answer: str, personality: str) -> "tuple[int, str]":
    """What was asked for, behind the descriptor for it: standard error under the name of an init that takes that."""
    if answer == "license":
        from pyinit.options.license import TEXT

        return 1, TEXT + _licenses_inside()
    if personality == "pyinit":
        return 1, help_text() if answer == "help" else f"pyinit {__version__}\n"
    if personality == "fixuid":
        from pyinit.options import fixuid

        return 1, fixuid.USAGE + "\n"
    if personality in ("gosu", "su-exec"):
        from pyinit.options import stepping_down

        return 1, stepping_down.answer(answer, personality)
    from pyinit.options import inits

    return inits.answer(answer, personality)


def _licenses_inside() -> str:
    """Those of what is in the standalone file besides pyinit."""
    if not IS_STANDALONE:
        return ""
    from _pyinit_licenses import TEXT

    return TEXT


def write_out(data: bytes, descriptor: int = 1) -> int:
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    except OSError:
        return 1
    return 0


def show_home(environment: "dict[bytes, bytes]") -> int:
    """Write what a shell evaluates to get the new HOME, if there is one. Returns the exit status."""
    if b"HOME" not in environment:
        return 0
    return write_out(b"export HOME='" + environment[b"HOME"].replace(b"'", b"'\\''") + b"'\n")
