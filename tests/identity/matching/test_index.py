"""--own-index and `pyinitctl index`: what the image's build listed is re-owned, and nothing else is looked at."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pyinit.ctl.commands import pyinitctl
from pyinit.ctl.index import escape
from pyinit.identity.matching.index import FIRST_LINE, entries
from pyinit.tell import Fatal
from tests.support import DEADLINE, REPOSITORY, Pyinit, inode_of, require_namespaces, things_that_are_no_files
from tests.support.identity import PASSWD, Etc

INDEX = "/etc/pyinit.index"  # inside, where the test's directory is /etc
MATCH = ("-u", "dev", "--match", "1500:1600", "--own-index", INDEX)
ODD_NAMES = [b"new\nline", b"\xff\xfe", b"-R", b" ", b"back\\slash", b"\\012", b"#", b"..x", "ä".encode(), b"x" * 255]


def run(*words: "str | Path") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        list(map(str, words)),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=DEADLINE,
    )


def list_for(etc: Etc, *arguments: "str | Path", prepare: str = ":") -> "subprocess.CompletedProcess[str]":
    """Run `pyinitctl index` where a test's /etc and /home are mounted, after a shell has done `prepare`."""
    require_namespaces()
    shell = (*etc.mounted, "sh", "-ec", f'{prepare}; exec "$@"', "sh")
    words = (sys.executable, "-m", "pyinit.ctl", "index", *arguments)
    return run("unshare", "--mount", "--propagation", "private", *shell, *words)


def listed(etc: Etc) -> "dict[str, list[str]]":
    """The names in the index, by root."""
    found: "dict[str, list[str]]" = {}
    with open(etc.path / "pyinit.index", "rb") as file:
        for root, name in entries(file, INDEX):
            found.setdefault(root, []).append(name)
    return found


def start(pyinit: Pyinit, etc: Etc, *options: str, prepare: str = ":") -> "tuple[int, str, str]":
    """Run pyinit with --match and the index."""
    wrapper = (*etc.mounted, "sh", "-ec", f'{prepare}; exec "$@"', "sh")
    return pyinit.run(*MATCH, *options, "--", "id", "-u", wrapper=wrapper)


def owner(path: Path) -> "tuple[int, int]":
    status = path.lstat()
    return status.st_uid, status.st_gid


def make(path: Path, uid: int = 1000, gid: int = 1000) -> Path:
    """A file, and the directories above it that are missing."""
    for directory in reversed(path.parents):
        if not directory.exists():
            directory.mkdir()
            os.chown(directory, uid, gid)
    path.touch()
    os.chown(path, uid, gid)
    return path


@pytest.fixture
def home(etc: Etc) -> Path:
    """dev's home: five entries of dev's, and some of others."""
    home = etc.home / "dev"
    for name in ("a", "sub/b", "sub/deeper/c"):
        make(home / name)
    make(home / "sub/root", 0, 0)
    make(home / "others/root", 0, 0)
    make(home / "others/mine", 1000, 0)
    make(home / "others/group", 0, 1000)
    return home


# ---- Listing, and re-owning what was listed


@pytest.mark.usefixtures("home")
def test_f33_the_index_has_what_the_user_or_the_group_owns_and_no_more(etc: Etc) -> None:
    done = list_for(etc, "dev", "-o", INDEX)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{INDEX}: 8 entries\n", "")
    expected = [".", "a", "sub", "others/group", "others/mine", "sub/b", "sub/deeper", "sub/deeper/c"]
    assert listed(etc) == {"/home/dev": expected}


@pytest.mark.usefixtures("home")
def test_what_was_listed_is_told_as_json(etc: Etc) -> None:
    done = list_for(etc, "dev", "-o", INDEX, "--json")
    assert json.loads(done.stdout) == {"file": INDEX, "entries": 8}


@pytest.mark.usefixtures("home")
def test_f33_the_same_tree_gives_the_same_index_whatever_the_umask_is(etc: Etc) -> None:
    made = []
    for umask in ("022", "077"):
        assert list_for(etc, "dev", "-o", INDEX, prepare=f"umask {umask}").returncode == 0
        made.append((etc.path / "pyinit.index").read_bytes())
        assert (etc.path / "pyinit.index").stat().st_mode & 0o777 == 0o644
    assert made[0] == made[1]
    assert sorted(os.listdir(etc.path)) == ["group", "passwd", "pyinit.index"]


