"""The program's user in real containers: bind mounts and volumes of every owner, rootful and in a user namespace."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from .support import REPOSITORY, USER_NAMESPACES, built_image, copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

CONTAINERFILE = """\
FROM {base}
RUN useradd --create-home --shell /bin/bash dev && useradd --create-home node && mkdir -p /home/dev/.cache /work \\
    && touch /home/dev/.cache/old && chown -R dev:dev /home/dev
COPY pyinit /pyinit
ENTRYPOINT ["/pyinit", "--user", "dev", "--match-owner", "/work", "--"]
"""

# The program's view: its numbers, its name, its home, and who owns what it makes and what it had.
SHOW = "touch /work/f ~/.cache/new; id -u; id -g; whoami; echo $HOME; stat -c %u:%g /work/f ~/.cache/new ~/.cache/old ~"


@pytest.fixture(scope="module")
def dev_image(
    engine: Engine, image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image as for a dev container: useradd gives dev 1000 and node 1001."""
    context = tmp_path_factory.mktemp("context")
    copied(zipapp_for_containers, context)
    (context / "Dockerfile").write_text(CONTAINERFILE.format(base=image))
    with built_image(engine, context) as name:
        yield name


def work(tmp_path: Path, uid: int, gid: int) -> Path:
    directory = tmp_path / f"work-{uid}-{gid}"
    directory.mkdir()
    os.chown(directory, uid, gid)
    return directory


