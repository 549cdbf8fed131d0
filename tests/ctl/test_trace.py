"""`pyinitctl timeline -o FILE.trace.json`, read back by the rules of the "Trace Event Format"."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pyinit.ctl.timeline import model, trace
from pyinit.ctl.timeline.journal import read
from tests.ctl.test_timeline import SMALL, entry, reaped, timeline
from tests.ctl.test_timeline_journal import journals
from tests.support import Pyinit

# Metadata events and what each has in its args.
NAMES = {"process_name": ("name", str), "thread_name": ("name", str), "thread_sort_index": ("sort_index", int)}


def check(file: bytes) -> "list[dict[str, Any]]":
    """The events of a trace that keeps the rules, which are the document's. Fails the test for one that does not."""
    held = json.loads(file.decode("ascii"))
    assert set(held) == {"traceEvents", "displayTimeUnit", "otherData"}
    json.dumps(held, ensure_ascii=False).encode()  # no half of a character
    assert held["displayTimeUnit"] in ("ms", "ns")
    events: "list[dict[str, Any]]" = held["traceEvents"]
    for event in events:
        assert isinstance(event["name"], str) and all(c.isprintable() for c in event["name"])
        assert all(type(event[field]) is int for field in ("ts", "pid", "tid"))
        assert event["ts"] >= 0
        assert isinstance(event.get("args", {}), dict)
        {"X": complete, "i": instant, "M": metadata, "s": flow, "f": flow, "C": counter}[event["ph"]](event)
    nest(events)
    bind(events)
    return events


def complete(event: "dict[str, Any]") -> None:
    assert type(event["dur"]) is int and event["dur"] >= 0
    assert isinstance(event["cat"], str)


def instant(event: "dict[str, Any]") -> None:
    """The scope is the thread, the process, or all of them."""
    assert event["s"] in ("t", "p", "g")


def metadata(event: "dict[str, Any]") -> None:
    field, kind = NAMES[event["name"]]
    assert type(event["args"][field]) is kind


def flow(event: "dict[str, Any]") -> None:
    """An arrow's two ends have the id in common, with the category and the name."""
    assert isinstance(event["id"], int) and isinstance(event["cat"], str)
    assert event.get("bp", "e") == "e"


def counter(event: "dict[str, Any]") -> None:
    assert event["args"] and all(type(value) is int and value >= 0 for value in event["args"].values())


def nest(events: "list[dict[str, Any]]") -> None:
    """Complete events of one thread may not overlap, unless one is within the other: here none is."""
    free: "dict[tuple[int, int], int]" = {}
    for event in sorted((each for each in events if each["ph"] == "X"), key=lambda each: each["ts"]):
        track = event["pid"], event["tid"]
        assert event["ts"] >= free.get(track, 0)
        free[track] = event["ts"] + event["dur"]


def bind(events: "list[dict[str, Any]]") -> None:
    """Each arrow has one beginning and one end, not before it, and each end lies in a complete event of its thread."""
    arrows: "dict[object, list[dict[str, Any]]]" = {}
    for event in events:
        if event["ph"] in "sf":
            arrows.setdefault((event["cat"], event["name"], event["id"]), []).append(event)
            inside = [
                each
                for each in events
                if each["ph"] == "X"
                and (each["pid"], each["tid"]) == (event["pid"], event["tid"])
                and each["ts"] <= event["ts"] <= each["ts"] + each["dur"]
            ]
            assert inside, event
    for ends in arrows.values():
        assert [each["ph"] for each in ends] == ["s", "f"]
        assert ends[0]["ts"] <= ends[1]["ts"]


def drawn(journal: Path) -> "list[dict[str, Any]]":
    file = journal.with_name("life.trace.json")
    done = timeline(journal, "-o", file)
    assert done.exit_code == 0, done.output
    return check(file.read_bytes())


def of(events: "list[dict[str, Any]]", phase: str) -> "list[dict[str, Any]]":
    return [event for event in events if event["ph"] == phase]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_text(SMALL)
    return path


