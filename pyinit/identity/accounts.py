"""The account files, read without NSS: a container has no more than /etc/passwd and /etc/group (man 5 passwd)."""

import posix

from pyinit.tell import Fatal
from pyinit.tell.text import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWD = "/etc/passwd"
GROUP = "/etc/group"

# The largest ID; the one above means "no change" to the kernel (man 2 chown, man 2 setresuid).
LARGEST_ID = 2**32 - 2


class Account:
    """One line of the passwd file."""

    __slots__ = ("gid", "home", "name", "shell", "uid")

    def __init__(self, name: str, uid: int, gid: int, home: str, shell: str) -> None:
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.shell = shell


class Group:
    """One line of the group file; the members are those listed there, not those whose primary group it is."""

    __slots__ = ("gid", "members", "name")

    def __init__(self, name: str, gid: int, members: "tuple[str, ...]") -> None:
        self.name = name
        self.gid = gid
        self.members = members


class Accounts:
    """Both files as they were at one moment. Of several lines with one name or number the first counts, as for NSS."""

    __slots__ = ("_group", "_passwd")

    def __init__(self, passwd: bytes, group: bytes) -> None:
        self._passwd = passwd
        self._group = group

    def users(self, about: str = "") -> "Iterator[Account]":
        """The accounts that have that text somewhere in their line: reading all of them takes 2 % of a start."""
        return (account for line in _lines(self._passwd, about) if (account := _account(line)))

    def groups(self, about: str = "") -> "Iterator[Group]":
        """The groups, likewise."""
        return (group for line in _lines(self._group, about) if (group := _group(line)))

    def user(self, text: str) -> "Account | None":
        """The account with a name, or else with a number: a name may consist of digits (POSIX, chown)."""
        named = next((account for account in self.users(text) if account.name == text), None)
        return named or self.user_with(identifier(text))

    def user_with(self, uid: int) -> "Account | None":
        return next((account for account in self.users(str(uid)) if account.uid == uid), None)

    def group(self, text: str) -> "Group | None":
        """The group with a name, or else with a number."""
        named = next((group for group in self.groups(text) if group.name == text), None)
        return named or self.group_with(identifier(text))

    def group_with(self, gid: int) -> "Group | None":
        return next((group for group in self.groups(str(gid)) if group.gid == gid), None)

    def groups_of(self, account: "Account | None") -> "set[int]":
        """What initgroups(3) gives: the primary group, and those that list the account's name."""
        if account is None:
            return set()
        name = account.name
        return {account.gid, *(group.gid for group in self.groups(name) if name in group.members)}


def read() -> Accounts:
    """The accounts of this container. A file that is missing is empty: numbers need no account."""
    return Accounts(_content(PASSWD), _content(GROUP))


def identifier(text: str) -> int:
    """The number that a text says, -1 if it says none that can be a UID or GID."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return -1
    return int(text) if int(text) <= LARGEST_ID else -1


def fields(line: bytes) -> "list[str]":
    """The fields of a line; empty for a comment, a NIS entry and a blank line, which are nobody's, and with a NUL."""
    if b"\0" in line or line.lstrip()[:1] in (b"", b"#", b"+", b"-"):
        return []
    return decode(line).lstrip().split(":")


def _lines(file: bytes, about: str) -> "Iterator[bytes]":
    """The lines that have that text in them."""
    text = encode(about)
    end = -1
    while (found := file.find(text, end + 1)) >= 0:
        start = file.rfind(b"\n", 0, found) + 1
        end = file.find(b"\n", found)
        if end < 0:
            end = len(file)
        yield file[start:end]


def _account(line: bytes) -> "Account | None":
    parts = fields(line)
    if len(parts) < 4 or not parts[0] or identifier(parts[2]) < 0 or identifier(parts[3]) < 0:
        return None
    home, shell = (*parts[5:7], "", "")[:2]
    return Account(parts[0], int(parts[2]), int(parts[3]), home, shell)


def _group(line: bytes) -> "Group | None":
    parts = fields(line)
    if len(parts) < 3 or not parts[0] or identifier(parts[2]) < 0:
        return None
    members = tuple(name for name in "".join(parts[3:4]).split(",") if name)
    return Group(parts[0], int(parts[2]), members)


def read_text(path: str) -> str:
    """A whole file; empty if there is none."""
    return decode(_content(path))


def _content(path: str) -> bytes:
    try:
        # Without O_NONBLOCK a FIFO would keep us waiting.
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
        try:
            return b"".join(iter(lambda: posix.read(descriptor, 65536), b""))
        finally:
            posix.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:  # a directory: what an engine mounts for a file that is not there
        raise Fatal(f"cannot read {path}: {error.strerror}", 1) from None
