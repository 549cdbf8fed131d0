"""Re-owning trees: what changes, what never may, and how it ends. Run as root, in processes of their own."""

import contextlib
import itertools
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinit.identity import own
from pyinit.identity.own import Change, Count, Walk
from tests.support import DEADLINE, REPOSITORY, children, interpreters, state, wait_until

OLD, NEW, OTHER = 61000, 62000, 63000  # of nobody on any machine

INTERPRETERS = interpreters()
MOUNT_NAMESPACE = ["unshare", "--mount", "--propagation", "private"]

# Blocks the signals as pyinit's boot does, runs `action`, and ends as pyinit would. {} is set-up of the test.
DRIVER = """
import _signal, posix, sys, time
sys.path.insert(0, {repository!r})
_signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
from pyinit.identity import own
from pyinit.log import Fatal, Log
change = own.Change(*map(int, sys.argv[1:5]))
back = own.Change(*[int(sys.argv[1:5][at]) for at in (1, 0, 3, 2)])
trees = [own.Tree(path, change) for path in map(own.encode, sys.argv[5:])]
log, workers = Log(), 2
try:
    {setup}
    {action}
except Fatal as error:
    log.error(error.message)
    posix._exit(error.status)
"""
ONCE = "count = own.reown(trees, log, workers); print(count.looked_at, count.changed, count.failed)"
ALWAYS_WORKERS = "own._ENTRIES_WITHOUT_WORKERS = 0; own._ENTRIES_A_REPORT = own._DIRECTORIES_A_REPORT = 1"
FOR_EVER = f"""
    {ALWAYS_WORKERS}
    run = own.Walk.run
    def run_for_ever(walk):
        while True:
            run(walk)
    own.Walk.run = run_for_ever
"""
NO_WORKERS = "own._ENTRIES_WITHOUT_WORKERS = own._SECONDS_WITHOUT_WORKERS = 10**9"
EITHER = pytest.mark.parametrize("setup", [NO_WORKERS, ALWAYS_WORKERS], ids=["alone", "workers"])

Ids = "tuple[int, int] | None"


@pytest.fixture(autouse=True)
def require_root() -> None:
    if os.geteuid() == 0:
        return
    if os.environ.get("PYINIT_REQUIRE_CONTAINERS") == "1":
        pytest.fail("changing owners needs root")
    pytest.skip("changing owners needs root")


def command(
    *paths: "os.PathLike[str]",
    uid: "tuple[int, int]" = (OLD, NEW),
    gid: "tuple[int, int]" = (OLD, NEW),
    setup: str = "pass",
    action: str = ONCE,
    python: str = sys.executable,
) -> "list[str]":
    script = DRIVER.format(repository=str(REPOSITORY), setup=setup, action=action)
    return [python, "-ISc", script, *map(str, (*uid, *gid)), *map(os.fspath, paths)]


class Result:
    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.status = done.returncode
        self.output = done.stdout.decode(errors="replace")
        self.messages = done.stderr.decode(errors="replace")

    @property
    def counts(self) -> "tuple[int, ...]":
        """Looked at, changed, failed."""
        assert self.status == 0, self.messages
        return tuple(map(int, self.output.split()))


def run(words: "list[str]") -> Result:
    return Result(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE))


def reown(*paths: "os.PathLike[str]", **options: object) -> Result:
    return run(command(*paths, **options))  # type: ignore[arg-type]


def in_mount_namespace(prepare: str, words: "list[str]") -> Result:
    """Run a command after a shell has mounted things that nobody else sees."""
    return run([*MOUNT_NAMESPACE, "sh", "-ec", f'{prepare}\nexec "$@"', "sh", *words])


def make(path: Path, uid: int = OLD, gid: int = OLD) -> Path:
    """A file if the name ends in .txt, otherwise a directory; and the directories above it that are missing."""
    if not path.parent.exists():
        make(path.parent, uid, gid)
    if path.suffix == ".txt":
        path.write_bytes(b"")
    else:
        path.mkdir()
    os.chown(path, uid, gid)
    return path


def owner(path: Path) -> "tuple[int, int]":
    status = path.lstat()
    return status.st_uid, status.st_gid


