"""The soak in a short form, and that each of its checks sees what it looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.container.support import REPOSITORY, Engine
from tests.soak import ZOMBIE_LIMIT, Load, Service, Zombies, growth
from tests.support import Pyinit, probe, wait_until

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]


@pytest.mark.usefixtures("image")
def test_a_short_soak_holds(engine: Engine, tmp_path: Path) -> None:
    """Everything happens in it: orphans, all kinds of signals, execs, restarts."""
    output = tmp_path / "figures"
    command = [
        sys.executable,
        "-m",
        "tests.soak",
        "--minutes",
        "0.5",
        "--zombie-limit",
        "20",
        "--engine",
        engine.name,
        "--output",
        str(output),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())
    assert figures["problems"] == []
    assert set(figures["inits"]) == {"plain", "journal"}
    for found in figures["inits"].values():
        assert found["orphans"] > 0
        assert found["signals"] > 0
        assert found["execs"] > 0
        assert {"growth", "most"} <= found["private_dirty_kb"].keys() & found["descriptors"].keys()
    assert figures["containers"]["restarts"] > 0
    assert figures["containers"]["execs"] > 0
    assert "all of it holds" in done.stderr


def test_a_signal_that_does_not_arrive_is_a_problem(pyinit: Pyinit) -> None:
    load = Load()
    with pyinit.start("--grace", "0", "-r", "USR1:0", "--", *probe("busy"), stderr=subprocess.DEVNULL) as run:
        service = Service("lossy", run, load, lost_after=10)
        service.start()
        assert load.stop.wait(60)
        service.finish()
    assert load.problems == ["lossy: lost signals: {10: 1}"]


def test_a_program_that_ends_is_a_problem(pyinit: Pyinit) -> None:
    load = Load()
    with pyinit.start("--", "sh", "-c", "read word", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        service = Service("short", run, load)
        assert run.process.stdin is not None
        run.process.stdin.close()
        service.start()
        assert load.stop.is_set()
    assert load.problems[0] == "short: the program ended"


def test_a_zombie_is_told_with_its_age() -> None:
    with subprocess.Popen(["true"]) as child:
        zombies = Zombies(os.getpid())
        wait_until(lambda: child.pid in zombies.look(), "the child is a zombie")
        began = time.monotonic()
        wait_until(lambda: zombies.look()[child.pid] > ZOMBIE_LIMIT, "the zombie is too old")
        assert zombies.oldest > ZOMBIE_LIMIT
        assert time.monotonic() - began > ZOMBIE_LIMIT / 2
    assert child.pid not in zombies.look()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([3], 0),
        ([0, 0, 9, 9, 9, 9, 9, 9], 0),  # what the first quarter needs is no growth
        ([1, 1, 2, 2, 3, 3, 4, 4], 2),
        ([5, 5, 5, 5, 5, 99, 5, 5], 0),  # what was given back is none, either
    ],
)
def test_growth_is_from_the_second_quarter_to_the_last(samples: list[int], expected: int) -> None:
    assert growth(samples) == expected
