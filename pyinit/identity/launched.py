"""A set-user-ID start: the engine started us as some user, the launcher made us root, and fixuid's files say the rest.

Whoever started us may be hostile: nothing but /etc/fixuid decides what is done, the first to come decides for whom, and
root is given up for good before the program starts. See docker/launcher.
"""

import posix

from pyinit.identity import accounts, capabilities, user
from pyinit.identity.accounts import Account, Accounts
from pyinit.identity.matching import carry_out
from pyinit.identity.privileges import Identity
from pyinit.kernel.paths import OPEN_DIRECTORY, is_roots_alone
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.log import Log
from pyinit.tell.text import decode, encode

# fixuid's configuration is in it (pyinit.options.fixuid_config).
CONFIGURATION = "/etc/fixuid"

# Says for which IDs the work was begun. Nobody else is given the account, however the launcher is started.
_MARK = "/run/pyinit.matched"

# fixuid's, which says no more than that it was done.
_FIXUIDS_MARK = "/var/run/fixuid.ran"

# For reading, too, and without blocking: a FIFO would keep us waiting (man 7 fifo).
_CREATE = posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC


def prepare(settings: Settings, environment: "dict[bytes, bytes]", log: Log) -> Identity:
    """Give the account of the settings the IDs that we were started with, then be no more than they are.

    Without a program, the environment is what a shell has to set. Raises Fatal with status 1.
    """
    uid, gid = posix.getuid(), posix.getgid()
    if settings.dotted:
        environment = {name[1:]: value for name, value in environment.items() if name[:1] == b"." and name != b"."}
    found = accounts.read()
    account = _account(settings, found)
    mark = _claim(settings, encode(settings.match), log) if uid != 0 else -1
    if mark >= 0:
        # Where a start before gave the account a group that had the number, that one is its group now.
        chosen = user.find(account.name if account.gid == gid else settings.user, found)
        carry_out.apply(settings, chosen, found, environment, log)
        _make_fixuids_mark()
        posix.close(mark)
    now = accounts.read()
    entry = now.user_with(uid)
    # What initgroups(3) gives to whoever has this UID, and what the engine gave.
    groups = {group.gid for group in now.groups() if entry and entry.name in group.members} - {0}
    _add_groups(groups, log)
    give_up_root(uid, gid)
    home = (entry if entry and not _is_engines(entry) else account).home
    if home and _is_engines_home(environment.get(b"HOME", b""), found.user_with(uid)):
        environment = {**environment, b"HOME": encode(home)}
    elif settings.answer:
        environment = {}
    return Identity(settings, uid, gid, None, environment)


def _account(settings: Settings, found: Accounts) -> Account:
    """The account that is configured. Raises Fatal if it or the group is not there, or root's."""
    name, _, group_name = settings.user.partition(":")
    account, group = found.user(name), found.group(group_name)
    if account is None or group is None:
        kind, missing = ("user", name) if account is None else ("group", group_name)
        raise Fatal(f"{CONFIGURATION}: the {kind} {missing!r} does not exist", 1)
    if account.uid == 0 or group.gid == 0:
        raise Fatal(f"{CONFIGURATION}: {name}:{group_name} is root's, whose IDs are never changed", 1)
    return account


def _is_engines(entry: Account) -> bool:
    """Whether podman made it, for a number that had none."""
    return entry.name == str(entry.uid)


def _is_engines_home(home: bytes, entry: "Account | None") -> bool:
    """Whether nobody chose this HOME: for a number without an account Docker sets /, podman the working directory."""
    return home in (b"", b"/") or (entry is not None and _is_engines(entry) and home == encode(entry.home))


def _claim(settings: Settings, ids: bytes, log: Log) -> int:
    """The mark, open and locked, if these IDs may have the account, else -1.

    They may if nobody has it yet, if they do, or if the engine has changed them. The last is certain only for PID 1,
    which nobody can make itself in here. Under fixuid's name it is once in a container's life, as with fixuid.
    """
    directory, _, name = _MARK.rpartition("/")
    try:
        run = posix.open(directory, OPEN_DIRECTORY)
        if not is_roots_alone(posix.fstat(run)):
            raise PermissionError(1, "others can write to its directory")
        mark = posix.open(name, _CREATE, 0o600, dir_fd=run)  # who can read it could lock it
        posix.close(run)
        posix.lockf(mark, posix.F_TLOCK, 0)
        holder = posix.read(mark, 64)
    except OSError as error:
        # Without a mark any program in here could start us again, as another user, and be given the files.
        log.warning(f"users and files stay as they are: cannot write {_MARK}: {error.strerror}")
        return -1
    if not holder and _is_there(_FIXUIDS_MARK):
        holder = b"fixuid"
    if holder in (b"", ids) or (posix.getpid() == 1 and not settings.exec):
        posix.ftruncate(mark, 0)
        posix.pwrite(mark, ids, 0)
        return mark
    log.info(f"already ran in this container, for {decode(holder)}: users and files stay as they are")
    posix.close(mark)
    return -1


def _is_there(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _make_fixuids_mark() -> None:
    """For scripts that look at it."""
    try:
        posix.close(posix.open(_FIXUIDS_MARK, _CREATE, 0o644))
    except OSError:
        pass


def _add_groups(groups: "set[int]", log: Log) -> None:
    """Without CAP_SETGID (`--cap-drop`) the program has what the engine gave."""
    given = set(posix.getgroups())
    if user.OVERFLOW_ID in given and user.in_user_namespace():  # it stands for those that cannot be set
        given -= {user.OVERFLOW_ID}
    if not groups <= given:
        try:
            posix.setgroups(sorted(groups | given))
        except OSError as error:
            log.warning(f"the groups {sorted(groups - given)} cannot be added: {error.strerror}")


def give_up_root(uid: int, gid: int) -> None:
    """Set the real, effective and saved IDs to these, and see that it happened. Raises Fatal."""
    try:
        posix.setresgid(gid, gid, gid)
        posix.setresuid(uid, uid, uid)
    except OSError as error:
        raise Fatal(f"cannot give up root: {error.strerror}", 1) from None
    if posix.getresuid() != (uid, uid, uid) or posix.getresgid() != (gid, gid, gid):
        raise Fatal("root could not be given up", 1)
    if capabilities.permitted() != frozenset():  # with securebits that keep them (man 7 capabilities), or who knows
        _give_up_capabilities()


def _give_up_capabilities() -> None:
    try:
        from pyinit.kernel import calls

        calls.set_capabilities(frozenset())
    except (ImportError, OSError):  # no ctypes that works; where /proc does not tell there are hardly any
        pass
    if capabilities.permitted():
        raise Fatal("the capabilities could not be given up", 1)
