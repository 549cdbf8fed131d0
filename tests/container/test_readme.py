"""The README's three recipes, typed by a person who may use Docker and is not root, on each base that they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pyinit import __version__

from .conftest import SLIM
from .support import REPOSITORY, Engine, built_image, wait_until
from .typed import UID, Shell, Step, steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(400, func_only=True),
    pytest.mark.only("docker", "is not what the README says first"),
]

README = (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands(image: str) -> list[Step]:
    """What is typed for one image."""
    return [step for block in blocks("console") for step in steps(block) if re.search(rf" {image}\b", step.command)]


def written(checkout: Path, image: str, text: str) -> None:
    """Write the file that the README names for this image, which is none of the repository's."""
    name = f"{image}.Dockerfile"
    assert f"`{name}`" in README
    (checkout / name).write_text(text)


@pytest.fixture
def shell(engine: Engine, checkout: Path) -> Iterator[Shell]:
    shell = Shell(engine, checkout)
    yield shell
    shell.close()
    engine.remove("hello", "dev")


@pytest.fixture(params=SLIM)
def recipes(request: pytest.FixtureRequest) -> list[str]:
    """The three Dockerfiles on one base. The second is the end of one that begins as the first."""
    first, second, third = (text.replace("python:3.13-slim", request.param) for text in blocks("dockerfile"))
    return [first, first[: first.index("ENTRYPOINT")] + second, third]


def test_the_image_is_stopped_by_what_is_typed(
    engine: Engine, checkout: Path, recipes: list[str], shell: Shell
) -> None:
    written(checkout, "hello", recipes[0])
    build, start, stop = commands("hello")
    shell.take(build)
    shell.take(start)
    ask = ("python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000')")
    wait_until(lambda: engine("exec", "hello", *ask, check=False).returncode == 0, "the server to answer")
    shell.take(stop)
    assert engine("inspect", "--format", "{{.State.ExitCode}}", "hello").stdout == "143\n"


def test_in_the_development_container_files_are_the_hosts_users_and_a_stop_ends_the_shell(
    engine: Engine, checkout: Path, recipes: list[str], shell: Shell
) -> None:
    written(checkout, "dev", recipes[1])
    build, start = commands("dev")
    shell.take(build)
    shell.send(start.command.replace("run ", "run --name dev ") + "\n")
    shell.wait_for("dev@")
    shell.send("touch made-here; echo $((40 + 2))\n")
    shell.wait_for("42")
    status = (checkout / "made-here").stat()
    assert (status.st_uid, status.st_gid) == (UID, UID)
    engine("stop", "--time", "60", "dev", seconds=120)
    assert engine("inspect", "--format", "{{.State.ExitCode}}", "dev").stdout == "129\n"


def test_the_static_executable_runs_in_an_empty_image(engine: Engine, checkout: Path, slim_images: Engine) -> None:
    copy = "COPY --from=build /pyinit /pyinit"
    assert f"`{copy}`" in README
    file = checkout / "static.Dockerfile"
    file.write_text(f"{blocks('dockerfile')[2]}FROM scratch\n{copy}\n")
    assert slim_images is engine
    with built_image(engine, checkout, "--file", str(file), *engine.package_sources(), seconds=300) as name:
        assert engine("run", "--rm", name, "/pyinit", "--version").stdout == f"pyinit {__version__}\n"
