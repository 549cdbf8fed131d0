"""Giving the program's user the IDs of the host's: plan first, then apply.

The order makes a start that was killed harmless: trees first, then the account files, the passwd file last. As long as
that one says the old IDs, the next start does all of it again, and finds most of it done.
"""

import errno
import posix

from pyinit.identity import accounts, asking
from pyinit.identity.accounts import Account, Accounts
from pyinit.identity.capabilities import has, lacking
from pyinit.identity.complaints import complain
from pyinit.identity.matching import account_files
from pyinit.identity.matching.plan import Plan, describe, find_wanted, make, matched_before
from pyinit.identity.user import User, unknown
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.log import Log
from pyinit.tell.text import encode


def apply(settings: Settings, user: User, found: Accounts, environment: "dict[bytes, bytes]", log: Log) -> User:
    """Match, and return the user that the program gets. Raises Fatal; with status 2 nothing was changed."""
    wanted = find_wanted(settings, environment)
    user = matched_before(settings, user, found, wanted)
    plan = make(settings, user, found, wanted)
    for complaint in plan.complaints:
        complain(settings, log, complaint)
    for note in plan.notes:
        log.info(note)
    if posix.geteuid() == 0:
        _carry_out(settings, plan, log)
    elif user.account and not found.user_with(posix.getuid()):
        _add_entry(user.account, found, log)
    return User(plan.uid, plan.gid, plan.groups, user.account)


def _carry_out(settings: Settings, plan: Plan, log: Log) -> None:
    """Trees first, account files last, and only if all files have followed: the next start goes on where this one could
    not. What is found out before anything is changed ends the start there with --strict."""
    edits = [edit for edit in (plan.group_file, plan.passwd_file) if edit]
    if edits or plan.trees or plan.index_change:
        _check_rights(plan)
    refused = [(edit.path, error) for edit in edits if (error := _refusal(edit.path))]
    if refused:
        path, error = refused[0]
        why = f"{error.strerror}{lacking(error, 'dac_override')}"
        complain(settings, log, f"{path} cannot be written; the program has the new numbers all the same: {why}")
        edits = []
    for line in describe(plan):
        log.info(line)
    left = _reown(settings, plan, log)
    asking.give_up_if_asked(settings.ends_start)
    if left:
        kept = "".join(f", and {edit.path} stays as it is until they do" for edit in edits[-1:])
        complain(settings, log, f"not all files have the new numbers{kept}; the program has these all the same")
        return
    try:
        account_files.apply(edits, settings.ends_start)
    except (OSError, KeyError) as error:
        reason = f"{error} is not there any more"
        if isinstance(error, OSError):
            reason = f"{error.strerror}{lacking(error, 'dac_override')}"
        kept = " and ".join(edit.path for edit in edits)
        complain(settings, log, f"{kept} cannot be written; the program has the new numbers all the same: {reason}")


def _check_rights(plan: Plan) -> None:
    """What the program could not become must not be written anywhere. Raises Fatal with status 1."""
    become = f"UID {plan.uid}, GID {plan.gid}, groups {sorted(plan.groups)}"
    number = unknown(plan.uid, {plan.gid} | plan.groups)
    if number:
        raise Fatal(f"cannot become {become}: this user namespace has no {number}; nothing was changed", 1)
    changes_groups = plan.gid != posix.getgid() or sorted(plan.groups) != sorted(posix.getgroups())
    for capability, needed in (("setuid", plan.uid != posix.getuid()), ("setgid", changes_groups)):
        if needed and not has(capability):
            raise Fatal(f"cannot become {become}: CAP_{capability.upper()} is missing; nothing was changed", 1)


def _refusal(path: str) -> "OSError | None":
    """Why a file cannot be written. Tried, and not asked: a seccomp filter may refuse the newer call that asks."""
    try:
        posix.close(posix.open(path, posix.O_WRONLY | posix.O_NONBLOCK | posix.O_CLOEXEC))
    except OSError as error:
        return error
    return None


def _reown(settings: Settings, plan: Plan, log: Log) -> int:
    """What the old numbers own follows. Returns how many files could not; it was said why."""
    left = 0
    if plan.index_change:
        from pyinit.identity.matching import index

        left += index.reown(settings.own_index, plan.index_change, log, settings.ends_start).failed
    if plan.trees:
        from pyinit.identity.matching import trees

        left += trees.reown(plan.trees, log, ends_start=settings.ends_start).failed
    return left


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
