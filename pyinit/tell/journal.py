"""The event journal: one JSON object a line. Imported only when asked for."""

import posix
import time

from pyinit.kernel.descriptors import mount_of, without_blocking, write_now
from pyinit.kernel.files import OTHERS_WRITE
from pyinit.tell import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.kernel.costs import Waiting

# Names that mean a descriptor we have: opening them anew would fail where another user made the pipe.
_STANDARD = {"-": 2, "/dev/stderr": 2, "/dev/stdout": 1}

_OTHERS = 0o007  # S_IRWXO (man 7 inode)

_LAID_OUT = "others can write to its directory, and it is not ours alone; delete it, or have its owner and mode set"


class Journal:
    """Appends events to a file. Like the log it never blocks and never raises once it is open.

    Every event has `event`, `time` (seconds since 1970) and `monotonic` (seconds, CLOCK_MONOTONIC).
    """

    def __init__(self, path: str) -> None:
        """Raises Fatal if there cannot be a journal at that path."""
        self._is_torn = False
        try:
            self._descriptor = without_blocking(_STANDARD[path]) if path in _STANDARD else _opened(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Fatal(f"--events: cannot open {path!r}: {reason}", 2) from None

    def write(self, event: str, **details: object) -> None:
        """Append one event. `details` are strings, numbers, truth values, None, and lists and dictionaries of these."""
        record = {"event": event, "time": time.time(), "monotonic": time.monotonic(), **details}
        try:
            line = (json_text(record) + "\n").encode()
            # Of an event that did not fit whole, the rest of the line is nobody's.
            lead = b"\n" if self._is_torn else b""
            self._is_torn = write_now(self._descriptor, lead + line) < len(lead + line)
        except (OSError, UnicodeError, MemoryError):
            pass


def _opened(path: str) -> int:
    """The file, made readable for its owner alone if it is not there. Raises OSError and ValueError.

    A symbolic link is not followed: on a volume that others write to it could lead anywhere.
    """
    directory, slash, name = path.rpartition("/")
    parent = posix.open(directory + slash or ".", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_NOFOLLOW
    flags |= posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
    try:
        descriptor = posix.open(name or ".", flags, 0o600, dir_fd=parent)
        if _is_laid_out(parent, descriptor):
            posix.close(descriptor)
            raise OSError(0, _LAID_OUT)
        return descriptor
    finally:
        posix.close(parent)


def _is_laid_out(parent: int, descriptor: int) -> bool:
    """Whether somebody may have laid out a file for us to write into, who could read it then, or have us spoil it.

    So it may be where others than root and we can write to the directory, and the file is not ours, or not ours alone:
    others can read it, or it has another name. Its group counts for nothing, since Kubernetes gives volumes to one
    (fsGroup). A file that is mounted there is the engine's choice.
    """
    ours = (0, posix.geteuid())
    directory, file = posix.fstat(parent), posix.fstat(descriptor)
    if directory.st_uid in ours and not directory.st_mode & OTHERS_WRITE:
        return False
    if file.st_uid in ours and not file.st_mode & _OTHERS and file.st_nlink == 1:
        return False
    try:
        return mount_of(parent) == mount_of(descriptor)
    except OSError:  # nobody can tell
        return True


def waiting() -> "Waiting | None":
    """What counts the costs of those that are waited for; None where the interpreter has no module `resource`."""
    try:
        from pyinit.kernel.costs import Waiting
    except ImportError:
        return None
    return Waiting()


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
        if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:  # as nearly always
            return f'"{value}"'
        return '"' + "".join(map(_json_character, value)) + '"'
    return str(value)


def _json_character(character: str) -> str:
    """Control characters, which a terminal would obey, and undecodable bytes (lone surrogates, PEP 383) become \\u
    escapes."""
    if character in '"\\':
        return "\\" + character
    if not character.isprintable() and character <= "\uffff":
        return f"\\u{ord(character):04x}"
    return character
