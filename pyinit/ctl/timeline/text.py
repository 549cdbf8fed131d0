"""The timeline as text for a terminal, as wide as that is."""

import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import click

from pyinit.ctl.timeline import rows, words
from pyinit.ctl.timeline.model import HOOK, ORPHAN, PROGRAM, PYINIT, Process, Timeline
from pyinit.ctl.timeline.rows import Row
from pyinit.ctl.timeline.scale import Scale, moment

NARROWEST = 40  # columns; less is drawn as wide as this
_MOST_EVENTS = 20  # lines below the picture
_COLOURS = {PYINIT: "bright_black", PROGRAM: "blue", HOOK: "cyan", ORPHAN: "yellow", "kill": "red", "signal": "magenta"}


@dataclass(frozen=True)
class Characters:
    alive: str
    unknown: str
    reaped: str
    open: str
    signal: str
    kill: str
    drain: str
    cut: str
    density: str


UNICODE = Characters("━", "·", "┫", "┄", "▼", "✖", "░", "≈", "▁▂▃▄▅▆▇█")
ASCII = Characters("=", ".", "]", "-", "v", "X", ":", "~", ".:=#")
TO_ASCII = str.maketrans({"…": "~", rows.TIMES: "x"})


def draw(timeline: Timeline, width: int, most_rows: int, characters: Characters = UNICODE) -> str:
    """The picture and what happened, in lines of `width` columns at the most, with the colours of a terminal."""
    width = max(width, NARROWEST)
    title, facts = words.heading(timeline)
    shown = rows.make(timeline, most_rows)
    return "\n".join(
        [
            fit(title, width),
            *textwrap.wrap(facts, width),
            "",
            *Picture(timeline, shown, width, characters).lines(),
            "",
            *textwrap.wrap(_legend(timeline, shown, characters), width),
            "",
            *_events(timeline, width),
        ]
    )


class Picture:
    """The rows between the labels on the left and the outcomes on the right."""

    def __init__(self, timeline: Timeline, shown: "list[Row]", width: int, characters: Characters) -> None:
        self._timeline = timeline
        self._rows = shown
        self._characters = characters
        labels = max((cells(row.label) for row in shown), default=0)
        outcomes = max((cells(row.outcome) for row in shown), default=0)
        self._left = min(labels, width // 3) + 1
        self._right = min(outcomes, width // 4) + 1
        self._columns = width - self._left - self._right
        self._scale = Scale(timeline.begin, timeline.duration, words.times(timeline))

    def lines(self) -> "list[str]":
        return [self._axis(), *map(self._row, self._rows)]

    def _axis(self) -> str:
        line = [" "] * self._columns
        for piece in self._scale.pieces:
            if piece.cut:
                for column in range(self._column(piece.start), self._column(piece.end) + 1):
                    line[column] = self._characters.cut
        for place, label in self._scale.ticks(max(2, self._columns // 14)):
            column = min(round(place * (self._columns - 1)), self._columns - len(label))
            # A blank stays on each side.
            if column >= 0 and set(line[max(0, column - 1) : column + len(label) + 1]) <= {" "}:
                line[column : column + len(label)] = label
        return (" " * self._left + "".join(line)).rstrip()

    def _row(self, row: Row) -> str:
        line: "list[tuple[str, str]]" = [(" ", "")] * self._columns  # a character and what colours it
        if row.single:
            self._bar(line, row.processes[0])
        else:
            self._density(line, row.processes)
        label = fit(row.label, self._left - 1)
        padded = label + " " * (self._left - cells(label))
        outcome = fit(row.outcome, self._right - 1)
        killed = any(process.killed is not None for process in row.processes)
        drawn = "".join(_coloured(line))
        return (padded + drawn + " " + (click.style(outcome, fg="red") if killed else outcome)).rstrip()

    def _bar(self, line: "list[tuple[str, str]]", process: Process) -> None:
        alive, role = self._characters.alive, process.role
        seen = self._column(process.seen)
        end = self._column(self._timeline.duration if process.reaped is None else process.reaped)
        if process.started is None:
            line[: seen + 1] = [(self._characters.unknown, "")] * (seen + 1)
        line[seen : end + 1] = [(alive, role)] * (end + 1 - seen)
        for drain in self._timeline.drains:
            if process.left:
                column = self._column(drain.time)
                line[column:end] = [(self._characters.drain, role)] * (end - column)
        if process.reaped is not None:
            line[end] = (self._characters.reaped, role)
        elif process.role != PYINIT or self._timeline.ended is None:
            line[end] = (self._characters.open, role)
        for time in words.signalled(self._timeline, process):
            line[self._column(time)] = (self._characters.signal, "signal")
        if process.killed is not None:
            line[self._column(process.killed)] = (self._characters.kill, "kill")

    def _density(self, line: "list[tuple[str, str]]", processes: "list[Process]") -> None:
        """How many were reaped in each column; the tallest block is the most."""
        counts: "dict[int, int]" = {}
        for process in processes:
            column = self._column(self._timeline.duration if process.reaped is None else process.reaped)
            counts[column] = counts.get(column, 0) + 1
        blocks = self._characters.density
        most = max(counts.values())
        for column, count in counts.items():
            line[column] = (blocks[(count * len(blocks) - 1) // most], ORPHAN)

    def _column(self, time: float) -> int:
        return round(self._scale.place(time) * (self._columns - 1))


def _legend(timeline: Timeline, shown: "list[Row]", characters: Characters) -> str:
    """What the characters mean, of those that are there."""
    processes = [row.processes[0] for row in shown if row.single]
    entries = [
        (True, characters.alive, "alive"),
        (any(each.started is None for each in processes), characters.unknown, "since when is not known"),
        (any(each.reaped is not None for each in processes), characters.reaped, "reaped"),
        (len(processes) < len(shown), characters.density[-1], "how many were reaped when"),
        (bool(timeline.signals), characters.signal, "signal"),
        (any(each.left for each in processes), characters.drain, "leftover"),
        (any(each.killed is not None for each in processes), characters.kill, "got KILL"),
    ]
    return ", ".join(f"{character} {meaning}" for there, character, meaning in entries if there)


def _coloured(line: "list[tuple[str, str]]") -> "Iterable[str]":
    """The characters with colours, each as long as it holds."""
    start = 0
    for end in range(1, len(line) + 1):
        if end == len(line) or line[end][1] != line[start][1]:
            text = "".join(character for character, _ in line[start:end])
            colour = _COLOURS.get(line[start][1])
            yield click.style(text, fg=colour) if colour else text
            start = end


def _events(timeline: Timeline, width: int) -> "list[str]":
    """What happened, a line each: from the middle is left out what would be too much."""
    lines = []
    for text, together in groupby(words.events(timeline), key=lambda each: each[1]):
        times = [time for time, _ in together]
        again = f", {len(times):,} times until {moment(times[-1])}" if len(times) > 1 else ""
        lines.append(fit(f"{moment(times[0]):>10}  {text}{again}", width))
    if len(lines) > _MOST_EVENTS:
        half = _MOST_EVENTS // 2
        lines[half:-half] = [f"{'':>10}  … {len(lines) - 2 * half} more …"]
    return lines


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_cells_of(character) for character in text)


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """The text, or its beginning and `…`, in `width` columns at the most."""
    if cells(text) <= width:
        return text
    taken, used = "", 0
    for character in text:
        used += _cells_of(character)
        if used > width - 1:
            break
        taken += character
    return taken + "…"
