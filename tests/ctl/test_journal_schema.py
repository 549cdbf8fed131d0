"""journal.schema.json: the journals of real runs of every kind keep it, and it names every field that they have."""

import importlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyinit.ctl.timeline import journal as reader
from tests.ctl.test_timeline import SMALL
from tests.support import REPOSITORY, Pyinit, wait_until

PATH = REPOSITORY / "pyinit/ctl/timeline/journal.schema.json"
SCHEMA: "dict[str, Any]" = json.loads(PATH.read_text())
jsonschema: Any = importlib.import_module("jsonschema")
KEEPS = jsonschema.Draft202012Validator(SCHEMA)


def fields(kind: str) -> "set[str]":
    """All that the schema names for an event."""
    definition = SCHEMA["$defs"][kind]
    names = {*SCHEMA["properties"], *definition["properties"]}
    if "$ref" in definition:
        names |= set(SCHEMA["$defs"]["costs"]["properties"])
    return names


def check(journal: Path) -> "set[str]":
    """Each line keeps the schema and has no field that it does not name. Returns which events there are."""
    kinds = set()
    for line in journal.read_text().splitlines():
        event = json.loads(line)
        KEEPS.validate(event)
        assert event.keys() <= fields(event["event"])
        kinds.add(event["event"])
    return kinds


def test_the_schema_is_one_and_versioned() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    version = SCHEMA["$defs"]["start"]["properties"]["version"]["const"]
    assert SCHEMA["$id"] == f"urn:pyinit:journal:{version}"


def test_the_schema_and_the_reader_know_the_same() -> None:
    assert {each["if"]["properties"]["event"]["const"] for each in SCHEMA["allOf"]} == set(reader._FIELDS)
    for kind, known in reader._FIELDS.items():
        assert set(known) <= fields(kind)
    assert set(SCHEMA["$defs"]["costs"]["properties"]) == set(reader._COSTS)


LEAVES = "(exit 3 &); trap '' TERM; (sleep 1000 &); trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"


def stop(pyinit: Pyinit, journal: Path) -> None:
    with pyinit.start("-c", "--grace", "0.3", "--events", journal, "--", "sh", "-c", LEAVES) as run:
        run.wait_for("ready")
        run.send(signal.SIGWINCH)
        run.send(signal.SIGTERM)
        run.finish()


def ends_with(*words: str) -> "Callable[[Pyinit, Path], None]":
    def run(pyinit: Pyinit, journal: Path) -> None:
        pyinit.run("--events", journal, *words)

    return run


def orphans(pyinit: Pyinit, journal: Path) -> None:
    options = ("-v", "--orphans", "end", "--grace", "0.2", "--events", journal)
    with pyinit.start(*options, "--", "sh", "-c", "(trap '' TERM; sleep 1000 &); exec sleep 1000") as run:
        wait_until(lambda: journal.exists() and '"killed"' in journal.read_text(), "the orphan is killed")
        run.send(signal.SIGTERM)
        run.finish()


def pause(pyinit: Pyinit, journal: Path) -> None:
    with pyinit.start("--pause", "--events", journal) as run:
        wait_until(lambda: journal.exists() and journal.read_text(), "it has begun")
        run.send(signal.SIGRTMIN + 3)
        run.send(signal.SIGTERM)
        run.finish()


def not_pid_1(pyinit: Pyinit, journal: Path) -> None:
    pyinit.run("--events", journal, "--", "sh", "-c", "(sleep 1000 &) ; exit 4", namespace=False)


KINDS: "dict[str, tuple[Callable[[Pyinit, Path], None], set[str]]]" = {
    "plain": (ends_with("--", "true"), set()),
    "stop": (stop, {"signal", "forwarded", "drain", "killed"}),
    "killed": (ends_with("--", "sh", "-c", "kill -KILL $$"), set()),
    "dumped": (ends_with("--", "sh", "-c", "kill -SEGV $$"), set()),
    "stop-timeout": (
        ends_with("--stop-timeout", "0.2", "--", "sh", "-c", "trap '' TERM; kill -TERM 1; sleep 1000"),
        {"signal", "forwarded", "killed"},
    ),
    "hooks": (ends_with("--setup", "true", "--before", "true", "--after", "false", "--", "true"), set()),
    "failing hook": (ends_with("--before", "false", "--", "true"), {"spawn"}),
    "not found": (ends_with("--", "no-such-program"), set()),
    "no user": (ends_with("--user", "nobody-of-that-name", "--", "true"), {"ended"}),
    "bytes": (ends_with("--", "sh", "-c", "exit 3", "\udcff\x1b\n\"\\'"), set()),
    "rewritten": (ends_with("-r", "HUP:0", "-e", "0:3", "--", "sh", "-c", "kill -HUP 1; sleep 0.1"), {"signal"}),
    "wait-all": (ends_with("--wait-all", "--", "sh", "-c", "(sleep 0.1 &); exit 3"), set()),
    "orphans": (orphans, {"killed"}),
    "pause": (pause, {"start", "signal", "ended"}),
    "not PID 1": (not_pid_1, {"drain"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_journal_of_every_kind_of_run_keeps_the_schema(pyinit: Pyinit, tmp_path: Path, kind: str) -> None:
    run, expected = KINDS[kind]
    journal = tmp_path / "journal"
    run(pyinit, journal)
    assert check(journal) >= {"start", "ended"} | expected


def test_the_journal_of_every_interpreter_keeps_the_schema(every_pyinit: Pyinit, tmp_path: Path) -> None:
    stop(every_pyinit, tmp_path / "journal")
    assert check(tmp_path / "journal") == set(reader._FIELDS)


def test_an_older_journal_keeps_the_schema(tmp_path: Path) -> None:
    """Without a version, an age, and costs."""
    (tmp_path / "old").write_text(SMALL)
    assert check(tmp_path / "old") == set(reader._FIELDS)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"event": "start", "time": 1, "monotonic": 1, "pid": 1}',
        '{"event": "start", "time": 1, "monotonic": 1, "pid": 1, "arguments": [], "version": 2}',
        '{"event": "ended", "time": 1, "monotonic": 1, "status": "0"}',
        '{"event": "ended", "time": 1, "monotonic": -1, "status": 0}',
        '{"event": "ended", "time": 1, "monotonic": 1, "status": 256}',
        '{"event": "ended", "time": 1, "monotonic": 1, "status": 0, "own": {"user_time": 1}}',
        '{"event": "ended", "time": 1, "monotonic": 1, "status": 0, "reaped": {"max_rss": -1}}',
        '{"event": "signal", "time": 1, "monotonic": 1, "signal": "TERM", "sender_pid": 0, "sender_uid": 0}',
    ],
)
def test_what_no_pyinit_writes_does_not_keep_it(line: str) -> None:
    assert not KEEPS.is_valid(json.loads(line))


def test_events_and_fields_of_newer_versions_keep_it() -> None:
    for line in (
        '{"event": "paused", "time": 1, "monotonic": 1}',
        '{"event": "ended", "time": 1, "monotonic": 1, "status": 0, "reason": {}}',
    ):
        KEEPS.validate(json.loads(line))
