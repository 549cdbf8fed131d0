"""Paths: opened component by component, as root may do it where others can write; and as messages show them."""

import posix

from pyinit.kernel.files import FILE_TYPE, LINK, MOST_LINKS, OTHERS_WRITE, STICKY

# On the way it need only be passed through, which takes no right to read it.
_PASS = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_LINK_ITSELF = posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC

OPEN_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC

_ENOTDIR = 20  # man 3 errno
_NOT_FOLLOWED = "a link that others than root can have put there is not followed; name what it leads to"
_SHOWN = 300  # characters of a path in a message


def open_parent(path: str, follow_last: bool = False) -> "tuple[int, str]":
    """The directory that holds the last component of a path, open, and that component. Raises OSError.

    On the way a symbolic link is followed only where nobody but root can have put it. In a home or in /tmp it may be
    anybody's. The last component is left to the caller, who does not follow it either; with `follow_last` it is treated
    as the others, and may be left a link all the same.
    """
    descriptor = posix.open("/" if path.startswith("/") else ".", _PASS)
    pending = _components(path)
    links = 0
    try:
        while len(pending) > 1 or (pending and follow_last and _leads_on(pending[0], descriptor)):
            name = pending.pop()
            try:
                child = posix.open(name, _PASS, dir_fd=descriptor)
            except NotADirectoryError:
                links += 1
                if links > MOST_LINKS:
                    raise
                child, more = _followed(name, descriptor)
                pending += more
            posix.close(descriptor)
            descriptor = child
        return descriptor, pending[0] if pending else "."
    except BaseException:
        posix.close(descriptor)
        raise


def _followed(name: str, parent: int) -> "tuple[int, list[str]]":
    """Where a link leads: a directory, open, and the components from there, the first one last. Raises OSError.

    Whose it is and what it says are asked of the link itself: its name may be another's by the second question.
    """
    link = posix.open(name, _LINK_ITSELF, dir_fd=parent)
    try:
        status = posix.fstat(link)
        if status.st_mode & FILE_TYPE != LINK:
            raise NotADirectoryError(_ENOTDIR, posix.strerror(_ENOTDIR))
        if _is_of_proc(posix.fstat(parent)):  # its text is not where it leads
            return posix.open(name, _PASS & ~posix.O_NOFOLLOW, dir_fd=parent), []
        if not _is_link_of_roots(status, parent):
            raise NotADirectoryError(_ENOTDIR, _NOT_FOLLOWED)
        target = posix.readlink("", dir_fd=link)
    finally:
        posix.close(link)
    return posix.open("/" if target.startswith("/") else ".", _PASS, dir_fd=parent), _components(target)


def _leads_on(name: str, parent: int) -> bool:
    return _is_link_of_roots(_status(name, parent), parent)


def _status(name: str, parent: int) -> "posix.stat_result":
    return posix.stat(name, dir_fd=parent, follow_symlinks=False)


def _is_link_of_roots(link: "posix.stat_result", parent: int) -> bool:
    """Whether it is a link that nobody but root can have put into this directory, which is root's: others cannot write
    to it. Or they can neither delete nor rename it, as in a volume of Kubernetes' secrets (man 7 inode, the sticky
    bit); that is a mount of its own, into which nobody can move a link of root's from elsewhere (man 2 rename). /proc's
    links are none: they lead to what their text need not name."""
    directory = posix.fstat(parent)
    if link.st_mode & FILE_TYPE != LINK or directory.st_uid != 0 or _is_of_proc(directory):
        return False
    if not directory.st_mode & OTHERS_WRITE:
        return True
    return bool(directory.st_mode & STICKY) and link.st_uid == 0 and _is_mount(parent)


def _is_mount(directory: int) -> bool:
    """Whether a directory is where something is mounted. Raises OSError where nobody can tell."""
    from pyinit.kernel.descriptors import mount_of

    above = posix.open("..", _PASS, dir_fd=directory)
    try:
        return mount_of(above) != mount_of(directory)
    finally:
        posix.close(above)


def _is_of_proc(status: "posix.stat_result") -> bool:
    """Whether it is a directory of root's in /proc."""
    from pyinit.kernel.proc import holds  # which a path without a link does not need

    return status.st_uid == 0 and holds(status)


def open_as_root(path: str, flags: int) -> int:
    """Open what a path leads to, by no link that anybody but root can have put there. Raises OSError.

    Who is not root may follow any: it leads to nothing that they could not open themselves.
    """
    if posix.geteuid() != 0 or not path:
        return posix.open(path, flags | posix.O_CLOEXEC)
    parent, name = open_parent(path, follow_last=True)
    try:
        is_link = _status(name, parent).st_mode & FILE_TYPE == LINK
        is_followed = is_link and _is_of_proc(posix.fstat(parent))  # such as /dev/fd/3
        if is_link and not is_followed:
            raise OSError(0, _NOT_FOLLOWED)
        return posix.open(name, flags | posix.O_CLOEXEC | (0 if is_followed else posix.O_NOFOLLOW), dir_fd=parent)
    finally:
        posix.close(parent)


def _components(path: str) -> "list[str]":
    """The components of a path, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def is_roots_alone(status: "posix.stat_result") -> bool:
    """Whether nobody but root can write to a file, or to a directory."""
    return status.st_uid == 0 and not status.st_mode & OTHERS_WRITE


def shortened(path: str) -> str:
    """A path as a message shows it."""
    return path if len(path) <= _SHOWN else "..." + path[-_SHOWN:]
