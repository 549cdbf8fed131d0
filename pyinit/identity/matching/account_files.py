"""Changing the account files. Everything that is not changed stays as it is, byte for byte.

A file is replaced whole: written beside it, synced, renamed, so that whoever reads it, and whoever comes after a crash,
finds the old one or the new one. All of it happens under the lock that useradd and its like take (man 3 lckpwdf).
"""

import errno
import posix
import time

from pyinit.identity import asking
from pyinit.identity.accounts import fields, identifier
from pyinit.kernel.files import FILE_TYPE, MOST_LINKS, REGULAR
from pyinit.tell.text import encode

_LOCK_PATIENCE = 15.0  # seconds, as lckpwdf has it
_LOCK_INTERVAL = 0.1  # seconds

# The file may be writable all the same: it is a mount point, or its directory is not.
_CANNOT_REPLACE = (errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM)

_SELINUX_LABEL = "security.selinux"
_ACCESS_LIST = "system.posix_acl_access"

# There is no such attribute, or this file system, or this kernel, knows none.
_NO_ATTRIBUTE = (errno.ENODATA, errno.ENOTSUP, errno.ENOSYS)


class Edit:
    """What becomes of one account file: fields of existing entries, and entries to be added."""

    __slots__ = ("added", "changed", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.changed: "dict[tuple[str, int, int], int]" = {}  # (name, its number, which field): the field's new value
        self.added: "list[str]" = []  # whole lines without their end

    def __bool__(self) -> bool:
        return bool(self.changed or self.added)

    def of(self, data: bytes) -> bytes:
        """The file's new content. Raises KeyError if an entry with such a name and number is not there any more."""
        missing = set(self.changed)
        end = 4 if self.path.endswith("passwd") else 3  # of the numbers that make a line an entry, as for Accounts
        lines = data.split(b"\n")
        for at, line in enumerate(lines):
            parts = fields(line)
            if len(parts) < end or any(identifier(part) < 0 for part in parts[2:end]):
                continue
            raw = line.split(b":")
            for key, value in self.changed.items():
                name, number, field = key
                if parts[0] == name and identifier(parts[2]) == number:
                    raw[field] = b"%d" % value
                    missing.discard(key)
            lines[at] = b":".join(raw)
        if missing:
            raise KeyError(next(iter(missing))[0])
        if self.added:
            _insert(lines, [encode(line) for line in self.added])
        return b"\n".join(lines)


def _insert(lines: "list[bytes]", added: "list[bytes]") -> None:
    """At the end, but before NIS entries: what comes after `+` would be looked up there first."""
    if lines[-1]:  # the last line had no end
        lines.append(b"")
    at = next((number for number, line in enumerate(lines) if line.startswith(b"+")), len(lines) - 1)
    lines[at:at] = added


def apply(edits: "list[Edit]", ends_start: "tuple[int, ...]" = asking.USUAL) -> None:
    """Make the edits, in their order, and take those that are made out of the list. Raises OSError or KeyError at the
    first that cannot be made."""
    if not edits:
        return
    lock = _lock(edits[0].path.rpartition("/")[0] + "/.pwd.lock", ends_start)
    try:
        while edits:
            _change(_target(edits[0].path), edits[0])
            del edits[0]
    finally:
        if lock >= 0:
            posix.close(lock)


def _lock(path: str, ends_start: "tuple[int, ...]") -> int:
    """Take the lock; the descriptor holds it. -1 where it cannot be made, and nobody else can make it either.

    Raises Fatal if somebody asks to end meanwhile.
    """
    # For reading, too, and without blocking, a FIFO opens at once (man 7 fifo).
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
    try:
        descriptor = posix.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES):
            return -1
        raise
    if posix.fstat(descriptor).st_mode & FILE_TYPE != REGULAR:
        posix.close(descriptor)
        raise OSError(0, f"{path} is not a regular file")
    end = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            posix.lockf(descriptor, posix.F_TLOCK, 0)
            return descriptor
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR) or time.monotonic() > end:
                posix.close(descriptor)
                raise
        asking.give_up_if_asked(ends_start, _LOCK_INTERVAL)