def test_f33_listed_entries_get_the_new_ids_whatever_their_names_are(every_pyinit: Pyinit, etc: Etc) -> None:
    top = os.fsencode(etc.home / "dev")
    for name in ODD_NAMES:
        directory = os.path.join(top, b"d" + name[:254])
        os.makedirs(directory)
        for path in (os.path.join(top, name), os.path.join(directory, name)):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    subprocess.run(["chown", "-R", "1000:1000", top], check=True)
    done = list_for(etc, "dev", "-o", INDEX)
    assert done.stdout == f"{INDEX}: {1 + 3 * len(ODD_NAMES)} entries\n"
    assert start(every_pyinit, etc) == (0, "1500\n", "")
    found = subprocess.run(["find", top, "-printf", "%U:%G\n"], capture_output=True, check=True, text=True)
    assert found.stdout.split() == ["1500:1600"] * (1 + 3 * len(ODD_NAMES))


def test_f33_what_is_not_listed_is_not_touched(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    list_for(etc, "dev", "-o", INDEX)
    later = make(home / "sub/later")
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert owner(later) == (1000, 1000)
    assert owner(home / "sub/root") == owner(home / "others/root") == (0, 0)
    assert [owner(home / "others" / name) for name in ("mine", "group")] == [(1500, 0), (0, 1600)]
    assert owner(home) == owner(home / "sub/deeper/c") == (1500, 1600)
    assert "dev:x:1500:1600:" in etc.read("passwd")


def test_f33_what_is_listed_and_belongs_to_somebody_else_meanwhile_stays_theirs(
    pyinit: Pyinit, etc: Etc, home: Path
) -> None:
    list_for(etc, "dev", "-o", INDEX)
    os.chown(home / "a", 0, 44)
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert owner(home / "a") == (0, 44)


def test_f33_entries_that_are_gone_are_passed_over(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    make(home / "directory/a")
    make(home / "last")
    list_for(etc, "dev", "-o", INDEX)
    (home / "a").unlink()
    subprocess.run(["rm", "-r", home / "directory", home / "sub/deeper"], check=True)
    make(home / "directory")
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert owner(home / "directory") == owner(home / "last") == owner(home / "sub/b") == (1500, 1600)


def test_f33_a_home_that_is_gone_is_passed_over(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    list_for(etc, "dev", "-o", INDEX)
    home.rename(home.with_name("moved"))
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert owner(home.with_name("moved")) == (1000, 1000)


def test_paths_that_are_named_are_listed_instead_of_the_home(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    data = make(etc.home / "data/file")
    roots = make(etc.home / "data/roots", 0, 0)
    single = make(etc.home / "single")
    (etc.home / "link").symlink_to("data")
    done = list_for(etc, "dev", "/home/link", "/home/single", "/home/data/roots", "-o", INDEX)
    assert done.stdout == f"{INDEX}: 3 entries\n"
    assert listed(etc) == {"/home/data": [".", "file"], "/home": ["single"]}
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert owner(data) == owner(single) == (1500, 1600)
    assert owner(roots) == (0, 0)
    assert owner(home) == (1000, 1000)


def test_own_adds_trees_to_the_index(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    data = make(etc.home / "data/file")
    list_for(etc, "dev", "-o", INDEX)
    assert start(pyinit, etc, "--own", "/home/data") == (0, "1500\n", "")
    assert owner(data) == owner(home / "sub/b") == (1500, 1600)


def file_system_calls(pyinit: Pyinit, etc: Etc, log: Path, *options: str) -> int:
    """How many entries pyinit looked at or changed, and how many directories it opened or listed."""
    calls = "trace=?stat,?lstat,?fstat,?newfstatat,?statx,?open,openat,getdents64,?lchown,fchownat,fchown"
    wrapper = (*etc.mounted, "strace", "-f", "-o", str(log), "-e", calls, "-e", "signal=none")
    status, _, errors = pyinit.run("-u", "dev", *options, "--", "true", wrapper=wrapper)
    assert status == 0, errors
    return log.read_text().count("(")


def test_f33_files_of_others_cost_nothing(pyinit: Pyinit, etc: Etc, home: Path, tmp_path: Path) -> None:
    """Counted in system calls: with the index as many as before, without it one more for each file."""
    list_for(etc, "dev", "-o", INDEX)
    by_index = file_system_calls(pyinit, etc, tmp_path / "log", "--match", "1500:1600", "--own-index", INDEX)
    searching = file_system_calls(pyinit, etc, tmp_path / "log", "--match", "1501:1601")
    for number in range(1500):
        (home / "others" / str(number)).touch()
    list_for(etc, "dev", "-o", INDEX)
    by_index_now = file_system_calls(pyinit, etc, tmp_path / "log", "--match", "1502:1602", "--own-index", INDEX)
    searching_now = file_system_calls(pyinit, etc, tmp_path / "log", "--match", "1503:1603")
    assert by_index_now == by_index
    assert searching_now >= searching + 1500


# ---- What never may change


def test_f38_a_link_that_was_put_in_place_of_a_listed_entry_is_not_followed(
    pyinit: Pyinit, etc: Etc, home: Path
) -> None:
    list_for(etc, "dev", "-o", INDEX)
    outside = [make(etc.home / "outside" / name) for name in ("b", "deeper/c", "secret")]
    (home / "sub").rename(etc.home / "moved")
    (home / "sub").symlink_to("../outside")
    (home / "a").unlink()
    (home / "a").symlink_to("../outside/secret")
    os.lchown(home / "sub", 1000, 1000)
    os.lchown(home / "a", 1000, 1000)
    assert start(pyinit, etc) == (0, "1500\n", "")
    assert {owner(path) for path in (*outside, etc.home / "outside", etc.home / "moved/b")} == {(1000, 1000)}
    assert owner(home / "sub") == owner(home / "a") == (1500, 1600)  # the links themselves


def test_f38_a_home_that_a_link_took_the_place_of_is_not_followed(pyinit: Pyinit, etc: Etc, home: Path) -> None:
    list_for(etc, "dev", "-o", INDEX)
    home.rename(home.with_name("moved"))
    home.symlink_to("moved")
    status, output, errors = start(pyinit, etc)
    assert (status, output) == (0, "1500\n")
    assert errors == (
        "pyinit: re-owning /home/dev: 1 not possible, the first: /home/dev: Not a directory\n"
        "pyinit: not all files have the new numbers, and /etc/passwd stays as it is until they do; "
        "the program has these all the same\n"
    )
    assert owner(home.with_name("moved") / "a") == (1000, 1000)


MOUNTS = """\
mount -t tmpfs none /home/dev/tmpfs; touch /home/dev/tmpfs/x; chown -R 1000:1000 /home/dev/tmpfs
mount --bind /home/outside /home/dev/bound
mount --bind /home/outside/x /home/dev/file"""


@pytest.fixture
def outside(etc: Etc, home: Path) -> Path:
    """What MOUNTS mounts into the home."""
    for directory in ("tmpfs", "bound"):
        make(home / directory / "x")
    make(home / "file")
    return make(etc.home / "outside/x")


@pytest.mark.usefixtures("outside")
def test_f34_other_mounts_are_not_listed(etc: Etc) -> None:
    assert list_for(etc, "dev", "-o", INDEX, prepare=MOUNTS).returncode == 0
    names = listed(etc)["/home/dev"]
    assert "a" in names
    assert not {"tmpfs", "tmpfs/x", "bound", "bound/x", "file"} & set(names)


def test_f34_what_is_mounted_over_a_listed_entry_is_not_changed(
    pyinit: Pyinit, etc: Etc, home: Path, outside: Path
) -> None:
    list_for(etc, "dev", "-o", INDEX)
    assert {"tmpfs/x", "bound/x", "file"} <= set(listed(etc)["/home/dev"])
    assert start(pyinit, etc, prepare=MOUNTS) == (0, "1500\n", "")
    assert owner(outside) == owner(outside.parent) == (1000, 1000)
    assert owner(home / "a") == (1500, 1600)


@pytest.mark.usefixtures("home")
def test_f34_what_cannot_be_changed_is_one_message_and_no_failure(pyinit: Pyinit, etc: Etc) -> None:
    list_for(etc, "dev", "-o", INDEX)
    prepare = "mount --bind /home/dev /home/dev; mount -o remount,bind,ro /home/dev"
    status, output, errors = start(pyinit, etc, prepare=prepare)
    assert (status, output) == (0, "1500\n")
    assert errors == (
        "pyinit: re-owning /home/dev: 8 not possible, the first: /home/dev/.: Read-only file system\n"
        "pyinit: not all files have the new numbers, and /etc/passwd stays as it is until they do; "
        "the program has these all the same\n"
    )


# ---- An index that is no good


def nothing_changed(etc: Etc, home: Path) -> bool:
    return etc.read("passwd") == PASSWD and owner(home) == owner(home / "a") == owner(home / "sub/b") == (1000, 1000)


MALFORMED = [
    (b"", 1, "the file is empty"),
    (b"pyinit index 2\n", 1, "it is not 'pyinit index 1'"),
    (b"/home/dev\na\n", 1, "it is not 'pyinit index 1'"),
    (b"pyinit index 1\n/home/dev\na\nsub/b", 4, "the line is cut off"),
    (b"pyinit index 1\na\n", 2, "an absolute path, the root of a tree, must come first"),
    (b"pyinit index 1\n/home/dev\na\n\n", 4, "it is neither an absolute path nor a name below one"),
    (b"pyinit index 1\n/home/dev\na\n../node\n", 4, "it is neither an absolute path nor a name below one"),
    (b"pyinit index 1\n/home/dev\na\nsub/./b\n", 4, "it is neither an absolute path nor a name below one"),
    (b"pyinit index 1\n/home/dev\na\nb\0\n", 4, "no name has a NUL in it"),
    (b"pyinit index 1\n/home/dev\na\nb\\x\n", 4, "a backslash without three octal digits"),
    (b"pyinit index 1\n/home/dev\na\nb\\400\n", 4, "a backslash without three octal digits"),
    (b"pyinit index 1\n/home/dev\na\nb\\000\n", 4, "no name has a NUL in it"),
]


@pytest.mark.parametrize(("content", "line", "reason"), MALFORMED)
def test_a_malformed_index_is_one_clear_line_and_nothing_changes(
    pyinit: Pyinit, etc: Etc, home: Path, content: bytes, line: int, reason: str
) -> None:
    (etc.path / "pyinit.index").write_bytes(content)
    status, output, errors = start(pyinit, etc)
    assert (status, output) == (2, "")
    assert errors.startswith(f"pyinit: --own-index '{INDEX}': line {line}: {reason}")
    assert errors.count("\n") == 1
    assert nothing_changed(etc, home)


REFUSED = {
    "that is missing": "rm /etc/pyinit.index",
    "that is somebody's": "chown 1000 /etc/pyinit.index",
    "that a group may write": "chmod 664 /etc/pyinit.index",
    "that everybody may write": "chmod 646 /etc/pyinit.index",
    "in a directory that is somebody's": "chown 1000 /etc",
    "in a directory that everybody may write": "chmod 1777 /etc",
    "that is a link": "mv /etc/pyinit.index /etc/other; ln -s other /etc/pyinit.index",
    "that is a FIFO": "rm /etc/pyinit.index; mkfifo /etc/pyinit.index",
    "that is a directory": "rm /etc/pyinit.index; mkdir /etc/pyinit.index",
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_index_is_refused(pyinit: Pyinit, etc: Etc, home: Path, what: str) -> None:
    list_for(etc, "dev", "-o", INDEX)
    status, output, errors = start(pyinit, etc, prepare=REFUSED[what])
    assert (status, output) == (2, "")
    assert re.fullmatch(rf"pyinit: --own-index: .*'{INDEX}'.*\n", errors)
    assert nothing_changed(etc, home)


# ---- The command


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nosuchuser", "-o", INDEX], 2, "USER: 'nosuchuser' is neither in /etc/passwd nor a number"),
        (["4242", "-o", INDEX], 2, "USER: '4242' has no account in /etc/passwd, and pyinit matches no other"),
        (["dev"], 2, "Missing option '-o' / '--output'"),
        (["dev", "/nowhere", "-o", INDEX], 2, "Invalid value for '[PATH]...': Path '/nowhere' does not exist"),
        (["node", "-o", INDEX], 1, "cannot list '/home/node': No such file or directory"),
        (["daemon", "-o", "/home/dev/index"], 1, "--output: '/home/dev/index': the directory must be root's"),
        (["daemon", "-o", "/nowhere/index"], 1, "--output: '/nowhere/index': No such file or directory"),
    ],
)
def test_what_cannot_be_listed_is_one_clear_line(
    etc: Etc, home: Path, arguments: "list[str]", status: int, message: str
) -> None:
    done = list_for(etc, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert sorted(os.listdir(etc.path)) == ["group", "passwd"]
    assert not (home / "index").exists()


def test_a_home_that_is_the_root_directory_must_be_named(etc: Etc) -> None:
    etc.write("passwd", PASSWD.replace(":/home/dev:", ":/:"))
    done = list_for(etc, "dev", "-o", INDEX)
    assert done.returncode == 2
    assert "USER: 'dev' has no home to list; name a PATH" in done.stderr


@pytest.mark.usefixtures("home")
def test_the_group_that_is_named_counts_instead_of_the_accounts(etc: Etc) -> None:
    list_for(etc, "dev:video", "/home/dev/others", "-o", INDEX)
    assert listed(etc) == {"/home/dev/others": ["mine"]}


def test_only_root_lists() -> None:
    # difflib is what click imports later, from where only root may read.
    modules = "difflib, os, shlex, pyinit.ctl.commands"
    script = f"import {modules}; from pyinit.ctl.__main__ import main; os.seteuid(65534); main()"
    done = run(sys.executable, "-c", script, "index", "root", "-o", INDEX)
    assert (done.returncode, done.stderr) == (1, "Error: only root can see all that a user owns\n")


@pytest.mark.usefixtures("home")
def test_a_file_that_is_in_the_way_is_replaced_whole_and_nothing_else(etc: Etc) -> None:
    (etc.path / "pyinit.index").write_text("an old one")
    assert list_for(etc, "dev", "-o", INDEX).returncode == 0
    assert (etc.path / "pyinit.index").read_bytes().startswith(FIRST_LINE)
    for thing in things_that_are_no_files(etc.path):
        before = inode_of(thing)
        done = list_for(etc, "dev", "-o", f"/etc/{thing.name}")
        assert done.returncode and done.stderr.splitlines()[-1].startswith("Error: "), thing
        assert inode_of(thing) == before
    assert (etc.path / "target").read_text() == "precious" and not (etc.path / "nothing").exists()


@pytest.mark.usefixtures("home")
def test_a_disk_that_is_full_leaves_the_old_index_and_no_other(etc: Etc) -> None:
    """A limit on the size of files stands for the disk."""
    assert list_for(etc, "dev", "-o", INDEX).returncode == 0
    old = (etc.path / "pyinit.index").read_bytes()
    done = list_for(etc, "dev", "-o", INDEX, prepare="prlimit --pid $$ --fsize=10; export PYTHONDONTWRITEBYTECODE=1")
    assert (done.returncode, done.stderr) == (1, f"Error: --output: '{INDEX}': File too large\n")
    assert (etc.path / "pyinit.index").read_bytes() == old
    assert sorted(os.listdir(etc.path)) == ["group", "passwd", "pyinit.index"]


def test_help_says_what_it_is_for() -> None:
    assert "for `pyinit --own-index`" in " ".join(CliRunner().invoke(pyinitctl, ["index", "--help"]).output.split())


# ---- The format


def components() -> "st.SearchStrategy[str]":
    names = st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"/", b"\n").replace(b"\0", b"\\"))
    return names.filter(lambda name: name not in (b".", b"..")).map(os.fsdecode)


def paths() -> "st.SearchStrategy[str]":
    return st.lists(components(), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.tuples(paths(), st.lists(st.just(".") | paths(), min_size=1, max_size=5)), max_size=3))
def test_what_is_written_is_what_is_read(trees: "list[tuple[str, list[str]]]") -> None:
    lines = [escape(line) for root, names in trees for line in ("/" + root, *names)]
    assert all(line.count(b"\n") == 1 for line in lines)
    read = entries(io.BytesIO(FIRST_LINE + b"".join(lines)), INDEX)
    assert list(read) == [("/" + root, name) for root, names in trees for name in names]


LINES = st.lists(st.sampled_from([b"/", b".", b"..", b"a", b"\\", b"\\134", b"\\000", b"\n", b"\0", b"\xff"])).map(
    b"".join
)


@given(LINES | st.binary(max_size=40), st.booleans())
def test_whatever_is_read_leads_nowhere_else(content: bytes, begun: bool) -> None:
    content = FIRST_LINE + (b"/home/dev\n" if begun else b"") + content
    for root, name in read_until_wrong(content):
        assert root.startswith("/")
        assert name == "." or not {"", ".", ".."} & set(name.split("/"))
        assert "\0" not in root + name


def read_until_wrong(content: bytes) -> "Iterator[tuple[str, str]]":
    try:
        yield from entries(io.BytesIO(content), INDEX)
    except Fatal as error:
        assert error.status == 2
        assert re.search(r": line \d+: ", error.message)