def owners(path: Path) -> "set[tuple[int, int]]":
    """All owners in a tree, of any depth. find(1) knows no limit."""
    listed = subprocess.run(["find", path, "-printf", "%U %G\n"], capture_output=True, check=True, text=True).stdout
    return {(int(uid), int(gid)) for uid, gid in map(str.split, listed.splitlines())}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree that the old IDs own, and something of root's in it."""
    tree = make(tmp_path / "tree")
    for name in ("a.txt", "sub/b.txt", "sub/deeper/c.txt", "other/d.txt"):
        make(tree / name)
    make(tree / "sub/roots.txt", 0, 0)
    return tree


@pytest.fixture(scope="session")
def in_memory() -> "Iterator[Path]":
    """A directory for trees of many entries, which a disk would take seconds to make."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as directory:
        yield Path(directory)
        subprocess.run(["rm", "-rf", directory], check=True)  # deeper than Python goes
        os.mkdir(directory)


@pytest.fixture(scope="session")
def large(in_memory: Path) -> Path:
    """A tree of 100,000 names in one directory, most of them hard links."""
    directory = make(in_memory / "large")
    for number in range(100):
        first = str(make(directory / f"{number}.txt"))
        for again in range(1, 1000):
            os.link(first, f"{directory}/{number}.{again}.txt")
    return directory


# ---- What changes


@EITHER
@pytest.mark.parametrize("version", INTERPRETERS)
def test_f32_the_tree_of_the_old_ids_gets_the_new_ones(tree: Path, version: str, setup: str) -> None:
    result = reown(tree, python=INTERPRETERS[version], setup=setup)
    assert result.counts == (9, 8, 0)
    assert result.messages == ""
    assert owner(tree / "sub/roots.txt") == (0, 0)
    (tree / "sub/roots.txt").unlink()
    assert owners(tree) == {(NEW, NEW)}


@EITHER
def test_f32_a_tree_that_already_matches_is_left_alone(tree: Path, setup: str) -> None:
    reown(tree)
    changed = {path: path.lstat().st_ctime_ns for path in tree.rglob("*")}
    assert reown(tree, setup=setup).counts == (9, 0, 0)
    assert {path: path.lstat().st_ctime_ns for path in tree.rglob("*")} == changed


def test_f37_a_second_change_needs_no_more_than_the_first(tree: Path) -> None:
    assert reown(tree).counts == (9, 8, 0)
    assert reown(tree, uid=(NEW, OTHER), gid=(NEW, OTHER)).counts == (9, 8, 0)
    assert owner(tree / "sub/deeper/c.txt") == (OTHER, OTHER)


def test_f36_what_an_interrupted_run_left_is_done_by_the_next(tree: Path) -> None:
    os.chown(tree, NEW, NEW)
    os.chown(tree / "sub", NEW, NEW)
    assert reown(tree).counts == (9, 6, 0)


@EITHER
def test_uid_and_gid_change_each_on_its_own(tree: Path, setup: str) -> None:
    mine_in_another_group = make(tree / "group.txt", OLD, OTHER)
    anothers_in_my_group = make(tree / "sub/user.txt", OTHER, OLD)
    directory = make(tree / "directory", OTHER, OLD)
    assert reown(tree, setup=setup).status == 0
    assert owner(mine_in_another_group) == (NEW, OTHER)
    assert owner(anothers_in_my_group) == (OTHER, NEW)
    assert owner(directory) == (OTHER, NEW)


@pytest.mark.parametrize("stays", [(-1, -1), (OLD, OLD)])
def test_a_kind_that_does_not_change_stays(tree: Path, stays: "tuple[int, int]") -> None:
    assert reown(tree, gid=stays).counts == (9, 8, 0)
    assert owner(tree / "a.txt") == (NEW, OLD)
    assert reown(tree, uid=stays).counts == (9, 8, 0)
    assert owner(tree / "a.txt") == (NEW, NEW)


def test_a_change_that_changes_nothing_is_false_and_others_say_what_they_do() -> None:
    assert not Change()
    assert not Change(old_uid=5, new_uid=5, old_gid=-1, new_gid=-1)
    assert Change(old_uid=0, new_uid=5)
    assert str(Change(1000, 1001, 1000, 100)) == "UID 1000 to 1001, GID 1000 to 100"
    assert str(Change(old_gid=7, new_gid=8)) == "GID 7 to 8"


@EITHER
def test_any_name_is_possible(tmp_path: Path, setup: str) -> None:
    top = os.fsencode(make(tmp_path / "tree"))
    names = [b"new\nline", b"\xff\xfe", b"-R", b" ", b"back\\slash", b"*", "ä".encode(), b"x" * 255, b"\x01"]
    for name in names:
        os.mkdir(os.path.join(top, b"d" + name[:254]))
        for path in (os.path.join(top, name), os.path.join(top, b"d" + name[:254], name)):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    subprocess.run(["chown", "-R", f"{OLD}:{OLD}", top], check=True)
    assert reown(tmp_path / "tree", setup=setup).counts == (1 + 3 * len(names), 1 + 3 * len(names), 0)
    assert owners(tmp_path / "tree") == {(NEW, NEW)}


def test_every_kind_of_file_is_changed(tmp_path: Path) -> None:
    top = make(tmp_path / "tree")
    os.mkfifo(top / "fifo")
    os.mknod(top / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(top / "socket", stat.S_IFSOCK | 0o600)
    (top / "link").symlink_to("nowhere")
    for path in top.iterdir():
        os.lchown(path, OLD, OLD)
    assert reown(top).counts == (5, 5, 0)
    assert owners(top) == {(NEW, NEW)}


@pytest.mark.parametrize("version", INTERPRETERS)
def test_five_thousand_levels_need_few_descriptors(in_memory: Path, version: str) -> None:
    top = make(in_memory / "deep")
    here = os.open(top, os.O_RDONLY)
    try:
        for _ in range(5000):
            for name in ("d", "sibling"):
                os.mkdir(name, dir_fd=here)
                os.chown(name, OLD, OLD, dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        result = run(["prlimit", "--nofile=60", *command(top, python=INTERPRETERS[version])])
        assert result.counts == (10001, 10001, 0)
        assert owners(top) == {(NEW, NEW)}
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", top], check=True)


def test_a_single_file_can_be_named(tree: Path) -> None:
    assert reown(tree / "sub/b.txt").counts == (1, 1, 0)
    assert owner(tree / "sub/b.txt") == (NEW, NEW)
    assert owner(tree / "sub") == (OLD, OLD)


def test_several_trees_are_counted_together(tree: Path) -> None:
    assert reown(tree / "sub", tree / "other").counts == (7, 6, 0)
    assert owner(tree) == (OLD, OLD)


def test_a_tree_that_is_missing_is_one_message(tree: Path) -> None:
    result = reown(tree / "missing", tree / "other")
    assert result.counts == (2, 2, 1)
    assert re.fullmatch(
        r"pyinit: .*1 not possible, the first: .*/missing: No such file or directory\n", result.messages
    )


# ---- What never may change


@EITHER
def test_f38_a_symbolic_link_is_changed_itself_and_not_followed(tree: Path, tmp_path: Path, setup: str) -> None:
    outside = make(tmp_path / "outside")
    secret = make(outside / "secret.txt", 0, 0)
    mine = make(outside / "mine.txt")
    links = [tree / "to_file", tree / "sub/to_mine", tree / "to_directory", tree / "sub/up"]
    for link, target in zip(links, (secret, mine, outside, Path(".."))):
        link.symlink_to(target)
        os.lchown(link, OLD, OLD)
    assert reown(tree, setup=setup).counts == (13, 12, 0)
    assert [owner(link) for link in links] == [(NEW, NEW)] * 4
    assert (owner(secret), owner(mine), owner(outside)) == ((0, 0), (OLD, OLD), (OLD, OLD))


def test_f38_a_tree_that_is_a_symbolic_link_is_not_followed(tree: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tree)
    os.lchown(link, OLD, OLD)
    result = reown(link)
    assert result.counts == (1, 1, 0)
    assert "a symbolic link is not followed" in result.messages
    assert owner(link) == (NEW, NEW)
    assert owners(tree) == {(OLD, OLD), (0, 0)}


@pytest.mark.parametrize("links_owner, mode, followed", [(0, 0o755, True), (0, 0o777, False), (OLD, 0o755, False)])
def test_f38_a_link_on_the_way_is_followed_only_where_root_alone_writes(
    tmp_path: Path, links_owner: int, mode: int, followed: bool
) -> None:
    target = make(tmp_path / "target")
    file = make(target / "tree/a.txt")
    place = make(tmp_path / "place", links_owner, 0)
    place.chmod(mode)
    (place / "link").symlink_to("../target/.")
    result = reown(place / "link/tree")
    assert owner(file) == ((NEW, NEW) if followed else (OLD, OLD))
    assert ("Not a directory" in result.messages) is not followed


def test_links_on_the_way_that_go_in_circles_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    assert "Not a directory" in reown(tmp_path / "circle/tree").messages


def test_what_a_user_has_linked_in_is_changed_once(tree: Path, tmp_path: Path) -> None:
    secret = make(tmp_path / "secret.txt", 0, 0)
    mine = make(tmp_path / "mine.txt")
    os.link(secret, tree / "secret.txt")
    for number in range(10):
        os.link(mine, tree / f"{number}.txt")
    assert reown(tree, setup=ALWAYS_WORKERS).counts == (20, 9, 0)
    assert owner(secret) == (0, 0)
    assert owner(mine) == (NEW, NEW)


def test_set_user_id_bits_are_not_revived(tree: Path) -> None:
    program = make(tree / "program.txt")
    program.chmod(0o6755)
    (tree / "sub").chmod(0o2755)
    assert reown(tree).status == 0
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert stat.S_IMODE((tree / "sub").stat().st_mode) == 0o2755  # a directory's is no danger: files get its group


@EITHER
def test_f34_other_mounts_are_not_entered(tree: Path, tmp_path: Path, setup: str) -> None:
    outside = make(tmp_path / "outside")
    make(outside / "a.txt")
    for name in ("tmpfs", "bound", "with space\nand line"):
        make(tree / "sub" / name)
    prepare = f"""
        cd {tree}/sub
        mount -t tmpfs none tmpfs
        touch tmpfs/x; chown -R {OLD}:{OLD} tmpfs
        mount --bind {outside} bound
        mount --bind {outside} "$(printf 'with space\\nand line')"
        mount --bind {outside}/a.txt b.txt
        "$@"
        stat -c '%u' tmpfs tmpfs/x
        exit
    """
    result = in_mount_namespace(prepare, command(tree, setup=setup))
    assert result.output.split() == ["8", "7", "0", str(OLD), str(OLD)], result.messages
    assert owners(outside) == {(OLD, OLD)}
    assert owner(tree / "sub/b.txt") == (OLD, OLD)  # under a mount


def test_f34_a_mount_that_is_moved_with_its_directory_is_recognised(tree: Path, tmp_path: Path) -> None:
    """Another mount namespace can rename what is above our mount points: their old paths tell nothing then."""
    outside = make(tmp_path / "outside")
    make(outside / "a.txt")
    make(tmp_path / "beside/point")
    make(tree / "x/directory")
    make(tree / "x/file.txt")
    action = f"""
    parent, name = own.open_parent(sys.argv[5])
    walk = own.Walk(sys.argv[5], posix.open(name, own.DIRECTORY, dir_fd=parent), change, lambda count: None)
    posix.rename({str(tree / "x")!r}, {str(tree / "y")!r})
    posix.rename({str(tmp_path / "beside")!r}, {str(tree / "z")!r})
    walk.run()
    """
    prepare = f"""
        mount --bind {outside} {tree}/x/directory
        mount --bind {outside}/a.txt {tree}/x/file.txt
        mount --bind {outside} {tmp_path}/beside/point
    """
    assert in_mount_namespace(prepare, command(tree, action=action)).status == 0
    assert owner(tree / "y") == owner(tree / "z") == (NEW, NEW)
    assert owners(outside) == {(OLD, OLD)}


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_f35_a_mount_that_is_named_is_changed(tree: Path, tmp_path: Path, kind: str) -> None:
    volume = make(tmp_path / "volume")
    make(volume / "a.txt")
    make(tree / "sub/volume")
    if kind == "directory":
        prepare, named, changed = f"mount --bind {volume} {tree}/sub/volume", tree / "sub/volume", volume
    else:
        prepare, named, changed = f"mount --bind {volume}/a.txt {tree}/a.txt", tree / "a.txt", volume / "a.txt"
    assert in_mount_namespace(prepare, command(named)).status == 0
    assert owners(changed) == {(NEW, NEW)}
    assert owner(tree) == (OLD, OLD)


@EITHER
def test_f34_a_read_only_tree_is_one_message_and_no_failure(tree: Path, setup: str) -> None:
    prepare = f"mount --bind {tree} {tree}; mount -o remount,ro,bind {tree}"
    result = in_mount_namespace(prepare, command(tree, setup=setup))
    assert result.counts == (9, 0, 8)
    assert re.fullmatch(
        rf"pyinit: re-owning {tree}: 8 not possible, the first: {tree}(/.*)?: Read-only file system\n", result.messages
    )


def test_f34_missing_privilege_is_one_message_and_no_failure(tree: Path) -> None:
    result = run(["setpriv", "--bounding-set", "-chown", *command(tree)])
    assert result.counts == (9, 0, 8)
    assert result.messages.count("\n") == 1
    assert "Operation not permitted" in result.messages


def test_without_proc_the_device_still_tells_mounts(tree: Path) -> None:
    prepare = f"mount -t tmpfs none {tree}/other; chown {OLD}:{OLD} {tree}/other; mount -t tmpfs none /proc"
    assert in_mount_namespace(prepare, command(tree)).counts == (7, 6, 0)


# ---- While others change the tree

HOSTILE = """
    import ctypes, mmap, os
    tree, outside = os.fsencode(sys.argv[5]), os.fsencode(sys.argv[5]) + b".outside"
    exchange = ctypes.CDLL(None).renameat2
    swaps = mmap.mmap(-1, 8)
    hostile = os.fork()
    if not hostile:
        number = 0
        while True:
            for name in (b"/directory", b"/file", b"/directory/below"):
                exchange(-100, tree + name, -100, tree + name + b".link", 2)  # RENAME_EXCHANGE
            os.rename(tree + b"/directory", tree + b"/renamed")
            os.rename(tree + b"/renamed", tree + b"/directory")
            number += 1
            swaps[:] = number.to_bytes(8, "little")
    rounds = 0
    try:
        while rounds < {rounds} or int.from_bytes(swaps[:], "little") < {rounds}:
            count = own.reown([own.Tree(tree, change)], log, workers)
            count.add(own.reown([own.Tree(tree, back)], log, workers))
            assert not count.failed, count.failure
            rounds += 2
            found = [os.lstat(os.path.join(at, name)) for at, *names in os.walk(outside) for name in sum(names, [b"."])]
            owners = set((status.st_uid, status.st_gid) for status in found)
            assert owners == set([(change.old_uid, change.old_gid)]), (rounds, owners)
    finally:
        os.kill(hostile, 9)
        os.waitpid(hostile, 0)
    print(rounds)
