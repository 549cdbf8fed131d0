"""Orphans are reaped: in any number, from any process of the container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .support import wait_until

if TYPE_CHECKING:
    from .support import Container, Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]


def zombies(container: Container) -> list[str]:
    """Command lines of the container's processes that ended and were not waited for."""
    return [each.arguments for each in container.processes() if each.state == "Z"]


def test_f16_more_orphans_than_the_container_may_have_processes(containers: Containers) -> None:
    finished = containers.run("python3", "/programs/orphans.py", "sequence", "2000", options=("--pids-limit", "200"))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "left: 0\n", "")


def test_f18_orphans_that_end_at_the_same_moment_are_all_reaped(containers: Containers) -> None:
    finished = containers.run("python3", "/programs/orphans.py", "burst", "500")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "adopted by the init: True\nleft: 0\n"


def test_f17_orphans_of_programs_run_by_exec_are_reaped(containers: Containers) -> None:
    container = containers.start("sleep", "1000")
    finished = container.exec("python3", "/programs/orphans.py", "sequence", "100")
    assert finished.stdout == "left: 0\n"
    wait_until(lambda: len(container.processes()) == 2, "pyinit and sleep to be all that is left")
    assert zombies(container) == []
    container.stop()
    assert container.wait() == 143


def test_program_run_by_exec_keeps_its_own_status(containers: Containers) -> None:
    container = containers.start("sleep", "1000")
    assert container.exec("sh", "-c", "exit 9", check=False).returncode == 9
    assert container.is_running()


def test_pause_reaps_what_a_pods_containers_leave(containers: Containers) -> None:
    pause = containers.start(init=("--pause",))
    finished = containers.run(
        *("python3", "/programs/orphans.py", "sequence", "100"), init=None, options=("--pid", f"container:{pause.name}")
    )
    assert finished.stdout == "left: 0\n"
    assert zombies(pause) == []
    pause.stop()
    assert pause.wait() == 0
