"""`pyinitctl report`: what a container did, of real runs and of journals made by hand."""

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings

from pyinit.ctl.commands import pyinitctl
from pyinit.ctl.timeline import model, report, report_page
from pyinit.ctl.timeline.journal import read
from pyinit.ctl.timeline.text import cells
from tests.ctl.test_timeline import RUNNER, SMALL, entry, reaped
from tests.ctl.test_timeline_journal import journals
from tests.support import Pyinit, ctl, wait_until

COST = {
    "user_time": 1.5,
    "system_time": 0.25,
    "max_rss": 3 << 20,
    "minor_faults": 1000,
    "major_faults": 2,
    "disk_read": 4096,
    "voluntary_switches": 7,
    "involuntary_switches": 1,
}


def run(*arguments: "str | Path", data: "str | None" = None, **environment: str) -> Result:
    return RUNNER.invoke(pyinitctl, ["report", *map(str, arguments)], input=data, env={"COLUMNS": "80", **environment})


def figures(journal: Path, *options: str) -> "dict[str, Any]":
    done = run("--json", *options, journal)
    assert done.exit_code == 0, done.output
    parsed: "dict[str, Any]" = json.loads(done.stdout)
    return parsed


# ---- Real runs


BURNS = "import time\nwhile time.process_time() < 0.2: pass"
LEAVES = """
(true &) ; (true &) ; (sh -c 'exit 3' &)
("$0" -ISc "$1" &)
(trap '' TERM; sleep 1000 &)
trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done
"""


