"""Re-owning whole trees: what changes, what never may, and what is said."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.reown import (
    ALWAYS_WORKERS,
    EITHER,
    INTERPRETERS,
    NEW,
    NO_WORKERS,
    OLD,
    ONCE,
    OTHER,
    command,
    in_mount_namespace,
    make,
    owner,
    owners,
    reown,
    run,
)

pytestmark = pytest.mark.usefixtures("require_root")


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
    assert result.counts == (1, 1, 1), "what it names has not followed"
    assert "a symbolic link is not followed" in result.messages
    assert owner(link) == (NEW, NEW)
    assert owners(tree) == {(OLD, OLD), (0, 0)}


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


def test_nothing_that_takes_long_is_imported(tree: Path) -> None:
    result = reown(tree, action=ONCE + "; print(*sys.modules)", setup=ALWAYS_WORKERS)
    assert not {"os", "re", "typing", "stat", "pathlib", "signal", "subprocess"} & set(result.output.split())