"""


LISTED = "own.reown = lambda trees, log, _: own.reown_listed({index!r}, trees[0].change, log)"


@pytest.mark.parametrize(
    "setup, rounds", [(NO_WORKERS, 2000), (ALWAYS_WORKERS, 100), (LISTED, 2000)], ids=["alone", "workers", "listed"]
)
def test_f38_nothing_outside_changes_while_somebody_swaps_links_in(tmp_path: Path, setup: str, rounds: int) -> None:
    tree, outside = make(tmp_path / "tree"), make(tmp_path / "tree.outside")
    for file in ("file.txt", "directory/a.txt", "directory/below/b.txt", "below/b.txt", "a.txt"):
        make(outside / file)
    for file in ("directory/a.txt", "directory/below/b.txt"):
        make(tree / file)
    make(tree / "file.txt").rename(tree / "file")
    (tree / "file.link").symlink_to(outside / "file.txt")
    (tree / "directory.link").symlink_to(outside)
    (tree / "directory/below.link").symlink_to(outside / "below")
    index = tmp_path / "index"
    index.write_text(f"pyinit index 1\n{tree}\n.\nfile\ndirectory\ndirectory/a.txt\ndirectory/below/b.txt\n")
    setup = setup.format(index=str(index))
    result = reown(tree, setup=setup, action=HOSTILE.replace("{rounds}", str(rounds)))
    assert result.status == 0, result.messages
    assert int(result.output) >= rounds


CREATES_AND_DELETES = """
    import os, shutil
    top = sys.argv[5]
    busy = os.fork()
    if not busy:
        while True:
            for number in range(50):
                os.makedirs(top + "/" + str(number) + "/below")
                os.chown(top + "/" + str(number), change.old_uid, change.old_gid)
                open(top + "/file" + str(number), "w").close()
                os.chown(top + "/file" + str(number), change.old_uid, change.old_gid)
            for number in range(50):
                shutil.rmtree(top + "/" + str(number))
                os.unlink(top + "/file" + str(number))
    try:
        for _ in range(300):
            count = own.reown(trees, log, workers)
            assert not count.failed, count.failure
    finally:
        os.kill(busy, 9)
        os.waitpid(busy, 0)
