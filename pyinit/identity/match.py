"""Giving the program's user the IDs of the host's: plan first, then apply.

The order makes a start that was killed harmless: trees first, then the account files, the passwd file last. As long as
that one says the old IDs, the next start does all of it again, and finds most of it done.
"""

import errno
import posix

from pyinit.identity import accounts, complain, edit
from pyinit.identity.accounts import Account, Accounts, Group, read_text
from pyinit.identity.edit import Edit
from pyinit.identity.user import User
from pyinit.log import Fatal, Log
from pyinit.message import decode, encode
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.identity.own import Change, Tree  # takes milliseconds, and is needed only where something changes

# Accounts of people and of programs that an image made; below are the system's (man 5 login.defs, UID_MIN).
_FIRST_ORDINARY = 1000

# The kernel's stand-in for an owner that this user namespace does not know (Linux, sysctl kernel.overflowuid).
_UNMAPPED = 65534

# The uid_map of a user namespace that leaves every number as it is.
_INITIAL_NAMESPACE = ["0", "0", "4294967295"]

# What the third and fourth field of the two files are.
_FIELDS = {(accounts.PASSWD, 2): "UID", (accounts.PASSWD, 3): "GID", (accounts.GROUP, 2): "GID"}


class Wanted:
    """The IDs that the host has, None for one that is not to be matched, and where each comes from."""

    __slots__ = ("gid", "gid_from", "uid", "uid_from")

    def __init__(self) -> None:
        self.uid: "int | None" = None
        self.gid: "int | None" = None
        self.uid_from = self.gid_from = ""


class Plan:
    """Everything that matching will do."""

    __slots__ = ("complaints", "gid", "group_file", "index_change", "notes", "passwd_file", "trees", "uid")

    def __init__(self, user: User) -> None:
        self.uid = user.uid
        self.gid = user.gid
        self.group_file = Edit(accounts.GROUP)
        self.passwd_file = Edit(accounts.PASSWD)
        self.trees: "list[Tree]" = []
        self.index_change: "Change | None" = None  # what to change in the entries of --own-index
        self.complaints: "list[str]" = []  # what cannot be done: a warning each, an error with --strict
        self.notes: "list[str]" = []


def apply(settings: Settings, user: User, found: Accounts, environment: "dict[bytes, bytes]", log: Log) -> User:
    """Match, and return the user that the program gets. Raises Fatal; with status 2 nothing was changed."""
    wanted = find_wanted(settings, environment)
    user = matched_before(settings, user, found, wanted)
    plan = make(settings, user, found, wanted)
    # The host's user in a user namespace stays as the engine made it.
    groups = set(posix.getgroups()) if plan.uid == 0 else (user.groups - {user.gid}) | {plan.gid}
    groups |= _socket_groups(settings, plan)
    for complaint in plan.complaints:
        complain(settings, log, complaint)
    for note in plan.notes:
        log.info(note)
    if posix.geteuid() == 0:
        _carry_out(settings, plan, log)
    elif user.account and not found.user_with(posix.getuid()):
        _add_entry(user.account, found, log)
    return User(plan.uid, plan.gid, groups, user.account)


def find_wanted(settings: Settings, environment: "dict[bytes, bytes]") -> Wanted:
    """What --match says, then PUID and PGID for `--match env`, then who owns the path of --match-owner."""
    wanted = Wanted()
    if settings.match == "env":
        for variable, what in ((b"PUID", "uid"), (b"PGID", "gid")):
            text = decode(environment.get(variable, b""))
            if text:
                number = accounts.identifier(text)
                if number < 0:
                    raise Fatal(f"{variable.decode()}: {text!r} is no number from 0 to {accounts.LARGEST_ID}", 2)
                setattr(wanted, what, number)
                setattr(wanted, what + "_from", variable.decode())
    elif settings.match:
        uid, _, gid = settings.match.partition(":")
        source = "the user that started us" if settings.set_user_id else "--match"
        wanted.uid, wanted.uid_from = int(uid), source
        if gid:
            wanted.gid, wanted.gid_from = int(gid), source
    if settings.match_owner:
        status = _owner("--match-owner", settings.match_owner)
        label = f"--match-owner {settings.match_owner}"
        if wanted.uid is None:
            wanted.uid, wanted.uid_from = status.st_uid, label
        if wanted.gid is None:
            wanted.gid, wanted.gid_from = status.st_gid, label
    return wanted


def matched_before(settings: Settings, user: User, found: Accounts, wanted: Wanted) -> User:
    """The user; or, if --user says a number that is nobody's, the one that an earlier start gave the host's number."""
    account = found.user_with(wanted.uid) if wanted.uid else None
    if user.account or account is None:
        return user
    if settings.user.partition(":")[2]:
        return User(account.uid, user.gid, user.groups, account)
    return User(account.uid, account.gid, user.groups - {user.gid} | found.groups_of(account), account)


