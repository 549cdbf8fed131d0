"""How the commands write by rich: tables, colours, and what is going on.

rich sees by itself where there is no terminal, and NO_COLOR. No text is markup here: names of processes are anybody's.
"""

import os
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 1 << 30  # columns

NO_SIZE = (80, 24)  # of a terminal that does not know its own


class Output(Console):
    """Leaves it to pyinit.ctl.__main__ what a pipe that nobody reads means; rich would end us with a status of 1."""

    def on_broken_pipe(self) -> None:
        raise  # the error that is being handled


def output(stderr: bool = False, without_styles: bool = False) -> Console:
    """Where people read. `without_styles`: no escape sequence at all; rich leaves bold and reverse with NO_COLOR."""
    return Output(
        stderr=stderr,
        color_system=None if without_styles else "auto",
        markup=False,
        emoji=False,
        highlight=False,
    )


def size() -> "tuple[int, int]":
    """Columns and rows of standard output, a terminal. COLUMNS and LINES, which rich asks, do not follow it."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or NO_SIZE[0], found.lines or NO_SIZE[1]


def is_terminal(console: Console) -> bool:
    """Whether it is one, and not only to be taken for one by rich, which gives a pipe colours then (FORCE_COLOR)."""
    return console.is_terminal and sys.stdout.isatty()


def width(console: Console) -> int:
    """How wide a line may be: in a pipe it is for programs, which want all of it."""
    return size()[0] if is_terminal(console) else UNLIMITED


def columns(gap: int, *titles: str, left: "tuple[str, ...]" = (), cut: "dict[str, int] | None" = None) -> Table:
    """A table without lines: numbers stand to the right, what is named `left` to the left; `cut` are widest widths."""
    table = Table(box=None, padding=(0, gap, 0, 0), header_style="bold")
    for title in titles:
        widest = (cut or {}).get(title)
        table.add_column(
            title, justify="left" if title in left else "right", no_wrap=True, max_width=widest, overflow="ellipsis"
        )
    return table


def lines(console: Console, table: Table, ends: "list[Text]", width: int) -> "list[Text]":
    """The rows of a table, with a text at the end of each that may be as long as it likes, cut to a width.

    As a column it would be padded to the longest: in a pipe, to the longest command line of all.
    """
    rendered = console.render_lines(table, console.options.update(width=UNLIMITED), pad=False)
    result = []
    for segments, end in zip(rendered, ends):
        line = Text.assemble(*((each.text, each.style or "") for each in segments), end)
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
        result.append(line)
    return result


def write(console: Console, lines: "list[Text]") -> None:
    """Write lines as they are: none is wrapped."""
    for line in lines:
        console.print(line, soft_wrap=True)
