"""Where pyinit is not PID 1: the host's PID namespace, another container's, or under an engine's own init."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from .support import Container, Containers, Podman, unavailable, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

ORPHANS = ("python3", "/programs/orphans.py", "burst", "50")
ADOPTED_AND_REAPED = "adopted by the init: True\nleft: 0\n"

# Never root in the host's namespace: a wrong kill(-1) would end the machine, and so it can reach this user's only.
IN_THE_HOSTS_NAMESPACE = ("--pid", "host", "--user", "4321:4321")


def test_f21_beside_the_hosts_processes_orphans_are_adopted_and_reaped(containers: Containers) -> None:
    finished = containers.run(*ORPHANS, options=IN_THE_HOSTS_NAMESPACE)
    assert (finished.returncode, finished.stdout) == (0, ADOPTED_AND_REAPED)


def test_f22_not_being_pid_1_is_told_only_when_asked(containers: Containers) -> None:
    quiet = containers.run("true", options=IN_THE_HOSTS_NAMESPACE)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    verbose = containers.run("true", init=("-v", "--"), options=IN_THE_HOSTS_NAMESPACE)
    assert verbose.returncode == 0
    assert len([line for line in verbose.stderr.splitlines() if "subreaper" in line]) == 1


def test_f21_stop_in_the_hosts_namespace(containers: Containers) -> None:
    container = containers.start("python3", "/programs/signals.py", options=IN_THE_HOSTS_NAMESPACE)
    container.wait_for_line("ready")
    container.kill("SIGTERM")  # not stop: in such a container podman sends that to every process by itself
    assert container.wait() == 7
    assert container.lines() == ["ready", "SIGTERM"]


def command_lines(container: Container) -> list[str]:
    return [each.arguments for each in container.processes()]


def test_f21_orphans_in_a_shared_namespace_are_adopted_and_reaped(containers: Containers) -> None:
    neighbour = containers.start("sleep", "1001")
    finished = containers.run(*ORPHANS, options=("--pid", f"container:{neighbour.name}"))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ADOPTED_AND_REAPED, "")


def test_f21_under_the_engines_own_init(containers: Containers) -> None:
    path = f"{os.environ['PATH']}:/usr/libexec/podman"
    if containers.engine.name == "podman" and not shutil.which("catatonit", path=path):
        unavailable("catatonit, podman's own init, is not installed")
    finished = containers.run(*ORPHANS, options=("--init",))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ADOPTED_AND_REAPED, "")


@pytest.fixture
def containers_with_our_init(image: str, zipapp_for_containers: Path, tmp_path: Path) -> Iterator[Containers]:
    """Containers of an engine whose `--init` is pyinit."""
    podman = Podman(tmp_path, f'init_path = "{zipapp_for_containers}"')
    with Containers(podman, image, zipapp_for_containers) as made:
        yield made


@pytest.mark.only("podman", "has the path of its init as an option of the daemon: see test_docker.py")
def test_as_the_engines_own_init(containers_with_our_init: Containers) -> None:
    container = containers_with_our_init.start("python3", "/programs/signals.py", init=None, options=("--init",))
    container.wait_for_line("ready")
    assert "pyinit" not in command_lines(container)
    init_command_line = container.exec("cat", "/proc/1/cmdline").stdout.split("\0")
    assert "/usr/bin/python3" in init_command_line[0]
    container.exec("python3", "/programs/orphans.py", "sequence", "20")
    wait_until(lambda: len(container.processes()) == 2, "the init and the program to be all that is left")
    container.stop()
    assert container.wait() == 7
