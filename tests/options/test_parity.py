"""Under another init's name pyinit does what that init does: the same scenario for both, and the same outcome.

Where it differs on purpose the data say how and why: see tests/parity_scenarios.py.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import Pyinit, children, collects_signals, wait_until
from tests.support.parity import Scenario, carry_out, settle
from tests.support.parity_scenarios import DIFFERENCES, SCENARIOS, TABLE, table

EVERY = [
    pytest.param(peer, scenario, id=f"{peer}: {scenario.name}")
    for peer, scenarios in SCENARIOS.items()
    for scenario in scenarios
]


def binary_of(peer: str) -> str:
    found = shutil.which(peer)
    if found is None:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail(f"{peer} is not installed")
        pytest.skip(f"{peer} is not installed")
    return found


@pytest.mark.parametrize(("peer", "scenario"), EVERY)
def test_f07_f08_f22_pyinit_does_what_its_name_says(pyinit: Pyinit, peer: str, scenario: Scenario) -> None:
    theirs = carry_out(binary_of(peer), scenario)
    ours = carry_out(pyinit.named(peer).file, scenario)
    difference = DIFFERENCES.get((peer, scenario.name))
    if difference is None:
        if peer == "catatonit" and scenario.errors == "told":
            # It writes a line in pieces, and so does its child at the same time: a run in which they mix says nothing.
            for _ in range(9):
                theirs = theirs if theirs == ours else carry_out(binary_of(peer), scenario)
        assert ours == theirs
    else:
        assert difference.describes(theirs, ours), (difference, theirs, ours)


def test_every_scenario_has_a_name_of_its_own_and_every_difference_a_scenario() -> None:
    names = [(peer, scenario.name) for peer, scenarios in SCENARIOS.items() for scenario in scenarios]
    assert len(set(names)) == len(names)
    assert set(DIFFERENCES) <= set(names)


def test_table_is_up_to_date() -> None:
    assert TABLE.read_text() == table(), "python -m tests.support.parity_scenarios makes it"


@pytest.mark.parametrize("name", ["tini", "docker-init", "catatonit", "podman-init"])
def test_docker_reads_the_version(pyinit: Pyinit, name: str) -> None:
    """As moby reads it (daemon/info_unix.go): what is before ` - ` begins with `tini version `, then git.COMMIT."""
    status, output, errors = pyinit.named(name).run("--version")
    version, _, commit = output.strip().partition(" - ")
    assert (status, errors) == (0, "")
    assert version.startswith("tini version ")
    word, _, name_of_commit = commit.partition(".")
    assert word == "git"
    assert name_of_commit
    assert "." not in name_of_commit


@pytest.mark.parametrize("suffix", ["", "-static", ".py", "-static.py"])
@pytest.mark.parametrize("name", ["tini", "docker-init", "dumb-init", "catatonit", "podman-init"])
def test_name_may_end_in_static_and_py(pyinit: Pyinit, name: str, suffix: str) -> None:
    errors = pyinit.named(name + suffix).run("no-such-program")[2]
    assert any(form in errors for form in ("[FATAL tini (", "[dumb-init] ", "ERROR (catatonit:"))


def test_copy_is_as_good_as_a_link(pyinit: Pyinit, tmp_path: Path) -> None:
    copy = tmp_path / "dumb-init.py"
    shutil.copy(pyinit.file, copy)
    assert Pyinit(copy, pyinit.python).run("no-such-program")[0] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [["-P"], ["-gP", "a-word"]])
def test_pause_reaps_and_ends_by_int_or_term(pyinit: Pyinit, number: signal.Signals, words: "list[str]") -> None:
    for init in (Path(binary_of("catatonit")), pyinit.named("catatonit").file):
        with Pyinit(init, "").start(*words) as run:
            pid = run.pid
            wait_until(lambda pid=pid: collects_signals(pid), "the pause begins")  # type: ignore[misc]
            for ignored in (signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT, signal.SIGRTMIN):
                run.send(ignored)
                settle(pid)
            orphan = subprocess.run(
                ["nsenter", "--target", str(run.pid), "--pid", "--mount", "sh", "-c", "(exit 3) & exec true"],
                stdin=subprocess.DEVNULL,
            )
            assert orphan.returncode == 0
            wait_until(lambda pid=pid: not children(pid), "the orphan is reaped")  # type: ignore[misc]
            run.send(number)
            assert run.finish() == (0, "", "")
