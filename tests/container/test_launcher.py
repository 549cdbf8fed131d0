"""The set-user-ID launcher in real containers: `-u UID:GID` gives the image's user these IDs, and its files follow."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support import PROGRAMS, proc_status
from tests.support.launcher import SOURCE, compile_launcher

from .support import Container, built_image, copied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

FIXUID = ("--entrypoint", "fixuid")

# The program's view: its numbers, its name, its home, and who owns what it makes and what it had.
SHOW = "touch /work/f ~/new; id -u; id -g; whoami; echo $HOME; stat -c %u:%g /work/f ~/new ~/.bashrc ~"
SHOWN = ["1001", "1002", "dev", "/home/dev", *["1001:1002"] * 4]


@pytest.fixture(scope="module")
def launcher_image(
    engine: Engine, image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The second stage of docker/launcher/Dockerfile; the first one, which compiles, is done here without a network."""
    context = tmp_path_factory.mktemp("context")
    copied(zipapp_for_containers, context)
    compile_launcher(context / "pyinit-launcher")
    (context / "pyinit-launcher").chmod(0o755)
    first_line, _, second_stage = SOURCE.with_name("Dockerfile").read_text().rpartition("FROM ${BASE}\n")
    assert "gcc -Os -static -Wall -Wextra -Werror" in first_line
    copy = "COPY --from=launcher /pyinit-launcher "
    assert copy in second_stage
    second_stage = second_stage.replace(copy, "COPY pyinit-launcher ")
    (context / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n" + second_stage)
    with built_image(engine, context, "--build-arg", f"BASE={image}") as name:
        yield name


@pytest.fixture
def work(tmp_path: Path) -> tuple[str, str]:
    """A bind mount at /work that is the host's 1001:1002."""
    directory = tmp_path / "work"
    directory.mkdir()
    os.chown(directory, 1001, 1002)
    return "--volume", f"{directory}:/work"


def run(
    containers: Containers, image: str, *command: str, ids: str = "1001:1002", options: tuple[str, ...] = ()
) -> tuple[int, list[str], str]:
    arguments = ("--label", containers.label, "--user", ids, *options, image, *command)
    finished = containers.engine("run", *arguments, check=False)
    return finished.returncode, finished.stdout.splitlines(), finished.stderr


@pytest.mark.parametrize("entry_point", [(), FIXUID])
def test_f23_the_user_has_the_hosts_ids_a_name_a_home_and_its_files(
    containers: Containers, launcher_image: str, work: tuple[str, str], entry_point: tuple[str, ...]
) -> None:
    status, output, errors = run(containers, launcher_image, "sh", "-c", SHOW, options=(*work, *entry_point))
    assert (status, output) == (0, SHOWN)
    assert entry_point or errors == ""


def test_the_working_directory_of_the_host_stays_the_hosts(
    containers: Containers, launcher_image: str, work: tuple[str, str], tmp_path: Path
) -> None:
    """podman makes an account for 1001 whose home is the working directory."""
    theirs = tmp_path / "work" / "theirs"
    theirs.touch()
    os.chown(theirs, 1001, 1002)
    run(containers, launcher_image, "true", options=work)
    assert (theirs.stat().st_uid, theirs.stat().st_gid) == (1001, 1002)


def test_the_second_start_of_a_container_is_harmless(
    containers: Containers, launcher_image: str, work: tuple[str, str]
) -> None:
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
    script = f"{SHOW}; rm ~/new /work/f"
    first = run(containers, launcher_image, "sh", "-c", script, options=("--name", name, *work))
    assert first == (0, SHOWN, "")
    again = containers.engine("start", "--attach", name)
    assert (again.stdout.splitlines(), again.stderr) == (SHOWN, "")


def test_without_an_option_the_images_user_is_as_it_was(containers: Containers, launcher_image: str) -> None:
    finished = containers.engine(
        *("run", "--label", containers.label, launcher_image, "sh", "-c", "id -u; id -g; whoami; echo $HOME")
    )
    assert finished.stdout.splitlines() == ["1000", "1000", "dev", "/home/dev"]


@pytest.mark.parametrize("entry_point", [(), FIXUID])
def test_f26_no_new_privileges_names_the_four_causes(
    containers: Containers, launcher_image: str, entry_point: tuple[str, ...]
) -> None:
    options = ("--security-opt", "no-new-privileges", *entry_point)
    status, output, errors = run(containers, launcher_image, "true", options=options)
    assert (status, output) == (1, [])
    for cause in ("owned by root", "set-user-ID bit", "no-new-privileges", "nosuid"):
        assert cause in errors


def test_f25_read_only_root_is_a_line_and_the_numbers_are_right(
    containers: Containers, launcher_image: str, work: tuple[str, str], tmp_path: Path
) -> None:
    for options, line in [
        (("--read-only", "--tmpfs=/run"), "cannot be written"),
        (("--read-only", *containers.engine.without_tmpfs), "users and files stay as they are"),
    ]:
        status, output, errors = run(
            containers, launcher_image, "sh", "-c", "touch /work/f; id -u; id -g; echo $HOME", options=(*options, *work)
        )
        assert (status, output) == (0, ["1001", "1002", "/home/dev"])
        assert line in errors
        assert (tmp_path / "work" / "f").stat().st_uid == 1001


def test_f37_a_committed_container_follows_the_next_user(
    containers: Containers, launcher_image: str, engine: Engine
) -> None:
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
    run(containers, launcher_image, "true", options=("--name", name))
    committed = f"localhost/{name}"
    engine("commit", name, committed)
    try:
        show = ("sh", "-c", "id -u; stat -c %u:%g /home/dev")
        assert run(containers, committed, *show, ids="1005:1006")[:2] == (0, ["1005", "1005:1006"])
        # As fixuid, whose mark is in the image now.
        assert run(containers, committed, *show, ids="1005:1006", options=FIXUID)[:2] == (0, ["1005", "1001:1002"])
    finally:
        containers.remove()
        engine("rmi", "--force", committed)


def test_a_start_script_evaluates_the_output_of_fixuid(containers: Containers, launcher_image: str) -> None:
    script = 'eval "$(fixuid -q)"; whoami; echo $HOME; eval $( fixuid -q ); echo $HOME'
    options = ("--entrypoint", "sh", "--env", "HOME=/")
    status, output, errors = run(containers, launcher_image, "-c", script, options=options)
    assert (status, output, errors) == (0, ["dev", "/home/dev", "/home/dev"], "")


def test_there_is_no_way_back_to_root(containers: Containers, launcher_image: str) -> None:
    options = ("--volume", f"{PROGRAMS}:/programs:ro", "--cap-add", "all")
    for entry_point in ((), FIXUID):
        status, output, _ = run(
            containers, launcher_image, "python3", "/programs/get_root_back.py", options=(*options, *entry_point)
        )
        assert (status, output) == (0, ["(1001, 1001, 1001) (1002, 1002, 1002) no capability"])


def test_without_capabilities_the_program_runs_and_a_line_says_what_was_not_possible(
    containers: Containers, launcher_image: str
) -> None:
    options = ("--cap-drop", "all")
    show = "id -u; id -g; getent passwd dev | cut -d: -f3"
    status, output, errors = run(containers, launcher_image, "sh", "-c", show, options=options)
    # The account stays with its files, which could not follow.
    assert (status, output) == (0, ["1001", "1002", "1000"])
    assert "not possible" in errors and "CAP_CHOWN" in errors


def test_the_init_stays_and_stops_the_program_as_the_user(containers: Containers, launcher_image: str) -> None:
    script = "trap 'echo stopped; exit 7' TERM; echo ready; while :; do sleep 1 & wait; done"
    options = ("--detach", "--user", "1001:1002", "--label", containers.label)
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
    containers.engine("run", "--name", name, *options, launcher_image, "sh", "-c", script)
    container = Container(containers.engine, name)
    container.wait_for_line("ready")
    assert proc_status(container.host_pid())["Uid"].split() == ["1001"] * 4
    container.kill("TERM")
    assert container.wait() == 7
    assert "stopped" in container.lines()


def test_f34_paths_may_be_the_whole_root_and_mounts_stay(
    containers: Containers, launcher_image: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yml"
    config.write_text("user: dev\ngroup: dev\npaths:\n  - /  # as fixuid has it by itself\n")
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, 1000, 1000)
    options = ("--volume", f"{config}:/etc/fixuid/config.yml:ro", "--volume", f"{volume}:/home/dev/volume")
    show = ("sh", "-c", "stat -c %u:%g /home/dev /home/dev/.bashrc /home/dev/volume /etc/passwd")
    status, output, errors = run(containers, launcher_image, *show, options=options)
    assert (status, output, errors) == (0, ["1001:1002", "1001:1002", "1000:1000", "0:0"], "")
