"""What an engine has just made as root, and the user is to have: an empty volume, and directories on the way to one.

A new named volume, a tmpfs and a directory of the host's that an engine made are root's and empty, so that the user
could not write. Named with --own they become the user's: the directory that is mounted, and nothing else. For a mount
in the home an engine makes the directories above it, too, such as ~/.cache for ~/.cache/pip. As long as nothing but
mounts is in them they become the user's, for what --own names and for the home that is matched.
"""

import posix

from pyinit.identity.capabilities import lacking_for
from pyinit.identity.complaints import complain
from pyinit.identity.matching.mounts import mounts_below
from pyinit.identity.user import User
from pyinit.kernel.descriptors import mount_of
from pyinit.kernel.paths import OPEN_DIRECTORY, open_parent
from pyinit.settings import Settings
from pyinit.tell.log import Log

# What mkfs puts into a file system (man 8 mke2fs).
_EMPTY = {"lost+found"}


def give(settings: Settings, user: User, log: Log) -> None:
    """Give the user what is so. With --strict what cannot be given is the end: raises Fatal with status 1."""
    home = user.account.home.rstrip("/") if user.account else ""
    trees = [path.rstrip("/") or "/" for path in settings.own] or [home]
    directories = [(path, False) for path in dict.fromkeys(_directories_above(trees, home))]
    given = []
    for path, is_mount in (*directories, *((path, True) for path in settings.own)):
        try:
            if _is_given(path, user, is_mount):
                given.append(path)
            elif is_mount and not settings.match and not settings.match_owner and _is_roots(path):
                complain(settings, log, f"--own: {path} stays root's: it is no empty mount, and --match was not given")
        except OSError as error:
            why = f"{error.strerror}{lacking_for(error)}"
            complain(settings, log, f"--own: {path} cannot be given to UID {user.uid}: {why}")
    if given:
        log.warning(f"new and empty, so now of UID {user.uid}, GID {user.gid}: {', '.join(given)}")


def _directories_above(trees: "list[str]", home: str) -> "list[str]":
    """The directories in the home above mounts that are in a tree, or that are one; the highest first."""
    if len(home) < 2:
        return []
    found = []
    for point in mounts_below(home + "/"):
        if any((point + "/").startswith(tree.rstrip("/") + "/") for tree in trees):
            names = point[len(home) + 1 :].split("/")[:-1]
            found += [f"{home}/{'/'.join(names[: number + 1])}" for number in range(len(names))]
    return found


def _is_given(path: str, user: User, is_mount: bool) -> bool:
    """Give a directory to the user if it is root's, and a mount that is empty or a way to one. Raises OSError."""
    try:
        parent, name = open_parent(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    descriptor = -1
    try:
        descriptor = posix.open(name, OPEN_DIRECTORY, dir_fd=parent)
        status = posix.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (0, 0) or _is_mount(parent, descriptor) != is_mount:
            return False
        names = set(posix.listdir(descriptor)) - _EMPTY
        if names and (is_mount or not all(_is_way(descriptor, each) for each in names)):
            return False
        posix.fchown(descriptor, user.uid, user.gid)
        return True
    except (FileNotFoundError, NotADirectoryError):  # a single file, a symbolic link
        return False
    finally:
        posix.close(parent)
        if descriptor >= 0:
            posix.close(descriptor)


def _is_mount(parent: int, descriptor: int) -> bool:
    """Whether something is mounted on a directory. Raises OSError where nobody can tell."""
    return mount_of(parent) != mount_of(descriptor)


def _is_way(parent: int, name: str) -> bool:
    """Whether an entry is a mount, or a directory in which there is nothing but ways to one."""
    descriptor = posix.open(name, posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC, dir_fd=parent)
    try:
        if _is_mount(parent, descriptor):
            return True
        directory = posix.open(".", OPEN_DIRECTORY, dir_fd=descriptor)
    except NotADirectoryError:
        return False
    finally:
        posix.close(descriptor)
    try:
        is_roots = posix.fstat(directory).st_uid == 0  # nobody else has put names there, so many that this takes long
        return is_roots and all(_is_way(directory, each) for each in posix.listdir(directory))
    finally:
        posix.close(directory)


def _is_roots(path: str) -> bool:
    try:
        return posix.stat(path).st_uid == 0
    except OSError:
        return False
