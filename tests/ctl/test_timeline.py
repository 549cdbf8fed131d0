"""`pyinitctl timeline`: the life of a container, drawn from journals that real runs have written."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyinit.ctl.commands import pyinitctl
from pyinit.ctl.timeline.rows import TIMES
from pyinit.ctl.timeline.svg import COLOURS
from pyinit.ctl.timeline.text import cells
from tests.support import DEADLINE, REPOSITORY, Pyinit, Terminal, ctl, inode_of, things_that_are_no_files, wait_until

# click 8.1 keeps standard error apart only if it is told so, and 8.2 has no such option.
APART: "dict[str, Any]" = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
RUNNER = CliRunner(**APART)

# Leaves a process that handles TERM and one that ignores it.
LEAVES = """
mkfifo "$0.1" "$0.2"
sh -c 'trap "exit 4" TERM; : >"$0.1"; while :; do sleep 0.05; done' "$0" &
: <"$0.1"
sh -c 'trap "" TERM; : >"$0.2"; exec sleep 1000' "$0" &
: <"$0.2"
(sh -c 'exit 3' &)
trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done
"""


def timeline(*arguments: "str | Path", data: "bytes | None" = None, **environment: str) -> Result:
    """Run the command, 80 columns wide and not on a terminal, unless the environment says otherwise."""
    variables = {"COLUMNS": "80", **environment}
    return RUNNER.invoke(pyinitctl, ["timeline", *map(str, arguments)], input=data, env=variables)


def run_timeline(*arguments: str, env: "dict[str, str] | None" = None) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own."""
    command = [sys.executable, "-m", "pyinit.ctl", "timeline", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=DEADLINE
    )


def model(*arguments: "str | Path") -> "dict[str, Any]":
    done = timeline("--json", *arguments)
    assert done.exit_code == 0, done.output
    parsed: "dict[str, Any]" = json.loads(done.stdout)
    return parsed


def texts(picture: Path) -> "list[str]":
    """What is written in an SVG file."""
    svg = "{http://www.w3.org/2000/svg}"
    return [element.text or "" for element in ElementTree.parse(picture).iter(f"{svg}text")]


