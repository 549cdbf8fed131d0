"""Tables, as people read them in a terminal and as Markdown shows them: the same text."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.stats import Ratio


@dataclass(frozen=True)
class Table:
    title: str
    headers: "Sequence[str]"
    rows: "Sequence[Sequence[str]]"
    note: str = ""

    def text(self) -> str:
        """Markdown whose columns are aligned: the first to the left, the others, which hold figures, to the right."""
        widths = [max(map(len, column)) for column in zip(self.headers, *self.rows)]
        widths = [max(3, width) for width in widths]

        def line(cells: "Sequence[str]") -> str:
            first, *others = cells
            padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
            return f"| {' | '.join(padded)} |"

        rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
        note = f"\n\n{self.note}" if self.note else ""
        return f"**{self.title}**\n\n" + "\n".join([line(self.headers), line(rule), *map(line, self.rows)]) + note


def number(value: float, digits: int = 2) -> str:
    """A figure with thousands separated; a dash for one that there is not."""
    return "-" if value != value else f"{value:,.{digits}f}"


def times(ratio: "Ratio | None") -> str:
    """A ratio with its interval, such as `1.05 (1.01 to 1.08)`."""
    if not ratio:
        return "-"
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
