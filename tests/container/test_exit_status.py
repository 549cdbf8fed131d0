"""The container's exit status is the program's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(60, func_only=True)]


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status_is_the_programs(containers: Containers, status: int) -> None:
    finished = containers.run("sh", "-c", f"exit {status}")
    assert (finished.returncode, finished.stdout, finished.stderr) == (status, "", "")


@pytest.mark.parametrize(("name", "number"), [("HUP", 1), ("KILL", 9), ("SEGV", 11), ("TERM", 15)])
def test_death_by_a_signal_is_128_and_its_number(containers: Containers, name: str, number: int) -> None:
    finished = containers.run("sh", "-c", f"kill -{name} $$")
    assert finished.returncode == 128 + number


@pytest.mark.parametrize(
    ("program", "status"),
    [
        pytest.param("no-such-program", 127, id="not-on-the-path"),
        pytest.param("/no/such/program", 127, id="no-such-file"),
        pytest.param("/etc/passwd", 126, id="not-executable"),
        pytest.param("/etc", 126, id="a-directory"),
    ],
)
def test_f20_program_that_cannot_start_is_named_with_all_its_arguments(
    containers: Containers, program: str, status: int
) -> None:
    finished = containers.run(program, "--first", "a second")
    assert finished.returncode == status
    [line] = finished.stderr.splitlines()
    for word in (program, "--first", "a second"):
        assert word in line


def test_standard_streams_are_the_programs(containers: Containers) -> None:
    finished = containers.run("sh", "-c", "echo out; echo error >&2")
    assert (finished.stdout, finished.stderr) == ("out\n", "error\n")
