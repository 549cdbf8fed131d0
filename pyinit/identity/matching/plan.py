"""The plan: which IDs the program's user gets, and what has to change for it. It reads, and changes nothing."""

import posix

from pyinit.identity import accounts
from pyinit.identity.accounts import Account, Accounts, Group
from pyinit.identity.matching.account_files import Edit
from pyinit.identity.user import OVERFLOW_ID, User, in_user_namespace
from pyinit.kernel.paths import open_as_root
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.text import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.identity.matching.walk import (  # takes milliseconds, and is needed only where something changes
        Change,
        Tree,
    )

# Accounts of people and of programs that an image made; below are the system's (man 5 login.defs, UID_MIN).
_FIRST_ORDINARY = 1000

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

    __slots__ = ("complaints", "gid", "group_file", "groups", "index_change", "notes", "passwd_file", "trees", "uid")

    def __init__(self, user: User) -> None:
        self.uid = user.uid
        self.gid = user.gid
        self.groups = user.groups
        self.group_file = Edit(accounts.GROUP)
        self.passwd_file = Edit(accounts.PASSWD)
        self.trees: "list[Tree]" = []
        self.index_change: "Change | None" = None  # what to change in the entries of --own-index
        self.complaints: "list[str]" = []  # what cannot be done: a warning each, an error with --strict
        self.notes: "list[str]" = []


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
    if wanted.uid is not None and _allowed(plan, "UID", user.uid, wanted.uid, wanted.uid_from):
        _plan_uid(plan, settings, account, found, wanted.uid)
    if wanted.gid is not None and _allowed(plan, "GID", user.gid, wanted.gid, wanted.gid_from):
        _plan_gid(plan, settings, user, found, account, wanted.gid)
    _plan_trees(plan, settings, user, account)
    _plan_holders_trees(plan, account, found)
    _plan_groups(plan, settings, user, account)
    _check_root(plan, found)
    return plan


def _check_root(plan: Plan, found: Accounts) -> None:
    """Nobody becomes root and root stays root: no account, no group and no file gets 0 or loses it, whatever was
    planned. Raises Fatal with status 2; nothing was changed."""
    changes: "list[tuple[int, int]]" = []  # what there was, and what there would be
    for (name, uid, field), new in plan.passwd_file.changed.items():
        entries = [each for each in found.users() if (each.name, each.uid) == (name, uid)]
        changes += [(each.gid if field == 3 else each.uid, new) for each in entries]
    changes += [(gid, new) for (_, gid, _), new in plan.group_file.changed.items()]
    changes += [(-1, accounts.identifier(line.split(":")[2])) for line in plan.group_file.added]
    for change in [tree.change for tree in plan.trees] + [plan.index_change]:
        changes += change.pairs() if change else ()
    if any(0 in change and change != (0, 0) for change in changes):
        raise Fatal("matching would make somebody root, or root somebody else: say an ordinary user with --user", 2)


def _allowed(plan: Plan, kind: str, current: int, number: int, source: str) -> bool:
    """Whether a number may be matched. 0 is the host's own user in a user namespace, and too much anywhere else; and
    who has root's number keeps it."""
    from_owner = source.startswith("--match-owner")
    if current == 0 and number != 0:
        message = f"{source}: the user's {kind} is 0, root's, which never changes: it is not matched"
        if kind == "UID" and not from_owner:
            raise Fatal(f"{message}; say an ordinary user with --user", 2)
        plan.complaints.append(message)
        return False
    if from_owner and number == OVERFLOW_ID and in_user_namespace():
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
    if holders and (uid < _FIRST_ORDINARY or uid == OVERFLOW_ID):
        plan.notes.append(f"UID {uid} is {holders[0].name}'s, a system account: {account.name} uses the number")
        return
    heirs = holders + [other for other in found.users() if other.uid == account.uid and other.name != account.name]
    if heirs and settings.user.partition(":")[0] not in ("", account.name):
        raise Fatal(f"--user: {account.uid} would be {heirs[0].name} at the next start; say {account.name}", 2)
    plan.passwd_file.changed[account.name, account.uid, 2] = uid
    for other in holders:
        plan.notes.append(f"UID {uid} was {other.name}'s, which takes {account.name}'s old one, {account.uid}")
        plan.passwd_file.changed[other.name, uid, 2] = account.uid


