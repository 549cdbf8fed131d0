"""What `pyinitctl doctor` looks at on a mount: all that is on it, and nothing that is mounted there."""

import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY, require_namespaces
from tests.support.reown import in_mount_namespace, make, overlay

WALK = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pyinit.ctl.doctor.files import Files
print(*sorted(entry.path for entry in Files(os.getpid(), True).walk(sys.argv[1])), sep="\\n")
"""

MOUNTS = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pyinit.ctl.doctor.files import Files
files = Files(os.getpid(), True)
print(*(ascii(each.path) for each in files.mounts() if each.path.startswith(sys.argv[1])), sep="\\n")
print(*(ascii(each.path) for each in files.walk(sys.argv[1])), sep="\\n")
"""


def test_files_of_every_layer_of_an_overlay_are_looked_at_and_other_mounts_are_not(tmp_path: Path) -> None:
    """Its files have another st_dev than its directories if the layers are on different file systems."""
    require_namespaces()
    tree = tmp_path / "tree"
    for name in ("a.txt", "sub/b.txt", "mounted.txt", "other/c.txt"):
        make(tree / name)
    make(tmp_path / "outside/d.txt")
    mounts = f"mount --bind {tmp_path}/outside {tree}/other; mount --bind {tree}/a.txt {tree}/mounted.txt"
    result = in_mount_namespace(overlay(tree, tmp_path / "below") + mounts, [sys.executable, "-c", WALK, str(tree)])
    expected = [f"{tree}/{name}" for name in ("a.txt", "sub", "sub/b.txt", "upper")]
    assert result.output.splitlines() == expected, result.messages


@pytest.mark.parametrize("blank", ["\f", "\v", "\r", "\x1c", "\x85", "\xa0", "\u2028", "\u3000"], ids=ascii)
def test_a_mount_is_seen_whatever_its_path_has_that_looks_like_a_blank(blank: str, tmp_path: Path) -> None:
    """The kernel escapes its own separators alone; Unicode knows more of them."""
    require_namespaces()
    source, target = tmp_path / f"from{blank}there", tmp_path / f"to{blank}here"
    make(source / "a.txt")
    make(target)
    result = in_mount_namespace(f"mount --bind '{source}' '{target}'", [sys.executable, "-c", MOUNTS, str(tmp_path)])
    assert result.output.splitlines() == [ascii(str(target)), ascii(str(source)), ascii(f"{source}/a.txt")], (
        result.messages
    )
