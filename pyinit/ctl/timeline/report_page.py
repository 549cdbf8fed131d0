"""`pyinitctl report`: what a container did, as a page of text or as JSON."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO

import click

from pyinit.ctl.options import json_option, write_json
from pyinit.ctl.timeline import model, words
from pyinit.ctl.timeline.command import WHY_NO_COSTS, choose, run_option
from pyinit.ctl.timeline.report import Command, One, Report, Signals, Stop, make
from pyinit.ctl.timeline.rows import one_line
from pyinit.ctl.timeline.scale import duration, moment, size
from pyinit.tell.text import printable

if TYPE_CHECKING:
    from typing import Literal

    from rich.console import RenderableType

_NARROWEST = 60  # columns; less is written as wide as this
_MOST = 5
_ORPHANS = 10  # names in one line


@click.command()
@click.argument("file", metavar="JOURNAL", type=click.File("rb"))
@run_option
@click.option(
    "--most", type=click.IntRange(min=1), default=_MOST, show_default=True, metavar="N", help="Lines of each table."
)
@json_option
def report(file: "BinaryIO", run: "int | None", most: int, as_json: bool) -> None:
    """Say what a container did, from what `pyinit --events JOURNAL` wrote; - is standard input.

    Who took longest, was largest and took most processor time; which commands ran most often, which orphans were
    reaped, which signals came, and how long the end took from TERM on. A process's cost has that of the children in it
    that it had waited for itself; the journal knows nothing else of them.

    \b
    Example: podman run --name c -v .:/log image /pyinit --events /log/journal -- server
             pyinitctl report journal
    """
    made = make(model.make(choose(file, run)), most)
    if as_json:
        write_json(asdict(made))
        return
    from pyinit.ctl.console import output

    console = output()
    console.width = max(_NARROWEST, console.width)
    for part in page(made):
        console.print(part)


def page(report: Report) -> "Iterator[RenderableType]":
    """The parts of the page, as rich draws them; what is empty is left out."""
    yield from _heading(report)
    if report.stop:
        yield _of_stop(report.stop)
    if not report.cost:
        yield f"What processes have cost is not told: {WHY_NO_COSTS}."
    for title, ones in _rankings(report):
        yield _table(title, _ONE, map(_of_one, ones))
    if report.commands:
        title = f"Most frequent, of {words.plural(report.names, 'command')}"
        yield _table(title, _COMMAND, map(_of_command, report.commands))
    if report.signals:
        yield _table("Signals", _SIGNAL, map(_of_signals, report.signals))


def _rankings(report: Report) -> "Iterator[tuple[str, list[One]]]":
    """A table for each; of few processes one has them all."""
    if 0 < report.processes <= len(report.longest):
        yield "All processes, the longest first", report.longest
        return
    for title, ones in (
        ("Longest", report.longest),
        ("Most processor time", report.busiest),
        ("Largest resident set", report.largest),
    ):
        if ones:
            yield title, ones


def _heading(report: Report) -> "Iterator[str]":
    start = datetime.fromtimestamp(report.time, timezone.utc)
    ended = "no end in the journal" if report.status is None else f"status {report.status}"
    yield one_line(shlex.join(report.program)) or "no program"
    yield f"{start:%Y-%m-%d %H:%M:%S} UTC, {duration(report.seconds)}, {ended}"
    if report.error:
        yield printable(report.error)
    yield ""
    yield f"{words.plural(report.processes, 'process')} that pyinit had to do with"
    if report.orphans:
        names = [f"{count:,} {name}" for name, count in report.orphans.items()]
        more = f" and {len(names) - _ORPHANS:,} other names" if len(names) > _ORPHANS else ""
        yield f"{words.plural(sum(report.orphans.values()), 'orphan')} reaped: {', '.join(names[:_ORPHANS])}{more}"
    for who, cost in (("together", report.cost), ("pyinit itself", report.own_cost)):
        if cost:
            first, second = words.of_cost(cost)
            yield f"{who}: {first}"
            yield second


def _of_stop(stop: Stop) -> str:
    asked = f"{stop.signal} at {moment(stop.at)}: "
    if stop.to_the_programs_end is None:
        return f"{asked}the program has not ended since, as far as the journal goes"
    ended = f"the program ended {duration(abs(stop.to_the_programs_end))} "
    ended += "later" if stop.to_the_programs_end >= 0 else "before it"
    if stop.to_the_end is not None:
        ended += f", and everything {duration(stop.to_the_end)} later"
    return f"{asked}{ended}; {stop.killed or 'nobody'} {'were' if stop.killed > 1 else 'was'} killed for it"


# What stands over the columns; numbers stand on the right, the rest on the left.
_ONE = ("time", "cpu", "largest", "faults", "end", "pid", "command")
_COMMAND = ("number", "failed", "time", "cpu", "largest", "command")
_SIGNAL = ("number", "signal", "from", "sent on as", "first", "last")
_ON_THE_LEFT = ("end", "command", "signal", "from", "sent on as")


def _of_one(one: One) -> "list[str]":
    cost = one.cost
    figures = ["-"] * 3
    if cost:
        figures = [duration(cost.cpu), size(cost.max_rss), f"{cost.minor_faults + cost.major_faults:,}"]
    return [duration(one.seconds), *figures, one.outcome, str(one.pid), one.command]


def _of_command(of: Command) -> "list[str]":
    return [f"{of.count:,}", f"{of.failed:,}", duration(of.seconds), duration(of.cpu), size(of.max_rss), of.name]


def _of_signals(of: Signals) -> "list[str]":
    return [f"{of.count:,}", of.signal, of.sender, of.forwarded_as or "-", moment(of.first), moment(of.last)]


def _table(title: str, columns: "tuple[str, ...]", rows: "Iterable[list[str]]") -> "RenderableType":
    """What has no room is cut off in the last column of names alone, so that figures can be read."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.show_edge = False
    for name in columns:
        justify: "Literal['left', 'right']" = "left" if name in _ON_THE_LEFT else "right"
        table.add_column(name, justify=justify, no_wrap=name != "command")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
