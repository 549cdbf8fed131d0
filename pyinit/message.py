"""Bytes for a descriptor that may be full, closed, or shared with the program: for the log and the journal."""

import posix
import sys

_FILE_TYPE = 0o170000  # man 7 inode: S_IFMT and three of its values
_PIPE = 0o010000
_TERMINAL = 0o020000
_DISK_FILE = 0o100000


def printable(text: str) -> str:
    """`text` with every character that is not printable escaped as in a Python string, so that it stays on one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def is_number(text: str) -> bool:
    """Whether a text is a whole number of a size that makes sense: the interpreter reads no more than 4300 digits."""
    return text.isascii() and text.isdigit() and len(text) < 10


def encode(text: str) -> bytes:
    """`text` as the bytes it came from: the reverse of how the interpreter decodes arguments (PEP 383)."""
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def decode(data: bytes) -> str:
    """`data` as text, the way the interpreter decodes arguments (PEP 383)."""
    return data.decode(sys.getfilesystemencoding(), "surrogateescape")


def without_blocking(descriptor: int) -> int:
    """A descriptor for the same file on which a write does not block; `descriptor` itself where there is none.

    O_NONBLOCK belongs to the open file description (man 2 fcntl), which pyinit shares with the program: setting it
    here would make the program's own writes fail. A pipe or a terminal is opened a second time instead; but not with
    the rights of root where another user started us, who may have it only for reading.
    """
    if posix.geteuid() != posix.getuid():
        return descriptor
    try:
        if posix.fstat(descriptor).st_mode & _FILE_TYPE in (_PIPE, _TERMINAL):
            flags = posix.O_WRONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
            return above_stdio(posix.open(f"/proc/self/fd/{descriptor}", flags))
    except OSError:  # no /proc, or a pipe that another user made
        pass
    return descriptor


def above_stdio(descriptor: int) -> int:
    """Move a descriptor of ours out of 0 to 2, where it would become the program's standard stream."""
    occupied = []
    while descriptor <= 2:
        occupied.append(descriptor)
        descriptor = posix.dup(descriptor)
    for low in occupied:
        posix.close(low)
    return descriptor


def write_now(descriptor: int, data: bytes) -> None:
    """Write `data`, or as much as there is room for. Raises OSError, BlockingIOError when there is no room at all."""
    while data:
        if posix.get_blocking(descriptor) and not _is_disk_file(descriptor):
            written = _write_socket(descriptor, data)
        else:
            written = posix.write(descriptor, data)
        data = data[written:]


def _is_disk_file(descriptor: int) -> bool:
    return posix.fstat(descriptor).st_mode & _FILE_TYPE == _DISK_FILE


def _write_socket(descriptor: int, data: bytes) -> int:
    """Write to what could not be opened again, such as the socket that systemd hands to a service."""
    try:
        return posix.pwritev(descriptor, [data], -1, posix.RWF_NOWAIT)
    except AttributeError:  # musl before 1.2.5 has none
        pass
    except OSError as error:
        import errno  # not at the top: it takes as long to import as a module of ours

        # Before Linux 6.4 pipes and sockets have no RWF_NOWAIT: there, and only there, a full one can block.
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    return posix.write(descriptor, data)
