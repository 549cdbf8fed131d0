"""Files that pyinitctl writes: whole, or not at all."""

import errno
import os
import stat
import uuid
from pathlib import Path


def check_replaceable(path: "str | Path", directory: "int | None" = None) -> None:
    """Raises OSError where something is that is no regular file: a device, a FIFO, a directory are nobody's to replace,
    and a symbolic link may be another's who means another file. `directory`: a descriptor that `path` is relative to.
    """
    try:
        mode = os.lstat(path, dir_fd=directory).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is there, and no regular file")


def name_beside(name: str) -> str:
    """A name for a file that is to become another: it is hidden, and says whose it was. A name has at most 255 bytes,
    and may be cut within a character."""
    return os.fsdecode(b".%b.%b" % (os.fsencode(name)[:100], uuid.uuid4().hex.encode()))


def replace(path: Path, data: bytes, mode: "int | None" = None) -> None:
    """Write a file whole: under another name beside it, then renamed.

    `mode`: its permissions, whatever the umask is. Raises OSError, and then nothing has changed.
    """
    check_replaceable(path)
    temporary = path.with_name(name_beside(path.name))
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
