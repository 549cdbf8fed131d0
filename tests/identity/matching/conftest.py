"""Trees that are re-owned. What changes owners has to be root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.reown import make


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
