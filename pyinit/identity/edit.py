"""Changing the account files. Everything that is not changed stays as it is, byte for byte.

A file is replaced whole: written beside it, synced, renamed, so that whoever reads it, and whoever comes after a crash,
finds the old one or the new one. All of it happens under the lock that useradd and its like take (man 3 lckpwdf).
"""

import _signal
import errno
import fcntl
import posix
import time

from pyinit import signal_names, timer
from pyinit.identity.accounts import fields, identifier
from pyinit.log import Fatal
from pyinit.message import encode

_LOCK_PATIENCE = 15.0  # seconds, as lckpwdf has it
_LOCK_INTERVAL = 0.1  # seconds
_MOST_LINKS = 40  # man 7 path_resolution

# The file may be writable all the same: it is a mount point, or its directory is not.
_CANNOT_REPLACE = (errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM)

_LABEL = "security.selinux"


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


def apply(edits: "list[Edit]") -> None:
    """Make the edits, in their order, and take those that are made out of the list. Raises OSError or KeyError at the
    first that cannot be made."""
    if not edits:
        return
    lock = _lock(edits[0].path.rpartition("/")[0] + "/.pwd.lock")
    try:
        while edits:
            _change(_target(edits[0].path), edits[0])
            del edits[0]
    finally:
        if lock >= 0:
            posix.close(lock)


def _lock(path: str) -> int:
    """Take the lock; the descriptor holds it. -1 where it cannot be made, and nobody else can make it either.

    TERM and INT end the waiting: raises Fatal.
    """
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        descriptor = posix.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES):
            return -1
        raise
    end = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES) or time.monotonic() > end:
                posix.close(descriptor)
                raise
        stop_if_asked(_LOCK_INTERVAL)


def stop_if_asked(seconds: float = 0) -> None:
    """Wait for TERM and INT, which are blocked. Raises Fatal with 128 + the signal if one comes."""
    info = timer.wait((_signal.SIGTERM, _signal.SIGINT), seconds)
    if info:
        raise Fatal(f"ended by {signal_names.name(info.si_signo)} before the program started", 128 + info.si_signo)


def _target(path: str) -> str:
    """Where a symbolic link leads: the link stays, and what it names is replaced. Only root can write to /etc."""
    for _ in range(_MOST_LINKS):
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
            _overwrite(path, new)
    finally:
        posix.close(descriptor)


def _replace(path: str, data: bytes, original: int) -> None:
    """Put a new file in the place of `path`, with the mode, the owner and the label of the original."""
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
        posix.fchmod(descriptor, status.st_mode & 0o7777)
        _copy_label(original, descriptor)
        _write(descriptor, data)
        posix.fsync(descriptor)
        posix.rename(temporary, path)
    except BaseException:
        posix.unlink(temporary)
        raise
    finally:
        posix.close(descriptor)
    _sync_directory(directory)


def _copy_label(original: int, copy: int) -> None:
    try:
        posix.setxattr(copy, _LABEL, posix.getxattr(original, _LABEL))
    except OSError:  # no SELinux here, or no labels on this file system
        pass


def _overwrite(path: str, data: bytes) -> None:
    """Write into the file itself: a crash in the middle may leave a mixture, but there is no other way."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        _write(descriptor, data)
        posix.ftruncate(descriptor, len(data))
        posix.fsync(descriptor)
    finally:
        posix.close(descriptor)


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
