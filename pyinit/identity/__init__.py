"""Who the program runs as. Imported only if a user was asked for, or less privilege."""

import posix

from pyinit.identity import accounts, user
from pyinit.identity.privileges import Identity
from pyinit.settings import INFO, Settings
from pyinit.tell import Fatal
from pyinit.tell.log import Log
from pyinit.tell.text import decode, mode

__all__ = ["Identity", "prepare"]


def prepare(settings: Settings, environment: "dict[bytes, bytes]", log: Log) -> Identity:
    """Find out who the program is to be, and match the host's IDs first if that was asked for.

    Raises Fatal: with status 2 for what the settings get wrong, before anything was changed.
    """
    if settings.set_user_id:
        from pyinit.identity import launched

        return launched.prepare(settings, environment, log)
    umask = _umask(settings, environment)
    limits = settings.no_new_privileges or settings.drop_capabilities or settings.keep_capabilities
    has_limits = limits and _check_limits(settings, log)
    identity = _of_user(settings, environment, log) if settings.user else None
    identity = identity or Identity(settings, posix.getuid(), posix.getgid(), None, environment)
    identity.umask = umask
    if not has_limits:
        identity.drop_capabilities, identity.keep_capabilities = False, frozenset()
    elif identity.uid == 0 and not settings.drop_capabilities:
        _complain(
            settings, log, "--keep-capabilities: root keeps all that there are; --drop-capabilities takes the others"
        )
    return identity


def _of_user(settings: Settings, environment: "dict[bytes, bytes]", log: Log) -> "Identity | None":
    """The one of --user; None where there is nothing left to drop."""
    found = accounts.read()
    chosen = user.find(settings.user, found, keep_gid=settings.as_gosu)
    if settings.match or settings.match_owner or settings.match_group:
        from pyinit.identity.matching import carry_out

        chosen = carry_out.apply(settings, chosen, found, environment, log)
    is_root, own_uid, own_gid = posix.geteuid() == 0, posix.getuid(), posix.getgid()
    if not is_root and (chosen.uid, chosen.gid) != (own_uid, own_gid):
        if settings.as_gosu:  # whoever calls it relies on the user, or on the error
            raise Fatal(f"cannot switch to {settings.user!r}: not root", 1)
        # That an engine started us as another user is no reason not to start.
        _complain(
            settings,
            log,
            f"--user: not root, so the program runs as UID {own_uid}, GID {own_gid} "
            f"and not as UID {chosen.uid}, GID {chosen.gid}",
        )
        return None
    if not is_root:
        _complain_of_what_is_roots(settings, chosen, log)
    groups = _groups(settings, chosen, log) if is_root else None
    if is_root and _may_be_fresh(settings, chosen):
        from pyinit.identity.matching import fresh

        fresh.give(settings, chosen, log)
    if log.level >= INFO:
        shown = sorted(set(posix.getgroups()) if groups is None else groups)
        log.info(f"the program runs as UID {chosen.uid}, GID {chosen.gid}, groups {shown}")
    told = user.environment_of(chosen, settings.as_gosu, settings.keep_home)
    return Identity(settings, chosen.uid, chosen.gid, groups, {**environment, **told})


def _complain_of_what_is_roots(settings: Settings, chosen: user.User, log: Log) -> None:
    """Started as the user by the engine: groups that it did not give are missing, and nobody's files change hands."""
    missing = sorted(chosen.groups - {*posix.getgroups(), chosen.gid})
    if missing:
        _complain(settings, log, f"--user: not root, so the program does without the groups {missing}")
    others = [path for path in settings.own if _owner(path) not in (-1, chosen.uid)]
    if others:
        _complain(settings, log, f"--own: not root, so {', '.join(others)} stays whose it is")


def _owner(path: str) -> int:
    try:
        return posix.stat(path).st_uid
    except (OSError, ValueError):
        return -1


def _groups(settings: Settings, chosen: user.User, log: Log) -> "set[int] | None":
    """The groups to be set, None where those that we have are right.

    Groups that this user namespace does not know (podman's keep-groups) cannot be set, but stay if nothing is.
    """
    found = posix.getgroups()
    if user.OVERFLOW_ID not in found or user.OVERFLOW_ID in chosen.groups or not user.in_user_namespace():
        return chosen.groups
    if set(found) - {user.OVERFLOW_ID} ^ chosen.groups <= {chosen.gid}:
        return None
    known = sorted(set(found) - {user.OVERFLOW_ID})
    _complain(
        settings,
        log,
        f"--user: the groups become {sorted(chosen.groups)} instead of {known}, and with that the program "
        "loses those that this user namespace does not know",
    )
    return chosen.groups


def _may_be_fresh(settings: Settings, chosen: user.User) -> bool:
    """Whether an engine can have made something as root that is to be the user's: see fresh."""
    if settings.own or chosen.uid == 0:
        return bool(settings.own) and chosen.uid != 0
    if not (settings.match or settings.match_owner) or chosen.account is None or len(chosen.account.home) < 2:
        return False
    # man 5 proc_pid_mountinfo: the mount point stands between spaces
    return f" {chosen.account.home.rstrip('/')}/" in accounts.read_text("/proc/self/mountinfo")


def _umask(settings: Settings, environment: "dict[bytes, bytes]") -> int:
    """What --umask says, then UMASK for `--match env`; -1 for the one that we have. Raises Fatal with status 2."""
    text = decode(environment.get(b"UMASK", b"")) if settings.match == "env" and settings.umask < 0 else ""
    if not text:
        return settings.umask
    try:
        return mode(text)
    except ValueError as error:
        raise Fatal(f"UMASK: {error}", 2) from None


def _complain(settings: Settings, log: Log, message: str) -> None:
    from pyinit.identity.complaints import complain

    complain(settings, log, message)


def _check_limits(settings: Settings, log: Log) -> bool:
    """Find out now what would fail later. Returns whether there are capabilities to take or to keep: who is not root
    has some if the engine gave them (`--cap-add` with podman's `--user`). Raises Fatal with status 1 or 2.
    """
    try:
        from pyinit.kernel import calls  # noqa: F401  # the child needs it, and may then not be allowed to read our file
    except (ImportError, OSError):  # OSError: a static one, whose _ctypes finds no C library
        raise Fatal("--no-new-privileges and capabilities: this interpreter has no ctypes that works", 1) from None
    if not settings.keep_capabilities and not settings.drop_capabilities:
        return False
    from pyinit.identity import capabilities

    permitted = capabilities.permitted()
    if posix.geteuid() != 0 and not permitted:
        _complain(settings, log, "--drop-capabilities and --keep-capabilities: not root, so there is nothing to change")
        return False
    missing = set(settings.keep_capabilities) - permitted if permitted is not None else None  # then the kernel says it
    if missing:
        names = ", ".join(map(capabilities.name, sorted(missing)))
        raise Fatal(f"--keep-capabilities: {names}: not permitted here; the engine has to add it (--cap-add)", 2)
    too_many = capabilities.bounding() - set(settings.keep_capabilities)
    if settings.drop_capabilities and too_many and not capabilities.has("setpcap"):
        missing_right = f"--drop-capabilities: CAP_SETPCAP is missing, so the other {len(too_many)} cannot be dropped"
        if posix.geteuid() == 0:
            raise Fatal(missing_right, 1)
        if not settings.no_new_privileges:
            message = f"{missing_right} for good: a set-user-ID file may have them (--no-new-privileges)"
            _complain(settings, log, message)
    return True
