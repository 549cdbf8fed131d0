"""Nobody becomes root by matching, and root stays root."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinit.identity import user
from pyinit.identity.accounts import Accounts
from pyinit.identity.matching.plan import Wanted, make
from pyinit.settings import Settings
from pyinit.tell import Fatal
from tests.support import Pyinit
from tests.support.identity import GROUP, PASSWD, Etc


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", 1001, 1001)
    return tmp_path / "work"


@pytest.mark.parametrize("name", ["root", "0", "toor"])
def test_f56_root_keeps_its_number_and_nobody_gets_it(pyinit: Pyinit, etc: Etc, work: Path, name: str) -> None:
    passwd = PASSWD + "toor:x:0:0::/root:/bin/sh\n"
    etc.write("passwd", passwd)
    options = ("-u", name, "--match-owner", work)
    status, output, errors = pyinit.run(*options, "--", "id", "-u", wrapper=etc.mounted)
    assert (status, output) == (0, "0\n")
    assert "the user's UID is 0, root's, which never changes" in errors
    assert pyinit.run(*options, "--strict", "--", "id", wrapper=etc.mounted)[:2] == (1, "")
    assert pyinit.run("-u", name, "--match", "1001:1001", "--", "id", wrapper=etc.mounted)[:2] == (2, "")
    assert (etc.read("passwd"), etc.read("group")) == (passwd, GROUP)


@pytest.mark.parametrize("user", ["dev", "dev:root"])
def test_f56_a_user_of_roots_group_keeps_it(pyinit: Pyinit, etc: Etc, user: str) -> None:
    passwd = PASSWD.replace("dev:x:1000:1000:", "dev:x:1000:0:")
    etc.write("passwd", passwd)
    (etc.home / "dev").mkdir()
    os.chown(etc.home / "dev", 1000, 0)
    options = ("-u", user, "--match", "1500:1600")
    status, output, errors = pyinit.run(*options, "--", "sh", "-c", "id -u; id -g", wrapper=etc.mounted)
    assert (status, output) == (0, "1500\n0\n")
    assert "the user's GID is 0, root's, which never changes" in errors
    assert etc.read("passwd") == passwd.replace("dev:x:1000:0:", "dev:x:1500:0:")
    assert etc.read("group") == GROUP
    status_of_home = (etc.home / "dev").stat()
    assert (status_of_home.st_uid, status_of_home.st_gid) == (1500, 0)


IDS = st.sampled_from([0, 1, 1000, 1001, 65534])
NAMES = st.sampled_from(["root", "dev", "node", "1000", "1001"])


@given(st.lists(st.tuples(NAMES, IDS, IDS), min_size=1), st.lists(st.tuples(NAMES, IDS)), IDS, IDS, NAMES)
def test_no_plan_gives_0_to_anybody_or_takes_it(
    entries: "list[tuple[str, int, int]]", groups: "list[tuple[str, int]]", uid: int, gid: int, name: str
) -> None:
    passwd = "".join(f"{name}:x:{uid}:{gid}::/nonexistent:/bin/sh\n" for name, uid, gid in entries).encode()
    group = "".join(f"{name}:x:{gid}:\n" for name, gid in groups).encode()
    found, wanted = Accounts(passwd, group), Wanted()
    wanted.uid, wanted.gid, wanted.uid_from, wanted.gid_from = uid, gid, "--match-owner /work", "--match-owner /work"
    try:
        chosen = user.find(name, found)
        plan = make(Settings(user=name, own=("/a",)), chosen, found, wanted)
    except Fatal:
        return
    for old, edit, fields in ((passwd, plan.passwd_file, (2, 3)), (group, plan.group_file, (2,))):
        for before, after in zip(old.splitlines(), edit.of(old).splitlines()):
            for field in fields:
                parts = before.split(b":"), after.split(b":")
                assert all(len(each) <= field for each in parts) or len({each[field] == b"0" for each in parts}) == 1
    assert all(0 not in pair for tree in plan.trees for pair in tree.change.pairs())
    assert (plan.uid == 0) <= (chosen.uid == 0) and (plan.gid == 0) <= (chosen.gid == 0)
