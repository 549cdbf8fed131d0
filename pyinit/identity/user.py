"""Finding out who the program is to be: USER[:GROUP], its groups, and the variables that tell it so."""

import posix

from pyinit.identity.accounts import GROUP, PASSWD, Account, Accounts, identifier
from pyinit.log import Fatal
from pyinit.message import encode

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
    return set(posix.getgroups()) - own - {0, posix.getgid()}


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
