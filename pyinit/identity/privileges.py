"""Giving up root: runs in the child, between fork and exec. PID 1 itself keeps what it needs to signal and reap."""

import posix

from pyinit.log import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyinit.identity import Identity

_FILE_TYPE = 0o170000  # man 7 inode: S_IFMT and two of its values
_PIPE = 0o010000
_CHARACTER_DEVICE = 0o020000
_MEMORY_DEVICES = 1  # the major number of /dev/null and its like, which are everybody's (Linux, devices.txt)


def assume(identity: "Identity") -> None:
    """Become the identity for good. Raises Fatal with status 1, before the program can run, if anything is refused.

    Groups first, then GID, then UID: after the last one the right to do the others is gone (man 7 credentials).
    """
    limits = identity.drop_capabilities or identity.keep_capabilities
    if posix.geteuid() == 0:
        if identity.uid != 0:
            _give_streams(identity.uid)
        if limits:
            _attempt("limit the capabilities (CAP_SETPCAP)", _limit_capabilities, identity)
        _set_ids(identity)
        if limits:
            _attempt("keep the capabilities", _keep_capabilities, identity)
    if identity.no_new_privileges:
        from pyinit import linux

        _attempt("set no-new-privileges", linux.set_no_new_privileges)


def _set_ids(identity: "Identity") -> None:
    """All three UIDs and GIDs, so that there is no way back. What is right already needs no right to change it."""
    groups, gids, uids = sorted(identity.groups), (identity.gid,) * 3, (identity.uid,) * 3
    if sorted(posix.getgroups()) != groups:
        _attempt(f"set the groups {groups} (CAP_SETGID)", posix.setgroups, groups)
    if posix.getresgid() != gids:
        _attempt(f"set GID {identity.gid} (CAP_SETGID)", posix.setresgid, *gids)
    if posix.getresuid() != uids:
        _attempt(f"set UID {identity.uid} (CAP_SETUID)", posix.setresuid, *uids)
    found = (posix.getresuid(), posix.getresgid(), sorted(posix.getgroups()))
    if found != (uids, gids, groups):  # a seccomp filter may let a call succeed that did nothing
        raise Fatal(f"the kernel did not change to {(uids, gids, groups)}: {found}", 1)


def _attempt(what: str, call: "Callable[..., Any]", *arguments: object) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise Fatal(f"cannot {what}: {error.strerror}", 1) from None


def _give_streams(uid: int) -> None:
    """Give the standard streams to the user, as runc does for `docker run --user`.

    The pipe or terminal behind them is root's, and a program that opens /dev/stdout anew would be refused.
    """
    for descriptor in range(3):
        try:
            status = posix.fstat(descriptor)
            kind = status.st_mode & _FILE_TYPE
            terminal = kind == _CHARACTER_DEVICE and posix.major(status.st_rdev) != _MEMORY_DEVICES
            if status.st_uid == 0 and (kind == _PIPE or terminal):
                posix.chown(descriptor, uid, -1)
        except OSError:  # closed; or on a read-only file system: then nothing can be done about it
            pass


def _limit_capabilities(identity: "Identity") -> None:
    """What has to happen while we are still root: the bounding set, and permission to keep some across the change."""
    from pyinit import linux

    if identity.drop_capabilities:
        linux.clear_ambient_capabilities()
        for capability in linux.bounding_capabilities() - identity.keep_capabilities:
            linux.drop_bounding_capability(capability)
    if identity.keep_capabilities:
        linux.keep_capabilities()


def _keep_capabilities(identity: "Identity") -> None:
    """Reduce all sets to those to be kept, and make them ambient: they survive the exec of an ordinary file."""
    from pyinit import linux

    linux.set_capabilities(identity.keep_capabilities)
    for capability in identity.keep_capabilities:
        linux.raise_ambient_capability(capability)
