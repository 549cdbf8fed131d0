"""The standalone file in each kind of image (layouts.py): what it does is the same, whatever the image has."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support import standalone

from .layouts import LAYOUTS, NAMES, Layout, write_context
from .support import Containers, Podman, assert_takes_signals_and_stops, built_image, copied
from .test_docker import started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(240, func_only=True)]


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


@pytest.fixture(scope="module")
def layout_image(engine: Engine, image: str, layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("layout")
    write_context(layout, context, standalone.build(tmp_path_factory.mktemp("standalone") / "pyinit"), image)
    with built_image(engine, context) as name:
        yield name


@pytest.fixture
def in_layout(engine: Engine, layout_image: str) -> Iterator[Containers]:
    with Containers(engine, layout_image, None) as made:
        yield made


def test_identity_secrets_hooks_and_journal(in_layout: Containers, layout: Layout, tmp_path: Path) -> None:
    """The user gets the IDs that own the volume, and the home follows. Without account files there are numbers."""
    work, secrets = tmp_path / "work", tmp_path / "secrets"
    work.mkdir()
    os.chown(work, 4242, 4242)
    secrets.mkdir()
    (secrets / "password").write_text("from a file")
    matched = ("--user", layout.user, "--match-owner", "/work", "--own", layout.home)
    who = matched if layout.user else ("--user", "4242:4242")
    hooks = ("--setup", "/alone tell", "--before", "/alone tell HOME password", "--after", "/alone tell PYINIT_STATUS")
    file = f"{layout.home}/file" if layout.user else "/work"
    done = in_layout.run(
        *("/alone", "tell", "HOME", "password", file),
        init=(*who, *hooks, "--secrets", "/secrets", "--events", "/work/journal", "--"),
        options=("--volume", f"{work}:/work", "--volume", f"{secrets}:/secrets:ro"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    setup = ["0 0"]
    before = ["4242 4242", layout.home, "-"]
    program = ["4242 4242", layout.home, "from a file", "4242 4242"]
    after = ["4242 4242", "0"]
    assert done.stdout.splitlines() == [*setup, *before, *program, *after]
    events = [json.loads(line)["event"] for line in (work / "journal").read_text().splitlines()]
    assert [event for event in events if event in ("start", "spawn", "ended")] == ["start", *["spawn"] * 4, "ended"]


def test_under_every_name_at_once(in_layout: Containers, layout: Layout) -> None:
    """Each starts the next, and the last one's program gets a signal and gives its status through all of them."""
    user = layout.user or "4242:4242"
    tini, dumb_init, catatonit, docker_init, podman_init, gosu, su_exec = (f"/opt/{name}" for name in NAMES)
    chain = [tini, "-e", "9", "--", dumb_init, "-r", "1:10", catatonit, "--", docker_init, "-s", "--"]
    chain += [podman_init, "--", gosu, user, "/pyinit", "-e", "7:9", "--"]
    container = in_layout.start(*chain[1:], "/alone", "signals", init=None, options=("--entrypoint", chain[0]))
    container.wait_for_line("ready")
    container.kill("HUP")
    container.wait_for_line("SIGUSR1")
    container.stop()
    assert container.wait() == 0
    # gosu is not there any more: it has become its program.
    assert container.logs().stderr == ""
    told = in_layout.run(user, "/alone", "tell", "HOME", init=None, options=("--entrypoint", su_exec))
    ids = f"{layout.uid} {layout.uid}" if layout.user else "4242 4242"
    assert (told.stdout, told.stderr) == (f"{ids}\n{layout.home}\n", "")


def test_as_fixuid_by_the_set_user_id_bit_with_toml(in_layout: Containers, layout: Layout) -> None:
    options = ("--user", "4243:4243", "--entrypoint", "/opt/fixuid")
    done = in_layout.run("-q", "/alone", "tell", f"{layout.home}/file", init=None, options=options)
    if layout.user:
        assert (done.returncode, done.stdout, done.stderr) == (0, "4243 4243\n4243 4243\n", "")
    else:
        line = "pyinit: /etc/fixuid: the user 'no-such-user' does not exist\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def assert_is_the_engines_init(engine: Engine, image: str) -> None:
    """In front of a program in an image where there is nothing else."""
    options = ("--init", "--entrypoint", "[]") if engine.name == "podman" else ("--init",)
    with Containers(engine, image, None) as made:
        assert_takes_signals_and_stops(made.start("/alone", "signals", init=None, options=options))
        done = made.run("/alone", "orphan", init=None, options=options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "adopted\nreaped\n", "")


@pytest.mark.only("podman", "is told its init when the daemon starts: see below")
def test_podmans_init_in_every_layout(layout_image: str, tmp_path: Path) -> None:
    """Podman mounts it into the container, where the zipapp would lack its interpreter."""
    file = standalone.build(tmp_path / "pyinit")
    assert_is_the_engines_init(Podman(tmp_path, f'init_path = "{file}"'), layout_image)


@pytest.mark.only("docker", "has no daemon")
def test_dockers_init_where_there_is_nothing(engine: Engine, image: str, tmp_path: Path) -> None:
    assert engine
    copied(standalone.build(tmp_path / "pyinit"), tmp_path, "docker-init")
    context = tmp_path / "context"
    context.mkdir()
    write_context(LAYOUTS["scratch"], context, tmp_path / "pyinit", image)
    with started(f"--init-path={tmp_path}/docker-init") as daemon, built_image(daemon.docker, context) as name:
        assert_is_the_engines_init(daemon.docker, name)
