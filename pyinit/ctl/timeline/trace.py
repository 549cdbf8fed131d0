"""The timeline as a trace of events, which Perfetto and the viewers of browsers open.

The format is that of the document "Trace Event Format" (Nat Duca, Dan Sinclair; Google, 2016): a JSON object whose
`traceEvents` each have a phase `ph` and a time `ts` in microseconds. A process of ours is a thread of theirs, so that
all of a container stand together, and in the place of their process is the PID namespace, with the pid of its pyinit.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from pyinit import __version__
from pyinit.ctl.timeline import words
from pyinit.ctl.timeline.model import PYINIT, Process, Signal, Timeline, short
from pyinit.ctl.timeline.rows import one_line
from pyinit.tell.text import printable

Entry = dict[str, Any]


def draw(timeline: Timeline) -> bytes:
    """A whole file, an event a line."""
    start = datetime.fromtimestamp(timeline.time, timezone.utc)
    about = {"made by": f"pyinitctl {__version__}", "start": start.isoformat()}
    entries = ",\n".join(map(json.dumps, _Trace(timeline).entries()))
    head = f'{{"displayTimeUnit": "ms", "otherData": {json.dumps(about)}, "traceEvents": [\n'
    return f"{head}{entries}\n]}}\n".encode()


class _Trace:
    """The entries of one trace; each names the track that it is on."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._namespace = next((each.pid for each in timeline.processes if each.role == PYINIT), 1)
        self._by_pid: "dict[int, list[Process]]" = {}
        for process in timeline.processes:
            self._by_pid.setdefault(process.pid, []).append(process)
        self._lives = {pid: _one_after_the_other(them, timeline.duration) for pid, them in self._by_pid.items()}

    def entries(self) -> "Iterator[Entry]":
        yield from self._names()
        for pid, lives in self._lives.items():
            for process, start, end in lives:
                told = {"cat": process.role, "args": self._told(process)}
                yield self._entry("X", _name(process), start, pid, dur=end - start, **told)
        for number, signal in enumerate(self._timeline.signals, 1):
            yield from self._signal(signal, number)
        yield from self._ends()
        yield from self._counts()

    def _entry(self, phase: str, name: str, at: int, pid: int, **more: object) -> Entry:
        return {"ph": phase, "name": name, "ts": at, "pid": self._namespace, "tid": pid, **more}

    def _names(self) -> "Iterator[Entry]":
        """Metadata: what the tracks are called, in the order in which their processes were first heard of."""
        title = one_line(shlex.join(self._timeline.program)) or "pyinit"
        yield self._entry("M", "process_name", 0, self._namespace, args={"name": title})
        for place, (pid, processes) in enumerate(self._by_pid.items()):
            names = dict.fromkeys(map(_name, processes))
            yield self._entry("M", "thread_name", 0, pid, args={"name": ", ".join(names)})
            yield self._entry("M", "thread_sort_index", 0, pid, args={"sort_index": place})

    def _told(self, process: Process) -> "dict[str, Any]":
        """What is known of a process, as a viewer shows it beside the track."""
        told: "dict[str, Any]" = {"pid": process.pid}
        if process.words:
            told["command"] = printable(shlex.join(process.words))
        if process.status is not None:
            told["status"] = process.status
        for name, value in (("signal", process.signal), ("killed_by", process.killed_by)):
            if value:
                told[name] = printable(value)
        if process.reaped is None and process.role != PYINIT:
            told["reaped"] = "not by pyinit" if self._timeline.ended is not None else "not yet"
        return {**told, **asdict(process.cost)} if process.cost else told

    def _signal(self, signal: Signal, number: int) -> "Iterator[Entry]":
        """An instant where pyinit got it; and an arrow to whoever was sent it, if he was there."""
        told = {"what": words.of_signal(signal)}
        pid, at = self._namespace, _microseconds(signal.time)
        yield self._entry("i", short(signal.signal), at, pid, cat="signal", s="t", args=told)
        if signal.target is None or signal.forwarded is None:
            return
        target, sent_at, name = abs(signal.target), _microseconds(signal.forwarded), short(signal.forwarded_as or "")
        if self._is_there(pid, at) and self._is_there(target, sent_at):
            yield self._entry("i", name, sent_at, target, cat="signal", s="t", args=told)
            yield self._entry("s", name, at, pid, cat="signal", id=number)
            yield self._entry("f", name, sent_at, target, cat="signal", id=number, bp="e")

    def _is_there(self, pid: int, at: int) -> bool:
        return any(start <= at <= end for _, start, end in self._lives.get(pid, []))

    def _ends(self) -> "Iterator[Entry]":
        """What pyinit did about processes that were left: instants of the whole container, and of whom it killed."""
        for drain in self._timeline.drains:
            yield self._entry("i", words.of_drain(drain), _microseconds(drain.time), self._namespace, cat="end", s="p")
        for process in self._timeline.processes:
            if process.killed is not None:
                yield self._entry("i", "KILL", _microseconds(process.killed), process.pid, cat="end", s="t")

    def _counts(self) -> "Iterator[Entry]":
        """A counter of the processes that were there, at each time at which that changes."""
        changes: "dict[int, int]" = {}
        for process in self._timeline.processes:
            changes[_microseconds(process.seen)] = changes.get(_microseconds(process.seen), 0) + 1
            if process.reaped is not None:
                changes[_microseconds(process.reaped)] = changes.get(_microseconds(process.reaped), 0) - 1
        there = 0
        for at, change in sorted(changes.items()):
            there += change
            yield self._entry("C", "processes", at, self._namespace, args={"there": there})


def _one_after_the_other(processes: "list[Process]", duration: float) -> "list[tuple[Process, int, int]]":
    """From when to when each of those lived that had a pid. That complete events of a track may not overlap is the
    format's rule; the kernel rounds down when a process was started."""
    lives, free = [], 0
    ends = [(_microseconds(duration if each.reaped is None else each.reaped), each) for each in processes]
    for end, process in sorted(ends, key=lambda each: each[0]):
        start = max(free, _microseconds(process.seen))
        free = max(start, end)
        lives.append((process, start, free))
    return lives


def _name(process: Process) -> str:
    return one_line(process.name) or "?"


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
