"""docker/scratch: an image without interpreter and C library, with the standalone file and one static program."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import standalone

from .layouts import compile_alone
from .support import (
    REPOSITORY,
    Container,
    Containers,
    assert_takes_signals_and_stops,
    built_image,
    unavailable,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(240, func_only=True)]

DOCKERFILE = """\
FROM scratch
COPY pyinit alone /
ENTRYPOINT ["/pyinit", "--"]
"""


@pytest.fixture(scope="module")
def scratch(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("scratch")
    standalone.build(context / "pyinit")
    compile_alone(context / "alone")
    (context / "Dockerfile").write_text(DOCKERFILE)
    with built_image(engine, context) as name:
        yield name


@pytest.fixture
def alone(engine: Engine, scratch: str) -> Iterator[Containers]:
    with Containers(engine, scratch, None) as made:
        yield made


def test_signals_arrive_and_the_stop_ends_it(alone: Containers) -> None:
    container = alone.start("/alone", "signals", init=None)
    assert_takes_signals_and_stops(container)


def test_orphans_are_adopted_and_reaped(alone: Containers) -> None:
    done = alone.run("/alone", "orphan", init=None)
    assert (done.returncode, done.stdout, done.stderr) == (0, "adopted\nreaped\n", "")


def test_the_program_has_the_identity_that_was_asked_for(alone: Containers) -> None:
    """By the engine, and by pyinit, where there are no account files."""
    given = alone.run("/alone", "tell", init=None, options=("--user", "4242:4242"))
    assert (given.returncode, given.stdout, given.stderr) == (0, "4242 4242\n", "")
    taken = alone.run("/alone", "tell", init=("--user", "4242:4242", "--no-new-privileges", "--"))
    assert (taken.returncode, taken.stdout, taken.stderr) == (0, "4242 4242\n", "")


def test_a_program_that_is_not_there_is_one_line(alone: Containers) -> None:
    done = alone.run("/no-such-program", init=None)
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "pyinit: cannot run ['/no-such-program']: '/no-such-program' not found\n"


@pytest.fixture(scope="module")
def busybox(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example as its README makes it."""
    if not os.path.exists("/bin/busybox"):
        unavailable("busybox-static is not installed")
    context = tmp_path_factory.mktemp("busybox")
    shutil.copytree(REPOSITORY / "docker/scratch", context, dirs_exist_ok=True)
    standalone.build(context / "pyinit")
    shutil.copy("/bin/busybox", context)
    form = ("--format", "docker") if engine.name == "podman" else ()
    with built_image(engine, context, *form) as name:
        yield name


def test_the_example_serves_is_healthy_and_stops_at_once(engine: Engine, busybox: str) -> None:
    with Containers(engine, busybox, None) as made:
        identifier = engine(
            *("run", "--detach", "--network", "none", *engine.quick_health, "--label", made.label, busybox)
        ).stdout.split()[-1]
        web = Container(engine, identifier)
        wait_until(lambda: engine.is_healthy(web.name), "the server to be healthy")
        assert web.exec("/busybox", "id").stdout.startswith("uid=10000 gid=10000")
        commands = web.exec("/busybox", "ps", "-o", "pid,args").stdout.splitlines()
        assert commands[1].split()[:2] == ["1", "/pyinit"]
        assert any("httpd -f -p 8000" in line for line in commands)
        web.stop()
        assert web.inspect("{{.State.ExitCode}}") == "143"


def test_a_shell_of_busyboxs_is_drained(engine: Engine, busybox: str) -> None:
    """What a script leaves behind gets the stop, and its grace."""
    with Containers(engine, busybox, None) as made:
        left = "(trap 'echo saved; exit' TERM; echo ready; while :; do /busybox sleep 0.1; done) & "
        script = left + "exec /busybox sleep 1000"
        container = made.start("/busybox", "sh", "-c", script, init=("--grace", "5", "--"))
        container.wait_for_line("ready")
        container.stop()
        assert container.wait() == 143
        assert container.lines() == ["ready", "saved"]
