"""Paths: how one is followed, and how it is shown."""

import ast
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyinit.kernel import paths
from tests.support import REPOSITORY
from tests.support.reown import NEW, OLD, command, make, owner, reown, run

pytestmark = pytest.mark.usefixtures("require_root")


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
    assert ("others than root can have put there is not followed" in result.messages) is not followed


# Opens a link again and again, while its place is taken now by one of root's, which leads to nothing, and now by a
# user's own, which leads to what only root may read. Says how often which was refused, and what was read.
SWAPS = """
import os, sys
from pyinit.kernel import paths
volume = sys.argv[1]
found = {}
child = os.fork()
while not child:
    for name in ("roots", "users"):
        os.link(f"{volume}/open/{name}", f"{volume}/aside", follow_symlinks=False)
        os.rename(f"{volume}/aside", f"{volume}/link")
try:
    for _ in range(4000):
        try:
            descriptor = paths.open_as_root(f"{volume}/link/token", os.O_RDONLY)
        except OSError as error:
            why = error.strerror
        else:
            why = os.read(descriptor, 99).decode()
            os.close(descriptor)
        found[why] = found.get(why, 0) + 1
finally:
    os.kill(child, 9)
print(found)
"""


def test_a_link_is_roots_in_what_it_says_too(tmp_path: Path) -> None:
    """What is read of a link and whose it is are the same link's, however often another takes its place."""
    for name, mode in (("secrets", 0o700), ("volume", 0o1777), ("volume/open", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    (tmp_path / "secrets/token").write_text("private")
    (tmp_path / "volume/open/roots").symlink_to("nowhere")
    (tmp_path / "volume/open/users").symlink_to(tmp_path / "secrets")
    os.chown(tmp_path / "volume/open/users", OLD, OLD, follow_symlinks=False)
    mounted = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$0" && exec "$@"', str(tmp_path / "volume")]
    command = [*mounted, sys.executable, "-c", SWAPS, str(tmp_path / "volume")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout)
    assert found.keys() <= {"No such file or directory", paths._NOT_FOLLOWED}


def test_links_on_the_way_that_go_in_circles_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    assert "Not a directory" in reown(tmp_path / "circle/tree").messages


def test_a_path_in_a_message_is_short(tmp_path: Path) -> None:
    top = make(tmp_path / "tree")
    deepest = top.joinpath(*itertools.repeat("x" * 200, 10))
    make(deepest)
    result = run(["setpriv", "--bounding-set", "-chown", *command(top)])
    assert result.counts[2] == 11
    assert len(result.messages) < 1000