def _target(path: str) -> str:
    """Where a symbolic link leads: the link stays, and what it names is replaced. Only root can write to /etc."""
    for _ in range(MOST_LINKS):
        try:
            link = posix.readlink(path)
        except OSError:  # EINVAL: no link
            return path
        path = link if link.startswith("/") else path.rpartition("/")[0] + "/" + link
    raise OSError(errno.ELOOP, "too many symbolic links", path)


def _change(path: str, edit: Edit) -> None:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        old = b"".join(iter(lambda: posix.read(descriptor, 65536), b""))
        new = edit.of(old)
        if new == old:
            return
        try:
            _replace(path, new, descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_REPLACE:
                raise
            _overwrite(path, old, new)
    finally:
        posix.close(descriptor)


def _replace(path: str, data: bytes, original: int) -> None:
    """Put a new file in the place of `path`, with the mode, the owner and the attributes of the original."""
    directory, _, name = path.rpartition("/")
    temporary = f"{directory}/.{name}.pyinit"
    try:
        posix.unlink(temporary)  # left by one that was killed: under the lock it is nobody's
    except FileNotFoundError:
        pass
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    descriptor = posix.open(temporary, flags, 0o600)
    try:
        status = posix.fstat(original)
        posix.fchown(descriptor, status.st_uid, status.st_gid)
        _copy_attributes(original, descriptor)
        posix.fchmod(descriptor, status.st_mode & 0o7777)  # of a file with a list: what is its mask in the list
        _write(descriptor, data)
        posix.fsync(descriptor)
        posix.rename(temporary, path)
    except BaseException:
        posix.unlink(temporary)
        raise
    finally:
        posix.close(descriptor)
    _sync_directory(directory)


def _copy_attributes(original: int, copy: int) -> None:
    """The label, if that is allowed; a directory's own is given to a new file anyway. And the list, or the file cannot
    be replaced (a list may name somebody whom this user namespace does not know): its mask would be the group's right.
    """
    try:
        _copy_attribute(original, copy, _SELINUX_LABEL)
    except OSError:
        pass
    try:
        _copy_attribute(original, copy, _ACCESS_LIST)
    except OSError as error:
        raise PermissionError(errno.EPERM, error.strerror) from None


def _copy_attribute(original: int, copy: int, name: str) -> None:
    """The same value, or none, also where a file has one from its directory (man 5 acl, default ACLs)."""
    try:
        value = posix.getxattr(original, name)
    except AttributeError:  # no such call with some musl
        return
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTE:
            raise
    else:
        posix.setxattr(copy, name, value)
        return
    try:
        posix.removexattr(copy, name)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTE:
            raise


def _overwrite(path: str, old: bytes, new: bytes) -> None:
    """Write into the file itself: a crash in the middle may leave a mixture, but there is no other way. An error may
    not: the old content is put back."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        _make_room(descriptor, len(old), len(new))
        try:
            _write_whole(descriptor, new)
        except OSError as error:
            try:
                _write_whole(descriptor, old)
            except OSError:
                why = f"{error.strerror}, and what {path} was could not be put back: it is damaged"
                raise OSError(error.errno, why) from None
            raise
    finally:
        posix.close(descriptor)


def _make_room(descriptor: int, size: int, wanted: int) -> None:
    """Make a file longer by empty lines, which are nobody's entries. Raises OSError if there is no room, and it stays
    as it was; some file systems find that out no sooner than the sync (man 2 write, Notes)."""
    try:
        posix.lseek(descriptor, size, 0)
        _write(descriptor, b"\n" * (wanted - size))
        posix.fsync(descriptor)
    except OSError:
        posix.ftruncate(descriptor, size)
        raise


def _write_whole(descriptor: int, data: bytes) -> None:
    posix.lseek(descriptor, 0, 0)
    _write(descriptor, data)
    posix.ftruncate(descriptor, len(data))
    posix.fsync(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[posix.write(descriptor, data) :]


def _sync_directory(path: str) -> None:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(descriptor)
    except OSError:  # EINVAL: this file system has no such thing
        pass
    finally:
        posix.close(descriptor)
