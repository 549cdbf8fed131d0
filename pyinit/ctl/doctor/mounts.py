"""Checks of volumes and bind mounts: whose are they, and can the program write there."""

import os
import stat
from collections.abc import Iterator

from pyinit.ctl.container import more_rights
from pyinit.ctl.doctor.files import Entry, Mount
from pyinit.ctl.doctor.patient import NOTE, WARNING, Finding, Patient
from pyinit.ctl.doctor.security import capabilities_of
from pyinit.ctl.doctor.user_namespace import number_inside
from pyinit.identity.accounts import PASSWD, Accounts

ENGINES_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")


def owners(patient: Patient) -> "Iterator[Finding]":
    """Which mounts belong to a UID that no account has?"""
    try:
        accounts = Accounts(patient.files.read(PASSWD), b"")
    except OSError as error:
        unread(patient, error)
        return
    for mount, root in mounted(patient):
        uid = number_inside(patient.now.pid1, root.status.st_uid)
        if mount.read_only or stat.S_ISSOCK(root.status.st_mode) or (uid is not None and accounts.user_with(uid)):
            continue
        is_own = root.status.st_uid == patient.now.program.uid
        whose = "an owner whom this user namespace does not have" if uid is None else f"UID {uid}, which no account has"
        fix = (
            "let the user namespace have the owner: `podman run --userns keep-id`; or give the files to one it has"
            if uid is None
            else f"run the program as the owner: pyinit --user USER --match-owner {mount.path}"
        )
        message = f"{mount.path} belongs to {whose}" + (", but as which the program runs" if is_own else "")
        yield Finding(NOTE if is_own else WARNING, message, (mount.line, root.evidence()), fix)


def unwritable(patient: Patient) -> "Iterator[Finding]":
    """Where can the program not write? Read-only mounts, and single files, are meant to be so."""
    program = patient.now.program
    for mount, root in mounted(patient):
        if mount.read_only or not stat.S_ISDIR(root.status.st_mode):
            continue
        evidence = (mount.line, *program.evidence("Uid", "Gid", "Groups"))
        fix = (
            f"let the program's user be the owner: pyinit --user USER --match-owner {mount.path}; or own the files "
            f"anew: pyinit --user USER --own {mount.path}"
        )
        if not may_write(patient, root.status):
            message = f"the program, {patient.now.named(program)}, cannot write to {mount.path}"
            yield Finding(WARNING, message, (root.evidence(), *evidence), fix)
            continue
        try:
            below = list(patient.files.walk(mount.path))
        except OSError as error:
            unread(patient, error)
            continue
        closed = [each for each in below if is_file_or_directory(each) and not may_write(patient, each.status)]
        if closed:
            several = "1 file" if len(closed) == 1 else f"{len(closed)} files"
            message = f"the program, {patient.now.named(program)}, cannot write {several} on {mount.path}"
            yield Finding(WARNING, message, (closed[0].evidence(), *evidence), fix)


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
        yield Finding(
            WARNING,
            f"the program, {patient.now.named(program)}, may not use {path}: it is not in the group {gid}",
            (root.evidence(), *program.evidence("Uid", "Gid", "Groups")),
            f"pyinit --match-group {path}; or `docker run --group-add {gid}`",
        )


def mounted(patient: Patient) -> "Iterator[tuple[Mount, Entry]]":
    """The mounts, and what is at their tops."""
    try:
        mounts = patient.files.mounts()
    except OSError as error:
        unread(patient, error)
        return
    for mount in mounts:
        try:
            yield mount, Entry(mount.path, patient.files.status(mount.path))
        except OSError as error:
            unread(patient, error)


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


def unread(patient: Patient, error: OSError) -> None:
    """Note once what could not be read."""
    text = f"{error.filename}: {error.strerror}; {more_rights()}"
    if text not in patient.unread:
        patient.unread.append(text)
