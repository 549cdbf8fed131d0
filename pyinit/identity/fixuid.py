"""A set-user-ID start: the engine started us as some user, the launcher made us root, and fixuid's files say the rest.

Whoever started us may be hostile: nothing but /etc/fixuid decides what is done, it is done once, and root is given up
for good before the program starts. See docker/launcher.
"""

import posix

from pyinit.identity import Identity, accounts, complain, match, user
from pyinit.log import Fatal, Log
from pyinit.message import encode
from pyinit.settings import Settings

# Our own mark and fixuid's: either says that the work was done.
_MARKS = ("/run/pyinit.matched", "/var/run/fixuid.ran")


def prepare(settings: Settings, environment: "dict[bytes, bytes]", log: Log) -> Identity:
    """Give the account of the settings the IDs that we were started with, then be no more than they are.

    Raises Fatal with status 1.
    """
    uid, gid = posix.getresuid()[0], posix.getresgid()[0]
    found = accounts.read()
    chosen = user.find(settings.user, found)
    if any(map(_exists, _MARKS)):
        log.info("already done in this container: users and files stay as they are")
    elif _can_mark():
        match.apply(settings, chosen, found, environment, log)
        for path in _MARKS:
            _mark(path)
    else:
        # Without a mark any program in here could start us again, as another user, and be given the files.
        complain(settings, log, f"{_MARKS[0]} cannot be made, so users and files stay as they are")
    give_up_root(uid, gid)
    home = chosen.account.home if chosen.account else ""
    if home and environment.get(b"HOME", b"/") in (b"", b"/"):  # what engines set where a number has no account
        environment = {**environment, b"HOME": encode(home)}
    return Identity(settings, uid, gid, set(posix.getgroups()), environment)


def give_up_root(uid: int, gid: int) -> None:
    """Set the real, effective and saved IDs to these, and see that it happened. Raises Fatal."""
    try:
        posix.setresgid(gid, gid, gid)
        posix.setresuid(uid, uid, uid)
    except OSError as error:
        raise Fatal(f"cannot give up root: {error.strerror}", 1) from None
    if posix.getresuid() != (uid, uid, uid) or posix.getresgid() != (gid, gid, gid):
        raise Fatal("root could not be given up", 1)


def _exists(path: str) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True


def _can_mark() -> bool:
    return posix.access(_MARKS[0].rpartition("/")[0], posix.W_OK, effective_ids=True)


def _mark(path: str) -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        posix.close(posix.open(path, flags, 0o644))
    except OSError:  # /var/run is often a link to /run, and where it is not there our own mark counts
        pass
