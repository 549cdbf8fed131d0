"""The walk itself: any depth, its shares, and others who change the tree meanwhile."""

import os
import subprocess
from pathlib import Path

import pytest

from pyinit.identity.matching import walk
from pyinit.identity.matching.walk import Change, Count, Walk
from tests.support.reown import (
    ALWAYS_WORKERS,
    EITHER,
    INTERPRETERS,
    NEW,
    NO_WORKERS,
    OLD,
    command,
    make,
    owner,
    owners,
    reown,
    run,
)

pytestmark = pytest.mark.usefixtures("require_root")


def test_a_change_that_changes_nothing_is_false_and_others_say_what_they_do() -> None:
    assert not Change()
    assert not Change(old_uid=5, new_uid=5, old_gid=-1, new_gid=-1)
    assert Change(old_uid=0, new_uid=5)
    assert str(Change(1000, 1001, 1000, 100)) == "UID 1000 to 1001, GID 1000 to 100"
    assert str(Change(old_gid=7, new_gid=8)) == "GID 7 to 8"


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
            count = trees.reown([walk.Tree(tree, change)], log, workers)
            count.add(trees.reown([walk.Tree(tree, back)], log, workers))
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

LISTED = "trees.reown = lambda named, log, _: index.reown({index!r}, named[0].change, log)"


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
            count = trees.reown(named, log, workers)
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

    monkeypatch.setattr(walk, "_DIRECTORIES_A_REPORT", 1)
    pass_over = Walk(str(top), os.open(top, os.O_RDONLY), Change(OLD, NEW, OLD, NEW), report)
    pass_over.run()
    pass_over.close()
    assert not moved.exists()
    assert pass_over.count.failed == 1
    assert pass_over.count.failure.endswith("moved away while it was walked")
    assert owner(outside) == owner(outside / "after") == owner(outside / "after/a.txt") == (OLD, OLD)
    assert owner(top / "after") == (NEW, NEW)


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


SWAPS = """
    import os
    tree = os.fsencode(sys.argv[5])
    kept = os.open(tree + b"/roots.txt", os.O_RDONLY)
    attacker = os.fork()
    if not attacker:
        while True:
            os.rename(tree + b"/mine.txt", tree + b"/aside.txt")
            os.rename(tree + b"/roots.txt", tree + b"/mine.txt")
            os.rename(tree + b"/mine.txt", tree + b"/roots.txt")
            os.rename(tree + b"/aside.txt", tree + b"/mine.txt")
    try:
        for _ in range(1000):
            trees.reown([walk.Tree(tree, change)], log, workers)
            trees.reown([walk.Tree(tree, back)], log, workers)
            assert os.fstat(kept).st_uid == 0
    finally:
        os.kill(attacker, 9)
        os.waitpid(attacker, 0)
    print("kept")
"""


@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_f65_a_file_of_roots_that_is_renamed_into_the_place_of_another_stays_roots(tmp_path: Path, mode: int) -> None:
    tree = make(tmp_path / "tree")
    tree.chmod(mode)
    make(tree / "mine.txt")
    make(tree / "roots.txt", 0, 0)
    result = reown(tree, setup=NO_WORKERS, action=SWAPS)
    assert (result.status, result.output) == (0, "kept\n"), result.messages


def test_f65_without_a_proc_it_is_changed_by_descriptor_too(tree: Path) -> None:
    (tree / "link").symlink_to("nowhere")
    os.lchown(tree / "link", OLD, OLD)
    assert reown(tree, setup="walk.proc.is_ours = lambda: False").counts == (10, 9, 0)
    assert owner(tree / "link") == (NEW, NEW)
