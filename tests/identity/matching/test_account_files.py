"""Changing the account files: an edit changes nothing but what it is meant to, and a crash leaves no half of one."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinit.identity.accounts import Accounts, fields
from pyinit.identity.matching import account_files
from pyinit.identity.matching.account_files import Edit
from tests.support import REPOSITORY
from tests.support.identity import ODD


def test_an_edit_keeps_every_other_byte() -> None:
    change = Edit("/etc/passwd")
    change.changed["dev", 1000, 2] = 1000055
    change.changed["dev", 1000, 3] = 1000001
    change.changed["latin", 1002, 2] = 7
    expected = ODD.replace(b"dev:x:1000:1000:first", b"dev:x:1000055:1000001:first")
    assert change.of(ODD) == expected.replace(b"latin:x:1002:", b"latin:x:7:")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"new:x:5:\n"),
        (b"a:x:1:\n", b"a:x:1:\nnew:x:5:\n"),
        (b"a:x:1:", b"a:x:1:\nnew:x:5:\n"),
        (b"a:x:1:\n+:::\n", b"a:x:1:\nnew:x:5:\n+:::\n"),
        (b"a:x:1:\n\n", b"a:x:1:\n\nnew:x:5:\n"),
    ],
)
def test_an_entry_is_added_at_the_end_and_before_nis(before: bytes, after: bytes) -> None:
    change = Edit("/etc/group")
    change.added.append("new:x:5:")
    assert change.of(before) == after


def test_an_account_that_has_gone_is_an_error_and_not_half_an_edit() -> None:
    change = Edit("/etc/passwd")
    change.changed["gone", 1000, 2] = 5
    with pytest.raises(KeyError):
        change.of(ODD)


_NAMES = st.text(st.characters(blacklist_characters=":\n\r\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)
_LINES = st.one_of(
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.builds(lambda n, u, g: f"{n}:x:{u}:{g}:c:/h:/s".encode(), _NAMES, st.integers(0, 2**33), st.integers(0, 70000)),
)


@settings(deadline=None)
@given(st.lists(_LINES, max_size=8), st.booleans(), st.integers(0, 2**32 - 2))
def test_an_edit_of_any_file_changes_one_field_of_what_is_meant(lines: "list[bytes]", ended: bool, uid: int) -> None:
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    found = Accounts(data, b"")
    for account in list(found.users())[:1]:
        change = Edit("/etc/passwd")
        change.changed[account.name, account.uid, 2] = uid
        new = change.of(data)
        was, now = data.split(b"\n"), new.split(b"\n")
        assert len(was) == len(now)
        for a, b in [(a, b) for a, b in zip(was, now) if a != b]:
            assert (fields(a)[0], int(fields(a)[2])) == (account.name, account.uid)
            assert a.split(b":")[:2] + a.split(b":")[3:] == b.split(b":")[:2] + b.split(b":")[3:]
        edited = Accounts(new, b"").user(account.name)
        assert edited is not None
        assert (edited.uid, edited.gid, edited.home) == (uid, account.gid, account.home)


@pytest.fixture
def passwd(tmp_path: Path) -> Path:
    path = tmp_path / "passwd"
    path.write_bytes(ODD)
    return path


def change_of(path: Path) -> Edit:
    change = Edit(str(path))
    change.changed["dev", 1000, 2] = 1234
    return change


NEW = ODD.replace(b"dev:x:1000:", b"dev:x:1234:")


def test_mode_and_owner_stay_and_nothing_is_left_beside(passwd: Path) -> None:
    passwd.chmod(0o640)
    os.chown(passwd, 11, 12)
    account_files.apply([change_of(passwd)])
    status = passwd.stat()
    assert passwd.read_bytes() == NEW
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 11, 12)
    assert sorted(path.name for path in passwd.parent.iterdir()) == [".pwd.lock", "passwd"]


def test_the_file_is_replaced_and_not_written_into(passwd: Path) -> None:
    before = passwd.open("rb")
    account_files.apply([change_of(passwd)])
    assert before.read() == ODD
    before.close()


def test_what_a_killed_run_left_is_no_obstacle(passwd: Path) -> None:
    (passwd.parent / ".passwd.pyinit").write_bytes(b"half")
    account_files.apply([change_of(passwd)])
    assert passwd.read_bytes() == NEW


def test_a_symbolic_link_stays_and_its_target_is_replaced(passwd: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    passwd.rename(tmp_path / "real" / "file")
    passwd.symlink_to("real/file")
    account_files.apply([change_of(passwd)])
    assert passwd.is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == NEW


def test_a_link_at_the_temporary_files_place_is_not_followed(passwd: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".passwd.pyinit").symlink_to("victim")
    account_files.apply([change_of(passwd)])
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert passwd.read_bytes() == NEW


# Applies one edit to the file named first; used where a process of its own is needed.
APPLY = f"""\
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pyinit.identity.matching import account_files
change = account_files.Edit(sys.argv[1])
change.changed["dev", 1000, 2] = int(sys.argv[2])
account_files.apply([change])
"""


def apply_in(wrapper: "list[str]", path: Path, new: int = 1234) -> "subprocess.CompletedProcess[str]":
    command = [*wrapper, sys.executable, "-ISc", APPLY, str(path), str(new)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, errors="surrogateescape")


def test_f39_a_bind_mounted_file_is_written_in_place(passwd: Path, tmp_path: Path) -> None:
    shutil.copy(passwd, tmp_path / "outside")
    script = f'mount --bind "{tmp_path}/outside" "{passwd}" && exec "$@"'
    done = apply_in(["unshare", "--mount", "sh", "-c", script, "sh"], passwd)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outside").read_bytes() == NEW
    assert passwd.read_bytes() == ODD
    assert not (tmp_path / ".passwd.pyinit").exists()


def test_f39_a_writable_file_in_a_read_only_directory_is_written_in_place(
    passwd: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shutil.copy(passwd, tmp_path / "outside")
    script = (
        f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,bind,ro "{tmp_path}" && '
        f'mount --bind "$0" "{passwd}" && exec "$@"'
    )
    outside = Path(shutil.copy(passwd, tmp_path_factory.mktemp("outside")))
    done = apply_in(["unshare", "--mount", "sh", "-c", script, str(outside)], passwd)
    assert done.returncode == 0, done.stderr
    assert outside.read_bytes() == NEW


def test_f39_a_read_only_file_is_an_error_and_stays(passwd: Path, tmp_path: Path) -> None:
    script = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,bind,ro "{tmp_path}" && exec "$@"'
    done = apply_in(["unshare", "--mount", "sh", "-c", script, "sh"], passwd)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert passwd.read_bytes() == ODD


@pytest.fixture
def mounted(passwd: Path, tmp_path: Path) -> "list[str]":
    """A wrapper: the account file, of exactly one page, is a mount, so that it can only be written into."""
    passwd.write_bytes(b"#" * (4095 - len(ODD)) + b"\n" + ODD)
    (tmp_path / "mounted").write_bytes(passwd.read_bytes())
    return ["unshare", "--mount", "sh", "-ec", f'mount --bind "{tmp_path}/mounted" "{passwd}"; exec "$@"', "sh"]


def test_f116_on_a_full_disk_a_file_that_can_only_be_written_into_stays_as_it_was(passwd: Path, tmp_path: Path) -> None:
    content = b"#" * (4095 - len(ODD)) + b"\n" + ODD
    passwd.write_bytes(content)
    (tmp_path / "disk").mkdir()
    script = f"""
        cd "{tmp_path}"; mount -t tmpfs -o size=4k none disk; cp passwd disk/; mount --bind disk/passwd passwd
        "$@" || echo "status $?"
        cat passwd
    """
    done = apply_in(["unshare", "--mount", "sh", "-ec", script, "sh"], passwd, new=123456)
    assert "No space left on device" in done.stderr
    assert done.stdout.encode(errors="surrogateescape") == b"status 1\n" + content


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        # The first write and the first sync are those of the file that cannot be put in the place of a mount.
        ("write:error=ENOSPC:when=2", "No space left on device\n"),  # room is made
        ("fsync:error=EDQUOT:when=2", "Disk quota exceeded\n"),
        ("write:error=ENOSPC:when=3", "No space left on device\n"),  # the new content is written
        ("ftruncate:error=EIO:when=1", "Input/output error\n"),
        ("fsync:error=EIO:when=3", "Input/output error\n"),
        ("fsync:error=EIO:when=3+", "Input/output error, and what {} was could not be put back: it is damaged\n"),
    ],
)
def test_f116_an_error_while_a_file_is_written_into_puts_the_old_content_back(
    passwd: Path, tmp_path: Path, mounted: "list[str]", failing: str, message: str
) -> None:
    trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=write,fsync,ftruncate", "-e", f"inject={failing}", "--"]
    old = passwd.read_bytes()
    done = apply_in([*mounted, *trace], passwd, new=123456)
    assert done.returncode == 1
    assert done.stderr.endswith(message.format(passwd))
    assert (tmp_path / "mounted").read_bytes() == old


@pytest.mark.parametrize("what", ["FIFO", "directory", "link"])
def test_f118_a_lock_that_is_no_file_is_an_error_and_keeps_nobody_waiting(passwd: Path, what: str) -> None:
    lock = passwd.parent / ".pwd.lock"
    {"FIFO": os.mkfifo, "directory": os.mkdir, "link": lambda path: os.symlink("passwd", path)}[what](lock)
    with pytest.raises(OSError, match="not a regular file" if what == "FIFO" else "directory|symbolic"):
        account_files.apply([change_of(passwd)])
    assert passwd.read_bytes() == ODD


@pytest.mark.parametrize(
    "call", ["openat", "fchown", "fchmod", "write", "fsync", "rename", "close", "unlink", "readlink", "fcntl"]
)
def test_f36_killed_at_any_call_the_file_is_the_old_or_the_new_one(passwd: Path, call: str) -> None:
    """strace kills the process as it enters each such call in turn, until a run gets through."""
    outcomes = set()
    for number in range(1, 400):
        passwd.write_bytes(ODD)
        inject = f"inject={call}:signal=KILL:when={number}"
        done = apply_in(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, "--"], passwd)
        content = passwd.read_bytes()
        assert content in (ODD, NEW)
        outcomes.add((done.returncode == 0, content == NEW))
        if done.returncode == 0:
            break
    assert (True, True) in outcomes
    passwd.write_bytes(ODD)
    account_files.apply([change_of(passwd)])
    assert passwd.read_bytes() == NEW
    assert not (passwd.parent / ".passwd.pyinit").exists()


# Entries as in linux/posix_acl_xattr.h.
ENTRIES = [(1, 6, -1), (2, 6, 4242), (4, 4, -1), (16, 6, -1), (32, 4, -1)]
ACCESS_LIST = b"".join([struct.pack("<I", 2), *(struct.pack("<HHi", *entry) for entry in ENTRIES)])


@pytest.mark.parametrize("failing", ["fgetxattr:error=EPERM", "fsetxattr:error=EINVAL", "fremovexattr:error=EPERM"])
def test_a_file_whose_access_control_list_cannot_be_copied_is_written_into(passwd: Path, failing: str) -> None:
    """A list may name somebody whom a user namespace does not know: without it its mask would be the group's right."""
    if failing.startswith("fremovexattr"):
        os.setxattr(passwd.parent, "system.posix_acl_default", ACCESS_LIST)
    else:
        os.setxattr(passwd, "system.posix_acl_access", ACCESS_LIST)
    before, attributes = passwd.stat(), os.listxattr(passwd)
    call = failing.partition(":")[0]
    done = apply_in(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={failing}", "--"], passwd)
    assert (done.returncode, passwd.read_bytes()) == (0, NEW), done.stderr
    after = passwd.stat()
    assert (after.st_ino, after.st_mode, os.listxattr(passwd)) == (before.st_ino, before.st_mode, attributes)
    assert not (passwd.parent / ".passwd.pyinit").exists()


def test_the_access_control_list_stays_and_its_mask_is_no_groups(tmp_path: Path) -> None:
    """The mode shows the mask where the group's rights would be (man 5 acl)."""
    passwd = tmp_path / "passwd"
    passwd.write_bytes(ODD)
    os.setxattr(passwd, "system.posix_acl_access", ACCESS_LIST)
    edit = Edit(str(passwd))
    edit.changed["dev", 1000, 2] = 7
    account_files.apply([edit])
    assert b"dev:x:7:" in passwd.read_bytes()
    assert os.getxattr(passwd, "system.posix_acl_access") == ACCESS_LIST
    os.removexattr(passwd, "system.posix_acl_access")
    os.setxattr(tmp_path, "system.posix_acl_default", ACCESS_LIST)  # which a new file would get
    edit = Edit(str(passwd))
    edit.changed["dev", 7, 2] = 8
    account_files.apply([edit])
    assert "system.posix_acl_access" not in os.listxattr(passwd)
