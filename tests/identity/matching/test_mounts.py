"""Mounts: a walk stays on its own, however the others are told."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.reown import EITHER, NEW, OLD, command, in_mount_namespace, make, overlay, owner, owners

pytestmark = pytest.mark.usefixtures("require_root")


@EITHER
def test_f34_other_mounts_are_not_entered(tree: Path, tmp_path: Path, setup: str) -> None:
    outside = make(tmp_path / "outside")
    make(outside / "a.txt")
    for name in ("tmpfs", "bound", "with space\nand line\r\x85"):
        make(tree / "sub" / name)
    prepare = f"""
        cd {tree}/sub
        mount -t tmpfs none tmpfs
        touch tmpfs/x; chown -R {OLD}:{OLD} tmpfs
        mount --bind {outside} bound
        mount --bind {outside} "$(printf 'with space\\nand line\\r\\302\\205')"
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
    parent, name = paths.open_parent(sys.argv[5])
    walk = walk.Walk(sys.argv[5], posix.open(name, paths.OPEN_DIRECTORY, dir_fd=parent), change, lambda count: None)
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


def test_f35_a_single_file_of_another_file_system_that_is_named_is_changed(tree: Path) -> None:
    prepare = f"""
        mount -t tmpfs none {tree}/other
        touch {tree}/other/x; chown {OLD}:{OLD} {tree}/other/x
        mount --bind {tree}/other/x {tree}/a.txt
        "$@"
        stat -c '%u' {tree}/other/x
        exit
    """
    assert in_mount_namespace(prepare, command(tree / "a.txt")).output.split() == ["1", "1", "0", str(NEW)]


WITHOUT_PROC = "mount -t tmpfs none /proc"


def test_f34_without_proc_what_may_be_another_mount_is_left_and_counted(tree: Path) -> None:
    """A file among what root alone can write is one, too."""
    make(tree / "roots", 0, 0)
    make(tree / "roots/mounted.txt")
    prepare = f"""
        mount -t tmpfs none {tree}/other
        touch {tree}/other/x; chown -R {OLD}:{OLD} {tree}/other
        mount --bind {tree}/other/x {tree}/a.txt
        mount --bind {tree}/other/x {tree}/roots/mounted.txt
        {WITHOUT_PROC}
        "$@"
        stat -c '%u' {tree}/other {tree}/other/x
        exit
    """
    result = in_mount_namespace(prepare, command(tree))
    assert result.output.split() == ["9", "5", "3", str(OLD), str(OLD)], result.messages
    assert "without /proc nobody can tell which mount it is on" in result.messages


LIST = """
        "$@"
        find {} -printf '%P %U:%G\n' | sort
        exit
    """


@EITHER
def test_f115_files_on_an_overlay_of_several_file_systems_follow(tree: Path, tmp_path: Path, setup: str) -> None:
    (tree / "link").symlink_to("nowhere")
    os.lchown(tree / "link", OLD, OLD)
    make(tree / "roots", 0, 0)
    make(tree / "roots/x.txt")
    outside = make(tmp_path / "outside")
    make(outside / "a.txt")
    mounts = f"mount --bind {outside} {tree}/other; mount --bind {outside}/a.txt {tree}/sub/b.txt"
    prepare = overlay(tree, tmp_path / "below") + mounts + LIST.format(tree)
    first, *found = in_mount_namespace(prepare, command(tree, setup=setup)).output.splitlines()
    assert first.endswith(" 8 0")  # a worker may look again at what another's change has given another inode
    owners_now = {name: int(ids.partition(":")[0]) for name, _, ids in (line.rpartition(" ") for line in found)}
    mounted = dict.fromkeys(("other", "other/a.txt", "sub/b.txt"), OLD)
    assert owners_now == {**dict.fromkeys(owners_now, NEW), **mounted, "roots": 0, "sub/roots.txt": 0}
    assert owners(outside) == {(OLD, OLD)}


def test_f115_a_single_file_on_such_an_overlay_follows(tree: Path, tmp_path: Path) -> None:
    prepare = overlay(tree, tmp_path / "below") + LIST.format(tree)
    output = in_mount_namespace(prepare, command(tree / "sub/b.txt", tree / "upper")).output
    assert output.startswith("2 2 0\n")
    assert f"sub/b.txt {NEW}:{NEW}" in output
    assert f"upper {NEW}:{NEW}" in output


def test_f115_what_cannot_be_told_without_proc_is_no_success(tree: Path, tmp_path: Path) -> None:
    prepare = overlay(tree, tmp_path / "below") + WITHOUT_PROC + LIST.format(tree)
    assert in_mount_namespace(prepare, command(tree)).output.startswith("10 4 5\n"), "directories; files but root's"


def test_f115_a_subvolume_of_btrfs_follows(tmp_path: Path) -> None:
    """It has another st_dev, and is no mount."""
    for tool in ("mkfs.btrfs", "btrfs"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    prepare = f"""
        cd {tmp_path}; truncate -s 200M image; mkfs.btrfs -q image >/dev/null; mkdir mnt; mount -o loop image mnt
        mkdir mnt/tree; btrfs subvolume create mnt/tree/volume >/dev/null; mkdir mnt/tree/volume/below mnt/tree/bound
        touch mnt/tree/volume/below/a.txt; chown -R {OLD}:{OLD} mnt/tree; mount --bind mnt/tree/volume mnt/tree/bound
    """
    tree = tmp_path / "mnt/tree"
    assert in_mount_namespace(prepare + LIST.format(tree), command(tree)).output.startswith("4 4 0\n")
