"""The picture as shapes, for whatever draws them. In pixels, but for times: these are places, 0 to 1, on the time axis.

So a page that zooms moves shapes and makes none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from pyinit.ctl.timeline import labels, rows, words
from pyinit.ctl.timeline.happenings import Happening, happenings
from pyinit.ctl.timeline.labels import LEVELS, Label, Placed
from pyinit.ctl.timeline.model import HOOK, ORPHAN, PYINIT, Process, Timeline
from pyinit.ctl.timeline.rows import Row
from pyinit.ctl.timeline.scale import Scale, duration
from pyinit.ctl.timeline.text import cells, fit

WIDTH = 960
RIGHT = 104  # beside the chart, for how processes ended
LEVEL = 17  # the height of a line of labels
MARGIN = 16
_CHARACTER = 7.4  # the width of one, about
LABELS_TOP = 62  # below title and facts
_ROW = 22
_BAR = 12
_LONGEST_LABEL = 30  # characters
_TICKS = 9
_ROLES = {HOOK: "--before, --after"}
_FINEST = 1 / 400  # of the time axis: what is nearer is drawn as one
_MOST_MARKS = 20000  # in a page with zoom, which is as fine as that allows


@dataclass(frozen=True)
class Bar:
    """A rectangle from one time to another."""

    left: float
    right: float
    top: float
    height: float
    style: str


@dataclass(frozen=True)
class Stroke:
    """A vertical line at a time."""

    place: float
    top: float
    bottom: float
    style: str
    width: float = 1.5
    shift: float = 0  # pixels beside the time


@dataclass(frozen=True)
class Polygon:
    """Corners in pixels, their x relative to a time."""

    place: float
    corners: "tuple[tuple[float, float], ...]"
    style: str


@dataclass(frozen=True)
class Text:
    """`shift` pixels beside a time; where `place` is None that is the x. y is the base line."""

    place: "float | None"
    y: float
    text: str
    style: str
    shift: float = 0
    anchor: str = "start"  # start, middle, end


@dataclass(frozen=True)
class Heading:
    """The label of a happening, which has found room or not (`placed`), and the line from there down to `bottom`."""

    place: float
    label: Label
    placed: "Placed | None"
    bottom: float
    style: str


@dataclass(frozen=True)
class Box:
    """A rectangle that has nothing to do with time."""

    x: float
    y: float
    width: float
    height: float
    style: str


Shape = Union[Bar, Stroke, Polygon, Text, Heading, Box]


@dataclass(frozen=True)
class Item:
    """Shapes that belong together, and what there is to say of them."""

    kind: str  # head, grid, tick, row, happening, legend
    shapes: "list[Shape]"
    tip: "list[str]" = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """All of it. The time axis begins at `left` and is `chart` long."""

    title: str
    height: float
    left: float
    chart: float
    bars_top: float
    bars_bottom: float
    scale: Scale
    items: "list[Item]"

    def x(self, place: float) -> float:
        """Where a place on the time axis is, in pixels."""
        return self.left + self.chart * place


def make(timeline: Timeline, most_rows: int, zoom: bool = False) -> Scene:
    """The scene. With `zoom` more is kept apart, and labels without room are there for the page to show later."""
    return _Maker(timeline, rows.make(timeline, most_rows), zoom).scene()


def heading_top(placed: "Placed | None", drawn: Scene) -> float:
    """Where the line of a heading begins; without a label it is short."""
    return LABELS_TOP + LEVEL * placed.level if placed else drawn.bars_top - 6


class _Maker:
    """Knows where everything belongs."""

    def __init__(self, timeline: Timeline, shown: "list[Row]", zoom: bool) -> None:
        self._timeline = timeline
        self._rows = shown
        groups = sum(not row.single for row in shown)
        self._finest = max(1, groups) / _MOST_MARKS if zoom else _FINEST
        self._scale = Scale(timeline.begin, timeline.duration, words.times(timeline))
        self._left = MARGIN + 8 + _CHARACTER * min(max((cells(row.label) for row in shown), default=0), _LONGEST_LABEL)
        self._chart = WIDTH - RIGHT - self._left
        self._happenings = happenings(timeline, self._scale, 5 * self._finest if zoom else 8 * _FINEST)
        self._labels = [
            Label(self._left + self._chart * self._scale.place(each.time), each.text, each.brief, each.important)
            for each in self._happenings
        ]
        self._placed = labels.place(self._labels, WIDTH)
        used = LEVELS if zoom else 1 + max((placed.level for placed in self._placed if placed), default=0)
        self._top = LABELS_TOP + LEVEL * used + 4
        self._bottom = self._top + _ROW * len(shown)
        self._row_of = {id(process): number for number, row in enumerate(shown) for process in row.processes}

    def scene(self) -> Scene:
        head, facts = words.heading(self._timeline)
        hidden = self._placed.count(None)
        if hidden:
            facts += f", {hidden:,} of {len(self._placed):,} labels left out"
        items = [
            Item("head", [Text(None, 28, fit(head, 95), "title", MARGIN), Text(None, 48, facts, "dim", MARGIN)]),
            *self._bands(),
            *self._grid(),
            *(
                Item("row", list(self._row(*each)), words.of_row(each[1], self._timeline))
                for each in enumerate(self._rows)
            ),
            *self._cuts(),
            *(
                Item("happening", list(self._happening(*each)), each[0].tip)
                for each in zip(self._happenings, self._labels, self._placed)
            ),
        ]
        legend, height = self._legend()
        return Scene(head, height, self._left, self._chart, self._top, self._bottom, self._scale, [*items, legend])

    def _place(self, time: float) -> float:
        return self._scale.place(time)

    def _middle(self, row: int) -> float:
        return self._top + _ROW * row + _ROW / 2

    def _bands(self) -> "Iterator[Item]":
        """The grace periods: from the first TERM to the end of the last that got it."""
        for drain in self._timeline.drains:
            pids = set(drain.left)
            left = [process for process in self._timeline.processes if process.left and process.pid in pids]
            end = max((each.reaped for each in left if each.reaped is not None), default=self._timeline.duration)
            if end > self._timeline.begin:
                height = self._bottom - self._top
                yield Item("grid", [Bar(self._place(drain.time), self._place(end), self._top, height, "grace")])

    def _grid(self) -> "Iterator[Item]":
        for place, label in self._scale.ticks(_TICKS):
            line = Stroke(place, self._top, self._bottom, "grid", 1)
            yield Item("tick", [line, Text(place, self._bottom + 16, label, "dim", 0, "middle")])
        for piece in self._scale.pieces:
            if piece.cut:
                middle = (piece.left + piece.right) / 2
                text = Text(middle, self._bottom + 16, f"≈ {duration(piece.end - piece.start)}", "dim", 0, "middle")
                band = Bar(piece.left, piece.right, self._top, self._bottom - self._top, "cut")
                yield Item("grid", [band, text])

    def _cuts(self) -> "Iterator[Item]":
        """A gap in the bars where the time axis is cut."""
        for piece in self._scale.pieces:
            if piece.cut:
                middle = (piece.left + piece.right) / 2
                yield Item("cut", [Stroke(middle, self._top, self._bottom, "background", 4)])

    def _row(self, number: int, row: Row) -> "Iterator[Shape]":
        middle = self._middle(number)
        yield Box(0, middle - _ROW / 2, WIDTH, _ROW, "hit")
        yield Text(None, middle + 4.5, fit(row.label, _LONGEST_LABEL), "label", MARGIN)
        yield from self._bar(row.processes[0], middle) if row.single else self._density(row.processes, middle)
        last = max(self._timeline.duration if p.reaped is None else p.reaped for p in row.processes)
        killed = any(process.killed is not None for process in row.processes)
        yield Text(self._place(last), middle + 4.5, row.outcome, "killed" if killed else "outcome", 7)

    def _bar(self, process: Process, middle: float) -> "Iterator[Shape]":
        top = middle - _BAR / 2
        seen = self._place(process.seen)
        end = self._place(self._timeline.duration if process.reaped is None else process.reaped)
        if process.started is None:
            yield Bar(0, seen, middle - 0.75, 1.5, "unknown")
        if end > seen:
            yield Bar(seen, end, top, _BAR, process.role)
        if process.reaped is not None:
            yield Stroke(end, top - 2, top + _BAR + 2, process.role, 3)
        if process.killed is not None:
            place = self._place(process.killed)
            yield Polygon(place, _cross(middle), "kill")

    def _density(self, processes: "list[Process]", middle: float) -> "Iterator[Shape]":
        """How many were reaped when: the highest line is the most."""
        places = sorted(self._place(p.seen if p.reaped is None else p.reaped) for p in processes)
        yield Bar(places[0], places[-1], middle + _BAR / 2, 1, ORPHAN)
        counts: "dict[int, list[float]]" = {}
        for place in places:
            counts.setdefault(int(place / self._finest), []).append(place)
        most = max(map(len, counts.values()))
        for together in counts.values():
            height = (_BAR + 2) * (0.25 + 0.75 * len(together) / most)
            bottom = middle + _BAR / 2 + 1
            yield Stroke(together[0], bottom - height, bottom, ORPHAN, 2)

    def _happening(self, happening: Happening, label: Label, placed: "Placed | None") -> "Iterator[Shape]":
        place, style = self._place(happening.time), happening.style
        targets = sorted({self._row_of[id(p)] for p in happening.targets if id(p) in self._row_of})
        via = next((number for number, row in enumerate(self._rows) if row.processes[0].role == PYINIT), None)
        first = self._middle(0 if via is None else via) - _BAR / 2
        yield Heading(place, label, placed, first - (5 if happening.comes else 0), style)
        if happening.comes:
            sender = None if happening.sender is None else self._row_of.get(id(happening.sender))
            if sender is not None and via is not None and sender > via:
                yield Stroke(place, self._middle(via) + _BAR / 2 + 6, self._middle(sender), style, 1.5, -4)
                yield Polygon(place, _arrow(self._middle(via) + _BAR / 2, 6, -4), style)
            else:
                yield Polygon(place, _arrow(first, -6), style)
        if targets:
            start = first if via is None else self._middle(via) + _BAR / 2
            last = self._middle(targets[-1]) - _BAR / 2
            yield Stroke(place, start, last - 5, style)
            for target in targets:
                yield Polygon(place, _arrow(self._middle(target) - _BAR / 2, -6), style)

    def _legend(self) -> "tuple[Item, float]":
        """What the colours mean, of those that are in the picture, and the height of the picture."""
        entries = [
            (role, _ROLES.get(role, role))
            for role in dict.fromkeys(p.role for row in self._rows for p in row.processes)
        ]
        if any(process.started is None for process in self._timeline.processes):
            entries.append(("unknown", "since when is not known"))
        if any(not row.single for row in self._rows):
            entries.append((ORPHAN, "how many were reaped when"))
        if self._timeline.drains:
            entries.append(("grace", "grace period: until KILL"))
        if any(piece.cut for piece in self._scale.pieces):
            entries.append(("cut", "nothing happened: cut short"))
        if self._timeline.signals:
            entries.append(("signal", "signal"))
        shapes: "list[Shape]" = []
        x, y = float(MARGIN), self._bottom + 42
        for style, text in entries:
            width = 22 + _CHARACTER * len(text) + 18
            if x + width > WIDTH - MARGIN:
                x, y = float(MARGIN), y + 20
            height = {"unknown": 1.5, "signal": 1.5}.get(style, 10)
            shapes.append(Box(x, y - height / 2, 16, height, style))
            shapes.append(Text(None, y + 4, text, "dim", x + 22))
            x += width
        return Item("legend", shapes), y + 18


def _arrow(tip: float, length: float, shift: float = 0) -> "tuple[tuple[float, float], ...]":
    """An arrow head with its tip at y `tip`; it points down if `length` is negative."""
    return (shift, tip), (shift - 4, tip + length), (shift + 4, tip + length)


def _cross(middle: float) -> "tuple[tuple[float, float], ...]":
    """An x around a point."""
    arm, thick = 6.0, 1.8
    one = [(thick, 0.0), (arm, arm - thick), (arm - thick, arm), (0.0, thick)]
    corners = (
        one + [(-x, y) for x, y in reversed(one)] + [(-x, -y) for x, y in one] + [(x, -y) for x, y in reversed(one)]
    )
    return tuple((x, middle + y) for x, y in corners)
