"""User namespaces: which UIDs a container has, and what they are called there (man 7 user_namespaces)."""

import os

from pyinit.ctl import proc
from pyinit.ctl.proc import Process

OVERFLOW = 65534  # /proc/sys/kernel/overflowuid: how an owner looks whom a user namespace does not have


def number_inside(pid1: Process, uid: int) -> "int | None":
    """What a UID, as we see it, is called in the container; None if its user namespace does not have it."""
    ranges = uid_ranges(pid1)
    if is_in_our_user_namespace(pid1):
        return None if uid == OVERFLOW and is_nested(pid1) else uid
    return next((uid - outside + inside for inside, outside, count in ranges if 0 <= uid - outside < count), None)


def number_outside(pid1: Process, uid: int) -> int:
    """What a UID that the container has, as we see it, is called outside of its user namespace."""
    if not is_in_our_user_namespace(pid1):
        return uid
    found = (uid - inside + outside for inside, outside, count in uid_ranges(pid1) if 0 <= uid - inside < count)
    return next(found, uid)


def is_nested(process: Process) -> bool:
    """Whether a process is in a user namespace that does not have every UID: not the host's."""
    return not any(
        outside == 0 and count > OVERFLOW for _, outside, count in uid_ranges(process) or [(0, 0, 2**32 - 1)]
    )


def uid_ranges(process: Process) -> "list[tuple[int, int, int]]":
    """The lines of /proc/PID/uid_map: first number inside, first number outside, how many."""
    try:
        rows = [line.split() for line in proc.text_of(f"/proc/{process.pid}/uid_map").splitlines()]
    except OSError:
        return []
    return [(int(inside), int(outside), int(count)) for inside, outside, count in rows]


def is_in_our_user_namespace(process: Process) -> bool:
    try:
        return os.readlink(f"/proc/{process.pid}/ns/user") == os.readlink("/proc/self/ns/user")
    except OSError:  # another user's, in our container then
        return True
