"""Who the program runs as. Imported only if a user was asked for, or less privilege."""

import posix

from pyinit.identity import accounts, privileges, user
from pyinit.log import INFO, Fatal, Log
from pyinit.settings import Settings


class Identity:
    """What the program gets: numbers for the kernel, and its environment. Made once, then only read."""

    __slots__ = (
        "drop_capabilities",
        "environment",
        "gid",
        "groups",
        "keep_capabilities",
        "no_new_privileges",
        "uid",
    )

    def __init__(
        self, settings: Settings, uid: int, gid: int, groups: "set[int]", environment: "dict[bytes, bytes]"
    ) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.environment = environment
        self.drop_capabilities = settings.drop_capabilities
        self.keep_capabilities = frozenset(settings.keep_capabilities)
        self.no_new_privileges = settings.no_new_privileges

    def assume(self) -> None:
        """Become it for good: for the child, between fork and exec. Raises Fatal with status 1."""
        privileges.assume(self)


def prepare(settings: Settings, environment: "dict[bytes, bytes]", log: Log) -> Identity:
    """Find out who the program is to be, and match the host's IDs first if that was asked for.

    Raises Fatal: with status 2 for what the settings get wrong, before anything was changed.
    """
    if settings.set_user_id:
        from pyinit.identity import fixuid

        return fixuid.prepare(settings, environment, log)
    unchanged = Identity(settings, posix.getuid(), posix.getgid(), set(posix.getgroups()), environment)
    if settings.no_new_privileges or settings.drop_capabilities or settings.keep_capabilities:
        _check_limits(settings, log)
    if not settings.user:
        return unchanged
    found = accounts.read()
    chosen = user.find(settings.user, found, keep_gid=settings.as_gosu)
    if settings.match or settings.match_owner or settings.match_group:
        from pyinit.identity import match

        chosen = match.apply(settings, chosen, found, environment, log)
    if posix.geteuid() != 0 and (chosen.uid, chosen.gid) != (unchanged.uid, unchanged.gid):
        # There is nothing left to drop. That an engine started us as another user is no reason not to start.
        complain(
            settings,
            log,
            f"--user: not root, so the program runs as UID {unchanged.uid}, GID {unchanged.gid} "
            f"and not as UID {chosen.uid}, GID {chosen.gid}",
        )
        return unchanged
    groups = chosen.groups if posix.geteuid() == 0 else unchanged.groups
    if log.level >= INFO:
        log.info(f"the program runs as UID {chosen.uid}, GID {chosen.gid}, groups {sorted(groups)}")
    told = user.environment_of(chosen, settings.as_gosu, settings.keep_home)
    return Identity(settings, chosen.uid, chosen.gid, groups, {**environment, **told})


def complain(settings: Settings, log: Log, message: str) -> None:
    """Say what could not be done. With --strict that ends the run: raises Fatal with status 1."""
    if settings.strict:
        raise Fatal(message, 1)
    log.warning(message)


def _check_limits(settings: Settings, log: Log) -> None:
    """Find out now what would fail later. Raises Fatal with status 1 or 2."""
    try:
        from pyinit import linux  # noqa: F401  # the child needs it, and may then not be allowed to read our file
    except ImportError:
        raise Fatal("--no-new-privileges and capabilities: this interpreter has no ctypes", 1) from None
    if not settings.keep_capabilities and not settings.drop_capabilities:
        return
    if posix.geteuid() != 0:
        complain(settings, log, "--drop-capabilities and --keep-capabilities: not root, so there is nothing to change")
        return
    from pyinit.identity import capabilities

    missing = set(settings.keep_capabilities) - capabilities.permitted()
    if missing:
        names = ", ".join(map(capabilities.name, sorted(missing)))
        raise Fatal(f"--keep-capabilities: {names}: not permitted here; the engine has to add it (--cap-add)", 2)
