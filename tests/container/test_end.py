"""How a container ends: what its program leaves, an engine's patience and ours, orphans and hooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

# A worker in a session of its own, which takes a while to deal with TERM, and a program that ends at once.
WORKER = "setsid sh -c 'trap \"sleep 0.5; echo worker saved; exit\" TERM; echo ready; while :; do sleep 0.1; done' & "


def test_f11_stop_gives_what_the_program_leaves_time_to_end(containers: Containers) -> None:
    container = containers.start("sh", "-c", WORKER + 'trap "echo program; exit 4" TERM; while :; do sleep 0.1; done')
    container.wait_for_line("ready")
    container.engine("stop", "--time", "8", container.name)
    assert container.wait() == 4
    assert container.lines() == ["ready", "program", "worker saved"]
    assert "the program has left" in container.logs().stderr


def test_f11_a_program_that_ends_by_itself_does_not_cut_off_its_worker(containers: Containers) -> None:
    finished = containers.run("sh", "-c", WORKER + "sleep 0.5; exit 3")
    assert (finished.returncode, finished.stdout) == (3, "ready\nworker saved\n")


def test_stop_timeout_is_over_before_the_engines_patience(containers: Containers) -> None:
    """The status is 137 either way; that pyinit did it is in its words."""
    program = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    container = containers.start("sh", "-c", program, init=("--stop-timeout", "1", "--"))
    container.wait_for_line("ready")
    container.engine("stop", "--time", "30", container.name)
    assert container.wait() == 137
    assert "(sh, ignores it): killed" in container.logs().stderr


def test_f12_wait_all_keeps_a_container_whose_service_forks_away(containers: Containers) -> None:
    daemon = "(setsid sh -c 'trap \"echo daemon ends; exit\" TERM; echo ready; while :; do sleep 0.1; done' &); exit 5"
    container = containers.start("sh", "-c", daemon, init=("--wait-all", "--"))
    container.wait_for_line("ready")
    assert container.is_running()
    container.stop()
    assert container.wait() == 5
    assert container.lines() == ["ready", "daemon ends"]


def test_f15_orphans_of_a_crashed_service_do_not_pile_up(containers: Containers) -> None:
    service = "while :; do sh -c 'sleep 1000 & echo crash; kill -9 $$'; sleep 0.2; done"
    container = containers.start("sh", "-c", service, init=("--orphans", "end", "--events", "/dev/stdout", "--"))

    def three_have_ended() -> bool:
        events = [json.loads(line) for line in container.lines() if line.startswith("{")]
        ended = [event for event in events if event["event"] == "reaped" and event["signal"] == "SIGTERM"]
        # One that got its TERM before it had become `sleep` is `sh` still.
        assert all(event["orphan"] and event["command"] in ("sleep", "sh") for event in ended)
        return len(ended) >= 3

    wait_until(three_have_ended, "three orphans ended by TERM")
    container.stop()


def test_hooks_and_secrets_work_together(containers: Containers, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "DB_PASSWORD").write_text("correct horse\n")
    init = (
        "--secrets",
        "/run/secrets",
        "--before",
        "echo migrate",
        "--after",
        "sh -c 'echo saved $PYINIT_STATUS'",
        "--",
    )
    finished = containers.run(
        "sh", "-c", 'echo "$DB_PASSWORD"; exit 6', init=init, options=("--volume", f"{secrets}:/run/secrets:ro")
    )
    assert (finished.returncode, finished.stdout) == (6, "migrate\ncorrect horse\nsaved 6\n")


def test_f114_137_for_want_of_memory_is_one_line(containers: Containers) -> None:
    """Of the program, and of a shell's child, whose status the shell has."""
    takes = ("python3", "-ISc", "x = bytearray(100 << 20)")
    for program in (takes, ("sh", "-c", '"$@"; exit $?', "sh", *takes)):
        finished = containers.run(*program, init=("--",), options=("--memory", "64m", "--memory-swap", "64m"))
        assert finished.returncode == 137
        assert "for want of memory (limit 64 MiB, peak " in finished.stderr


def test_f51_a_secret_is_not_in_the_environment_of_pid_1(containers: Containers, tmp_path: Path) -> None:
    (tmp_path / "TOKEN").write_text("hunter2")
    options = ("--volume", f"{tmp_path}:/run/secrets:ro")
    container = containers.start(
        "sh", "-c", "echo ready; exec sleep 1000", init=("--secrets", "/run/secrets", "--"), options=options
    )
    container.wait_for_line("ready")
    assert "hunter2" not in container.exec("cat", "/proc/1/environ").stdout
    assert "hunter2" in container.exec("sh", "-c", "cat /proc/[0-9]*/environ").stdout
    container.stop()