"""


@EITHER
def test_f34_entries_that_vanish_are_no_error(tmp_path: Path, setup: str) -> None:
    result = reown(make(tmp_path / "tree"), setup=setup, action=CREATES_AND_DELETES.replace("300", "100"))
    assert (result.status, result.messages) == (0, "")


def test_a_directory_that_was_moved_away_does_not_lead_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So far down that it is found through "..", which leads somewhere else after the move."""
    top = make(tmp_path / "tree")
    deep = [top.joinpath(*["d"] * depth) for depth in range(61)]
    for directory in deep:
        make(directory / "after")
    outside = make(tmp_path / "outside")
    make(outside / "after/a.txt")
    moved = deep[30]

    def report(_: Count) -> None:
        if moved.exists() and owner(deep[59]) == (NEW, NEW):  # the walk has come as far down as that
            moved.rename(outside / "d")

    monkeypatch.setattr(own, "_DIRECTORIES_A_REPORT", 1)
    walk = Walk(str(top), os.open(top, os.O_RDONLY), Change(OLD, NEW, OLD, NEW), report)
    walk.run()
    walk.close()
    assert not moved.exists()
    assert walk.count.failed == 1
    assert walk.count.failure.endswith("moved away while it was walked")
    assert owner(outside) == owner(outside / "after") == owner(outside / "after/a.txt") == (OLD, OLD)
    assert owner(top / "after") == (NEW, NEW)


