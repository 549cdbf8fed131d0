"""Fixtures of the container tests: the engine, its base image, pyinit's file, and one test's containers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .engines import PROGRAMS_OF, is_installed, shared_daemon, version
from .support import (
    REPOSITORY,
    Containers,
    Docker,
    Engine,
    Podman,
    base_image,
    built_image,
    last_line,
    unavailable,
    with_certificates,
)
from .typed import copy_of_the_repository

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that needs an engine runs with each of those that were asked for; by default, that are there."""
    if "engine" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engine")
    if chosen == "all":
        names = list(PROGRAMS_OF)
    elif chosen:
        names = [chosen]
    else:
        names = [name for name in PROGRAMS_OF if is_installed(name)] or ["podman"]
    metafunc.parametrize("engine", names, indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.only("podman", "has no pods")`: the other engine skips, saying what it has not."""
    chosen = (
        item.callspec.params.get("engine") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )
    for mark in item.iter_markers("only"):
        name, what = mark.args
        if chosen not in (None, name):
            pytest.skip(f"{version(chosen)} {what}")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine; without one the tests skip, or fail where containers are required."""
    for program in PROGRAMS_OF[request.param]:
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    if request.param == "docker":
        return shared_daemon().docker
    podman = Podman(tmp_path_factory.mktemp("podman"))
    tried = podman("info", check=False)
    if tried.returncode != 0:
        unavailable(f"podman does not work: {last_line(tried.stderr)}")
    return podman


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The base image, seen to run: that needs root or user namespaces, cgroups and an overlay."""
    name = base_image(engine)
    tried = engine("run", "--rm", name, "true", check=False)
    if tried.returncode != 0:
        unavailable(f"{engine.name} cannot run a container: {last_line(tried.stderr)}")
    return name


@pytest.fixture(scope="session")
def package_image(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base image for builds that install packages, whose sources may ask for this host's certificates."""
    if not isinstance(engine, Docker):
        yield image
        return
    context = tmp_path_factory.mktemp("certificates")
    (context / "Dockerfile").write_text(with_certificates(f"FROM {image}\n", context))
    with built_image(engine, context) as name:
        yield name


@pytest.fixture(scope="session")
def own_engine(engine: Engine, image: str) -> Iterator[Engine]:
    """The engine, with names of images and containers that are the tests' alone: those that people type are short.

    The base image is there, too.
    """
    if isinstance(engine, Docker):
        yield engine  # its daemon is ours
        return
    with (
        tempfile.TemporaryDirectory(prefix="pyinit-store-", dir="/var/tmp") as directory,
        Podman.with_its_own_store(Path(directory), engine.store()) as podman,
    ):
        podman("image", "inspect", image)
        yield podman


# What the images of the documents begin with, and no registry gives here. Python's own image has its interpreter in
# /usr/local, with a pip that installs for all.
SLIM = ("debian:bookworm-slim", "python:3.13-slim")
WITH_ITS_OWN_PYTHON = "FROM {}\nRUN python3 -m venv /usr/local\n"


@pytest.fixture(scope="session")
def slim_images(own_engine: Engine, package_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One image under the names of both; yields the engine that has it."""
    context = tmp_path_factory.mktemp("slim")
    (context / "Dockerfile").write_text(WITH_ITS_OWN_PYTHON.format(package_image))
    with built_image(own_engine, context) as image:
        for name in SLIM:
            # As podman reads a short name in a Dockerfile; to Docker it is the same.
            own_engine("tag", image, f"docker.io/library/{name}")
        yield own_engine


@pytest.fixture(scope="module")
def checkout(slim_images: Engine) -> Iterator[Path]:
    """The repository as a person has it who may use Docker and is not root."""
    assert isinstance(slim_images, Docker)
    with copy_of_the_repository() as copy:
        yield copy


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
def containers(engine: Engine, image: str, zipapp_for_containers: Path) -> Iterator[Containers]:
    """This test's containers; they are removed when it ends, however it ends."""
    with Containers(engine, image, zipapp_for_containers) as made:
        yield made
