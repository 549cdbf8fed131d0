"""Containers with less: read-only, without capabilities, without root, without an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .support import USER_NAMESPACES, assert_takes_signals_and_stops

if TYPE_CHECKING:
    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--read-only",), id="f25-read-only"),
        pytest.param(("--cap-drop", "all"), id="no-capabilities"),
        pytest.param(("--security-opt", "no-new-privileges"), id="no-new-privileges"),
        pytest.param(("--user", "4242:4242"), id="user-without-an-account"),
        pytest.param(("--user", "www-data"), id="user-with-an-account"),
        pytest.param(
            ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--user", "4242:4242"),
            id="all-of-it",
        ),
        pytest.param(("--uidmap", "0:100000:65536"), id="user-namespace", marks=USER_NAMESPACES),
        pytest.param(("--memory", "32m", "--pids-limit", "10"), id="small-limits"),
    ],
)
def test_confined_container_works_as_any_other(containers: Containers, options: tuple[str, ...]) -> None:
    if "--read-only" in options:
        options = (*options, *containers.engine.without_tmpfs)
    container = containers.start("python3", "/programs/signals.py", options=options)
    assert_takes_signals_and_stops(container)


@pytest.mark.parametrize(
    ("options", "show", "shown"),
    [
        pytest.param(("--cap-drop", "all"), "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n", id="caps"),
        pytest.param(
            ("--security-opt", "no-new-privileges"),
            "grep NoNewPrivs /proc/self/status",
            "NoNewPrivs:\t1\n",
            id="no-new-privileges",
        ),
        pytest.param(("--user", "4242:4243"), "id -u; id -g; id -G", "4242\n4243\n4243\n", id="numbers"),
        pytest.param(("--user", "www-data"), "id -un; id -gn; id -Gn", "www-data\n" * 3, id="account"),
        pytest.param(("--group-add", "4244"), "id -G | tr ' ' '\\n' | grep 4244", "4244\n", id="added-group"),
    ],
)
def test_program_has_the_identity_that_the_engine_gave(
    containers: Containers, options: tuple[str, ...], show: str, shown: str
) -> None:
    finished = containers.run("sh", "-c", show, options=options)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, shown, "")


def changed_files(containers: Containers, init: tuple[str, ...] | None) -> set[str]:
    """What a container whose program does nothing changed in the image's files, with mount points."""
    container = containers.start("true", init=init)
    assert container.wait() == 0
    return set(containers.engine("diff", container.name).stdout.splitlines())


def test_f25_init_writes_nothing(containers: Containers) -> None:
    assert changed_files(containers, init=("--",)) == changed_files(containers, init=None)