def _plan_gid(plan: Plan, settings: Settings, user: User, found: Accounts, account: Account, gid: int) -> None:
    """A group that has the number is used. Otherwise the user's own group gets it, or a new one does.

    One that --user names beside the account's is not its own. fixuid's file says which group gets the number.
    """
    plan.gid = gid
    if gid == user.gid:
        return
    if account.gid == user.gid:
        plan.passwd_file.changed[account.name, account.uid, 3] = gid
    there = found.group_with(gid)
    current = found.group_with(user.gid)
    is_own = _is_its(settings, user, account) and current is not None and _is_own_group(current, account, found)
    if there and there.name != str(gid):
        plan.notes.append(f"GID {gid} is the group {there.name}'s: {account.name} uses it")
    elif there and current and is_own:
        # podman makes a group for a number without one, with the number as its name.
        plan.group_file.changed.update({(current.name, user.gid, 2): gid, (there.name, gid, 2): user.gid})
    elif current and is_own:
        plan.group_file.changed[current.name, user.gid, 2] = gid
    else:
        name = account.name if not found.group(account.name) else f"{account.name}-{gid}"
        plan.notes.append(f"the group {user.gid} is not {account.name}'s alone, and keeps its number: {name} is new")
        plan.group_file.added.append(f"{name}:x:{gid}:")


def _is_its(settings: Settings, user: User, account: Account) -> bool:
    """Whether the user's group is the account's, and not one that --user names beside it."""
    return account.gid == user.gid or settings.set_user_id


def _is_own_group(group: Group, account: Account, found: Accounts) -> bool:
    """Whether a group is nobody else's: neither as a primary group nor as a further one."""
    others = [other for other in found.users() if other.gid == group.gid and other.name != account.name]
    return not others and set(group.members) <= {account.name}


def _plan_trees(plan: Plan, settings: Settings, user: User, account: Account) -> None:
    """What the user's old numbers own follows them. Nothing becomes root's."""
    _look_at_home(plan, user, account)
    uids = (user.uid, plan.uid) if plan.uid not in (user.uid, 0) else (None, None)
    follows = plan.gid not in (user.gid, 0) and _is_its(settings, user, account)
    gids = (user.gid, plan.gid) if follows else (None, None)
    if uids == gids == (None, None):
        return
    from pyinit.identity.matching.walk import Change, Tree

    change = Change(*uids, *gids)
    if settings.own_index:
        plan.index_change = change
    paths = settings.own
    if not paths and not settings.own_index and _is_a_tree(account.home):
        paths = (account.home,)
    plan.trees += [Tree(encode(path), change) for path in paths]


def _look_at_home(plan: Plan, user: User, account: Account) -> None:
    """A volume keeps the number of the start that it was made in, which may be another than this one's."""
    try:
        owner = posix.stat(account.home).st_uid
    except (OSError, ValueError):
        return
    if owner not in (0, user.uid, plan.uid, OVERFLOW_ID) and plan.uid != 0:
        numbers = f"neither {plan.uid} nor what {account.name} had"
        plan.complaints.append(f"{account.home} is UID {owner}'s, {numbers}: it stays, and the program may be refused")