def run(containers: Containers, image: str, *command: str, options: tuple[str, ...] = ()) -> tuple[list[str], str]:
    finished = containers.engine("run", "--label", containers.label, *options, image, *command, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines(), finished.stderr


@pytest.mark.parametrize(("uid", "gid"), [(1000, 1000), (1001, 1001), (4242, 4242), (4242, 100), (1000055, 1000001)])
def test_files_belong_to_the_owner_of_the_mount(
    containers: Containers, dev_image: str, tmp_path: Path, uid: int, gid: int
) -> None:
    directory = work(tmp_path, uid, gid)
    output, errors = run(containers, dev_image, "sh", "-c", SHOW, options=("--volume", f"{directory}:/work"))
    assert (output, errors) == ([str(uid), str(gid), "dev", "/home/dev", *[f"{uid}:{gid}"] * 4], "")
    made = (directory / "f").stat()
    assert (made.st_uid, made.st_gid) == (uid, gid)


def test_f31_the_account_that_had_the_number_keeps_its_files(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--volume", f"{work(tmp_path, 1001, 1001)}:/work")
    output, _ = run(containers, dev_image, "sh", "-c", "id -u node; stat -c %U ~node ~dev", options=options)
    assert output == ["1000", "node", "dev"]


def test_f24_without_a_mount_the_program_runs_with_its_own_numbers(containers: Containers, dev_image: str) -> None:
    output, errors = run(containers, dev_image, "sh", "-c", "id -u; whoami")
    assert output == ["1000", "dev"]
    assert "/work: root owns it" in errors


@USER_NAMESPACES
def test_f24_in_a_user_namespace_the_hosts_user_is_root_here(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    """The container's root is 100000 on the host, as for a rootless engine; the mount is that user's."""
    options = ("--uidmap", "0:100000:65536", "--volume", f"{work(tmp_path, 100000, 100000)}:/work")
    output, _ = run(containers, dev_image, "sh", "-c", "id -u; touch /work/f; stat -c %u ~dev", options=options)
    assert output == ["0", "1000"]
    assert (tmp_path / "work-100000-100000" / "f").stat().st_uid == 100000


@USER_NAMESPACES
def test_matching_works_in_a_user_namespace(containers: Containers, dev_image: str, tmp_path: Path) -> None:
    options = ("--uidmap", "0:100000:65536", "--volume", f"{work(tmp_path, 104242, 104242)}:/work")
    output, errors = run(containers, dev_image, "sh", "-c", SHOW, options=options)
    assert (output, errors) == (["4242", "4242", "dev", "/home/dev", *["4242:4242"] * 4], "")


@USER_NAMESPACES
def test_an_owner_that_the_user_namespace_does_not_know_is_not_matched(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--uidmap", "0:100000:65536", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    output, errors = run(containers, dev_image, "id", "-u", options=options)
    assert output == ["1000"]
    assert "not known in this user namespace" in errors


def test_f25_read_only_root_is_a_line_and_the_numbers_are_right(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--read-only", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    output, errors = run(containers, dev_image, "sh", "-c", "touch /work/f; id -u; id -g", options=options)
    assert output == ["4242", "4242"]
    assert "cannot be written" in errors
    assert (tmp_path / "work-4242-4242" / "f").stat().st_uid == 4242


def test_f26_no_new_privileges_is_no_obstacle_for_a_root_start(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--security-opt", "no-new-privileges", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    assert run(containers, dev_image, "id", "-u", options=options)[0] == ["4242"]


def test_f34_f35_an_old_volume_is_re_owned_when_it_is_named(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    (volume / "deep").mkdir(parents=True)
    (volume / "deep" / "file").touch()
    for path in (volume, volume / "deep", volume / "deep" / "file"):
        os.chown(path, 1000, 1000)
    mounts = ("--volume", f"{work(tmp_path, 4242, 4242)}:/work", "--volume", f"{volume}:/home/dev/data")
    show = ("sh", "-c", "stat -c %u ~/data/deep/file")
    assert run(containers, dev_image, *show, options=mounts)[0] == ["1000"]
    own = ("--env", "PYINIT_OWN=/home/dev,/home/dev/data")
    assert run(containers, dev_image, *show, options=(*mounts, *own))[0] == ["4242"]


def test_f32_a_container_that_starts_again_does_not_search_again(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    """A file that gets the old owner in between stays as it is: nobody looked."""
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
    script = "stat -c %u ~/.cache/old"
    options = ("--name", name, "--env", "PYINIT_VERBOSE=1", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    first, errors = run(containers, dev_image, "sh", "-c", script, options=options)
    assert first == ["4242"]
    assert "re-own /home/dev" in errors
    again = containers.engine("start", "--attach", name)
    assert again.stdout == "4242\n"
    assert "re-own" not in again.stderr


def test_puid_and_pgid_work_where_the_image_says_so(containers: Containers, dev_image: str) -> None:
    options = ("--env", "PYINIT_MATCH=env", "--env", "PUID=1500", "--env", "PGID=1600")
    output, _ = run(containers, dev_image, "sh", "-c", "id -u; id -g; stat -c %u:%g ~/.cache/old", options=options)
    assert output == ["1500", "1600", "1500:1600"]


def test_f23_a_container_started_as_another_user_runs_all_the_same(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--user", "4242:4242", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    output, _ = run(containers, dev_image, "sh", "-c", "touch /work/f; id -u", options=options)
    assert output == ["4242"]
    options = ("--user", "4343:4343", "--volume", f"{tmp_path / 'work-4242-4242'}:/work")
    output, errors = run(containers, dev_image, "id", "-u", options=options)
    assert output == ["4343"]
    assert "not root, so the program runs as UID 4343" in errors


def test_f41_groups_of_the_engine_and_of_the_account_are_merged(containers: Containers, dev_image: str) -> None:
    output, _ = run(containers, dev_image, "id", "-G", options=("--group-add", "4244"))
    assert set(output[0].split()) == {"1000", "4244"}


def test_f45_a_server_can_open_its_standard_streams_anew(containers: Containers, dev_image: str) -> None:
    output, _ = run(containers, dev_image, "sh", "-c", "echo hello >/dev/stdout")
    assert output == ["hello"]


def test_www_data_can_be_the_dev_user(containers: Containers, dev_image: str, tmp_path: Path) -> None:
    options = (
        *("--env", "PYINIT_OWN=/var/www", "--volume", f"{work(tmp_path, 1000, 1000)}:/work"),
        *("--entrypoint", "/pyinit"),
    )
    init = ("--user", "www-data", "--match-owner", "/work", "--")
    output, _ = run(containers, dev_image, *init, "sh", "-c", "whoami; echo $SHELL; id -u dev", options=options)
    assert output == ["www-data", "/bin/sh", "33"]


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """A named volume."""
    name = engine("volume", "create", f"pyinit-test-{uuid.uuid4().hex[:12]}").stdout.strip()
    try:
        yield name
    finally:
        engine("volume", "rm", "--force", name)


def test_f35_a_named_volume_with_old_files_is_re_owned_when_it_is_named(
    volume: str, containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    first = ("--volume", f"{volume}:/home/dev/.cache")  # gets what the image has there
    run(containers, dev_image, "sh", "-c", "mkdir ~/.cache/deep && touch ~/.cache/deep/file", options=first)
    second = (*first, "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
    show = ("sh", "-c", "stat -c %u:%g ~ ~/.cache/old ~/.cache/deep/file")
    assert run(containers, dev_image, *show, options=second)[0] == ["4242:4242", "1000:1000", "1000:1000"]
    own = ("--env", "PYINIT_OWN=/home/dev,/home/dev/.cache")
    assert run(containers, dev_image, *show, options=(*second, *own))[0] == ["4242:4242"] * 3


def test_f24_a_mount_that_root_owns_is_a_warning_and_the_user_stays(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--volume", f"{work(tmp_path, 0, 0)}:/work")
    output, errors = run(containers, dev_image, "sh", "-c", "id -u; id -g; stat -c %u:%g ~/.cache/old", options=options)
    assert output == ["1000", "1000", "1000:1000"]
    assert [line.partition("/work: ")[2] for line in errors.splitlines()] == [
        "root owns it, and UID 0 is not matched; is it mounted?",
        "root owns it, and GID 0 is not matched; is it mounted?",
    ]


def test_f29_a_group_that_has_the_number_is_used_under_its_own_name(
    containers: Containers, dev_image: str, tmp_path: Path
) -> None:
    options = ("--volume", f"{work(tmp_path, 4242, 100)}:/work")
    output, _ = run(containers, dev_image, "sh", "-c", "id -gn; getent group users dev", options=options)
    assert output == ["users", "users:x:100:", "dev:x:1000:"]


def run_after(
    containers: Containers, directory: Path, prepare: str, options: str, command: str
) -> tuple[list[str], str]:
    """Prepare a container as an image's build would, then become pyinit in it, matching the owner of /work."""
    script = f"set -e; {prepare}; exec /pyinit {options} --match-owner /work -- sh -c '{command}'"
    finished = containers.run("sh", "-c", script, init=None, options=("--volume", f"{directory}:/work"))
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines(), finished.stderr


@pytest.mark.parametrize("name", ["node", "ubuntu"])
def test_f31_an_account_of_the_base_image_that_holds_1000_makes_room(
    containers: Containers, tmp_path: Path, name: str
) -> None:
    output, errors = run_after(
        containers,
        work(tmp_path, 1000, 1000),
        f"useradd --create-home {name}; useradd --create-home dev; touch /home/{name}/old /home/dev/old",
        "-u dev",
        f"id -un; id -u; touch /work/f; id -u {name}; stat -c %U /home/{name} /home/dev; echo $HOME",
    )
    assert (output, errors) == (["dev", "1000", "1001", name, "dev", "/home/dev"], "")
    assert (tmp_path / "work-1000-1000" / "f").stat().st_uid == 1000


def test_a_home_that_does_not_exist_is_no_obstacle(containers: Containers, tmp_path: Path) -> None:
    output, errors = run_after(
        containers,
        work(tmp_path, 4242, 4242),
        "useradd --no-create-home dev",
        "-u dev",
        "id -u; echo $HOME; test -e $HOME || echo missing",
    )
    assert (output, errors) == (["4242", "/home/dev", "missing"], "")


@pytest.mark.parametrize(("own", "outcome"), [("", "refused"), ("--own /home/dev --own /opt/app", "written")])
def test_f35_what_a_program_needs_outside_the_home_is_named_with_own(
    containers: Containers, tmp_path: Path, own: str, outcome: str
) -> None:
    output, errors = run_after(
        containers,
        work(tmp_path, 4242, 4242),
        "useradd --create-home dev; mkdir /opt/app; touch /opt/app/state; chown -R dev:dev /opt/app",
        f"-u dev {own}",
        "test -w /opt/app/state && echo written || echo refused; stat -c %u ~",
    )
    assert (output, errors) == ([outcome, "4242"], "")


# As the README has it; there the modules come from the stage that has installed pyinit.
INDEXED = """\
FROM {base}
RUN useradd --create-home dev && mkdir -p /work /home/dev/.cache /home/dev/others \\
    && touch /home/dev/.cache/old /home/dev/others/root && chown -R dev:dev /home/dev/.cache
COPY pyinit /pyinit
RUN --mount=type=bind,source=site-packages,target=/tmp/pyinit \\
    PYTHONPATH=/tmp/pyinit python3 -B -m pyinit.ctl index dev -o /etc/pyinit.index
ENTRYPOINT ["/pyinit", "--user", "dev", "--match-owner", "/work", "--own-index", "/etc/pyinit.index", "--"]
"""


def test_f33_an_index_that_the_build_made_is_all_that_is_looked_at(
    engine: Engine, containers: Containers, image: str, zipapp_for_containers: Path, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    shutil.copytree(REPOSITORY / "pyinit", context / "site-packages/pyinit")
    shutil.copytree(Path(click.__file__).parent, context / "site-packages/click")
    copied(zipapp_for_containers, context)
    (context / "Dockerfile").write_text(INDEXED.format(base=image))
    with built_image(engine, context) as name:
        options = ("--env", "PYINIT_VERBOSE=1", "--volume", f"{work(tmp_path, 4242, 4242)}:/work")
        show = "id -u; stat -c %u ~ ~/.cache ~/.cache/old ~/others/root; find /tmp -type f"
        output, errors = run(containers, name, "sh", "-c", show, options=options)
        assert output == ["4242", "4242", "4242", "4242", "0"]
        listed = run(containers, name, "cat", "/etc/pyinit.index", options=options)[0]
        containers.remove()
    assert f"re-owned /home/dev: {len(listed) - 2} entries looked at" in errors
