"""pyinitctl.pyz in a container that has Python, but neither pip nor psutil: copied in, as the README says."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, Terminal, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(240, func_only=True)]


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pyz") / "pyinitctl.pyz"
    subprocess.run([sys.executable, "-m", "tools.pyz", str(file)], cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL)
    return file


def test_it_is_copied_in_and_runs(containers: Containers, pyz: Path) -> None:
    script = "echo ready; sh -c 'sleep 1000 &'; exec sleep 2000"
    container = containers.start("sh", "-c", script, init=("--events", "/tmp/journal", "--"))
    container.wait_for_line("ready")
    wait_until(lambda: "sleep 2000" in str(container.processes()), "the program to be there")
    container.engine("cp", str(pyz), f"{container.name}:/tmp/pyinitctl.pyz")

    def run(*words: str) -> str:
        return container.exec("python3", "-IS", "/tmp/pyinitctl.pyz", *words).stdout

    assert "[adopted] sleep 1000" in run("tree")
    looked = run("top", "-n", "1")
    assert "[adopted] sleep 1000" in looked
    assert "psutil is not installed: no processor times" in looked
    assert json.loads(run("doctor", "--json"))["pid1"]["init"] == "pyinit"
    assert "sleep 2000" in run("timeline", "/tmp/journal")
    run("timeline", "/tmp/journal", "-o", "/tmp/life.html")  # which is made out of files beside the modules
    assert "<svg" in container.exec("cat", "/tmp/life.html").stdout


def test_live_it_is_a_screen_there_too(containers: Containers, pyz: Path) -> None:
    container = containers.start("sh", "-c", "echo ready; exec sleep 1000")
    container.wait_for_line("ready")
    container.engine("cp", str(pyz), f"{container.name}:/tmp/pyinitctl.pyz")
    command = [*container.engine.command, "exec", "-it", container.name, "python3", "/tmp/pyinitctl.pyz", "top"]
    with contextlib.closing(Terminal(command, container.engine.environment)) as terminal:
        terminal.wait_for("sleep 1000")
        terminal.wait_for("q quit")
        terminal.send("q")
        assert terminal.wait() == 0