def make(settings: Settings, user: User, found: Accounts, wanted: Wanted) -> Plan:
    """The plan. UID and GID are decided each on its own: that one cannot be matched does not keep the other back."""
    account = user.account
    if account is None:
        raise Fatal(f"--user: {user.uid} has no account in {accounts.PASSWD}, so there is nothing to match", 2)
    plan = Plan(user)
    if wanted.uid is not None and _allowed(plan, "UID", wanted.uid, wanted.uid_from):
        _plan_uid(plan, settings, account, found, wanted.uid)
    if wanted.gid is not None and _allowed(plan, "GID", wanted.gid, wanted.gid_from):
        _plan_gid(plan, user, found, account, wanted.gid)
    _plan_trees(plan, settings, user, account)
    return plan


def in_user_namespace() -> bool:
    """Whether numbers mean something else here than on the host (man 7 user_namespaces)."""
    return read_text("/proc/self/uid_map").split()[:3] not in ([], _INITIAL_NAMESPACE)


def _allowed(plan: Plan, kind: str, number: int, source: str) -> bool:
    """Whether a number may be matched. 0 is the host's own user in a user namespace, and too much anywhere else."""
    from_owner = source.startswith("--match-owner")
    if from_owner and number == _UNMAPPED and in_user_namespace():
        plan.complaints.append(f"{source}: the owner's {kind} is not known in this user namespace; it is not matched")
        return False
    if number != 0:
        return True
    if in_user_namespace():
        plan.notes.append(f"{source}: {kind} 0 is the host's user in this user namespace, so the program runs with it")
        setattr(plan, kind.lower(), 0)
    elif from_owner:
        plan.complaints.append(f"{source}: root owns it, and {kind} 0 is not matched; is it mounted?")
    elif source.startswith(("--match", "P")):
        raise Fatal(f"{source}: {kind} 0 is root's; an ordinary user's is needed", 2)
    else:
        plan.complaints.append(f"{source} has root's {kind}, which is not matched")
    return False


def _plan_uid(plan: Plan, settings: Settings, account: Account, found: Accounts, uid: int) -> None:
    """An ordinary account that holds the number takes the user's old one, so that just one answers for it."""
    plan.uid = uid
    if uid == account.uid:
        return
    holders = [other for other in found.users() if other.uid == uid]
    if holders and (uid < _FIRST_ORDINARY or uid == _UNMAPPED):
        plan.notes.append(f"UID {uid} is {holders[0].name}'s, a system account: {account.name} uses the number")
        return
    heirs = holders + [other for other in found.users() if other.uid == account.uid and other.name != account.name]
    if heirs and settings.user.partition(":")[0] not in ("", account.name):
        raise Fatal(f"--user: {account.uid} would be {heirs[0].name} at the next start; say {account.name}", 2)
    plan.passwd_file.changed[account.name, account.uid, 2] = uid
    for other in holders:
        plan.notes.append(f"UID {uid} was {other.name}'s, which takes {account.name}'s old one, {account.uid}")
        plan.passwd_file.changed[other.name, uid, 2] = account.uid
        # podman makes an entry for a number without one, with the working directory as its home: nothing there is its.
        if other.name != str(uid) and _is_tree_of_its_own(other.home, account.home):
            from pyinit.identity.own import Change, Tree

            plan.trees.append(Tree(encode(other.home), Change(old_uid=uid, new_uid=account.uid)))


def _plan_gid(plan: Plan, user: User, found: Accounts, account: Account, gid: int) -> None:
    """A group that has the number is used. Otherwise the user's own group gets it, or a new one does."""
    plan.gid = gid
    if gid == user.gid:
        return
    if account.gid == user.gid:
        plan.passwd_file.changed[account.name, account.uid, 3] = gid
    there = found.group_with(gid)
    current = found.group_with(user.gid)
    if there and there.name != str(gid):
        plan.notes.append(f"GID {gid} is the group {there.name}'s: {account.name} uses it")
    elif there and current and _is_own_group(current, account, found):
        # podman makes a group for a number without one, with the number as its name.
        plan.group_file.changed.update({(current.name, user.gid, 2): gid, (there.name, gid, 2): user.gid})
    elif current and _is_own_group(current, account, found):
        plan.group_file.changed[current.name, user.gid, 2] = gid
    else:
        name = account.name if not found.group(account.name) else f"{account.name}-{gid}"
        plan.notes.append(f"others use the group {user.gid}, which keeps its number: {name} is new")
        plan.group_file.added.append(f"{name}:x:{gid}:")