# ---- Workers, signals, what is said


def test_f32_a_small_tree_starts_no_worker(tree: Path) -> None:
    assert reown(tree, setup="del posix.fork").counts == (9, 8, 0)


def test_f32_workers_share_a_large_tree(large: Path) -> None:
    subprocess.run(["chown", "-R", f"{OLD}:{OLD}", large], check=True)
    result = reown(large, setup="workers = 3; log.level = 2")
    looked_at, changed, failed = result.counts
    assert (looked_at, failed) == (100001, 0)
    assert changed == 101  # inodes, however many names they have
    assert f"re-owned {large}: 100001 entries looked at, 101 changed" in result.messages


@pytest.mark.parametrize("kind", ["files", "directories"])
def test_f32_memory_does_not_grow_with_the_tree(
    tmp_path: Path, in_memory: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "directories":
        large = make(in_memory / "wide")
        for number in range(20_000):
            os.mkdir(f"{large}/{number}")
    else:
        large = request.getfixturevalue("large")
    small = make(tmp_path / "small")
    for number in range(2000):
        make(small / f"{number}.txt")
    # man 5 proc_pid_status: VmHWM is the most that the process ever had, in kB.
    tell = "; print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    few, many = (int(reown(tree, setup=NO_WORKERS, action=ONCE + tell).output.split()[-1]) for tree in (small, large))
    assert many - few < 1024


@contextlib.contextmanager
def at_work(tree: Path) -> "Iterator[tuple[subprocess.Popen[bytes], list[int]]]":
    """A process that re-owns, and its workers, which never come to an end."""
    words = command(tree, setup=FOR_EVER)
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    workers: "list[int]" = []
    try:
        wait_until(lambda: len(children(process.pid)) == 2 or process.poll() is not None, "workers are there")
        workers = children(process.pid)
        yield process, workers
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)
        wait_until(lambda: not any(state(pid) not in ("", "Z") for pid in workers), "no worker is left")