@pytest.fixture(scope="module")
def stopped(pyinit: Pyinit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a stop, with orphans of three kinds, and one that must be killed."""
    journal = tmp_path_factory.mktemp("stopped") / "journal"
    words = ("sh", "-c", LEAVES, sys.executable, BURNS)
    with pyinit.start("-c", "--grace", "0.5", "--events", journal, "--", *words) as started:
        started.wait_for("ready")
        wait_until(lambda: journal.read_text().count('"orphan": true') == 4, "four orphans are reaped")
        started.send(signal.SIGTERM)
        assert started.finish()[0] == 5
    return journal


def test_the_orphans_are_counted_by_name(stopped: Path) -> None:
    found = figures(stopped)
    assert found["orphans"].pop(Path(sys.executable).name[:15]) == 1
    assert sum(found["orphans"].values()) == 4
    assert found["processes"] == 6


def test_who_took_most_processor_time_is_first(stopped: Path) -> None:
    busiest = figures(stopped)["busiest"][0]
    assert busiest["role"] == "orphan"
    assert busiest["cost"]["user_time"] + busiest["cost"]["system_time"] >= 0.2


def test_the_longest_and_the_largest_are_first(stopped: Path) -> None:
    found = figures(stopped, "--most", "100")
    for title, key in (("longest", lambda each: each["seconds"]), ("largest", lambda each: each["cost"]["max_rss"])):
        assert len(found[title]) == 6
        assert list(map(key, found[title])) == sorted(map(key, found[title]), reverse=True)


def test_the_time_from_term_to_the_end_is_told(stopped: Path) -> None:
    found = figures(stopped)
    stop = found["stop"]
    assert (stop["signal"], stop["killed"], found["status"]) == ("TERM", 1, 5)
    assert 0 <= stop["to_the_programs_end"] <= stop["to_the_end"] <= found["seconds"] - stop["at"] + 1e-6
    assert "TERM at " in run(stopped).stdout
    assert "1 was killed for it" in run(stopped).stdout


def test_signals_are_told_with_their_senders(stopped: Path) -> None:
    (sent,) = figures(stopped)["signals"]
    assert (sent["signal"], sent["sender"], sent["forwarded_as"], sent["count"]) == ("TERM", "outside", "TERM", 1)


def test_the_costs_of_all_and_of_pyinit_are_told(stopped: Path) -> None:
    found = figures(stopped)
    assert found["cost"]["user_time"] + found["cost"]["system_time"] >= 0.2
    assert found["own_cost"]["max_rss"] > 1 << 20
    page = run(stopped).stdout
    assert "together: processor " in page and "pyinit itself: processor " in page


def test_a_running_container_is_told_as_far_as_it_is(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with pyinit.start(
        "--events", journal, "--", "sh", "-c", "trap : TERM; echo ready; while :; do sleep 1; done"
    ) as it:
        it.wait_for("ready")
        it.send(signal.SIGTERM)
        wait_until(lambda: '"forwarded"' in journal.read_text(), "it is forwarded")
        found = figures(journal)
        assert (found["status"], found["cost"], found["stop"]["to_the_programs_end"]) == (None, None, None)
        assert "no end in the journal" in run(journal).stdout


# ---- Journals made by hand

EXPECTED = """\
serve --port 80
2023-11-14 22:13:20 UTC, 10.0 s, status 0

4 processes that pyinit had to do with
3 orphans reaped: 1 date, 1 worker, 1 deaf
together: processor 1.750 s, 0.250 s of it in the kernel; at most 3.0 MiB
1,002 page faults, 2 of them from disk; waited 7 times, 4 KiB read from disk
TERM at 4.000 s: the program ended 2.000 s later, and everything 6.000 s later;
1 was killed for it

All processes, the longest first
   time       cpu   largest   faults   end    pid   command
───────────────────────────────────────────────────────────
5.500 s         -         -        -   0        7   serve
3.500 s   1.750 s   3.0 MiB    1,002   KILL    22   deaf
1.000 s         -         -        -   TERM    21   worker
0.000 s         -         -        -   0       20   date

Most frequent, of 4 commands
number   failed      time       cpu   largest   command
───────────────────────────────────────────────────────
     1        1   3.500 s   1.750 s   3.0 MiB   deaf
     1        0   5.500 s   0.000 s     0 KiB   serve
     1        0   0.000 s   0.000 s     0 KiB   date
     1        1   1.000 s   0.000 s     0 KiB   worker

Signals
number   signal   from      sent on as     first      last
──────────────────────────────────────────────────────────
     1   TERM     outside   TERM         4.000 s   4.000 s
"""
COSTLY = SMALL.replace('"command": "deaf"', f'"command": "deaf", {json.dumps(COST)[1:-1]}').replace(
    '"status": 0}\n', f'"status": 0, "reaped": {json.dumps(COST)}}}\n'
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_text(COSTLY)
    return path


def test_the_page(small: Path) -> None:
    assert "\n".join(line.rstrip() for line in run(small).stdout.splitlines()) + "\n" == EXPECTED


def test_a_journal_without_costs_is_told_without(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(SMALL)
    assert figures(tmp_path / "old")["cost"] is None
    done = run(tmp_path / "old")
    assert (done.exit_code, "have cost is not told" in " ".join(done.stdout.split())) == (0, True)


def test_of_many_processes_there_are_the_first_of_each_order(tmp_path: Path) -> None:
    many = "".join(reaped(2, 100 + n, n % 2, f"name{n % 7}") for n in range(2000))
    (tmp_path / "many").write_text(COSTLY.replace(reaped(2, 20, 0, "date"), many))
    found = figures(tmp_path / "many", "--most", "3")
    assert [len(found[title]) for title in ("longest", "busiest", "largest", "commands")] == [3, 1, 1, 3]
    assert (found["processes"], found["names"]) == (2003, 10)
    assert (found["commands"][0]["count"], found["commands"][0]["name"]) == (286, "name0")
    page = run(tmp_path / "many").stdout
    assert "2,002 orphans reaped: 286 name0, 286 name1" in page
    assert "Most processor time" in page


def test_signals_of_a_kind_share_a_line(tmp_path: Path) -> None:
    many = "".join(entry("signal", 1 + n / 1000, signal="SIGUSR1", sender_pid=7, sender_uid=0) for n in range(900))
    lines = SMALL.splitlines(keepends=True)
    (tmp_path / "many").write_text("".join([*lines[:2], many, *lines[2:]]))
    first = figures(tmp_path / "many")["signals"][0]
    assert (first.pop("first"), first.pop("last")) == (pytest.approx(1), pytest.approx(1.899))
    assert first == {"signal": "USR1", "sender": "7", "forwarded_as": None, "count": 900}


@pytest.mark.parametrize(
    "name", ["\x1b]0;owned\x07", "\udcff\udc80", "[red]a[/red]", ":smile:", "a\nb", "\u202e", "\x00"]
)
def test_a_hostile_name_can_do_nothing_to_a_terminal(tmp_path: Path, name: str) -> None:
    journal = tmp_path / "journal"
    journal.write_text(COSTLY.replace('"deaf"', json.dumps(name)).replace('"--port"', json.dumps(name)))
    page = run(journal).stdout
    assert all(line.isprintable() for line in page.split("\n"))
    if name.isprintable():
        assert name in page
    assert figures(journal)["program"][1] == name


@pytest.mark.parametrize("columns", [1, 60, 80, 200])
def test_the_page_is_as_wide_as_the_terminal(small: Path, columns: int) -> None:
    lines = run(small, COLUMNS=str(columns)).stdout.splitlines()
    assert max(map(cells, lines)) <= max(60, columns)


def test_it_can_be_read_from_standard_input_and_in_ascii(small: Path) -> None:
    assert "serve --port 80" in run("-", data=COSTLY).stdout
    done = ctl("report", small, PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert (done.returncode, done.stderr, done.stdout.isascii()) == (0, "", True)


def test_a_clock_that_is_set_changes_no_figure(small: Path) -> None:
    """The times of a journal are reckoned with CLOCK_MONOTONIC."""
    before = figures(small)
    small.write_text(COSTLY.replace('"time": 1700000006', '"time": 17'))
    assert figures(small) == before


@pytest.mark.parametrize("cut", [0, 1, 100, 1500])
def test_a_journal_that_is_cut_off_is_told_as_far_as_it_goes(small: Path, cut: int) -> None:
    small.write_text(COSTLY[: len(COSTLY) - cut])
    done = run(small)
    assert done.exit_code == 0
    assert ("no end in the journal" in done.stdout) == (cut > 1)


def test_what_is_no_journal_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("hello\n")
    done = run(tmp_path / "none")
    assert (done.exit_code, "not a journal of pyinit" in done.stderr) == (1, True)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(journals())
def test_whatever_a_journal_holds_it_is_told(data: bytes) -> None:
    for events in read(io.BytesIO(data)).runs:
        made = report.make(model.make(events), 3)
        assert all(part.isprintable() for part in report_page.page(made) if isinstance(part, str))