def _is_own_group(group: Group, account: Account, found: Accounts) -> bool:
    """Whether a group is nobody else's: neither as a primary group nor as a further one."""
    others = [other for other in found.users() if other.gid == group.gid and other.name != account.name]
    return not others and set(group.members) <= {account.name}


def _plan_trees(plan: Plan, settings: Settings, user: User, account: Account) -> None:
    """What the user's old numbers own follows them. Nothing becomes root's."""
    uids = (user.uid, plan.uid) if plan.uid not in (user.uid, 0) else (None, None)
    gids = (user.gid, plan.gid) if plan.gid not in (user.gid, 0) else (None, None)
    if uids == gids == (None, None):
        return
    from pyinit.identity.own import Change, Tree

    change = Change(*uids, *gids)
    if settings.own_index:
        plan.index_change = change
    paths = settings.own
    if not paths and not settings.own_index and _is_tree_of_its_own(account.home, ""):
        paths = (account.home,)
    plan.trees += [Tree(encode(path), change) for path in paths]


def _is_tree_of_its_own(path: str, other: str) -> bool:
    """Whether a home can be re-owned: it is there, it is not the whole file system, and no part of another's."""
    path, other = path.rstrip("/") + "/", other.rstrip("/") + "/"
    if path == "/" or (other != "/" and (path.startswith(other) or other.startswith(path))):
        return False
    try:
        posix.close(posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC))
    except OSError:
        return False
    return True


def _socket_groups(settings: Settings, plan: Plan) -> "set[int]":
    """The groups of the paths of --match-group: docker.sock has another number on each host."""
    groups = set()
    for path in settings.match_group:
        gid = _owner("--match-group", path).st_gid
        if gid == 0:
            plan.complaints.append(f"--match-group {path}: its group is root's, which the program does not get")
        else:
            groups.add(gid)
    return groups


def _owner(option: str, path: str) -> "posix.stat_result":
    try:
        return posix.stat(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Fatal(f"{option}: {path!r}: {reason}", 2) from None


def _carry_out(settings: Settings, plan: Plan, log: Log) -> None:
    """Trees first, account files last."""
    edits = [edit for edit in (plan.group_file, plan.passwd_file) if edit]
    locked = [edit.path for edit in edits if not posix.access(edit.path, posix.W_OK, effective_ids=True)]
    if locked:  # found out now: --strict changes nothing then
        complain(settings, log, f"{locked[0]} cannot be written; the program has the new numbers all the same")
        edits = []
    for line in describe(plan):
        log.info(line)
    if plan.index_change or plan.trees:
        from pyinit.identity import own

        if plan.index_change:
            own.reown_listed(settings.own_index, plan.index_change, log)
        if plan.trees:
            own.reown(plan.trees, log)
    edit.stop_if_asked()
    try:
        edit.apply(edits)
    except (OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"{error} is not there any more"
        kept = " and ".join(edit.path for edit in edits)
        complain(settings, log, f"{kept} cannot be written; the program has the new numbers all the same: {reason}")


def describe(plan: Plan) -> "list[str]":
    """The plan for people, a line a step."""
    steps = [f"re-own {decode(tree.path)}: {tree.change}" for tree in plan.trees]
    for file in (plan.group_file, plan.passwd_file):
        for (name, _, field), number in file.changed.items():
            steps.append(f"{file.path}: {name}: {_FIELDS[file.path, field]} {number}")
        steps += [f"{file.path}: add {line}" for line in file.added]
    return steps


def _add_entry(account: Account, found: Accounts, log: Log) -> None:
    """Give the UID an entry that we run under without one, where anybody may write (OpenShift's images).

    ssh and Python's getpass ask for it. Appended with one write, since the lock is root's.
    """
    uid, gid, name = posix.getuid(), posix.getgid(), account.name
    number = 0
    while found.user(name):
        name = f"{account.name}-{uid}" + (f"-{number}" if number else "")
        number += 1
    line = encode(f"{name}:x:{uid}:{gid}::{account.home}:{account.shell}\n")
    try:
        descriptor = posix.open(accounts.PASSWD, posix.O_RDWR | posix.O_APPEND | posix.O_CLOEXEC)
    except OSError:  # the usual case, and never needed
        return
    try:
        size = posix.fstat(descriptor).st_size
        if size and posix.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        if posix.write(descriptor, line) < len(line):  # the disk is full: no half entries
            posix.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, "no room for all of it")
        log.info(f"{accounts.PASSWD}: added {name} for UID {uid}")
    except OSError as error:
        log.warning(f"{accounts.PASSWD}: cannot add {name} for UID {uid}: {error.strerror}")
    finally:
        posix.close(descriptor)
