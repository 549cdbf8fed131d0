"""The program's identity, and becoming it for good: PID 1 itself keeps what it needs to signal and reap.

Most engines' containers lack some of root's capabilities. What is refused then ends the start, but for the standard
streams: there is a line, and the program runs.
"""

import posix

from pyinit.kernel.files import FILE_TYPE, PIPE
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_EINVAL = 22  # man 3 errno

_CONTROLLING_TERMINAL = posix.makedev(5, 0)  # /dev/tty, which is everybody's (Linux, devices.txt)


class Identity:
    """What the program gets: numbers for the kernel, and its environment. Made once, then only read."""

    __slots__ = (
        "drop_capabilities",
        "environment",
        "gid",
        "groups",
        "has_terminal",
        "keep_capabilities",
        "no_new_privileges",
        "parent",
        "parent_death_signal",
        "session",
        "strict",
        "uid",
        "umask",
        "verbosity",
    )

    def __init__(
        self, settings: Settings, uid: int, gid: int, groups: "set[int] | None", environment: "dict[bytes, bytes]"
    ) -> None:
        """`groups` is None where they stay as they are, those too that this user namespace does not know."""
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.environment = environment
        self.drop_capabilities = settings.drop_capabilities
        self.keep_capabilities = frozenset(settings.keep_capabilities)
        self.no_new_privileges = settings.no_new_privileges
        self.umask = settings.umask
        self.session = settings.session
        # An engine's, which nobody has after us. As PID 1 of an unshare in somebody's session it is theirs.
        self.has_terminal = posix.getpid() == posix.getsid(0) == 1
        self.parent_death_signal = settings.parent_death_signal if settings.exec else 0
        self.parent = posix.getppid()
        self.strict = settings.strict
        self.verbosity = settings.verbosity

    def assume(self) -> None:
        """Become it for good. Raises Fatal with status 1, before the program can run, if anything is refused.

        Groups first, then GID, then UID: after the last one the right to do the others is gone (man 7 credentials).
        """
        is_root = posix.geteuid() == 0
        limits = self.drop_capabilities or self.keep_capabilities
        if is_root and self.uid != 0:
            _give_streams(self)
        if limits:
            _attempt("limit the capabilities (CAP_SETPCAP)", _limit_capabilities, self)
        if is_root:
            _set_ids(self)
        if limits:
            _attempt("keep the capabilities", _keep_capabilities, self)
        if self.no_new_privileges:
            from pyinit.kernel import calls

            _attempt("set no-new-privileges", calls.set_no_new_privileges)
        if limits or self.no_new_privileges:
            _verify_limits(self, is_root)
        if self.parent_death_signal:
            _watch_parent(self)
        if self.umask >= 0:
            posix.umask(self.umask)

    def take_right_to_signal(self, settings: Settings, log: Log) -> None:
        """Without CAP_KILL, take the program's UID as our real one, for good.

        The kernel lets a process signal those whose real or saved UID is its own real or effective one (man 2 kill).
        The effective and the saved UID stay root's, so that nothing else changes: what we may open, and who may look
        into us (man 2 ptrace). The program may signal us, too, as it may where pyinit runs as its user.
        """
        if settings.exec or self.uid == 0 or posix.geteuid() != 0:
            return
        from pyinit.identity.capabilities import has

        if has("kill") or not has("setuid"):  # without that the program will not be started
            return
        log.open()  # who finds a real UID that is not the effective one opens nothing
        try:
            posix.setresuid(self.uid, -1, -1)
        except OSError as error:
            from pyinit.identity.complaints import complain

            message = f"--user: UID {self.uid} cannot be signalled, and neither stopped: CAP_KILL is missing"
            complain(settings, log, f"{message}, and as real UID it is refused: {error.strerror}")


def _set_ids(identity: Identity) -> None:
    """All three UIDs and GIDs, so that there is no way back. What is right already needs no right to change it."""
    groups, gids, uids = _set_groups(identity), (identity.gid,) * 3, (identity.uid,) * 3
    if posix.getresgid() != gids:
        _change(identity, f"set GID {identity.gid} (CAP_SETGID)", posix.setresgid, *gids)
    if posix.getresuid() != uids:
        _change(identity, f"set UID {identity.uid} (CAP_SETUID)", posix.setresuid, *uids)
    found = (posix.getresuid(), posix.getresgid(), sorted(posix.getgroups()))
    if found != (uids, gids, groups):  # a seccomp filter may let a call succeed that did nothing
        raise Fatal(f"the kernel did not change to {(uids, gids, groups)}: {found}", 1)


def _set_groups(identity: Identity) -> "list[int]":
    """Set the groups, if any is to go or to come. Returns those that there must be now: the kernel keeps one that it
    was given twice, and shows each that this user namespace does not know as the same number.

    Where setgroups is denied (man 7 user_namespaces) that only the GID is not among them changes nothing.
    """
    found = sorted(posix.getgroups())
    if identity.groups is None or found == sorted(identity.groups):
        return found
    groups = sorted(identity.groups)
    try:
        posix.setgroups(groups)
    except OSError as error:
        if set(found) ^ set(groups) <= {identity.gid}:
            return found
        raise _refused(identity, f"set the groups {groups} (CAP_SETGID)", error) from None
    return groups