@pytest.mark.parametrize("sent, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_f03_a_stop_ends_the_walk_and_its_workers(tree: Path, sent: int, status: int) -> None:
    with at_work(tree) as (process, workers):
        process.send_signal(sent)
        _, messages = process.communicate(timeout=DEADLINE)
        assert process.returncode == status
        assert b"ended by" in messages
        assert not any(state(pid) for pid in workers)


def test_f03_other_signals_stay_pending(large: Path) -> None:
    action = ONCE + "; print(int(_signal.SIGUSR1 in _signal.sigpending()), int(_signal.SIGHUP in _signal.sigpending()))"
    setup = "posix.kill(posix.getpid(), _signal.SIGUSR1); posix.kill(posix.getpid(), _signal.SIGHUP)"
    assert reown(large, action=action, setup=setup).counts[-2:] == (1, 1)


def test_f03_a_stop_that_came_before_is_honoured(tree: Path) -> None:
    result = reown(tree, setup="posix.kill(posix.getpid(), _signal.SIGTERM)")
    assert result.status == 143
    assert owner(tree) == (OLD, OLD)


def test_no_worker_outlives_a_parent_that_is_killed(tree: Path) -> None:
    with at_work(tree) as (process, workers):
        process.kill()
        process.wait(timeout=DEADLINE)
        wait_until(lambda: all(state(pid) in ("", "Z") for pid in workers), "the workers end")


def test_a_worker_that_dies_ends_the_start(tree: Path) -> None:
    """Otherwise the account would get IDs that part of its files do not have."""
    with at_work(tree) as (process, workers):
        os.kill(workers[0], signal.SIGKILL)
        _, messages = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
        assert b"a worker failed" in messages
        assert not any(state(pid) for pid in workers)


def test_f16_orphans_are_reaped_meanwhile(tree: Path) -> None:
    """A child that we know nothing of, as PID 1 has them; reown finds it whether it ends before or during the walk."""
    setup = "\n    for _ in range(3): posix.fork() or posix._exit(7)\n    " + ALWAYS_WORKERS
    action = ONCE + "\n    while True: time.sleep(0.01); own.Progress('', log).check(own.Count()); posix.waitpid(-1, 1)"
    result = reown(tree, setup=setup, action=action)
    assert "ChildProcessError" in result.messages
    assert result.output == "9 8 0\n"


@pytest.mark.parametrize("level, told", [(1, True), (0, False)])
def test_f32_progress_is_told_by_default(large: Path, level: int, told: bool) -> None:
    setup = f"log.level = {level}; own._FIRST_PROGRESS = own._PROGRESS_INTERVAL = 0.01"
    result = reown(large, setup=setup)
    lines = re.findall(rf"pyinit: re-owning {large}: \d+ entries looked at, \d+ changed\n", result.messages)
    assert bool(lines) is told


def test_nothing_that_takes_long_is_imported(tree: Path) -> None:
    result = reown(tree, action=ONCE + "; print(*sys.modules)", setup=ALWAYS_WORKERS)
    assert not {"os", "re", "typing", "stat", "pathlib", "signal", "subprocess"} & set(result.output.split())


def test_the_share_of_each_worker_makes_the_whole(tree: Path) -> None:
    shares = []
    for share in range(3):
        walk = Walk(str(tree), os.open(tree, os.O_RDONLY), Change(OLD, NEW), lambda _: None)
        walk.share, walk.shares = share, 3
        walk.run()
        walk.close()
        shares.append(walk.count)
    assert sum(count.looked_at for count in shares) == 9
    assert sum(count.changed for count in shares) == 8


def test_a_path_in_a_message_is_short(tmp_path: Path) -> None:
    top = make(tmp_path / "tree")
    deepest = top.joinpath(*itertools.repeat("x" * 200, 10))
    make(deepest)
    result = run(["setpriv", "--bounding-set", "-chown", *command(top)])
    assert result.counts[2] == 11
    assert len(result.messages) < 1000
