"""Checks of volumes and bind mounts: whose are they, and can the program write there."""

import os
import shlex
import stat
from collections.abc import Iterator

from pyinit.ctl.doctor.files import Entry, Mount, is_below
from pyinit.ctl.doctor.patient import NOTE, WARNING, Finding, Patient, directory
from pyinit.ctl.doctor.security import capabilities_of
from pyinit.ctl.doctor.user_namespace import is_nested, number_inside, number_outside
from pyinit.identity.accounts import PASSWD, Accounts

ENGINES_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")

LOST_AND_FOUND = "lost+found"  # what mkfs puts into a file system (man 8 mke2fs): root's, and nobody else writes there


def owners(patient: Patient) -> "Iterator[Finding]":
    """Which mounts belong to a UID that no account has? That is wrong where the program works, as another."""
    try:
        accounts = Accounts(patient.files.read(PASSWD), b"")
    except OSError as error:
        patient.cannot_read(error)
        return
    program = patient.now.program
    for mount, root in mounted(patient):
        uid = number_inside(patient.now.pid1, root.status.st_uid)
        if mount.read_only or stat.S_ISSOCK(root.status.st_mode) or (uid is not None and accounts.user_with(uid)):
            continue
        is_own = root.status.st_uid == program.uid
        whose = "an owner whom this user namespace does not have" if uid is None else f"UID {uid}, which no account has"
        fix = (
            own_outside(patient)
            if uid is None
            else f"if the program writes there, run it as the owner: {match_owner(patient, mount.path)}"
        )
        message = f"{mount.path} belongs to {whose}" + (", but as which the program runs" if is_own else "")
        is_wrong = not is_own and works_on(patient, mount)
        if is_wrong:
            message += f", and the program works there as UID {number_inside(patient.now.pid1, program.uid)}"
        yield Finding(WARNING if is_wrong else NOTE, message, (mount.line, root.evidence()), fix)


def works_on(patient: Patient, mount: Mount) -> bool:
    """Whether the program is at home on a mount: in its working directory, or by files that are there and its own."""
    if is_below(directory(patient.now.program), (mount.path,)):
        return True
    try:
        return any(each.status.st_uid == patient.now.program.uid for each in patient.files.walk(mount.path))
    except OSError:  # `unwritable` says so; or it is a single file
        return False


def unwritable(patient: Patient) -> "Iterator[Finding]":
    """Where can the program not write? Read-only mounts and single files are meant to be so, and what pyinit itself
    reads and writes is not for the program."""
    program = patient.now.program
    named = f"the program, {patient.now.named(program)},"
    for mount, root in mounted(patient):
        if mount.read_only or not stat.S_ISDIR(root.status.st_mode) or is_pyinits(patient, mount):
            continue
        evidence = (mount.line, *program.evidence("Uid", "Gid", "Groups"))
        read_only = "; or, if it only reads there, mount it read-only (:ro)"
        try:
            below = [each for each in patient.files.walk(mount.path) if os.path.basename(each.path) != LOST_AND_FOUND]
        except OSError as error:
            patient.cannot_read(error)
            continue
        if not may_write(patient, root.status):
            fix = give(patient, mount, root, is_empty=not below)
            yield Finding(
                WARNING, f"{named} cannot write to {mount.path}", (root.evidence(), *evidence), fix + read_only
            )
            continue
        closed = [each for each in below if is_file_or_directory(each) and not may_write(patient, each.status)]
        if closed:
            several = "1 file" if len(closed) == 1 else f"{len(closed)} files"
            message = f"{named} cannot write {several} on {mount.path}"
            yield Finding(WARNING, message, (closed[0].evidence(), *evidence), change_owner(patient, mount) + read_only)


def is_pyinits(patient: Patient, mount: Mount) -> bool:
    """Whether a mount is there for what pyinit itself was told of: its journal, secrets that root reads, an index."""
    told = patient.told
    if told is None:
        return False
    paths = [told.events, told.secrets, told.own_index, *(path for _, path in told.secret)]
    return any(is_below(path, (mount.path,)) for path in paths if path.startswith("/"))


