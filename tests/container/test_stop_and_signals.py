"""What an orchestrator does to a container: stop it, signal it; and what rewriting makes of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

SIGNALS = ("python3", "/programs/signals.py")
# PID 1 loses a signal that arrives before its interpreter runs (the kernel drops what an init does not handle), and so
# every test waits until the program says that it is there before it stops the container.
SLEEP = ("sh", "-c", "echo ready; exec sleep 1000")


def test_stop_ends_with_the_programs_own_status(containers: Containers) -> None:
    container = containers.start(*SIGNALS)
    container.wait_for_line("ready")
    container.stop()
    assert container.wait() == 7
    assert container.lines() == ["ready", "SIGTERM"]


def test_stop_of_a_program_without_a_handler_is_143(containers: Containers) -> None:
    container = containers.start(*SLEEP)
    container.wait_for_line("ready")
    container.stop()
    assert container.wait() == 143


def test_each_signal_arrives_once_and_in_order(containers: Containers) -> None:
    container = containers.start(*SIGNALS)
    container.wait_for_line("ready")
    for name in ("SIGUSR1", "SIGHUP", "SIGUSR2", "SIGWINCH"):
        container.kill(name)
        container.wait_for_line(name)
    container.stop()
    assert container.lines() == ["ready", "SIGUSR1", "SIGHUP", "SIGUSR2", "SIGWINCH", "SIGTERM"]


def test_f07_a_stop_from_the_terminal_and_its_continuation_both_arrive(containers: Containers) -> None:
    container = containers.start(*SIGNALS)
    container.wait_for_line("ready")
    for name in ("SIGTSTP", "SIGCONT"):
        container.kill(name)
        container.wait_for_line(name)
    container.stop()
    assert container.lines() == ["ready", "SIGTSTP", "SIGCONT", "SIGTERM"]


def test_signal_reaches_the_whole_process_group(containers: Containers) -> None:
    container = containers.start("sh", "-c", "trap : TERM; python3 /programs/signals.py & wait; wait; echo shell")
    container.wait_for_line("ready")
    container.stop()
    assert sorted(container.lines()) == ["SIGTERM", "ready", "shell"]


@pytest.mark.parametrize(
    ("init", "options"),
    [
        pytest.param(("-r", "TERM:QUIT", "--"), (), id="option"),
        pytest.param(("--",), ("--env", "PYINIT_REWRITE=TERM:QUIT"), id="variable"),
    ],
)
def test_f06_stop_is_rewritten_to_the_signal_a_server_wants(
    containers: Containers, init: tuple[str, ...], options: tuple[str, ...]
) -> None:
    container = containers.start(*SIGNALS, init=init, options=options)
    container.wait_for_line("ready")
    container.stop()
    assert container.wait() == 3
    assert container.lines() == ["ready", "SIGQUIT"]


@pytest.mark.parametrize(
    ("init", "options"),
    [
        pytest.param(("-e", "143", "--"), (), id="option"),
        pytest.param(("--",), ("--env", "PYINIT_REMAP_EXIT=143"), id="variable"),
    ],
)
def test_f19_clean_stop_reads_as_success(
    containers: Containers, init: tuple[str, ...], options: tuple[str, ...]
) -> None:
    container = containers.start(*SLEEP, init=init, options=options)
    container.wait_for_line("ready")
    container.stop()
    assert container.wait() == 0
