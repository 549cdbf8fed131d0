"""The event journal: one JSON object a line. Imported only when asked for."""

import posix
import time

from pyinit import report  # noqa: F401  # now: later there may be no memory to load it, and signals wait for it
from pyinit.log import Fatal
from pyinit.message import above_stdio, encode, without_blocking, write_now

# Names that mean a descriptor we have: opening them anew would fail where another user made the pipe.
_STANDARD = {"-": 2, "/dev/stderr": 2, "/dev/stdout": 1}


class Journal:
    """Appends events to a file. Like the log it never blocks and never raises once it is open.

    Every event has `event`, `time` (seconds since 1970) and `monotonic` (seconds, CLOCK_MONOTONIC).
    """

    def __init__(self, path: str) -> None:
        """Open `path`, making the file readable for its owner alone. Raises Fatal if that fails.

        A symbolic link is not followed: on a volume that others write to it could lead anywhere.
        """
        if path in _STANDARD:
            self._descriptor = without_blocking(_STANDARD[path])
            return
        flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_NOFOLLOW
        flags |= posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
        try:
            self._descriptor = above_stdio(posix.open(path, flags, 0o600))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Fatal(f"--events: cannot open {path!r}: {reason}", 2) from None

    def write(self, event: str, **details: object) -> None:
        """Append one event. `details` are strings, numbers, truth values, None, and lists of these."""
        record = {"event": event, "time": time.time(), "monotonic": time.monotonic(), **details}
        try:
            write_now(self._descriptor, encode(json_text(record) + "\n"))
        except (OSError, UnicodeError, MemoryError):
            pass


def json_text(value: object) -> str:
    """`value` as JSON. The standard library's `json` imports `re`: milliseconds before the program starts."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_text(key)}: {json_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(json_text, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(_json_character, value)) + '"'
    return str(value)


def _json_character(character: str) -> str:
    """Control characters and undecodable bytes (lone surrogates, PEP 383) become \\u escapes."""
    if character in '"\\':
        return "\\" + character
    if character < " " or "\ud800" <= character <= "\udfff":
        return f"\\u{ord(character):04x}"
    return character
