"""What the journal says of the cost of processes: what real ones burn, touch and wait for."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyinit.kernel.costs import wait_status
from tests.support import NAMESPACE, Pyinit, Terminal, descendants, state, wait_until, waits_for_signals

COSTS = {
    "user_time", "system_time", "max_rss", "minor_faults", "major_faults", "disk_read", "voluntary_switches",
    "involuntary_switches",
}  # fmt: skip
PYTHON = [sys.executable, "-ISc"]
PAGE = os.sysconf("SC_PAGE_SIZE")
SIZE = 48 << 20

BURNS = "import time\nwhile time.process_time() < 0.3: pass"
# Page by page: a huge one would be one fault for many.
TOUCHES = f"""
import mmap
memory = mmap.mmap(-1, {SIZE})
memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, {SIZE}, {PAGE}):
    memory[at] = 1
"""
WAITS = "import time\nfor _ in range(30): time.sleep(0.001)"


def events(path: Path) -> "list[dict[str, Any]]":
    return [json.loads(line) for line in path.read_text().splitlines()]


def events_of_run(pyinit: Pyinit, journal: Path, *command: str) -> "list[dict[str, Any]]":
    status, _, errors = pyinit.run("--events", journal, "--", *command)
    assert (status, errors) == (0, "")
    return events(journal)


def reaped_of(pyinit: Pyinit, journal: Path, script: str, told: str, times: int) -> "list[dict[str, Any]]":
    """The processes reaped until the journal has `told` so often, and in the stop that then comes."""
    with pyinit.start("--events", journal, "--", "sh", "-c", f"{script}; exec sleep 1000") as started:
        wait_until(lambda: journal.exists() and journal.read_text().count(told) == times, "all are reaped")
        started.send(signal.SIGTERM)
        assert started.finish()[0] == 143
    return [event for event in events(journal) if event["event"] == "reaped"]


def test_each_reaped_process_has_its_cost_and_the_end_has_the_sums(every_pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    reaped = reaped_of(every_pyinit, journal, "(sleep 0.01 &); (sh -c 'exit 3' &)", '"orphan": true', 2)
    assert len(reaped) == 3
    assert all(event.keys() >= COSTS for event in reaped)
    sums = events(journal)[-1]["reaped"]
    assert sums.keys() == COSTS
    assert sums.pop("max_rss") == max(event["max_rss"] for event in reaped)
    for name, value in sums.items():
        assert value == pytest.approx(sum(event[name] for event in reaped), abs=1e-5), name


def test_pyinits_own_cost_is_at_the_end(every_pyinit: Pyinit, tmp_path: Path) -> None:
    own = events_of_run(every_pyinit, tmp_path / "journal", "true")[-1]["own"]
    assert own.keys() == COSTS
    assert own["user_time"] + own["system_time"] > 0
    assert own["max_rss"] > 1 << 20 and own["minor_faults"] > 100


def test_processor_time_is_told(pyinit: Pyinit, tmp_path: Path) -> None:
    (reaped,) = (
        each for each in events_of_run(pyinit, tmp_path / "journal", *PYTHON, BURNS) if each["event"] == "reaped"
    )
    assert reaped["user_time"] + reaped["system_time"] >= 0.3


def test_memory_and_page_faults_are_told(pyinit: Pyinit, tmp_path: Path) -> None:
    found = events_of_run(pyinit, tmp_path / "journal", *PYTHON, TOUCHES)
    (reaped,) = (each for each in found if each["event"] == "reaped")
    assert reaped["max_rss"] >= SIZE
    assert reaped["minor_faults"] >= SIZE // PAGE


def test_how_often_it_waited_is_told(pyinit: Pyinit, tmp_path: Path) -> None:
    (reaped,) = (
        each for each in events_of_run(pyinit, tmp_path / "journal", *PYTHON, WAITS) if each["event"] == "reaped"
    )
    assert reaped["voluntary_switches"] >= 30


def test_the_cost_of_an_orphan_is_its_own(pyinit: Pyinit, tmp_path: Path) -> None:
    """The program is cheap, what it leaves is not."""
    journal = tmp_path / "journal"
    with pyinit.start(
        "--events", journal, "--", "sh", "-c", '("$@" &); exec sleep 1000', "sh", *PYTHON, BURNS
    ) as started:
        wait_until(lambda: journal.exists() and '"orphan": true' in journal.read_text(), "the orphan is reaped")
        started.send(signal.SIGTERM)
        started.finish()
    orphan, program = (each for each in events(journal) if each["event"] == "reaped")
    assert orphan["user_time"] + orphan["system_time"] >= 0.3 > program["user_time"] + program["system_time"]


def test_children_that_were_waited_for_are_in_their_parents_cost(pyinit: Pyinit, tmp_path: Path) -> None:
    found = events_of_run(pyinit, tmp_path / "journal", "sh", "-c", '"$@"; exit 0', "sh", *PYTHON, TOUCHES)
    (reaped,) = (each for each in found if each["event"] == "reaped")
    assert reaped["command"] == "sh"
    assert reaped["max_rss"] >= SIZE and reaped["minor_faults"] >= SIZE // PAGE


def test_commands_around_the_program_are_in_the_sums(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    before = f"{sys.executable} -ISc '{BURNS}'"
    assert pyinit.run("--events", journal, "--before", before, "--", "true")[0] == 0
    first, second = (each for each in events(journal) if each["event"] == "reaped")
    sums = events(journal)[-1]["reaped"]
    assert sums["user_time"] == pytest.approx(first["user_time"] + second["user_time"], abs=1e-5)
    assert sums["user_time"] + sums["system_time"] >= 0.3


def test_a_program_that_does_not_start_has_no_cost_but_pyinits(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert pyinit.run("--events", journal, "--user", "nobody-of-that-name", "--", "true")[0] == 2
    last = events(journal)[-1]
    assert last["error"] and last["reaped"]["max_rss"] == 0 < last["own"]["max_rss"]


def test_a_storm_of_orphans_loses_none(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    reaped = reaped_of(pyinit, journal, "for i in $(seq 2000); do (exit 3 &); done", '"status": 3', 2000)
    assert all(each.keys() >= COSTS for each in reaped)
    faults = sum(each["minor_faults"] for each in reaped)
    assert events(journal)[-1]["reaped"]["minor_faults"] == faults


def test_a_program_that_is_stopped_and_goes_on_is_told_of_once(pyinit: Pyinit, tmp_path: Path) -> None:
    """On a terminal the wait is for those who are stopped, too."""
    journal = tmp_path / "journal"
    words = ("--events", journal, "--", "sh", "-c")
    with Terminal(*NAMESPACE, pyinit.file, *words, "echo rea''dy; kill -STOP $$; echo went on; exit 7") as terminal:
        terminal.wait_for("ready")
        wait_until(lambda: journal.exists() and '"spawn"' in journal.read_text(), "the program is started")
        pid = descendants(terminal.pid)[-1]
        wait_until(lambda: state(pid) == "T", "the program is stopped")
        os.kill(pid, signal.SIGCONT)
        terminal.wait_for("went on")
        assert terminal.finish() == 7
    (reaped,) = (each for each in events(journal) if each["event"] == "reaped")
    assert reaped["status"] == 7 and reaped.keys() >= COSTS
    assert events(journal)[-1]["reaped"]["minor_faults"] == reaped["minor_faults"]


def but_who_is_left(errors: str) -> str:
    """Without the line about an orphan that had not ended yet when the program did."""
    return re.sub(r"pyinit: the program has left .*\n", "", errors)


@pytest.mark.parametrize("target", ["/dev/full", "tmpfs"])
def test_a_full_disk_changes_nothing_for_the_program(pyinit: Pyinit, tmp_path: Path, target: str) -> None:
    """Lines that do not fit are lost, and no other."""
    script = "for i in $(seq 200); do (exit 3 &); done; exit 5"
    if target != "tmpfs":
        status, _, errors = pyinit.run("--events", target, "--", "sh", "-c", script)
        assert (status, but_who_is_left(errors)) == (5, "")
        return
    mount = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8k none "$0" && "$@"; s=$?; cat "$0/j"; exit $s')
    command = ("--events", str(tmp_path / "j"), "--", "sh", "-c", script)
    status, output, errors = pyinit.run(*command, wrapper=(*mount, str(tmp_path)))
    assert (status, but_who_is_left(errors)) == (5, "")
    whole = [line for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    assert 10 < len(whole) <= 8192 // 100
    assert len(output.splitlines()) - len(whole) <= 1
    assert [json.loads(line)["event"] for line in whole[:2]] == ["start", "spawn"]


def loaded(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_what_tells_costs_is_loaded_where_there_is_a_journal_alone(every_pyinit: Pyinit) -> None:
    script = "import resource; print(hasattr(resource, '__file__'))"
    is_library = subprocess.check_output([every_pyinit.python, "-ISc", script], text=True) == "True\n"
    for options, expected in (((), False), (("-v", "-w"), False), (("--events", "/dev/null"), is_library)):
        with every_pyinit.start(*options, "--", "sh", "-c", "echo ready; exec sleep 1000") as started:
            started.wait_for("ready")
            wait_until(lambda run=started: waits_for_signals(run.pid), "pyinit waits")  # type: ignore[misc]
            assert ("/resource." in loaded(started.pid)) is expected, options


@pytest.mark.parametrize("how", ["exited", "killed", "dumped", "stopped"])
def test_the_status_is_known_from_looking_at_a_child(how: str) -> None:
    """As wait(2) reports it: if there is no memory for what wait4 returns, this is what is left."""
    end = {"exited": "exit 37", "killed": "kill -USR1 $$", "dumped": "kill -SEGV $$", "stopped": "kill -STOP $$"}[how]
    with subprocess.Popen(["sh", "-c", f"ulimit -c unlimited; {end}"], cwd="/proc/self") as child:
        found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        assert found is not None
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert wait_status(found) == status
        child.kill() if how == "stopped" else setattr(child, "returncode", 0)
