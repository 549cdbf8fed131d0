"""The account files, whatever they hold: who is found in them, and what matching makes of them."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinit.identity import user
from pyinit.identity.accounts import Accounts, identifier
from pyinit.identity.matching import plan as matching
from pyinit.settings import Settings
from pyinit.tell import Fatal
from tests.support import Pyinit
from tests.support.identity import GROUP, Etc

from .support import CORPUS, WATCHDOG, any_texts, assert_clear, assert_clear_lines, examples

pytestmark = WATCHDOG

# A small world, so that names and numbers meet. The homes are below /home alone, where real runs have their own.
NAMES = st.sampled_from(["dev", "node", "root", "1000", "1001", "d", "+", "#", "", " dev", "d\xf6", "a b"])
IDS = st.sampled_from(["0", "33", "1000", "1001", "1002", "01001", "65534", "4294967294", "4294967295", "-1", "", "x"])
HOMES = st.sampled_from(["/home/dev", "/home/node", "/home/dev/below", "/home", "", "/home/none", "dev", "/home/d\0v"])
USERS = st.builds(
    lambda name, uid, gid, home, shell: f"{name}:x:{uid}:{gid}:c:{home}:{shell}".encode("latin-1"),
    *(NAMES, IDS, IDS, HOMES, st.sampled_from(["/bin/sh", "", "/sbin/nologin"])),
)
GROUPS = st.builds(
    lambda name, gid, members: f"{name}:x:{gid}:{','.join(members)}".encode("latin-1"),
    *(NAMES, IDS, st.lists(NAMES, max_size=2)),
)
JUNK = st.sampled_from([b"", b"#", b"+::::::", b"-x", b":::", b"dev", b"dev:x:1000", b"\0", b"\r", b"\xff\xfe:x:1:1"])


def files(lines: "st.SearchStrategy[bytes]") -> "st.SearchStrategy[bytes]":
    """A file of such lines and of some that are none, of which the last may have no end."""
    return st.builds(
        lambda given, end: b"\n".join(given) + end,
        *(st.lists(lines | lines | JUNK, max_size=7), st.sampled_from([b"\n", b"", b"\n\n"])),
    )


PASSWDS = files(USERS).map(lambda data: b"dev:x:1000:1000:c:/home/dev:/bin/sh\n" + data) | files(USERS)
WANTED = st.sampled_from([0, 1, 33, 1000, 1001, 1002, 65534, 2**32 - 2])


def assert_whole(old: bytes, new: bytes) -> None:
    """Every line is still there, in its place, and differs in its numbers at the most; what was added is valid."""
    was, now = old.split(b"\n"), new.split(b"\n")
    if was[-1] and len(now) > len(was):
        was.append(b"")  # the last line got an end, since one was added
    more = len(now) - len(was)
    assert 0 <= more <= 1
    at = next((number for number, line in enumerate(was) if line.startswith(b"+")), len(was) - 1) if more else 0
    for line in now[at : at + more]:
        assert identifier(os.fsdecode(line.split(b":")[2])) >= 0
    for before, after in zip(was, now[:at] + now[at + more :]):
        if before != after:
            one, other = before.split(b":"), after.split(b":")
            assert (one[:2], one[4:], len(one)) == (other[:2], other[4:], len(other))
            assert all(identifier(os.fsdecode(part)) >= 0 for part in other[2 : 3 if len(other) < 6 else 4])


def plan(passwd: bytes, group: bytes, name: str, uid: int, gid: int) -> "tuple[matching.Plan, Accounts, user.User]":
    found = Accounts(passwd, group)
    wanted = matching.Wanted()
    wanted.uid, wanted.gid, wanted.uid_from, wanted.gid_from = uid, gid, "--match-owner", "--match-owner"
    settings = Settings(user=name, own=("/",))
    chosen = matching.matched_before(settings, user.find(name, found), found, wanted)
    return matching.make(settings, chosen, found, wanted), found, chosen


@examples(200)
@given(PASSWDS, files(GROUPS), st.sampled_from(["dev", "node", "1000", "root"]), WANTED, WANTED)
@example(b"dev:x:1000:1000::/:\ndev:x:1001:1001::/:\n", b"", "dev", 1001, 1000)
@example(b"dev:x:1000:1000::/:\nnode:x:1002:1002::/:\nnode:x:1001:1001::/:\n", b"", "dev", 1001, 1000)
@example(b"dev\ndev:x:1000:1000::/:\n", b"", "dev", 1001, 1001)
@example(b"dev:x:7:-\ndev:x:1000:1000::/:\n", b"", "dev", 1001, 1000)
def test_what_is_matched_once_matches(passwd: bytes, group: bytes, name: str, uid: int, gid: int) -> None:
    """Both files stay whole, the account has the numbers that the program gets, and a second time nothing changes."""
    try:
        first, _, chosen = plan(passwd, group, name, uid, gid)
    except Fatal as error:
        assert_clear(error, {2})
        return
    new_passwd, new_group = first.passwd_file.of(passwd), first.group_file.of(group)
    assert_whole(passwd, new_passwd)
    assert_whole(group, new_group)
    account = chosen.account
    assert account
    again, found, _ = plan(new_passwd, new_group, name, uid, gid)
    assert (again.uid, again.gid) == (first.uid, first.gid)
    assert not again.passwd_file and not again.group_file
    now = found.user(account.name)
    assert now
    assert not again.trees or now.uid != again.uid  # of a system account, the number is only used
    names = [user.name for user in Accounts(passwd, group).users()]
    if (
        (account.name, account.uid, 2) in first.passwd_file.changed
        and len(names) == len(set(names))
        and uid >= 1000
        and uid != 65534
    ):
        answers = found.user_with(now.uid)
        assert answers and answers.name == account.name  # and nobody else answers for the number


TEXTS = any_texts(8)


@examples(150)
@given(PASSWDS, files(GROUPS), (TEXTS | NAMES | st.tuples(NAMES, NAMES | IDS).map(":".join)).filter(bool))
def test_any_text_names_somebody_or_is_one_clear_line(passwd: bytes, group: bytes, text: str) -> None:
    found = Accounts(passwd, group)
    try:
        one, other = user.find(text, found), user.find(text, found)
    except Fatal as error:
        assert_clear(error, {2})
        return
    assert (one.uid, one.gid, one.groups) == (other.uid, other.gid, other.groups)
    assert 0 <= one.uid < 2**32 - 1
    assert all(0 <= gid < 2**32 - 1 for gid in (one.gid, *one.groups))
    told = user.environment_of(one, home_only=False, keep_home=False)
    assert not any(b"\0" in value for value in told.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Etc:
    etc = Etc(tmp_path_factory.mktemp("place"))
    for name in ("dev", "node"):
        (etc.home / name).mkdir()
    return etc


def assert_matches_once(pyinit: Pyinit, place: Etc, passwd: bytes, group: bytes, words: "list[str]") -> None:
    """The real file, twice: each time a clear line or the program; the second time nothing changes."""
    (place.path / "passwd").write_bytes(passwd)
    (place.path / "group").write_bytes(group)
    seen: "list[tuple[bytes, bytes]]" = []
    for _ in range(2):
        status, output, errors = pyinit.run(*words, "--", "/bin/echo", "started", wrapper=place.mounted, cwd="/")
        assert_clear_lines(errors)
        assert (status, output) in ((0, "started\n"), (2, "")), errors
        found = ((place.path / "passwd").read_bytes(), (place.path / "group").read_bytes())
        assert status == 0 or found == (seen[-1] if seen else (passwd, group))
        seen.append(found)
    # Once it was matched, a number may be another account's.
    assert seen[0] == seen[1] or words[1].partition(":")[0].isdigit()
    assert_whole(passwd, seen[0][0])
    assert_whole(group, seen[0][1])
    assert {path.name for path in place.path.iterdir()} <= {"passwd", "group", ".pwd.lock"}


@examples(15, real=True)
@given(PASSWDS, files(GROUPS), st.sampled_from(["dev", "node", "dev:node", "1000", "1001:1"]), WANTED, WANTED)
def test_the_real_file_leaves_the_account_files_whole(
    pyinit: Pyinit, place: Etc, passwd: bytes, group: bytes, name: str, uid: int, gid: int
) -> None:
    assert_matches_once(pyinit, place, passwd, group, ["-u", name, "--match", f"{uid}:{gid}"])


@pytest.mark.parametrize("file", sorted(CORPUS.glob("passwd*")), ids=lambda path: path.name)
def test_the_corpus_of_account_files(pyinit: Pyinit, place: Etc, file: Path) -> None:
    assert_matches_once(pyinit, place, file.read_bytes(), GROUP.encode(), ["-u", "dev", "--match", "1001:1001"])


@pytest.mark.parametrize("name", ["passwd", "group"])
@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link", "loop"])
def test_what_is_no_file_is_one_clear_line(pyinit: Pyinit, etc: Etc, name: str, kind: str) -> None:
    """An engine makes a directory of a bind mount whose source is not there: `-v /no/such/file:/etc/passwd`."""
    etc.remove(name)
    path = etc.path / name
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "loop" else "nowhere")
    status, output, errors = pyinit.run("-u", "1000:1000", "--", "echo", "started", wrapper=etc.mounted, cwd="/")
    assert_clear_lines(errors)
    assert (status, output) in ((0, "started\n"), (2, ""), (1, ""))
    assert status == 0 or f"/etc/{name}" in errors
