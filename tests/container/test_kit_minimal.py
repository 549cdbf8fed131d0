"""docker/minimal: one file more than the base image, a user who is not root, and a context of what is copied."""

from __future__ import annotations

import json
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, Container, built_image, ignore_nothing, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

DOCKERFILE = REPOSITORY / "docker" / "minimal" / "Dockerfile"

# What lies about in a checkout, by its path.
CLUTTER = (
    ".git/objects/pack/pack-1.pack",
    ".venv/lib/site-packages/big.so",
    "pyinit/__pycache__/boot.cpython-313.pyc",
    "pyinit/ctl/__pycache__/zipapp.cpython-313.pyc",
    "docker/launcher/pyinit",
    ".env",
    "password.txt",
)

PROGRAM = ("python3", "-m", "http.server", "--directory", "/mnt", "8000")  # as the image has it

CONTEXT_LIMIT = 1000 * 1024  # bytes: the sources, and the README


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a megabyte of clutter in each of several places."""
    copy = tmp_path_factory.mktemp("checkout") / "pyinit"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build", "dist")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    for name in CLUTTER:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(bytes(2**20))
    return copy


@pytest.fixture(scope="module")
def minimal(engine: Engine, image: str, checkout: Path) -> Iterator[str]:
    # Podman's own format has no HEALTHCHECK.
    form = ("--format", "docker") if engine.name == "podman" else ()
    options = (*form, "--file", str(DOCKERFILE), "--build-arg", f"BASE={image}")
    with built_image(engine, checkout, *options) as name:
        yield name


def context(engine: Engine, checkout: Path, directory: Path, *options: str) -> dict[str, int]:
    """What `COPY . /` brings into an empty image: sizes in bytes, by path."""
    dockerfile = directory / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    archive = directory / "image.tar"
    with built_image(engine, checkout, "--file", str(dockerfile), *options) as name:
        engine("save", "--output", str(archive), name)
    found = {}
    with tarfile.open(archive) as image:
        manifest = json.load(image.extractfile("manifest.json"))  # type: ignore[arg-type]
        for layer in manifest[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                found.update({member.name: member.size for member in files if member.isfile()})
    archive.unlink()
    return found


def test_the_context_is_what_the_dockerfiles_copy_and_nothing_else(
    engine: Engine, checkout: Path, tmp_path: Path
) -> None:
    found = context(engine, checkout, tmp_path)
    assert {"pyinit/__main__.py", "pyinit/ctl/zipapp.py", "pyproject.toml", "docker/launcher/launcher.c"} <= set(found)
    assert not set(found) & set(CLUTTER)
    assert {name.partition("/")[0] for name in found} == {
        *("LICENSE", "README.md", "docker", "docs", "pyinit", "pyproject.toml"),
    }
    assert sum(found.values()) < CONTEXT_LIMIT


def test_without_the_dockerignore_all_the_clutter_is_in_the_context(
    engine: Engine, checkout: Path, tmp_path: Path
) -> None:
    found = context(engine, checkout, tmp_path, *ignore_nothing(engine, tmp_path))
    assert set(CLUTTER) <= set(found)
    assert sum(found.values()) > len(CLUTTER) * 2**20


def test_the_image_has_one_file_more_and_an_account(engine: Engine, image: str, minimal: str) -> None:
    show = ("find", "/", "-xdev", "-not", "-path", "/etc/*", "-printf", "%y %m %U:%G %s %p\\n")
    before, after = (
        set(engine("run", "--rm", "--user=0", "--entrypoint=", name, *show).stdout.splitlines())
        for name in (image, minimal)
    )
    assert [line.split()[-1] for line in after - before] == ["/pyinit"]
    assert before - after == set()


def test_numbers_and_name_of_the_user_are_arguments(
    engine: Engine, image: str, checkout: Path, containers: Containers
) -> None:
    options = ("--file", str(DOCKERFILE), "--build-arg", f"BASE={image}", "--build-arg", "USER_UID=12345")
    with built_image(engine, checkout, *options, "--build-arg", "USER_GID=54321") as name:
        shown = engine("run", "--rm", "--label", containers.label, name, "id")
    assert shown.stdout == "uid=12345(anubis) gid=54321(anubis) groups=54321(anubis)\n"


@pytest.fixture
def web(engine: Engine, minimal: str, containers: Containers) -> Iterator[Container]:
    """The image's own program, seen to be healthy; in a network of its own, since its port is fixed."""
    yield started(engine, minimal, containers)


def started(
    engine: Engine, minimal: str, containers: Containers, *options: str, program: Sequence[str] = ()
) -> Container:
    labels = ("--label", containers.label)
    identifier = engine(
        "run", "--detach", "--network", "none", *engine.quick_health, *labels, *options, minimal, *program
    ).stdout.split()[-1]
    container = Container(engine, identifier)
    wait_until(lambda: healthy(container), "the server to be healthy")
    return container


def healthy(container: Container) -> bool:
    return container.engine.is_healthy(container.name)


def test_the_program_runs_as_10000_with_pyinit_as_pid_1_and_no_capabilities(web: Container) -> None:
    assert web.exec("id").stdout == "uid=10000(anubis) gid=10000(anubis) groups=10000(anubis)\n"
    shown = web.exec("cat", "/proc/1/status", "/proc/1/cmdline").stdout
    assert "Uid:\t10000\t10000\t10000\t10000\n" in shown
    assert "Gid:\t10000\t10000\t10000\t10000\n" in shown
    assert "CapEff:\t0000000000000000\n" in shown
    assert "\0/pyinit\0--\0python3\0-m\0http.server\0" in shown
    assert web.exec("ps", "-o", "uid=,args=", "--ppid", "1").stdout.split()[:4] == [
        "10000",
        "python3",
        "-m",
        "http.server",
    ]


def test_a_server_that_accepts_and_never_answers_is_not_healthy(web: Container) -> None:
    web.exec("pkill", "-STOP", "--parent", "1")
    wait_until(lambda: not healthy(web), "the health check to fail")
    web.exec("pkill", "-CONT", "--parent", "1")
    wait_until(lambda: healthy(web), "it to succeed again")


def test_stop_ends_the_server_by_its_signal_and_without_pyinit_it_is_killed(
    engine: Engine, minimal: str, containers: Containers, web: Container
) -> None:
    web.stop()
    assert web.inspect("{{.State.ExitCode}}") == "143"
    bare = started(engine, minimal, containers, "--entrypoint", "/usr/bin/env", program=PROGRAM)
    engine("stop", "--time", "2", bare.name)
    assert bare.inspect("{{.State.ExitCode}}") == "137"


def test_the_file_is_built_for_the_images_own_interpreter(engine: Engine, minimal: str, containers: Containers) -> None:
    script = "import importlib.util, sys; f = open('/pyinit', 'rb'); print(f.readline().split(b' ')[0].decode()[2:])\n"
    script += "f.readline(); print(f.read(4) == importlib.util.MAGIC_NUMBER); print(sys.executable)"
    shown = engine("run", "--rm", "--label", containers.label, minimal, "python3", "-c", script).stdout.splitlines()
    assert shown == ["/usr/bin/python3", "True", "/usr/bin/python3"]
