"""Workers and what must not wait for them: signals, orphans, and what is told."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import DEADLINE, children, state, wait_until
from tests.support.reown import ALWAYS_WORKERS, OLD, ONCE, command, owner, reown

pytestmark = pytest.mark.usefixtures("require_root")

FOR_EVER = f"""
    {ALWAYS_WORKERS}
    run = walk.Walk.run
    def run_for_ever(walk):
        while True:
            run(walk)
    walk.Walk.run = run_for_ever
"""


def test_f32_a_small_tree_starts_no_worker(tree: Path) -> None:
    assert reown(tree, setup="del posix.fork").counts == (9, 8, 0)


def test_f32_workers_share_a_large_tree(large: Path) -> None:
    subprocess.run(["chown", "-R", f"{OLD}:{OLD}", large], check=True)
    result = reown(large, setup="workers = 3; log.level = 2")
    looked_at, changed, failed = result.counts
    assert (looked_at, failed) == (100001, 0)
    assert changed == 101  # inodes, however many names they have
    assert f"re-owned {large}: 100001 entries looked at, 101 changed" in result.messages


@contextlib.contextmanager
def at_work(tree: Path) -> "Iterator[tuple[subprocess.Popen[bytes], list[int]]]":
    """A process that re-owns, and its workers, which never come to an end."""
    words = command(tree, setup=FOR_EVER)
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    workers: "list[int]" = []
    try:
        wait_until(lambda: len(children(process.pid)) == 2 or process.poll() is not None, "workers are there")
        workers = children(process.pid)
        yield process, workers
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)
        wait_until(lambda: not any(state(pid) not in ("", "Z") for pid in workers), "no worker is left")


@pytest.mark.parametrize("sent, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_f03_a_stop_ends_the_walk_and_its_workers(tree: Path, sent: int, status: int) -> None:
    with at_work(tree) as (process, workers):
        process.send_signal(sent)
        _, messages = process.communicate(timeout=DEADLINE)
        assert process.returncode == status
        assert b"ended by" in messages
        assert not any(state(pid) for pid in workers)


def test_f03_other_signals_stay_pending(large: Path) -> None:
    action = ONCE + "; print(int(_signal.SIGUSR1 in _signal.sigpending()), int(_signal.SIGHUP in _signal.sigpending()))"
    setup = "posix.kill(posix.getpid(), _signal.SIGUSR1); posix.kill(posix.getpid(), _signal.SIGHUP)"
    assert reown(large, action=action, setup=setup).counts[-2:] == (1, 1)


def test_f03_a_stop_that_came_before_is_honoured(tree: Path) -> None:
    result = reown(tree, setup="posix.kill(posix.getpid(), _signal.SIGTERM)")
    assert result.status == 143
    assert owner(tree) == (OLD, OLD)


def test_no_worker_outlives_a_parent_that_is_killed(tree: Path) -> None:
    with at_work(tree) as (process, workers):
        process.kill()
        process.wait(timeout=DEADLINE)
        wait_until(lambda: all(state(pid) in ("", "Z") for pid in workers), "the workers end")


def test_a_worker_that_dies_ends_the_start(tree: Path) -> None:
    """Otherwise the account would get IDs that part of its files do not have."""
    with at_work(tree) as (process, workers):
        os.kill(workers[0], signal.SIGKILL)
        _, messages = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
        assert b"a worker failed" in messages
        assert not any(state(pid) for pid in workers)


def test_f16_orphans_are_reaped_meanwhile(tree: Path) -> None:
    """A child that we know nothing of, as PID 1 has them; reown finds it whether it ends before or during the walk."""
    setup = "\n    for _ in range(3): posix.fork() or posix._exit(7)\n    " + ALWAYS_WORKERS
    action = (
        ONCE
        + "\n    while True: time.sleep(0.01); progress.Progress('', log).check(walk.Count()); posix.waitpid(-1, 1)"
    )
    result = reown(tree, setup=setup, action=action)
    assert "ChildProcessError" in result.messages
    assert result.output == "9 8 0\n"


@pytest.mark.parametrize("level, told", [(1, True), (0, False)])
def test_f32_progress_is_told_by_default(large: Path, level: int, told: bool) -> None:
    setup = f"log.level = {level}; progress._FIRST_PROGRESS = progress._PROGRESS_INTERVAL = 0.01"
    result = reown(large, setup=setup)
    lines = re.findall(rf"pyinit: re-owning {large}: \d+ entries looked at, \d+ changed\n", result.messages)
    assert bool(lines) is told
