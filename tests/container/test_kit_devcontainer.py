"""docker/devcontainer: what is made in the container belongs to the owner of the source, through compose too."""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, USER_NAMESPACES, Compose, example, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Container, Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

FOLDER = REPOSITORY / "docker" / "devcontainer"

NUMBERS = ("-f", "compose.yaml", "-f", "compose.numbers.yaml")


@pytest.fixture(scope="module")
def built(
    engine: Engine, image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """The example's copy, and the tag of the image that compose has built from it."""
    folder = example("devcontainer", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    (folder / ".env").unlink(missing_ok=True)
    tag = uuid.uuid4().hex[:12]
    Compose(engine, folder, BASE=image, TAG=tag).build()
    try:
        yield folder, tag
    finally:
        engine("rmi", "--force", f"pyinit-devcontainer:{tag}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory as a person of the host has it."""
    directory = tmp_path / "source"
    directory.mkdir()
    os.chown(directory, 4242, 4343)
    return directory


@pytest.fixture
def compose(engine: Engine, image: str, built: tuple[Path, str], source: Path) -> Iterator[Compose]:
    project = Compose(engine, built[0], BASE=image, TAG=built[1], SOURCE=str(source))
    for name in ("UID", "GID"):
        project.environment.pop(name, None)
    try:
        yield project
    finally:
        (built[0] / ".env").unlink(missing_ok=True)
        project.remove()


@pytest.fixture
def app(compose: Compose) -> Container:
    """The service in the background, its program started."""
    compose("up", "--detach")
    container = compose.container("app")
    wait_until(
        lambda: [each.arguments for each in container.processes()][1:] == ["sleep infinity"],
        "the program to be started",
    )
    return container


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def test_what_compose_run_makes_belongs_to_the_owner_of_the_source(compose: Compose, source: Path) -> None:
    shown = compose("run", "--rm", "-T", "app", "sh", "-c", "touch made-here ~/mine; id -un; echo $HOME; id -u; id -g")
    assert shown.stdout.split()[-4:] == ["dev", "/home/dev", "4242", "4343"]
    assert owner(source / "made-here") == (4242, 4343)


def test_what_a_shell_of_the_running_container_makes_belongs_to_the_owner_of_the_source(
    app: Container, compose: Compose, source: Path
) -> None:
    compose("exec", "-T", "--user", "dev", "app", "sh", "-c", "touch made-there; echo $HOME >home")
    assert owner(source / "made-there") == (4242, 4343)
    assert (source / "home").read_text() == "/home/dev\n"
    compose("exec", "-T", "app", "touch", "made-by-root")
    assert owner(source / "made-by-root") == (0, 0)
    app.stop()
    assert app.inspect("{{.State.ExitCode}}") == "143"


def test_the_numbers_in_dot_env_overrule_the_owner_of_the_source(
    compose: Compose, built: tuple[Path, str], source: Path
) -> None:
    source.chmod(0o777)
    (built[0] / ".env").write_text("UID=1234\nGID=5678\n")
    shown = compose(*NUMBERS, "run", "--rm", "-T", "app", "sh", "-c", "touch f; id -un; echo $HOME; id -u; id -g")
    assert shown.stdout.split()[-4:] == ["dev", "/home/dev", "1234", "5678"]
    assert owner(source / "f") == (1234, 5678)


def test_compose_says_that_the_numbers_are_missing(compose: Compose) -> None:
    refused = compose(*NUMBERS, "run", "--rm", "-T", "app", "true", check=False)
    assert refused.returncode != 0
    assert "UID" in refused.stderr
    assert "is not set" in refused.stderr


def image_of(built: tuple[Path, str]) -> str:
    return f"pyinit-devcontainer:{built[1]}"


def test_without_pyinit_what_is_made_belongs_to_root(
    containers: Containers, built: tuple[Path, str], source: Path
) -> None:
    options = ("--label", containers.label, "--volume", f"{source}:/work", "--entrypoint", "")
    containers.engine("run", *options, image_of(built), "touch", "made-here")
    assert owner(source / "made-here") == (0, 0)


def test_with_the_engines_user_option_alone_there_is_no_name_and_no_home(
    containers: Containers, built: tuple[Path, str], source: Path
) -> None:
    options = ("--label", containers.label, "--volume", f"{source}:/work", "--entrypoint", "")
    # Podman makes an account for the number by itself, Docker does not.
    user = ("--user", "4242:4343", *(["--passwd=false"] if containers.engine.name == "podman" else []))
    script = "touch made-here; id -u; echo $HOME; whoami"
    shown = containers.engine("run", *options, *user, image_of(built), "sh", "-c", script, check=False)
    assert shown.stdout.split() == ["4242", "/"]
    assert "cannot find name for user ID 4242" in shown.stderr
    assert owner(source / "made-here") == (4242, 4343)


@USER_NAMESPACES
def test_in_a_rootless_engine_root_is_the_owner_and_is_kept(
    containers: Containers, built: tuple[Path, str], source: Path
) -> None:
    os.chown(source, 100000, 100000)
    options = ("--label", containers.label, "--volume", f"{source}:/work", "--uidmap", "0:100000:65536")
    shown = containers.engine("run", *options, image_of(built), "sh", "-c", "touch made-here; id -u")
    assert shown.stdout == "0\n"
    assert owner(source / "made-here") == (100000, 100000)


@USER_NAMESPACES
def test_where_the_user_namespace_maps_the_images_number_to_the_owner_nothing_needs_to_change(
    containers: Containers, built: tuple[Path, str], source: Path
) -> None:
    """As with `--userns keep-id:uid=1000,gid=1000`: 1000 in the container is the host's 4242, and started as that."""
    options = ("--label", containers.label, "--volume", f"{source}:/work")
    user = ("--user", "1000:1000", "--uidmap", "0:3242:65536", "--gidmap", "0:3343:65536")
    script = "touch made-here; id -un; id -u; echo $HOME"
    shown = containers.engine("run", *options, *user, image_of(built), "sh", "-c", script)
    assert shown.stdout.split() == ["dev", "1000", "/home/dev"]
    assert owner(source / "made-here") == (4242, 4343)


def test_devcontainer_json_fits_the_compose_file_and_the_image(built: tuple[Path, str], engine: Engine) -> None:
    file = FOLDER / ".devcontainer" / "devcontainer.json"
    settings = json.loads(file.read_text())
    compose_file = (file.parent / settings["dockerComposeFile"]).resolve()
    assert compose_file == FOLDER / "compose.yaml"
    assert re.search(rf"^  {settings['service']}:$", compose_file.read_text(), re.MULTILINE)
    assert f":{settings['workspaceFolder']}" in compose_file.read_text()
    image = json.loads(engine("inspect", "--type", "image", image_of(built)).stdout)[0]["Config"]
    assert image["WorkingDir"] == settings["workspaceFolder"]
    entry_point = ["/pyinit", "--user", settings["remoteUser"], "--match-owner", settings["workspaceFolder"], "--"]
    assert image["Entrypoint"] == entry_point
    assert (settings["overrideCommand"], settings["updateRemoteUserUID"]) == (False, False)
    # The container starts as root, or nothing could be matched.
    assert not image.get("User")
    assert "containerUser" not in settings
