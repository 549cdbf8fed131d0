"""Reading a journal: from lines, some of which may be broken, to the events of each run."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

LONGEST_LINE = 1 << 24  # bytes: a command line has 2 MiB at most, and a character of it becomes six in JSON

_LATEST = 253402300800.0  # seconds since 1970: the year 10000, which no calendar of Python's has


@dataclass(frozen=True)
class Event:
    """What happened, when, and the other fields of the line, which are as `_FIELDS` says.

    `at` is CLOCK_MONOTONIC in seconds, never before the event above it; `time` is in seconds since 1970.
    """

    kind: str
    at: float
    time: float
    details: "dict[str, Any]"


@dataclass
class Journal:
    """The events of each run, and what was left out."""

    runs: "list[list[Event]]" = field(default_factory=list)
    broken: "list[int]" = field(default_factory=list)  # the numbers of lines that are no events
    unknown: "dict[str, int]" = field(default_factory=dict)  # events that this version does not know, how often
    incomplete: bool = False  # the last line has no end: it is being written
    lines: int = 0


class NoJournal(Exception):
    """The file has a line that no journal can have; the message says which."""


def lines_of(file: BinaryIO) -> "Iterator[bytes]":
    """The lines of a file, which may be a device that never ends one. Raises NoJournal."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise NoJournal(f"line {number} has more than {LONGEST_LINE >> 20} MiB")
        yield line


def read(file: BinaryIO) -> Journal:
    """Read a whole journal. Raises NoJournal, and no error for what the lines hold.

    A run begins with its `start`. What comes before the first is a run as well, whose beginning has been lost.
    """
    journal = Journal()
    for number, line in enumerate(lines_of(file), 1):
        journal.lines = number
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            if line.endswith(b"\n"):
                journal.broken.append(number)
            else:
                journal.incomplete = True
            continue
        kind = record["event"]
        if kind not in _FIELDS:
            journal.unknown[kind] = journal.unknown.get(kind, 0) + 1
            continue
        if kind == "start" or not journal.runs:
            journal.runs.append([])
        run = journal.runs[-1]
        at = max(record["monotonic"], run[-1].at) if run else record["monotonic"]
        run.append(Event(kind, float(at), float(record["time"]), record))
    return journal


def _record(line: bytes) -> "dict[str, Any] | None":
    """The object of a line, None if it is no event or lacks what its kind has."""
    try:
        record = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not _is_text(record.get("event")):
        return None
    fields = {**_EVERY, **_FIELDS.get(record["event"], {})}
    return record if all(suits(record.get(name)) for name, suits in fields.items()) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    """A whole number such as a pid or a status: never one too long to be written."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _LATEST


def _is_time_or_none(value: object) -> bool:
    return value is None or _is_time(value)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_count_or_none(value: object) -> bool:
    return value is None or (_is_number(value) and value >= 0)  # type: ignore[operator]


def _are_costs_or_none(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(suits(value.get(name)) for name, suits in _COSTS.items()))


# Of one process, or of several (man 2 getrusage). Older journals have none of them.
_COSTS: "dict[str, Callable[[object], bool]]" = {
    "user_time": _is_time_or_none,
    "system_time": _is_time_or_none,
    "max_rss": _is_count_or_none,
    "minor_faults": _is_count_or_none,
    "major_faults": _is_count_or_none,
    "disk_read": _is_count_or_none,
    "voluntary_switches": _is_count_or_none,
    "involuntary_switches": _is_count_or_none,
}

_EVERY: "dict[str, Callable[[object], bool]]" = {"time": _is_time, "monotonic": _is_time}

# What each event has (journal.schema.json). Fields that are not named here are newer: they are passed over.
_FIELDS: "dict[str, dict[str, Callable[[object], bool]]]" = {
    "start": {"pid": _is_number, "arguments": _is_texts},
    "spawn": {"pid": _is_number, "program": _is_texts},
    "signal": {"signal": _is_text, "sender_pid": _is_number, "sender_uid": _is_number},
    "forwarded": {"signal": _is_text, "target": _is_number},
    "reaped": {
        "pid": _is_number,
        "status": _is_number,
        "signal": _is_text_or_none,
        "orphan": _is_truth,
        "command": _is_text,
        "age": _is_time_or_none,
        "killed_by": _is_text_or_none,
        **_COSTS,
    },
    "drain": {"left": _is_numbers, "signal": _is_text_or_none, "grace": _is_time},
    "killed": {"pids": _is_numbers, "processes": _is_texts},
    "ended": {
        "status": _is_number,
        "error": _is_text_or_none,
        "reaped": _are_costs_or_none,
        "own": _are_costs_or_none,
    },
}
