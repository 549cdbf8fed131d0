"""Fixtures of the container tests: the engine, its base image, pyinit's file, and one test's containers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, Containers, Podman, base_image, last_line, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """The engine; without one the tests skip, or fail where containers are required."""
    for program in ("podman", "runc"):
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    engine = Podman(tmp_path_factory.mktemp("podman"))
    tried = engine("info", check=False)
    if tried.returncode != 0:
        unavailable(f"podman does not work: {last_line(tried.stderr)}")
    return engine


@pytest.fixture(scope="session")
def image(podman: Podman) -> str:
    """The base image, seen to run: that needs root or user namespaces, cgroups and an overlay."""
    name = base_image(podman)
    tried = podman("run", "--rm", name, "true", check=False)
    if tried.returncode != 0:
        unavailable(f"podman cannot run a container: {last_line(tried.stderr)}")
    return name


@pytest.fixture(scope="session")
def zipapp_for_containers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pyinit's one file, built for the base image's interpreter."""
    file = tmp_path_factory.mktemp("zipapp") / "pyinit"
    command = [sys.executable, "-m", "pyinit.ctl", "build", "-o", str(file), "--python", "/usr/bin/python3"]
    built = subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    if built.returncode != 0:
        pytest.fail(f"{' '.join(command)}: status {built.returncode}\n{built.stderr}")
    return file


@pytest.fixture
def containers(podman: Podman, image: str, zipapp_for_containers: Path) -> Iterator[Containers]:
    """This test's containers; they are removed when it ends, however it ends."""
    made = Containers(podman, image, zipapp_for_containers)
    try:
        yield made
    finally:
        made.remove()
