"""`pyinitctl lab`: every experiment runs for real, and what it tells is what happens."""

import json
import os
import subprocess
import sys

import pytest

from pyinit.ctl.lab.experiments import BY_NAME
from tests.support import REPOSITORY, require_namespaces

LAB = [sys.executable, "-m", "pyinit.ctl", "lab"]


@pytest.fixture(autouse=True)
def namespaces() -> None:
    require_namespaces()


def lab(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": REPOSITORY, **options}
    return subprocess.run([*LAB, *arguments], **settings)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("name", BY_NAME)
def test_what_an_experiment_tells_is_what_happens(name: str) -> None:
    done = lab("run", name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (result,) = json.loads(done.stdout)
    assert result["verdict"] == "held"
    assert [trial["case"] for trial in result["trials"]] == [trial.case for trial in BY_NAME[name].trials]
    assert all(trial["evidence"] for trial in result["trials"])


def test_list_names_every_experiment() -> None:
    done = lab("list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(BY_NAME)


def test_an_unknown_experiment_is_wrong_usage() -> None:
    done = lab("run", "nonsense")
    assert done.returncode == 2
    assert "'nonsense' is not one of 'pid1'" in done.stderr


def test_variables_of_pyinit_change_nothing() -> None:
    environment = {**os.environ, "PYINIT_REWRITE": "TERM:0", "TINI_VERBOSITY": "3"}
    assert lab("run", "term", env=environment).returncode == 0