def give(patient: Patient, mount: Mount, root: Entry, is_empty: bool) -> str:
    """How the program gets to write to a mount, which depends on whose it is: pyinit makes nobody root, and gives away
    of root's what is empty."""
    uid = number_inside(patient.now.pid1, root.status.st_uid)
    if uid is None:
        return own_outside(patient)
    if uid or is_nested(patient.now.pid1):
        return f"let the program's user be the owner: {match_owner(patient, mount.path)}"
    if is_empty and root.status.st_gid == 0:
        given = f"pyinit --user {user(patient)} --own {mount.path}"
        return f"give the empty mount to the program's user: {as_root(patient)}{given}"
    return change_owner(patient, mount)


def own_outside(patient: Patient) -> str:
    """What to do where the user namespace does not have the owner: in there nobody can change anything about it.

    keep-id maps nobody but who runs podman, and not every podman has it for root.
    """
    owner = number_outside(patient.now.pid1, patient.now.program.uid)
    return (
        f"on the host, give the files to the program's user, who is {owner} there: chown -R {owner}; or, if they are "
        "yours and podman runs rootless: `podman run --userns keep-id`"
    )


def match_owner(patient: Patient, path: str) -> str:
    if patient.told and patient.told.match_owner == path:
        return "begin the container anew: the owner has changed since --match-owner was done"
    return f"{as_root(patient)}pyinit --user {user(patient)} --match-owner {shlex.quote(path)}"


def change_owner(patient: Patient, mount: Mount) -> str:
    name = user(patient)
    change = f"chown -R {name} {shlex.quote(mount.path)}"
    command = f"pyinit --user {name} --setup {shlex.quote(change)}"
    return f"give the files to the program's user: {as_root(patient)}{command}, or chown on the host"


def user(patient: Patient) -> str:
    """The name of the program's user as pyinit was told it."""
    return (patient.told.user.partition(":")[0] if patient.told else "") or "USER"


def as_root(patient: Patient) -> str:
    """What must come first where the engine starts PID 1 as an ordinary user, who can give nothing away."""
    is_root = number_inside(patient.now.pid1, patient.now.pid1.uid) == 0
    return "" if is_root else "started as root, without the engine's --user, "


def sockets(patient: Patient) -> "Iterator[Finding]":
    """Which engine's socket, or other socket that is mounted, can the program not use?"""
    program = patient.now.program
    found = {mount.path: root for mount, root in mounted(patient) if stat.S_ISSOCK(root.status.st_mode)}
    for path in ENGINES_SOCKETS:
        try:
            status = patient.files.status(path)
        except OSError:  # most containers have none
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.setdefault(path, Entry(path, status))
    for path, root in found.items():
        if may_write(patient, root.status):
            continue
        gid = root.status.st_gid
        match = f"pyinit --match-group {path}"
        fix = f"{match}; or `docker run --group-add {gid}`"
        if not gid or not root.status.st_mode & stat.S_IWGRP:
            fix = f"on the host, let a group that is not root's write to it (chgrp, chmod g+w); then {match}"
        yield Finding(
            WARNING,
            f"the program, {patient.now.named(program)}, may not use {path}: it is not in the group {gid}",
            (root.evidence(), *program.evidence("Uid", "Gid", "Groups")),
            fix,
        )


def mounted(patient: Patient) -> "Iterator[tuple[Mount, Entry]]":
    """The mounts, and what is at their tops."""
    try:
        mounts = patient.files.mounts()
    except OSError as error:
        patient.cannot_read(error)
        return
    for mount in mounts:
        try:
            yield mount, Entry(mount.path, patient.files.status(mount.path))
        except OSError as error:
            patient.cannot_read(error)


def is_file_or_directory(entry: Entry) -> bool:
    return stat.S_ISREG(entry.status.st_mode) or stat.S_ISDIR(entry.status.st_mode)


def may_write(patient: Patient, status: os.stat_result) -> bool:
    """Whether the program may write, by owner, mode and capabilities; whose file it is may change the mode (chmod).

    Access control lists are not looked at: a file that has one shows their mask as its group's mode (man 5 acl).
    """
    program = patient.now.program
    if "dac_override" in capabilities_of(program) and is_mapped(patient, status):
        return True
    if status.st_uid == program.uid:
        return True
    if status.st_gid in program.groups:
        return bool(status.st_mode & stat.S_IWGRP)
    return bool(status.st_mode & stat.S_IWOTH)


def is_mapped(patient: Patient, status: os.stat_result) -> bool:
    """Capabilities count where the user namespace has the owner (man 7 user_namespaces)."""
    return number_inside(patient.now.pid1, status.st_uid) is not None
