"""Descriptors that may be full, closed, or shared with the program."""

import _signal
import posix

from pyinit.kernel import IS_STANDALONE
from pyinit.kernel.files import CHARACTER_DEVICE, FILE_TYPE, PIPE, REGULAR

_EPIPE = 32  # man 3 errno
_EFBIG = 27
_ATOMIC = 4096  # man 7 pipe, PIPE_BUF: where there is room at all there is that much


def without_blocking(descriptor: int) -> int:
    """A descriptor for the same file on which a write does not block; `descriptor` itself where there is none.

    O_NONBLOCK belongs to the open file description (man 2 fcntl), which pyinit shares with the program: setting it
    here would make the program's own writes fail. A pipe or a terminal is opened a second time instead; but not with
    the rights of root where another user started us, who may have it only for reading.
    """
    if posix.geteuid() != posix.getuid():
        return descriptor
    try:
        if posix.fstat(descriptor).st_mode & FILE_TYPE in (PIPE, CHARACTER_DEVICE):
            flags = posix.O_WRONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
            return posix.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:  # no /proc, or a pipe that another user made
        pass
    return descriptor


def mount_of(descriptor: int) -> int:
    """The ID of the mount that an open file is on (man 5 proc_pid_fdinfo). Raises OSError where nobody can tell."""
    try:
        file = posix.open(f"/proc/self/fdinfo/{descriptor}", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            fields = posix.read(file, 128).split()  # it is in the third line of all
        finally:
            posix.close(file)
        return int(fields[fields.index(b"mnt_id:") + 1])
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no /proc, or Linux before 3.15
        raise OSError(0, "without /proc nobody can tell which mount it is on") from None


def write_now(descriptor: int, data: bytes) -> int:
    """Write `data`, or as much as there is room for, without waiting for room, and without a signal of ours.

    Returns how much that was. Raises OSError if it was nothing at all, BlockingIOError for want of room.
    """
    done = 0
    while done < len(data):
        try:
            if posix.get_blocking(descriptor) and not _is_disk_file(descriptor):
                done += _write_if_room(descriptor, data[done:])
            else:
                done += posix.write(descriptor, data[done:])
        except OSError as error:
            _take_back_signal(error)
            if not done:
                raise
            break
    return done


def _is_disk_file(descriptor: int) -> bool:
    return posix.fstat(descriptor).st_mode & FILE_TYPE == REGULAR


def _write_if_room(descriptor: int, data: bytes) -> int:
    """Write to what could not be opened again: a socket, another user's pipe, a terminal where there is no /proc."""
    try:
        return posix.pwritev(descriptor, [data], -1, posix.RWF_NOWAIT)
    except BlockingIOError:
        raise
    except (AttributeError, OSError):  # musl before 1.2.5; terminals, and before Linux 6.4 pipes and sockets
        pass
    if not _has_room(descriptor):
        raise BlockingIOError(0, "no room")
    return posix.write(descriptor, data[:_ATOMIC])


def _has_room(descriptor: int) -> bool:
    if IS_STANDALONE:
        from _pyinit import has_room

        return has_room(descriptor)
    from select import POLLOUT, poll

    room = poll()
    room.register(descriptor, POLLOUT)
    return bool(room.poll(0))


def _take_back_signal(error: OSError) -> None:
    """A write that failed has sent its thread a signal, too, which is nobody else's business (man 2 write)."""
    signal = {_EPIPE: _signal.SIGPIPE, _EFBIG: _signal.SIGXFSZ}.get(error.errno or 0)
    if signal:
        _signal.sigtimedwait((signal,), 0)
