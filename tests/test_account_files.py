"""The account files: what is read from them, and that an edit changes nothing but what it is meant to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinit.identity import edit
from pyinit.identity.accounts import Accounts, fields, identifier
from pyinit.identity.edit import Edit
from tests.support import REPOSITORY

# What people and distributions write into these files, and what they should not.
ODD = (
    b"# a comment\n"
    b"\n"
    b"   \n"
    b"+::::::\n"
    b"-bad::::::\n"
    b"short:x\n"
    b"number:x:abc:1::/:/bin/sh\n"
    b"large:x:4294967295:1::/:/bin/sh\n"
    b":x:5:5::/:/bin/sh\n"
    b"latin:x:1002:1002:J\xf6rg:/home/latin:/bin/sh\n"
    b"few:x:1003:1003\n"
    b"  spaces:x:1004:1004::/home/spaces:/bin/ash\n"
    b"dev:x:1000:1000:first:/home/dev:/bin/sh\n"
    b"dev:x:2000:2000:second:/home/other:/bin/sh\n"
    b"last:x:1005:1005::/home/last:/bin/sh"
)


def test_only_valid_lines_are_accounts_and_the_first_of_a_name_counts() -> None:
    found = Accounts(ODD, b"")
    assert [account.name for account in found.users()] == ["latin", "few", "spaces", "dev", "dev", "last"]
    account = found.user("dev")
    assert account is not None
    assert (account.uid, account.home) == (1000, "/home/dev")
    few = found.user("1003")
    assert few is not None
    assert (few.home, few.shell) == ("", "")


def test_members_of_a_group_are_read_and_empty_ones_are_not() -> None:
    found = Accounts(b"dev:x:1000:1000::/:\n", b"a:x:1:dev\nb:x:2:x,dev,,y\nc:x:3:devx\nd:x:4\n\ne:x:x:dev\n")
    assert found.groups_of(found.user("dev")) == {1000, 1, 2}


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("4294967294", 4294967294), ("65536", 65536)])
def test_a_number_that_the_kernel_has_is_an_identifier(text: str, number: int) -> None:
    assert identifier(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1 ", "1.0", "4294967295", "99999999999", "²", "0x1", "1_0"])
def test_anything_else_is_not(text: str) -> None:
    assert identifier(text) == -1


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


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_content_of_the_files_is_an_error(data: bytes) -> None:
    found = Accounts(data, data)
    assert all(fields(line) == [] or line for line in data.split(b"\n"))
    for account in found.users():
        assert found.user(account.name) is not None
        assert account.gid in found.groups_of(account)


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
    edit.apply([change_of(passwd)])
    status = passwd.stat()
    assert passwd.read_bytes() == NEW
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 11, 12)
    assert sorted(path.name for path in passwd.parent.iterdir()) == [".pwd.lock", "passwd"]


def test_the_file_is_replaced_and_not_written_into(passwd: Path) -> None:
    before = passwd.open("rb")
    edit.apply([change_of(passwd)])
    assert before.read() == ODD
    before.close()


def test_what_a_killed_run_left_is_no_obstacle(passwd: Path) -> None:
    (passwd.parent / ".passwd.pyinit").write_bytes(b"half")
    edit.apply([change_of(passwd)])
    assert passwd.read_bytes() == NEW


def test_a_symbolic_link_stays_and_its_target_is_replaced(passwd: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    passwd.rename(tmp_path / "real" / "file")
    passwd.symlink_to("real/file")
    edit.apply([change_of(passwd)])
    assert passwd.is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == NEW


def test_a_link_at_the_temporary_files_place_is_not_followed(passwd: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".passwd.pyinit").symlink_to("victim")
    edit.apply([change_of(passwd)])
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert passwd.read_bytes() == NEW


# Applies one edit to the file named first; used where a process of its own is needed.
APPLY = f"""\
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pyinit.identity import edit
change = edit.Edit(sys.argv[1])
change.changed["dev", 1000, 2] = 1234
edit.apply([change])
"""


def apply_in(wrapper: "list[str]", path: Path) -> "subprocess.CompletedProcess[str]":
    command = [*wrapper, sys.executable, "-ISc", APPLY, str(path)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


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
    edit.apply([change_of(passwd)])
    assert passwd.read_bytes() == NEW
    assert not (passwd.parent / ".passwd.pyinit").exists()
