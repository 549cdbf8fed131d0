"""docker/secrets: where a secret is found afterwards, and where not; the README's tables say the same."""

from __future__ import annotations

import contextlib
import hmac
import json
import re
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, Compose, Container, built_image, example, ignore_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers, Engine, Finished

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

README = REPOSITORY / "docker" / "secrets" / "README.md"

BUILD_TABLE, RUN_TABLE = 0, 1
SERVICES = ("variable", "file", "pyinit", "network")

# Asks the endpoint again.
FETCH = """\
import http.client, os
connection = http.client.HTTPConnection("endpoint", 8200, timeout=20)
connection.request("GET", "/", headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
answer = connection.getresponse()
print(answer.status, answer.read())
"""


def documented(table: int) -> list[dict[str, str]]:
    """The columns of one of the README's tables, in order: yes or no, by place."""
    tables = re.findall(r"^\|.*\n\| --- .*\n((?:\|.*\n)+)", README.read_text(), re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[table].splitlines()]
    columns = range(1, len(rows[0]))
    return [{row[0]: row[column].partition(";")[0] for row in rows} for column in columns]


@pytest.fixture(scope="module")
def folder(zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's copy with secrets of its own, as its README makes them."""
    copy = example("secrets", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    (copy / "private").mkdir(mode=0o700)
    for name in ("password", "signing_key"):
        (copy / "private" / name).write_text(secrets.token_hex() + "\n")
        (copy / "private" / name).chmod(0o644)
    (copy / "password").write_bytes((copy / "private" / "password").read_bytes())
    return copy


def value(folder: Path, name: str) -> str:
    return (folder / "private" / name).read_text().strip()


def key_option(folder: Path) -> tuple[str, str]:
    return "--secret", f"id=signing_key,src={folder / 'private' / 'signing_key'}"


@pytest.fixture(scope="module")
def built(engine: Engine, image: str, folder: Path) -> Iterator[str]:
    with built_image(engine, folder, "--build-arg", f"BASE={image}", *key_option(folder)) as name:
        yield name


def run_leaks(engine: Engine, folder: Path, *arguments: str) -> Finished[str]:
    return subprocess.run(
        [sys.executable, str(folder / "leaks.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**engine.environment, "ENGINE": engine.command[0]},
        timeout=120,
        check=False,
    )


def leaks(engine: Engine, folder: Path, secret: str, *arguments: str) -> dict[str, str]:
    """What leaks.py says: yes or no, by place."""
    searched = run_leaks(engine, folder, *arguments, str(folder / "private" / secret))
    assert searched.stderr == ""
    found = {line.rpartition(" ")[0].strip(): line.rpartition(" ")[2] for line in searched.stdout.splitlines()}
    assert searched.returncode == ("yes" in found.values())
    return found


def saved(engine: Engine, image: str, directory: Path) -> bytes:
    """All layers and all of the configuration, as they would be pushed to a registry, uncompressed."""
    archive = directory / f"{secrets.token_hex(4)}.tar"
    engine("save", "--output", str(archive), image)
    content = archive.read_bytes()
    archive.unlink()
    return content


# While the image is built


def test_the_step_had_the_key(engine: Engine, folder: Path, built: str, containers: Containers) -> None:
    shown = engine(
        *("run", "--label", containers.label, "--entrypoint", "cat", built, "/app/app.py.hmac", "/app/app.py")
    )
    signature, _, program = shown.stdout.partition("\n")
    key = (folder / "private" / "signing_key").read_bytes()
    assert signature == hmac.new(key, program.encode(), "sha256").hexdigest()


def test_a_build_without_the_key_fails(engine: Engine, image: str, folder: Path) -> None:
    refused = engine(
        "build", "--no-cache", *engine.build_options, "--build-arg", f"BASE={image}", str(folder), check=False
    )
    assert refused.returncode != 0
    assert "signing_key" in refused.stderr


def test_the_key_is_in_no_byte_of_any_layer_nor_in_history_nor_in_the_configuration(
    engine: Engine, folder: Path, built: str, tmp_path: Path
) -> None:
    key = value(folder, "signing_key")
    content = saved(engine, built, tmp_path)
    assert b"/pyinit" in content  # the file's name, in a layer and in the configuration
    assert key.encode() not in content
    assert key not in engine("history", "--no-trunc", built).stdout
    assert key not in engine("inspect", built).stdout
    assert leaks(engine, folder, "signing_key", "--image", built) == documented(BUILD_TABLE)[3]


@pytest.mark.parametrize(("column", "target"), list(enumerate(("argument", "variable", "file"))))
def test_the_other_ways_leak_and_the_same_search_finds_it(
    engine: Engine, image: str, folder: Path, tmp_path: Path, column: int, target: str
) -> None:
    options = ["--build-arg", f"BASE={image}", "--build-arg", f"PASSWORD={value(folder, 'password')}"]
    if engine.name == "podman":  # a layer for each step, as Docker has: a single one has not what a later step removes
        options.append("--layers=true")
    options += ["--no-cache", "--file", str(folder / "Dockerfile.leaky"), "--target", target]
    with built_image(engine, folder, *options) as name:
        assert value(folder, "password").encode() in saved(engine, name, tmp_path)
        assert leaks(engine, folder, "password", "--image", name) == documented(BUILD_TABLE)[column]


def test_the_directory_of_secrets_is_not_in_the_context(engine: Engine, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    options = ("--file", str(tmp_path / "Dockerfile"))
    key = value(folder, "signing_key").encode()
    with built_image(engine, folder, *options) as name:
        assert key not in saved(engine, name, tmp_path)
    with built_image(engine, folder, *options, *ignore_nothing(engine, tmp_path)) as name:
        assert key in saved(engine, name, tmp_path)


# While the program runs


@pytest.fixture(scope="module")
def compose(engine: Engine, folder: Path, built: str) -> Iterator[Compose]:
    """All services, each of which has its password."""
    project = Compose(engine, folder)
    variables = {"PASSWORD": value(folder, "password"), "TOKEN": secrets.token_hex(), "IMAGE": built}
    project.environment.update(variables, NAME=project.project)
    try:
        project("up", "--detach")
        for service in SERVICES:
            container(project, service).wait_for_line("has a password of 64 characters")
        yield project
    finally:
        project.remove()


def container(compose: Compose, service: str) -> Container:
    """A service's container by the name that the compose file gives it."""
    return Container(compose.engine, f"{compose.project}-{service}")


@pytest.mark.parametrize(("column", "service"), list(enumerate(SERVICES)))
def test_each_way_leaks_where_the_readme_says_and_nowhere_else(
    engine: Engine, folder: Path, compose: Compose, column: int, service: str
) -> None:
    name = container(compose, service).name
    assert leaks(engine, folder, "password", name) == documented(RUN_TABLE)[column]


@pytest.mark.parametrize(("service", "leaked"), [("variable", True), ("pyinit", False)])
def test_the_environment_of_pid_1_and_of_exec_has_the_variable_only_if_the_engine_has_it(
    folder: Path, compose: Compose, service: str, leaked: bool
) -> None:
    searched = container(compose, service)
    environments = (searched.exec("cat", "/proc/1/environ").stdout, searched.exec("env").stdout)
    assert [value(folder, "password") in text for text in environments] == [leaked, leaked]


def test_the_token_is_spent(folder: Path, compose: Compose) -> None:
    refused = container(compose, "network").exec("python3", "-c", FETCH)
    assert refused.stdout == "403 b''\n"
    assert value(folder, "password") not in refused.stderr


@contextlib.contextmanager
def mounted(containers: Containers, built: str, file: Path, *options: str) -> Iterator[Container]:
    """A container of the image with `file` as /run/secrets/PASSWORD."""
    volume = ("--volume", f"{file}:/run/secrets/PASSWORD:ro")
    identifier = containers.engine("run", "--detach", "--label", containers.label, *volume, *options, built).stdout
    yield Container(containers.engine, identifier.split()[-1])


@pytest.fixture
def roots_alone(folder: Path, tmp_path: Path) -> Path:
    """The password in a file that the program's user cannot read."""
    file = tmp_path / "password"
    file.write_text(value(folder, "password") + "\n")
    file.chmod(0o600)
    return file


def test_pyinit_reads_what_root_alone_may_read_and_neither_its_log_nor_its_journal_tells(
    engine: Engine, folder: Path, built: str, containers: Containers, roots_alone: Path
) -> None:
    options = ("--env", "PYINIT_SECRETS=/run/secrets", "--env", "PYINIT_VERBOSE=3", "--env", "PYINIT_EVENTS=-")
    with mounted(containers, built, roots_alone, *options) as started:
        started.wait_for_line("has a password of 64 characters")
        found = leaks(engine, folder, "password", started.name)
        journal = [line for line in started.logs().stderr.splitlines() if line.startswith("{")]
    assert {place for place, answer in found.items() if answer == "yes"} == {
        *("the program's environ", "its children's environ"),
    }
    assert "spawn" in {json.loads(line)["event"] for line in journal}


def test_a_program_cannot_read_for_itself_what_root_alone_may_read(
    built: str, containers: Containers, roots_alone: Path
) -> None:
    with mounted(containers, built, roots_alone, "--env", "PASSWORD_FILE=/run/secrets/PASSWORD") as started:
        assert started.wait() == 1
        assert "PermissionError" in started.logs().stderr


def test_a_password_on_a_command_line_or_in_the_log_is_found(
    engine: Engine, folder: Path, built: str, containers: Containers
) -> None:
    script = "echo $1; exec sleep infinity & wait"
    command = ("sh", "-c", script, "sh", value(folder, "password"))
    identifier = engine("run", "--detach", "--label", containers.label, built, *command).stdout.split()[-1]
    Container(engine, identifier).wait_for_line(value(folder, "password"))
    found = leaks(engine, folder, "password", identifier)
    assert (found["command lines"], found["logs"], found["inspect"]) == ("yes", "yes", "yes")
    assert found["the program's environ"] == "no"


def test_a_secret_too_short_to_search_for_is_an_error(engine: Engine, folder: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("x\n")
    refused = run_leaks(engine, folder, "no-such-container", str(short))
    assert refused.returncode == 1
    assert "a secret of 1 bytes would be found anywhere" in refused.stderr