def test_every_process_is_an_event_as_long_as_it_lived(small: Path) -> None:
    events = of(drawn(small), "X")
    lived = {event["name"]: (event["tid"], event["ts"], event["dur"], event["cat"]) for event in events}
    assert lived == {
        "pyinit": (1, 0, 10_000_000, "pyinit"),
        "serve": (7, 500_000, 5_500_000, "program"),
        "date": (20, 2_000_000, 0, "orphan"),
        "worker": (21, 6_000_000, 1_000_000, "orphan"),
        "deaf": (22, 6_000_000, 3_500_000, "orphan"),
    }
    assert {event["pid"] for event in events} == {1}
    assert {event["args"]["status"] for event in events} == {0, 143, 137}


def test_tracks_are_named_and_in_order(small: Path) -> None:
    events = of(drawn(small), "M")
    (title,) = (event["args"]["name"] for event in events if event["name"] == "process_name")
    assert title == "serve --port 80"
    named = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert named == {1: "pyinit", 7: "serve", 20: "date", 21: "worker", 22: "deaf"}
    places = {event["tid"]: event["args"]["sort_index"] for event in events if event["name"] == "thread_sort_index"}
    assert sorted(places, key=lambda tid: places[tid]) == [1, 7, 20, 21, 22]


def test_a_signal_is_an_instant_with_an_arrow_to_whom_it_was_sent(small: Path) -> None:
    events = drawn(small)
    assert [(each["name"], each["tid"], each["ts"]) for each in of(events, "i")] == [
        ("TERM", 1, 4_000_000),
        ("TERM", 7, 4_000_000),
        ("the program has left 2 processes: TERM, and KILL in 3 s", 1, 6_000_000),
        ("KILL", 22, 9_000_000),
    ]
    assert [(each["ph"], each["tid"]) for each in events if each["ph"] in "sf"] == [("s", 1), ("f", 7)]


def test_a_counter_has_how_many_were_there(small: Path) -> None:
    assert [(each["ts"] / 1e6, each["args"]["there"]) for each in of(drawn(small), "C")] == [
        (0, 1), (0.5, 2), (2, 2), (6, 3), (7, 2), (9.5, 1),
    ]  # fmt: skip


def test_a_pid_that_comes_back_is_on_the_same_track_and_does_not_overlap(tmp_path: Path) -> None:
    """The kernel rounds down when the second was started: to before the end of the first."""
    journal = tmp_path / "journal"
    start = entry("start", 0, pid=1, arguments=["pyinit"]) + entry("spawn", 0.5, pid=2, program=["serve"])
    again = entry("reaped", 4.005, pid=9, status=0, signal=None, orphan=True, command="second", age=0.01)
    journal.write_text(start + reaped(4, 9, 0, "first") + again)
    lived = [(each["name"], each["ts"]) for each in of(drawn(journal), "X") if each["tid"] == 9]
    assert lived == [("first", 4_000_000), ("second", 4_000_000)]


def test_what_processes_cost_is_shown_with_them(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    pyinit.run("--events", journal, "--", "sh", "-c", "kill -TERM 1; sleep 1000 & wait")
    told = {each["name"]: each["args"] for each in of(drawn(journal), "X")}
    assert told["pyinit"]["max_rss"] > 0
    assert "max_rss" in told["sh"]  # of something so small the kernel, which counts roughly, may say 0
    assert told["sh"]["signal"] == "SIGTERM"


def test_a_storm_is_drawn(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    pyinit.run("--events", journal, "--", "sh", "-c", "for i in $(seq 2000); do (true &); done; exit 0")
    assert len(of(drawn(journal), "X")) == 2002


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "\udcff\udc80", "</script>", "a\nb", "\u202e", '"\\', "\x00"])
def test_a_hostile_name_is_text(tmp_path: Path, name: str) -> None:
    journal = tmp_path / "journal"
    journal.write_text(SMALL.replace('"deaf"', json.dumps(name)).replace('"--port"', json.dumps(name)))
    events = drawn(journal)
    assert len(of(events, "X")) == 5


def test_the_end_of_the_name_says_what_is_drawn(small: Path, tmp_path: Path) -> None:
    done = timeline(small, "-o", tmp_path / "life.json")
    assert done.exit_code == 2
    assert ".trace.json" in done.stderr


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(journals())
def test_whatever_a_journal_holds_the_trace_keeps_the_rules(data: bytes) -> None:
    for run in read(io.BytesIO(data)).runs:
        check(trace.draw(model.make(run)))
