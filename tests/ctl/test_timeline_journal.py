"""The reader of journals: whatever a file holds, the events in it are found, and nothing ends in a traceback."""

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from click import unstyle
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyinit.ctl.timeline import html, model, svg, text
from pyinit.ctl.timeline.journal import read
from pyinit.ctl.timeline.scale import Scale
from tests.support import ctl


def line(event: str, at: float = 1.0, **details: object) -> bytes:
    return json.dumps({"event": event, "time": 1e9 + at, "monotonic": at, **details}).encode() + b"\n"


START = line("start", pid=1, arguments=["pyinit", "--", "server"])
SPAWN = line("spawn", 2.0, pid=7, program=["server"])
REAPED = line("reaped", 3.0, pid=7, status=0, signal=None, orphan=False, command="server")
ENDED = line("ended", 4.0, status=0)


def kinds(*lines: bytes) -> "list[list[str]]":
    return [[event.kind for event in run] for run in read(io.BytesIO(b"".join(lines))).runs]


def test_a_run_begins_with_its_start() -> None:
    assert kinds(START, SPAWN, START, ENDED) == [["start", "spawn"], ["start", "ended"]]


def test_what_comes_before_the_first_start_is_a_run_whose_beginning_is_lost() -> None:
    assert kinds(SPAWN, REAPED, START) == [["spawn", "reaped"], ["start"]]


@pytest.mark.parametrize("pid", ["9" * 5000, "\u0663", "-" + "1" * 4301, "1" * 20])
def test_a_pid_that_is_none_is_no_pid_of_a_killed_process(pid: str) -> None:
    """An integer has a limit of digits, whose error would end the command."""
    killed = line("killed", 3.0, pids=[7], processes=[f"{pid} (x)", "7 (deaf, ignores it)"])
    (run,) = read(io.BytesIO(START + SPAWN + killed)).runs
    made = model.make(run)
    assert [process.ignores for process in made.processes if process.pid == 7] == [True]
    assert text.draw(made, 80, 25, text.ASCII)


