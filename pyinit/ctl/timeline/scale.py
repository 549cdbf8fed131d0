"""Where a time belongs on an axis from 0 to 1, on which long times without an event are cut short."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10

_DOMINATES = 5.0  # a gap is cut if it is that many times as long as all that is not cut
_MOST_CUTS = 4
_SHORTEST = 1e-6  # seconds: the journal tells no less
_CUT_WIDTH = 0.1
_CLEAR = 0.03  # no label of a tick so near to a cut, which has one of its own
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)  # seconds


@dataclass(frozen=True)
class Piece:
    """From `start` to `end` (seconds), drawn from `left` to `right`."""

    start: float
    end: float
    left: float
    right: float
    cut: bool


class Scale:
    """An axis for the time from `begin` to `end`, with its events in mind."""

    def __init__(self, begin: float, end: float, times: "Iterable[float]") -> None:
        end = max(end, begin + 1e-3)
        marks = sorted({begin, end, *(time for time in times if begin < time < end)})
        cuts = _gaps_to_cut(marks)
        self.pieces: "list[Piece]" = []
        bounds = sorted({begin, end, *(bound for cut in cuts for bound in cut)})
        whole = sum(b - a for a, b in zip(bounds, bounds[1:]) if (a, b) not in cuts)
        width = 1 - _CUT_WIDTH * len(cuts)
        left = 0.0
        for a, b in zip(bounds, bounds[1:]):
            cut = (a, b) in cuts
            right = left + (_CUT_WIDTH if cut else width * (b - a) / whole)
            self.pieces.append(Piece(a, b, left, right, cut))
            left = right
        self._starts = [piece.start for piece in self.pieces]

    def place(self, time: float) -> float:
        """Where a time belongs, 0 to 1; what lies outside is at the edge."""
        piece = self.pieces[max(0, bisect_right(self._starts, time) - 1)]
        part = (time - piece.start) / (piece.end - piece.start)
        return min(1.0, piece.left + (piece.right - piece.left) * min(1.0, max(0.0, part)))

    def ticks(self, most: int) -> "list[tuple[float, str]]":
        """Round times with their labels, about `most` of them if the whole axis is one piece."""
        ticks = []
        for piece in self.pieces:
            number = most * (piece.right - piece.left)
            if piece.cut or number < 0.5:
                continue
            step = _round_step((piece.end - piece.start) / number)
            first = int(piece.start / step)
            for count in range(first, first + int((piece.end - piece.start) / step) + 2):
                place = self.place(count * step)
                if piece.start <= count * step <= piece.end and not self._is_near_a_cut(place):
                    ticks.append((place, clock(count * step, step)))
        return ticks

    def _is_near_a_cut(self, place: float) -> bool:
        return any(piece.cut and piece.left - _CLEAR < place < piece.right + _CLEAR for piece in self.pieces)


def _gaps_to_cut(marks: "list[float]") -> "list[tuple[float, float]]":
    """The few gaps between events beside which everything else would be too small to be seen."""
    gaps = sorted(zip(marks, marks[1:]), key=lambda gap: gap[0] - gap[1])
    for number, (start, end) in enumerate(gaps[:_MOST_CUTS], 1):
        rest = sum(b - a for a, b in gaps[number:])
        if _SHORTEST < rest < (end - start) / _DOMINATES:
            return gaps[:number]
    return []


def _round_step(seconds: float) -> float:
    """The next longer time that is round for people."""
    for step in _STEPS:
        if 1 <= seconds <= step:
            return float(step)
    unit = 86400.0 if seconds > 1 else 1.0
    power = 10.0 ** floor(log10(seconds / unit)) * unit
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= seconds or factor == 10)


def clock(seconds: float, step: float) -> str:
    """A time on the axis: `12.5 s`, `5:30`, `1:05:30`, as exact as the step between ticks asks for."""
    digits = 0
    while digits < 6 and abs(step * 10**digits - round(step * 10**digits)) > 1e-9:
        digits += 1
    if seconds < 60:
        return f"{seconds:.{digits}f} s"
    ticks = round(seconds * 10**digits)
    minutes, rest = divmod(ticks, 60 * 10**digits)
    exact = f"{rest / 10**digits:0{3 + digits if digits else 2}.{digits}f}"
    return f"{minutes // 60}:{minutes % 60:02d}:{exact}" if minutes >= 60 else f"{minutes}:{exact}"


def moment(seconds: float) -> str:
    """When something happened, to the millisecond: `4.000 s`, `8:20:00.700`."""
    return clock(seconds, 0.001)


def duration(seconds: float) -> str:
    """How long something took: `0.312 s`, `12.3 s`, `5 min 30 s`, `10 h 2 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.3f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60} min"
    return f"{whole // 86400} d {whole // 3600 % 24} h"


def size(number: float) -> str:
    """An amount of memory in bytes: `0 KiB`, `980 KiB`, `13.1 MiB`, `1,204 MiB`."""
    if number < 1 << 20:
        return f"{number / (1 << 10):.0f} KiB"
    return f"{number / (1 << 20):,.{1 if number < 100 << 20 else 0}f} MiB"