def _change(identity: Identity, what: str, call: "Callable[..., None]", *numbers: int) -> None:
    try:
        call(*numbers)
    except OSError as error:
        raise _refused(identity, what, error) from None


def _refused(identity: Identity, what: str, error: OSError) -> Fatal:
    from pyinit.identity.user import unknown

    number = unknown(identity.uid, {identity.gid, *(identity.groups or ())}) if error.errno == _EINVAL else ""
    return Fatal(f"cannot {what}: {f'this user namespace has no {number}' if number else error.strerror}", 1)


def _watch_parent(identity: Identity) -> None:
    """Ask for the parent death signal once more: changing the IDs made the kernel forget it (man 2 PR_SET_PDEATHSIG).
    If the parent died meanwhile, send it ourselves."""
    from pyinit.kernel import calls

    _attempt("watch the parent", calls.set_parent_death_signal, identity.parent_death_signal)
    if posix.getppid() != identity.parent:
        posix.kill(posix.getpid(), identity.parent_death_signal)


def _attempt(what: str, call: "Callable[..., Any]", *arguments: object) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise Fatal(f"cannot {what}: {error.strerror}", 1) from None


def _give_streams(identity: Identity) -> None:
    """Give the standard streams to the user, as runc does for `docker run --user`.

    The pipe or terminal behind them is root's, and a program that opens /dev/stdout anew would be refused. A terminal
    is given only where it is the program's for good. In somebody's shell it would stay the user's when the program has
    ended, and whatever the user has running could read what is typed.
    """
    for descriptor in range(3):
        try:
            status = posix.fstat(descriptor)
            kind = status.st_mode & FILE_TYPE
            terminal = posix.isatty(descriptor) and status.st_rdev != _CONTROLLING_TERMINAL
            pipe = kind == PIPE and _has_no_name(status)
            if status.st_uid == 0 and (pipe or (terminal and _is_ours(identity, descriptor))):
                _give_stream(identity, descriptor, kind)
        except OSError:  # closed; or on a read-only file system: then nothing can be done about it
            pass


def _give_stream(identity: Identity, descriptor: int, kind: int) -> None:
    """Without CAP_CHOWN a pipe, which has no name that others could open, is for everybody to open instead."""
    try:
        posix.chown(descriptor, identity.uid, -1)
    except PermissionError as error:
        from pyinit.identity.capabilities import lacking

        if kind == PIPE:
            posix.fchmod(descriptor, 0o666)
            return
        message = f"the terminal cannot be given to UID {identity.uid}: {error.strerror}{lacking(error, 'chown')}"
        if identity.strict:
            raise Fatal(message, 1) from None
        Log(identity.verbosity).warning(message)


def _has_no_name(pipe: "posix.stat_result") -> bool:
    """Whether it is no FIFO (man 7 fifo), which others than the program may open, and which stays: all pipes without
    names are on one device."""
    ends = posix.pipe()
    device = posix.fstat(ends[0]).st_dev
    for end in ends:
        posix.close(end)
    return pipe.st_dev == device


def _is_ours(identity: Identity, terminal: int) -> bool:
    """Whether nobody has the terminal after the program: PID 1's, or the one of the program's own session."""
    if identity.has_terminal or not identity.session:
        return identity.has_terminal
    try:
        posix.tcgetpgrp(terminal)
    except OSError:  # ENOTTY: the session of who started us has it still
        return False
    return True


def _limit_capabilities(identity: Identity) -> None:
    """What has to happen while we are still root: the bounding set, and permission to keep some across the change."""
    from pyinit.identity.capabilities import has
    from pyinit.kernel import calls

    if identity.drop_capabilities:
        calls.clear_ambient_capabilities()
    if identity.drop_capabilities and (posix.geteuid() == 0 or has("setpcap")):
        for capability in calls.bounding_capabilities() - identity.keep_capabilities:
            calls.drop_bounding_capability(capability)
    if identity.keep_capabilities:
        calls.keep_capabilities()


def _keep_capabilities(identity: Identity) -> None:
    """Reduce all sets to those to be kept, and make them ambient: they survive the exec of an ordinary file."""
    from pyinit.kernel import calls

    calls.set_capabilities(identity.keep_capabilities)
    for capability in identity.keep_capabilities:
        calls.raise_ambient_capability(capability)


def _verify_limits(identity: Identity, was_root: bool) -> None:
    """As for the IDs: a filter may let a call succeed that did nothing. /proc says what there is. Raises Fatal."""
    from pyinit.identity import capabilities

    if identity.drop_capabilities or identity.keep_capabilities:
        left = (capabilities.permitted() or frozenset()) - identity.keep_capabilities
        if identity.drop_capabilities and was_root:
            left |= capabilities.bounding() - identity.keep_capabilities
        if left:
            raise Fatal(f"the kernel did not drop {', '.join(map(capabilities.name, sorted(left)))}", 1)
    if identity.no_new_privileges and not capabilities.are_privileges_fixed():
        raise Fatal("the kernel did not set no-new-privileges", 1)
