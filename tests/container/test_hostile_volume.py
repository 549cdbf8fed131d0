"""A volume that two containers share: one swaps links in while pyinit re-owns it in the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

ROUNDS = 60

# The same file system as the tree, so that nothing but the links keeps pyinit out of it. Each round changes one number
# to the other: whichever is the old one, a file of it is waiting outside.
RE_OWN = f"""
set -e
useradd --no-create-home dev
/pyinit -u dev --match 2000:2000 --own /shared/tree -- true
round=0
while [ $round -lt {ROUNDS} ]; do
    id=$((2001 - round % 2))
    /pyinit -u dev --match $id:$id --own /shared/tree -- true
    owners=$(cd /shared/outside; stat -c %u:%g 2000 2001 below/2000 below/2001)
    if [ "$(echo $owners)" != "2000:2000 2001:2001 2000:2000 2001:2001" ]; then
        echo "after round $round: $owners"
        exit 9
    fi
    round=$((round + 1))
done
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    shared = tmp_path / "shared"
    for directory in ("outside/below", "tree/directory/below", "tree/deep/below"):
        (shared / directory).mkdir(parents=True)
        for number in (2000, 2001):
            for place in (shared / directory, (shared / directory).parent):
                (place / str(number)).touch()
                os.chown(place / str(number), number, number)
    (shared / "tree/file").touch()
    (shared / "tree/file.link").symlink_to("../outside/2000")
    (shared / "tree/directory.link").symlink_to("../outside")
    (shared / "tree/deep/below.link").symlink_to("../../outside/below")
    return shared


def test_f38_nothing_outside_changes_while_another_container_swaps_links_in(
    containers: Containers, shared: Path
) -> None:
    def swaps() -> int:
        return int((shared / "swaps").read_text() or 0)

    options = ("--volume", f"{shared}:/shared")
    hostile = containers.start("python3", "/programs/swap_links.py", "/shared/tree", "/shared/swaps", options=options)
    hostile.wait_for_line("swapping")
    wait_until(lambda: swaps() > 0, "the first swap")
    before = swaps()
    finished = containers.run("sh", "-c", RE_OWN, init=None, options=options, seconds=150)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert hostile.is_running()
    assert swaps() - before > ROUNDS
