"""Finding out who the program is to be: USER[:GROUP], its groups, and the variables that tell it so."""

import posix

from pyinit.identity.accounts import GROUP, PASSWD, Account, Accounts, identifier, read_text
from pyinit.tell import Fatal
from pyinit.tell.text import encode

# The kernel's stand-in for an ID that this user namespace does not know (Linux, sysctl kernel.overflowuid). As an owner
# and in the list of groups it means nobody whom that could be passed on to.
OVERFLOW_ID = 65534

# The uid_map of a user namespace that leaves every number as it is.
_INITIAL_NAMESPACE = ["0", "0", "4294967295"]

# Shells that end at once. They are no use to a program that starts $SHELL, such as an editor's terminal.
_NO_LOGIN = ("nologin", "false")


class User:
    """A program's user: numbers for the kernel, and what the account file says about it."""

    __slots__ = ("account", "gid", "groups", "uid")

    def __init__(self, uid: int, gid: int, groups: "set[int]", account: "Account | None") -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups  # supplementary ones
        self.account = account  # None for a number without one


def find(text: str, accounts: Accounts, keep_gid: bool = False) -> User:
    """The user that `USER`, `USER:GROUP`, `USER:` or `:GROUP` names, each by name or number.

    With a GROUP the account's other groups are left out, as `docker run --user` and gosu have it. A number without an
    account gets the group of the same number, and not root's, unless `keep_gid` says so. Raises Fatal with status 2
    for a name that is nobody's.
    """
    user_text, _, group_text = text.partition(":")
    if user_text:
        account = accounts.user(user_text)
        uid = account.uid if account else identifier(user_text)
        if uid < 0:
            raise Fatal(f"--user: {user_text!r} is neither in {PASSWD} nor a number", 2)
    else:
        uid = posix.getuid()
        account = accounts.user_with(uid)
    engine = from_engine(accounts)
    if group_text:
        gid = _gid(group_text, accounts)
        return User(uid, gid, engine | {gid}, account)
    if account is None:
        gid = posix.getgid() if keep_gid else uid
        return User(uid, gid, engine | {gid}, None)
    return User(uid, account.gid, accounts.groups_of(account) | engine, account)


def from_engine(accounts: Accounts) -> "set[int]":
    """The groups that the engine added (`--group-add`): ours, without those that our own account brings."""
    own = accounts.groups_of(accounts.user_with(posix.getuid()))
    groups = set(posix.getgroups()) - own - {0, posix.getgid()}
    return groups - {OVERFLOW_ID} if OVERFLOW_ID in groups and in_user_namespace() else groups


def in_user_namespace() -> bool:
    """Whether numbers mean something else here than on the host (man 7 user_namespaces)."""
    return read_text("/proc/self/uid_map").split()[:3] not in ([], _INITIAL_NAMESPACE)


def unknown(uid: int, gids: "set[int]") -> str:
    """Which of these numbers this user namespace does not know, so that nobody here can have it; "" for none."""
    for kind, numbers in (("uid", {uid}), ("gid", gids)):
        lines = [line.split() for line in read_text(f"/proc/self/{kind}_map").splitlines()]
        ranges = [range(int(first), int(first) + int(count)) for first, _, count in lines]
        missing = [number for number in sorted(numbers) if ranges and not any(number in each for each in ranges)]
        if missing:
            return f"{kind.upper()} {missing[0]}"
    return ""


def environment_of(user: User, home_only: bool, keep_home: bool) -> "dict[bytes, bytes]":
    """The variables that tell a program who it is, as login(1) sets them."""
    account = user.account
    name = account.name if account else str(user.uid)
    shell = account.shell if account else ""
    if not shell or shell.rpartition("/")[2] in _NO_LOGIN:
        shell = "/bin/sh"
    home = account.home if account else ""
    values = {b"HOME": encode(home or "/")}
    if not home_only:
        values.update({b"USER": encode(name), b"LOGNAME": encode(name), b"SHELL": encode(shell)})
    if keep_home:
        del values[b"HOME"]
    return values


def _gid(text: str, accounts: Accounts) -> int:
    group = accounts.group(text)
    gid = group.gid if group else identifier(text)
    if gid < 0:
        raise Fatal(f"--user: the group {text!r} is neither in {GROUP} nor a number", 2)
    return gid