@pytest.mark.parametrize("command", ["report", "timeline"])
def test_a_line_without_an_end_ends_the_reading(command: str, tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.write(START)
        file.truncate(1 << 32)
    for file_name, number in (("/dev/zero", 1), (str(tmp_path / "sparse"), 2)):
        done = ctl(command, file_name)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: {file_name}: not a journal of pyinit: line {number} has more than 16 MiB\n"


def test_the_longest_command_line_is_no_line_too_long() -> None:
    """2 MiB of arguments (man 2 execve), and each character six in JSON."""
    arguments = ["pyinit", "--", "\x01" * (2 << 20)]
    assert kinds(line("start", pid=1, arguments=arguments), ENDED) == [["start", "ended"]]


def test_an_empty_file_has_no_run() -> None:
    journal = read(io.BytesIO(b""))
    assert (journal.runs, journal.lines) == ([], 0)


@pytest.mark.parametrize("end", range(1, len(ENDED) - 2))
def test_a_last_line_that_is_being_written_is_no_broken_line(end: int) -> None:
    journal = read(io.BytesIO(START + ENDED[:end]))
    assert ([event.kind for event in journal.runs[0]], journal.broken, journal.incomplete) == (["start"], [], True)


def test_a_last_line_without_its_newline_counts() -> None:
    assert kinds(START, ENDED[:-1]) == [["start", "ended"]]


@pytest.mark.parametrize(
    "broken",
    [
        b"no JSON",
        b'{"event": "spawn", "time": 1, "mono{"event": "ended", "time": 1, "monotonic": 1, "status": 0}',
        b"[]",
        b"7",
        b'"start"',
        b"null",
        b"\x00\xff\xfe",
        b"[" * 100000,
        b'{"a":' * 100000,
        b'{"event": 7, "time": 1, "monotonic": 1}',
        b'{"event": "ended", "status": 0}',
        b'{"event": "ended", "time": "1", "monotonic": 1, "status": 0}',
        b'{"event": "ended", "time": true, "monotonic": 1, "status": 0}',
        b'{"event": "ended", "time": NaN, "monotonic": 1, "status": 0}',
        b'{"event": "ended", "time": 1, "monotonic": Infinity, "status": 0}',
        b'{"event": "ended", "time": 1, "monotonic": 1e999, "status": 0}',
        b'{"event": "ended", "time": 1, "monotonic": -1, "status": 0}',
        b'{"event": "ended", "time": 1e300, "monotonic": 1, "status": 0}',
        b'{"event": "ended", "time": 1, "monotonic": 1}',
        b'{"event": "ended", "time": 1, "monotonic": 1, "status": "0"}',
        b'{"event": "ended", "time": 1, "monotonic": 1, "status": ' + b"9" * 5000 + b"}",
        b'{"event": "ended", "time": 1, "monotonic": 1, "status": 0, "error": 1}',
        b'{"event": "spawn", "time": 1, "monotonic": 1, "pid": 1, "program": ["a", 1]}',
        b'{"event": "drain", "time": 1, "monotonic": 1, "left": [1, null], "grace": 1}',
        b'{"event": "signal", "time": 1, "monotonic": 1, "signal": null, "sender_pid": 1, "sender_uid": 1}',
    ],
    ids=lambda broken: broken[:70].decode("latin-1"),
)
def test_a_line_that_is_no_event_is_left_out_and_numbered(broken: bytes) -> None:
    journal = read(io.BytesIO(START + b"\n" + broken + b"\n" + ENDED))
    assert ([event.kind for event in journal.runs[0]], journal.broken) == (["start", "ended"], [3])


def test_events_and_fields_of_newer_versions_are_passed_over() -> None:
    newer = line("paused", 2.0, why=[{}])
    journal = read(io.BytesIO(START + newer * 2 + line("ended", 3.0, status=1, reason={"new": 1})))
    assert ([event.kind for event in journal.runs[0]], journal.broken) == (["start", "ended"], [])
    assert journal.unknown == {"paused": 2}


def test_time_never_goes_back() -> None:
    (run,) = read(io.BytesIO(line("start", 5.0, pid=1, arguments=[]) + line("ended", 3.0, status=0))).runs
    assert [event.at for event in run] == [5.0, 5.0]


# ---- Whatever the lines hold

_TIMES = st.one_of(st.floats(0, 1e6), st.floats(), st.integers(-1, 10**20))
_PIDS = st.integers(-3, 6) | st.integers()
_TEXTS = st.text(max_size=20) | st.sampled_from(["SIGTERM", "SIGKILL", "sh", "<b>&\"'", "\x1b[31m", "\ud800", "\u202e"])
_COUNTS = st.integers(0, 1 << 40) | _PIDS
_SOME_COSTS = {
    **dict.fromkeys(["user_time", "system_time"], st.floats(0, 1e6) | _TIMES),
    **dict.fromkeys(["max_rss", "minor_faults", "major_faults", "disk_read", "voluntary_switches"], _COUNTS),
}
_COSTS = st.fixed_dictionaries({}, optional=_SOME_COSTS)
_DETAILS = st.fixed_dictionaries(
    {
        "time": _TIMES,
        "monotonic": _TIMES,
        "pid": _PIDS,
        "arguments": st.lists(_TEXTS, max_size=3),
        "program": st.lists(_TEXTS, max_size=3),
        "signal": _TEXTS | st.none(),
        "sender_pid": _PIDS,
        "sender_uid": _PIDS,
        "target": _PIDS,
        "status": _PIDS,
        "orphan": st.booleans(),
        "command": _TEXTS,
        "age": _TIMES | st.none(),
        "left": st.lists(_PIDS, max_size=5),
        "grace": _TIMES,
        "pids": st.lists(_PIDS, max_size=5),
        "processes": st.lists(_TEXTS | st.sampled_from(["3 (sh, ignores it)", "4 (a)"]), max_size=5),
    },
    optional={"reaped": _COSTS | st.none(), "own": _COSTS, **_SOME_COSTS},
)
_KINDS = ["start", "spawn", "signal", "forwarded", "reaped", "drain", "killed", "ended", "paused"]
_EVENTS = st.builds(
    lambda kind, details: json.dumps({"event": kind, **details}).encode(), st.sampled_from(_KINDS), _DETAILS
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
).map(lambda value: json.dumps(value).encode())
_LINES = st.one_of(_EVENTS, _EVENTS, _EVENTS, _JSON, st.binary(max_size=50))


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """Lines that are events, or nearly so, and others; the last may be cut."""
    data = b"\n".join(draw(st.lists(_LINES, max_size=12)))
    return data[: len(data) - draw(st.integers(0, 30))] if draw(st.booleans()) else data + b"\n"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(journals(), st.integers(1, 8), st.integers(1, 200))
@example(START + SPAWN + REAPED + ENDED, 4, 80)
@example(line("ended", 0.0, status=0), 1, 1)
@example(START + line("reaped", pid=7, status=1, signal="\x1b", orphan=True, command="\x07"), 1, 1)
@example(START + line("signal", signal="\x1b\n", sender_pid=0, sender_uid=0), 1, 1)
@example(START + line("reaped", 2.5e11, pid=7, status=-1, signal="", orphan=True, command=""), 1, 80)
@example(START + line("drain", left=[7, 7], grace=0) + line("killed", pids=[7, 8], processes=["7 (a"]), 1, 80)
def test_whatever_a_journal_holds_it_is_read_and_drawn(data: bytes, rows: int, width: int) -> None:
    journal = read(io.BytesIO(data))
    for run in journal.runs:
        timeline = model.make(run)
        for process in timeline.processes:
            assert 0 <= process.seen <= (process.reaped or timeline.duration) <= timeline.duration
        json.dumps(timeline.as_json())
        drawn = unstyle(text.draw(timeline, width, rows))
        assert all(each.isprintable() for each in drawn.split("\n"))
        assert max(map(text.cells, drawn.split("\n"))) <= max(width, text.NARROWEST)
        ElementTree.fromstring(svg.draw(timeline, rows))
        html.draw(model.last_seconds(timeline, 0.5), rows)
        for timeline.by in (model.CPU, model.MEMORY):
            drawn = unstyle(text.draw(timeline, width, rows))
            assert max(map(text.cells, drawn.split("\n"))) <= max(width, text.NARROWEST)
            ElementTree.fromstring(svg.draw(timeline, rows))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e11), min_size=1, max_size=30), st.floats(0, 1e11))
def test_every_time_has_a_place_and_later_ones_are_further_on(times: "list[float]", begin: float) -> None:
    end = max(times)
    scale = Scale(min(begin, end), end, times)
    places = [scale.place(time) for time in sorted(times)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert scale.place(end + 1) == pytest.approx(1)
    ticks: "list[Any]" = scale.ticks(9)
    assert all(0 <= place <= 1 for place, _ in ticks)
    assert len(ticks) < 40
