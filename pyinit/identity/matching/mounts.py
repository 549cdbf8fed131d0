"""Where other mounts begin, as /proc tells it."""

import posix

from pyinit.kernel import proc
from pyinit.kernel.descriptors import mount_of
from pyinit.tell.text import decode


def mounts_on(root: int) -> "tuple[int, bool, dict[tuple[int, int], set[str]]]":
    """What tells a walk where other mounts begin.

    Returns the ID of the mount that a tree is on, -1 if that cannot be told; whether mounts on it are of the same
    device, so that each directory has to be asked for its ID; and the mount points in the tree, single files too: their
    names, by (device, inode) of the directory that they are in, since that may be moved. A single file of the same file
    system that is mounted in the tree, and renamed meanwhile in another mount namespace, is not recognised.
    """
    mount_points: "dict[tuple[int, int], set[str]]" = {}
    try:
        top = posix.readlink(f"/proc/self/fd/{root}").rstrip("/") + "/"
        mount = mount_of(root)
        # man 5 proc_pid_mountinfo: ID, parent's ID, device, root, mount point
        lines = [line.split(b" ", 5)[:5] for line in proc.lines("/proc/self/mountinfo")]
    except OSError:
        return -1, False, mount_points
    devices = {device for number, _, device, _, _ in lines if int(number) == mount}
    on_it = [(device, decode(unescape(point))) for _, parent, device, _, point in lines if int(parent) == mount]
    for _, point in on_it:
        if point.startswith(top):
            directory, _, name = point.rpartition("/")
            try:
                status = posix.lstat(directory or "/")
            except OSError:
                continue
            mount_points.setdefault((status.st_dev, status.st_ino), set()).add(name)
    return mount, any(device in devices for device, _ in on_it), mount_points


def mounts_below(directory: str) -> "list[str]":
    """The mount points below a directory, which is given with a slash at its end. Empty without a /proc."""
    try:
        points = [decode(unescape(line.split(b" ", 5)[4])) for line in proc.lines("/proc/self/mountinfo")]
    except (OSError, ValueError):
        return []
    return sorted(point for point in points if point.startswith(directory))


def unescape(text: bytes) -> bytes:
    """Undo what the kernel does to white space and backslashes: "\\" and three octal digits (man 5 proc_pid_mountinfo).

    Raises ValueError for a backslash without them.
    """
    first, *escaped = text.split(b"\\")
    for part in escaped:
        digits = part[:3]
        if not (len(digits) == 3 and all(digit in b"01234567" for digit in digits) and digits < b"4"):
            raise ValueError("a backslash without three octal digits")
        first += bytes((int(digits, 8),)) + part[3:]
    return first
