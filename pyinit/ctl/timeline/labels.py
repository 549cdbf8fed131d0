"""What is written above the chart, where there is room: no text covers another, or the line down from another."""

from dataclasses import dataclass

LEVELS = 4
CHARACTER = 7.2  # the width of one in pixels, about
GAP = 8  # behind a text
INSET = 4  # between a line and its text


@dataclass(frozen=True)
class Label:
    """A text that begins at x, where its line goes down; `brief` is used if not all labels find room."""

    x: float
    text: str
    brief: str
    important: bool


@dataclass(frozen=True)
class Placed:
    level: int  # 0 is the highest
    text: str


def place(labels: "list[Label]", right: float) -> "list[Placed | None]":
    """Where each label goes, None for what finds no room up to `right`: if need be, what is not important."""
    ordered = list(range(len(labels)))
    for brief in (False, True):
        placed = _place(labels, right, brief, ordered)
        if None not in placed:
            return placed
    return _place(labels, right, True, sorted(ordered, key=lambda number: not labels[number].important))


def _place(labels: "list[Label]", right: float, brief: bool, order: "list[int]") -> "list[Placed | None]":
    """Place them in that order, each as high as it can be."""
    placed: "list[Placed | None]" = [None] * len(labels)
    taken: "list[tuple[float, float, int]]" = []  # from, to, level
    for number in order:
        label = labels[number]
        text = label.brief if brief else label.text
        end = label.x + CHARACTER * len(text) + GAP
        if end > right:
            text = label.brief
            end = label.x + CHARACTER * len(text) + GAP
        free = (level for level in range(LEVELS) if not any(_collide(label.x, end, level, other) for other in taken))
        level = next(free, None)
        if level is not None:
            placed[number] = Placed(level, text)
            taken.append((label.x, end, level))
    return placed


def _collide(start: float, end: float, level: int, other: "tuple[float, float, int]") -> bool:
    """Whether two texts overlap, or the line down from one runs through the other."""
    other_start, other_end, other_level = other
    if level == other_level:
        return start < other_end and other_start < end
    if level < other_level:  # ours is higher: our line passes the other
        return other_start + INSET < start < other_end
    return start + INSET < other_start < end