@pytest.fixture(scope="module")
def stop(pyinit: Pyinit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a stop: the program handles TERM and leaves two, of which one must be killed."""
    directory = tmp_path_factory.mktemp("stop")
    journal = directory / "journal"
    options = ("-c", "--grace", "0.5", "--events", journal)
    with pyinit.start(*options, "--", "sh", "-c", LEAVES, directory / "fifo") as run:
        run.wait_for("ready")
        wait_until(lambda: '"status": 3' in journal.read_text(), "the orphan is reaped")
        run.send(15)
        assert run.finish()[0] == 5
    return journal


# ---- The model, of real runs


def test_the_model_has_what_became_of_every_process(stop: Path) -> None:
    found = model(stop)
    by_role = {process["role"]: process for process in found["processes"]}
    assert (by_role["pyinit"]["pid"], by_role["program"]["words"][:2]) == (1, ["sh", "-c"])
    assert by_role["program"]["status"] == by_role["pyinit"]["status"] == found["status"] == 5
    assert by_role["program"]["started"] is not None
    (orphan,) = (each for each in found["processes"] if each["status"] == 3)
    assert (orphan["role"], orphan["left"]) == ("orphan", False)
    assert 0 <= orphan["started"] < orphan["reaped"]
    (handler,) = (each for each in found["processes"] if each["status"] == 4)
    assert (handler["left"], handler["killed"]) == (True, None)
    (killed,) = (each for each in found["processes"] if each["killed"] is not None)
    assert (killed["name"], killed["signal"], killed["ignores"], killed["left"]) == ("sleep", "SIGKILL", True, True)
    assert max(handler["started"], killed["started"]) < found["drains"][0]["time"]
    (signal,) = found["signals"]
    assert (signal["signal"], signal["sender_pid"], signal["target"]) == ("SIGTERM", 0, by_role["program"]["pid"])
    assert 0 < signal["time"] <= signal["forwarded"] <= by_role["program"]["reaped"] <= killed["killed"]
    assert found["ended"] == found["duration"] >= killed["reaped"]


def test_commands_around_the_program_are_told_from_it(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    hooks = ("--before", "true", "--after", "sh -c 'exit 7'")
    pyinit.run("--events", journal, *hooks, "--", "sh", "-c", "exit 3")
    found = [(each["role"], each["words"], each["status"]) for each in model(journal)["processes"][1:]]
    assert found == [
        ("hook", ["true"], 0),
        ("program", ["sh", "-c", "exit 3"], 3),
        ("hook", ["sh", "-c", "exit 7"], 7),
    ]


def test_senders_and_what_became_of_their_signals_are_told(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = "trap 'sleep 0.2; exit 0' QUIT; kill -HUP 1; kill -TERM 1; while :; do sleep 0.05; done"
    rewriting = ("-r", "TERM:QUIT", "-r", "HUP:0")
    assert pyinit.run("--events", journal, *rewriting, "--", "sh", "-c", script)[0] == 0
    found = model(journal)
    program = found["processes"][1]["pid"]
    told = [[each[key] for key in ("signal", "sender_pid", "forwarded_as", "target")] for each in found["signals"]]
    assert told == [["SIGHUP", program, None, None], ["SIGTERM", program, "SIGQUIT", -program]]
    lines = timeline(journal).stdout
    assert f"HUP from {program}, not forwarded" in lines
    assert f"TERM from {program}, forwarded as QUIT to process group {program}" in lines
    timeline(journal, "-o", tmp_path / "life.svg")
    assert f"TERM from {program} as QUIT" in texts(tmp_path / "life.svg")


def test_a_program_that_could_not_be_started_is_told(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    pyinit.run("--events", journal, "--before", "false", "--", "true")
    found = model(journal)
    assert (found["status"], "--before" in found["error"]) == (1, True)
    assert "not started: status 1" in timeline(journal).stdout


def test_a_running_container_is_drawn_as_far_as_it_is(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with pyinit.start("--events", journal, "--", "sh", "-c", "echo ready; exec sleep 1000") as run:
        run.wait_for("ready")
        wait_until(lambda: journal.read_text().count("\n") == 2, "the journal says so")
        found = model(journal)
        assert (found["ended"], found["processes"][1]["reaped"]) == (None, None)
        assert "no end in the journal" in timeline(journal).stdout


def test_a_signal_after_the_programs_end_goes_to_all_that_is_left(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with pyinit.start("--wait-all", "--events", journal, "--", "sh", "-c", "(sleep 1000 &); exit 3") as run:
        wait_until(lambda: journal.exists() and '"status": 3' in journal.read_text(), "the program is reaped")
        run.send(15)
        assert run.finish()[0] == 3
    assert [signal["to_the_rest"] for signal in model(journal)["signals"]] == [True]
    assert "TERM from outside, sent to all that was left" in timeline(journal).stdout


def test_thousands_of_short_orphans_share_a_row(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = "for i in $(seq 1200); do (true &); done; (sh -c 'exit 3' &); (sleep 1000 &); "
    script += "until pgrep -x sleep >/dev/null; do :; done; exit 0"  # it is a shell before
    pyinit.run("--events", journal, "--", "sh", "-c", script)
    orphans = [each for each in model(journal)["processes"] if each["role"] == "orphan"]
    assert len(orphans) == 1202
    done = timeline(journal)
    rows = done.stdout.split("\n\n")[1].splitlines()
    assert len(rows) < 27
    grouped = sum(int(row.split()[0].replace(",", "")) for row in rows if f" {TIMES} " in row)
    assert grouped + sum(f" {TIMES} " not in row for row in rows[3:]) == 1202
    assert any("sleep" in row and "TERM" in row for row in rows)
    for name in ("life.svg", "life.html"):
        assert timeline(journal, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).stat().st_size < 1_000_000
    assert sum(f" {TIMES} " in text for text in texts(tmp_path / "life.svg")) >= 1


# ---- A small journal made by hand


def entry(event: str, at: float, **details: object) -> str:
    return json.dumps({"event": event, "time": 1.7e9 + at, "monotonic": 500 + at, **details}) + "\n"


def reaped(at: float, pid: int, status: int, command: str, signal: "str | None" = None, orphan: bool = True) -> str:
    return entry("reaped", at, pid=pid, status=status, signal=signal, orphan=orphan, command=command)


def test_an_orphan_lived_as_long_as_the_journal_says(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    start = entry("start", 0, pid=1, arguments=["pyinit"]) + entry("spawn", 0.5, pid=2, program=["serve"])
    old = entry("reaped", 8, pid=9, status=0, signal=None, orphan=True, command="old", age=7)
    before = entry("reaped", 9, pid=8, status=0, signal=None, orphan=True, command="before", age=70)
    journal.write_text(start + old + before)
    told = json.loads(timeline(journal, "--json").stdout)
    lived = {process["name"]: (process["started"], process["reaped"]) for process in told["processes"]}
    assert lived == {"pyinit": (0, None), "serve": (0.5, None), "old": (1, 8), "before": (0, 9)}


def test_whom_the_kernel_killed_for_want_of_memory_is_shown(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    start = entry("start", 0, pid=1, arguments=["pyinit"]) + entry("spawn", 0.5, pid=2, program=["serve"])
    details = {"killed_by": "memory", "memory_limit": 1 << 26, "memory_peak": 1 << 26}
    killed = entry("reaped", 8, pid=2, status=137, signal="SIGKILL", orphan=False, command="serve", age=7, **details)
    journal.write_text(start + killed + entry("ended", 8, status=137))
    assert "8.000 s  the kernel has killed 2 serve for want of memory" in timeline(journal).stdout


def costly(pid: int, command: str, seconds: float, size: int) -> str:
    cost = {"user_time": seconds, "system_time": 0.5, "max_rss": size, "minor_faults": 10, "major_faults": 1}
    details = {"status": 0, "signal": None, "orphan": True, "command": command, "age": 1.0, **cost}
    return entry("reaped", 6, pid=pid, **details)


COSTLY = (
    entry("start", 0, pid=1, arguments=["pyinit", "--", "serve"])
    + entry("spawn", 0.5, pid=2, program=["serve"])
    + "".join(costly(10 + n, f"small{n}", n / 100, 1 << 20) for n in range(5))
    + costly(20, "busy", 20, 2 << 20)
    + costly(21, "large", 1, 900 << 20)
)


@pytest.mark.parametrize(
    ("by", "first", "second", "others"),
    [
        ("cpu", "20 busy", "20.5 s", "2.060 s"),
        ("memory", "21 large", "900 MiB", "1.0 MiB"),
    ],
)
def test_who_has_cost_most_is_on_top(tmp_path: Path, by: str, first: str, second: str, others: str) -> None:
    """The others share the last row, with the sum of their time, or the largest of them."""
    journal = tmp_path / "journal"
    journal.write_text(COSTLY)
    rows = timeline(journal, "--by", by, "--rows", "5").stdout.split("\n\n")[1].splitlines()[1:]
    assert len(rows) == 5
    assert (rows[1].startswith(first), rows[1].endswith(second)) == (True, True)
    assert (rows[4].startswith("5 others"), rows[4].endswith(others)) == (True, True)
    assert timeline(journal, "--by", by, "-o", tmp_path / "life.svg").exit_code == 0
    assert second in texts(tmp_path / "life.svg")
    assert "at most 900 MiB" in (tmp_path / "life.svg").read_text()


def test_costs_that_a_journal_does_not_tell_cannot_be_shown(small: Path) -> None:
    done = timeline(small, "--by", "cpu")
    assert (done.exit_code, "does not tell what processes have cost" in done.stderr) == (1, True)


SMALL = "".join(
    [
        entry("start", 0, pid=1, arguments=["pyinit", "--", "serve", "--port", "80"]),
        entry("spawn", 0.5, pid=7, program=["serve", "--port", "80"]),
        reaped(2, 20, 0, "date"),
        entry("signal", 4, signal="SIGTERM", sender_pid=0, sender_uid=0),
        entry("forwarded", 4, signal="SIGTERM", target=-7),
        reaped(6, 7, 0, "serve", orphan=False),
        entry("drain", 6, left=[21, 22], signal="SIGTERM", grace=3),
        reaped(7, 21, 143, "worker", "SIGTERM"),
        entry("killed", 9, pids=[22], processes=["22 (deaf, ignores it)"]),
        reaped(9.5, 22, 137, "deaf", "SIGKILL"),
        entry("ended", 10, status=0),
    ]
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_text(SMALL)
    return path


EXPECTED = """\
serve --port 80
2023-11-14 22:13:20 UTC, 10.0 s, status 0, 3 orphans reaped

                  0 s                         5 s                      10 s
1 pyinit          ━━━━━━━━━━━━━━━━━━━━━━▼━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 0
7 serve --port 80    ━━━━━━━━━━━━━━━━━━━▼━━━━━━━━━━━┫                       0
20 date           ···········┫                                              0
21 worker         ··································░░░░░┫                  TERM
22 deaf           ··································░░░░░░░░░░░░░░░░✖░░┫    KILL

━ alive, · since when is not known, ┫ reaped, ▼ signal, ░ leftover, ✖ got KILL

   4.000 s  TERM from outside, forwarded as TERM to process group 7
   6.000 s  the program has left 2 processes: TERM, and KILL in 3 s
   9.000 s  KILL to 22 (deaf, ignores it)
  10.000 s  pyinit ends with status 0
"""


def test_the_text_is_a_picture_and_what_happened(small: Path) -> None:
    assert timeline(small).stdout == EXPECTED


@pytest.mark.parametrize("columns", [1, 40, 61, 132])
def test_the_text_is_as_wide_as_the_terminal(small: Path, columns: int) -> None:
    lines = timeline(small, COLUMNS=str(columns)).stdout.splitlines()
    assert max(map(cells, lines)) == max(40, columns)


def test_where_nothing_but_ascii_can_be_written_the_text_is_ascii(small: Path) -> None:
    journal = small.read_text().replace('"date"', '"d\\u00e4te"')
    small.write_text(journal)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = run_timeline(str(small), env=environment)
    assert done.stdout.isascii()
    assert "20 d\\xe4te" in done.stdout
    assert "===v===" in done.stdout


def test_there_are_colours_on_a_terminal_unless_no_color_is_set(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    command = (sys.executable, "-m", "pyinit.ctl", "timeline", small)
    for variable, coloured in (("NO_COLOR=", True), ("NO_COLOR=1", False)):
        with Terminal("env", "-C", REPOSITORY, variable, *command) as terminal:
            terminal.resize(50, 70)
            assert terminal.finish() == 0
            assert ("\x1b[" in terminal.output) is coloured
            assert "KILL to 22" in terminal.output
    assert "\x1b" not in run_timeline(str(small)).stdout


def test_a_name_can_do_nothing_to_a_terminal(small: Path) -> None:
    small.write_text(SMALL.replace('"deaf"', json.dumps("\x1b]0;owned\x07\u202e")))
    assert "22 \\x1b]0;owned\\x07\\u202e" in timeline(small).stdout


def test_the_last_seconds_can_be_drawn_alone(small: Path) -> None:
    done = timeline(small, "--last", "3.5")
    assert "the last 3.500 s, 2\nprocesses ended before\n" in done.stdout
    assert done.stdout.startswith("serve --port 80\n")
    assert "20 date" not in done.stdout
    assert "TERM from outside" not in done.stdout
    assert "KILL to 22" in done.stdout


def test_fewer_rows_group_the_orphans(small: Path) -> None:
    small.write_text(SMALL.replace(reaped(2, 20, 0, "date"), "".join(reaped(2, 30 + n, 0, "date") for n in range(9))))
    rows = timeline(small, "--rows", "5").stdout.split("\n\n")[1].splitlines()
    assert [row.split("  ")[0] for row in rows[1:]] == [
        "1 pyinit",
        "7 serve --port 80",
        f"9 {TIMES} date",
        "21 worker",
        "22 deaf",
    ]


def test_orphans_of_too_many_names_share_a_last_row(small: Path) -> None:
    many = "".join(reaped(2, 100 + n, 0, f"name{n}") for n in range(30))
    small.write_text(SMALL.replace(reaped(2, 20, 0, "date"), many))
    rows = timeline(small, "--rows", "8").stdout.split("\n\n")[1].splitlines()
    assert len(rows) == 9
    assert rows[-1].startswith("27 of 27 other names")


def test_of_too_many_events_the_text_leaves_out_the_middle(small: Path) -> None:
    names = [f"SIGRTMIN+{n % 30}" for n in range(900)]
    signals = [entry("signal", 2 + n / 1e3, signal=name, sender_pid=0, sender_uid=0) for n, name in enumerate(names)]
    lines = SMALL.splitlines(keepends=True)
    small.write_text("".join([*lines[:3], *signals, *lines[3:]]))
    events = timeline(small).stdout.split("\n\n")[-1].splitlines()
    assert any(re.fullmatch(r" *… \d+ more …", line) for line in events)
    assert events[-1].endswith("pyinit ends with status 0")


def test_a_name_of_wide_and_combined_characters_is_cut_to_the_width(small: Path) -> None:
    small.write_text(SMALL.replace('"deaf"', json.dumps("名前e\u0301" * 20)))
    assert max(map(cells, timeline(small, COLUMNS="60").stdout.splitlines())) == 60


def test_days_are_told_in_days(small: Path) -> None:
    small.write_text(SMALL.replace(entry("ended", 10, status=0), entry("ended", 300_000, status=0)))
    assert "3 d 11 h" in timeline(small).stdout


def test_hours_without_an_event_do_not_hide_the_stop(small: Path) -> None:
    """The time axis is cut, says so, and gives the seconds of the stop most of its length."""
    lines = [json.loads(line) for line in SMALL.splitlines()]
    for line in lines[3:]:
        line["monotonic"] += 36000
    small.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert timeline(small, "-o", small.with_suffix(".svg")).exit_code == 0
    written = texts(small.with_suffix(".svg"))
    assert "≈ 10 h 0 min" in written
    assert {"0 s", "10:00:07"} <= set(written)
    shown = timeline(small).stdout.split("\n\n")[1].splitlines()
    assert "≈≈≈" in shown[0]
    assert shown[5].count("░") > 15


def test_the_end_is_named_among_hundreds_of_signals(small: Path) -> None:
    many = [entry("signal", 3 + n / 500, signal="SIGHUP", sender_pid=0, sender_uid=0) for n in range(499)]
    lines = SMALL.splitlines(keepends=True)
    small.write_text("".join([*lines[:3], *many, *lines[3:]]))
    assert timeline(small, "-o", small.with_suffix(".svg")).exit_code == 0
    written = texts(small.with_suffix(".svg"))
    assert any(text.startswith(f"HUP {TIMES}") for text in written)
    assert {"TERM", "TERM to 2"} <= set(written)
    assert any(text.endswith("labels left out") for text in written)
    assert "HUP from outside, not forwarded, 499 times until 3.996 s" in timeline(small).stdout


# ---- Journals that are not whole, and what is no journal


def test_of_several_runs_the_last_is_drawn_or_the_one_that_is_asked_for(small: Path) -> None:
    small.write_text(SMALL + SMALL.replace("serve", "other"))
    last = timeline(small)
    assert last.stdout.startswith("other --port 80\n")
    assert last.stderr == f"{small}: the last of 2 runs; --run N takes another\n"
    first = timeline(small, "--run", "1")
    assert (first.stdout, first.stderr) == (EXPECTED, "")
    none = timeline(small, "--run", "3")
    assert none.exit_code == 2
    assert "--run: 3: the journal has 2 runs" in none.stderr


def test_each_of_two_real_runs_can_be_drawn(pyinit: Pyinit, tmp_path: Path) -> None:
    for status in (3, 4):
        pyinit.run("--events", tmp_path / "journal", "--", "sh", "-c", f"exit {status}")
    assert [model(tmp_path / "journal", "--run", number)["status"] for number in "12"] == [3, 4]


def test_what_is_left_out_is_said_on_standard_error(small: Path) -> None:
    lines = SMALL.splitlines(keepends=True)
    newer = '{"event": "paused", "time": 1, "monotonic": 1}\n'
    small.write_text("pyinit: a line of the log\n" + "".join(lines[:5]) + newer + "".join(lines[5:]) + lines[-1][:20])
    done = timeline(small)
    assert (done.exit_code, done.stdout) == (0, EXPECTED)
    assert done.stderr.splitlines() == [
        f"{small}: warning: line 1 is no event of a journal: left out",
        f"{small}: the last line is not complete: it may be being written, and is left out",
        f"{small}: left out, since only a newer pyinitctl knows them: paused (1)",
    ]


def test_many_broken_lines_are_one_warning(small: Path) -> None:
    small.write_text("broken\n" * 9 + SMALL)
    expected = f"{small}: warning: lines 1, 2, 3, 4, 5 and 4 more are no event of a journal: left out\n"
    assert timeline(small).stderr == expected


def test_the_journal_may_come_from_a_pipe_with_the_log(pyinit: Pyinit) -> None:
    _, _, errors = pyinit.run("-v", "--events", "-", "--", "sh", "-c", "trap '' HUP; kill -HUP 1; exit 3")
    done = timeline("-", data=errors.encode())
    assert done.exit_code == 0
    assert "status 3" in done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty: pyinit has written nothing yet"),
        (b"\n\n", "not a journal of pyinit: no line is one of its events"),
        (b"hello\n", "not a journal of pyinit: no line is one of its events"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a journal of pyinit: no line is one of its events"),
        (b'{"event": "start"}\n', "not a journal of pyinit: no line is one of its events"),
        (b'{"event": "paused", "time": 1, "monotonic": 1}\n', "not a journal of pyinit: no line is one of its events"),
    ],
)
def test_what_is_no_journal_is_an_error_of_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    done = timeline(tmp_path / "file")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"Error: {tmp_path / 'file'}: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file"], "'no-such-file': No such file or directory"),
        (["."], "'.': Is a directory"),
        (["SMALL", "-o", "life.gif"], "--output: 'life.gif' must end in .svg, .png, .html, .htm"),
        (["SMALL", "-o", "/dev"], "--output"),
        (["SMALL", "--json", "-o", "life.svg"], "--json writes to standard output: leave out --output"),
        (["SMALL", "--run", "0"], "0 is not in the range"),
        (["SMALL", "--last", "0"], "0.0 is not in the range"),
    ],
)
def test_wrong_usage_is_status_2(small: Path, arguments: "list[str]", message: str) -> None:
    done = timeline(*(str(small) if word == "SMALL" else word for word in arguments))
    assert done.exit_code == 2
    assert message in done.stderr


# ---- Files


def test_a_picture_is_xml_and_names_every_process(stop: Path, tmp_path: Path) -> None:
    done = timeline(stop, "-o", tmp_path / "life.svg")
    assert done.exit_code == 0, done.output
    written = texts(tmp_path / "life.svg")
    for process in model(stop)["processes"]:
        assert any(text.startswith(f"{process['pid']} ") for text in written)
    assert {"TERM from outside", "KILL", "5", "3", "4"} <= set(written)
    assert any(text.startswith("TERM to ") for text in written)
    (title,) = (
        title.text or ""
        for title in ElementTree.parse(tmp_path / "life.svg").iter("{http://www.w3.org/2000/svg}title")
        if "ignored its signal" in (title.text or "")
    )
    assert "still there when the program had ended" in title


def test_a_png_has_the_colours_of_what_is_in_it(stop: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    done = timeline(stop, "-o", tmp_path / "life.png")
    assert done.exit_code == 0, done.output
    pixels = (image.imread(tmp_path / "life.png")[:, :, :3] * 255).round().astype(int)
    assert pixels.shape[1] == 1920
    styles = {"background", "pyinit", "program", "orphan", "grace", "signal", "drain", "kill"}
    if any(each["started"] is None for each in model(stop)["processes"]):  # such as a sleep that was reaped with others
        styles.add("unknown")
    for style in styles:
        colour = [int(COLOURS[style][0][place : place + 2], 16) for place in (1, 3, 5)]
        assert (pixels == colour).all(axis=2).sum() > 20, style


def test_png_without_matplotlib_says_what_to_install(small: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    done = run_timeline(str(small), "-o", str(tmp_path / "life.png"), env=environment)
    assert done.returncode == 1
    assert done.stderr == "Error: PNG needs matplotlib: pip install matplotlib; .svg and .html need nothing\n"
    assert not (tmp_path / "life.png").exists()


def test_a_file_is_replaced_whole_and_nothing_else(small: Path, tmp_path: Path) -> None:
    (tmp_path / "life.svg").write_text("an old one")
    assert timeline(small, "-o", tmp_path / "life.svg").exit_code == 0
    assert (tmp_path / "life.svg").read_text().startswith("<")
    assert sorted(os.listdir(tmp_path)) == ["life.svg", "small"]
    for thing in things_that_are_no_files(tmp_path):
        before = inode_of(thing)
        assert timeline(small, "-o", thing).exit_code == 2
        assert inode_of(thing) == before
    assert (tmp_path / "target").read_text() == "precious" and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["x" * 300 + ".svg", "none/x.svg", "small/x.svg"])
def test_a_path_that_cannot_be_is_one_line(small: Path, tmp_path: Path, name: str) -> None:
    done = timeline(small, "-o", tmp_path / name)
    assert done.exit_code in (1, 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: --output: '{tmp_path}/{name}': ")


@pytest.mark.parametrize("last", ["nan", "inf", "1e300", "-1", "0"])
def test_a_time_that_is_none_is_refused(small: Path, last: str) -> None:
    assert timeline(small, "--last", last).exit_code == 2
    assert ctl("top", "-n1", "-d", last).returncode == 2


def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(small: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    (tmp_path / "life.svg").write_text("the old one")
    command = ["prlimit", "--fsize=1000", sys.executable, "-m", "pyinit.ctl", "timeline"]
    done = subprocess.run(
        [*command, str(small), "-o", str(tmp_path / "life.svg")],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1
    assert done.stderr == f"Error: --output: '{tmp_path}/life.svg': File too large\n"
    assert (tmp_path / "life.svg").read_text() == "the old one"
    assert sorted(os.listdir(tmp_path)) == ["life.svg", "small"]


def test_a_directory_that_is_not_there_is_an_error(small: Path, tmp_path: Path) -> None:
    done = timeline(small, "-o", tmp_path / "none" / "life.svg")
    assert done.exit_code == 1
    assert "none/life.svg': No such file or directory" in done.stderr


def test_a_journal_that_cannot_be_read_is_an_error() -> None:
    done = timeline("/proc/self/mem")
    assert done.exit_code == 1
    assert done.stderr == "Error: /proc/self/mem: Input/output error\n"


def test_a_device_is_not_replaced(small: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "life.svg")
    done = timeline(small, "-o", tmp_path / "life.svg")
    assert done.exit_code == 2
    assert (tmp_path / "life.svg").is_fifo()


def test_help_has_an_example() -> None:
    done = timeline("--help")
    assert done.exit_code == 0
    assert "pyinitctl timeline journal -o life.html" in done.stdout


def test_the_readmes_picture_is_what_its_journal_makes(tmp_path: Path) -> None:
    """tools/picture makes both, of a real stop."""
    picture = tmp_path / "stop.svg"
    done = run_timeline("docs/stop.journal", "-o", str(picture))
    assert done.returncode == 0, done.stderr
    assert picture.read_text() == (REPOSITORY / "docs/stop.svg").read_text()