def _plan_holders_trees(plan: Plan, account: Account, found: Accounts) -> None:
    """The home of who had the number goes with who has it now: behind the user's trees, so that it may lie in one.

    A home in the user's own is the user's. In one that has the user's in it nobody can tell whose each file is.
    """
    for (name, uid, field), new in plan.passwd_file.changed.items():
        other = found.user(name)
        # podman makes an entry for a number without one, with the working directory as its home: nothing there is its.
        if other is None or name in (account.name, str(uid)) or field != 2 or not _is_a_tree(other.home):
            continue
        users = [account.home, *(decode(tree.path) for tree in plan.trees)]
        inside = [path for path in users if _is_in(path, other.home) and not _is_in(other.home, path)]
        if inside:
            plan.complaints.append(f"{other.home} is {name}'s, and has {inside[0]} in it: its files stay UID {uid}'s")
        elif not _is_in(other.home, account.home):
            from pyinit.identity.matching.walk import Change, Tree

            plan.trees.append(Tree(encode(other.home), Change(old_uid=uid, new_uid=new)))


def _is_a_tree(home: str) -> bool:
    """Whether a home can be re-owned: it is there, and it is not the whole file system."""
    try:
        return len(_up_from(home)) > 1
    except OSError:  # it may be there: re-owning it will say what is missing
        return True


def _is_in(path: str, directory: str) -> bool:
    """Whether a path is in a directory, or is it, by whatever names."""
    try:
        above = _up_from(path) or _up_from(path.rpartition("/")[0])  # a file's
        return _up_from(directory)[0] in above
    except (OSError, IndexError):
        return False


def _up_from(path: str) -> "list[tuple[int, int]]":
    """The device and the inode of a directory, and of each above it up to `/`: paths have many spellings, like `/.` and
    `/usr/..`, and lead through links. Empty if there is no such directory. Raises OSError if that cannot be told."""
    root = posix.stat("/")
    found: "list[tuple[int, int]]" = []
    try:
        while not found or found[-1] != (root.st_dev, root.st_ino):
            path += "/"
            status = posix.stat(path)
            found.append((status.st_dev, status.st_ino))
            path += ".."
    except (FileNotFoundError, NotADirectoryError):
        return []
    return found


def _plan_groups(plan: Plan, settings: Settings, user: User, account: Account) -> None:
    """The user's groups, and those of the paths of --match-group: docker.sock has another number on each host."""
    # The host's user in a user namespace stays as the engine made it.
    mapped = set(posix.getgroups()) - ({OVERFLOW_ID} if in_user_namespace() else set())
    left = {user.gid} if _is_its(settings, user, account) else set()
    plan.groups = mapped if plan.uid == 0 else (user.groups - left) | {plan.gid}
    for text in settings.match_group:
        path = text.removesuffix("?")  # if it is there
        if path != text and not _exists(path):
            plan.notes.append(f"--match-group {text}: it is not there")
            continue
        gid = _owner("--match-group", path).st_gid
        if gid == 0:
            plan.complaints.append(f"--match-group {path}: its group is root's, which the program does not get")
        else:
            plan.groups.add(gid)


def _owner(option: str, path: str) -> "posix.stat_result":
    """Found as root may find it: who can put a link into a volume must not choose the program's numbers by it."""
    try:
        descriptor = open_as_root(path, posix.O_PATH)
        status = posix.fstat(descriptor)
        posix.close(descriptor)
        return status
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        from pyinit.identity.capabilities import lacking

        raise Fatal(f"{option}: {path!r}: {reason}{lacking(error, 'dac_read_search', 'dac_override')}", 2) from None


def _exists(path: str) -> bool:
    try:
        posix.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # said when it is needed
        pass
    return True


def describe(plan: Plan) -> "list[str]":
    """The plan for people, a line a step."""
    steps = [f"re-own {decode(tree.path)}: {tree.change}" for tree in plan.trees]
    for file in (plan.group_file, plan.passwd_file):
        for (name, _, field), number in file.changed.items():
            steps.append(f"{file.path}: {name}: {_FIELDS[file.path, field]} {number}")
        steps += [f"{file.path}: add {line}" for line in file.added]
    return steps
