"""`pyinitctl timeline`: read a journal, choose a run, and draw it."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from pyinit.ctl.files import check_replaceable, replace
from pyinit.ctl.options import Seconds
from pyinit.ctl.timeline import model, text, words
from pyinit.ctl.timeline.journal import Event, Journal, NoJournal, read
from pyinit.ctl.timeline.model import Timeline
from pyinit.tell.text import printable

WHY_NO_COSTS = "an older pyinit wrote it, or a Python without the module resource"

_NAMED = 5  # broken lines in a warning
_ROWS = 25


def _svg(timeline: Timeline, rows: int) -> bytes:
    from pyinit.ctl.timeline import svg

    return svg.draw(timeline, rows)


def _png(timeline: Timeline, rows: int) -> bytes:
    from pyinit.ctl.timeline import png

    try:
        return png.draw(timeline, rows)
    except png.MissingError as error:
        raise click.ClickException(str(error)) from None


def _html(timeline: Timeline, rows: int) -> bytes:
    from pyinit.ctl.timeline import html

    return html.draw(timeline, rows)


def _trace(timeline: Timeline, _: int) -> bytes:
    from pyinit.ctl.timeline import trace

    return trace.draw(timeline)


_DRAWINGS: "dict[str, Callable[[Timeline, int], bytes]]" = {
    ".svg": _svg,
    ".png": _png,
    ".html": _html,
    ".htm": _html,
    ".trace.json": _trace,
}


run_option = click.option(
    "--run", type=click.IntRange(min=1), metavar="N", help="The Nth run in the journal.  [default: the last]"
)


@click.command()
@click.argument("file", metavar="JOURNAL", type=click.File("rb"))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw into FILE: .svg, .png (needs matplotlib), .html, a page with zoom, or .trace.json, for Perfetto and the "
    "viewers of browsers. Without it: text.",
)
@run_option
@click.option(
    "--last",
    type=Seconds(min=0, min_open=True),
    metavar="SECONDS",
    help="Draw only the end.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=_ROWS,
    show_default=True,
    metavar="N",
    help="Group orphans by name if there are more processes.",
)
@click.option(
    "--by",
    type=click.Choice([model.CPU, model.MEMORY]),
    help="Show who has cost most: processor time, or the largest resident set.",
)
@click.option("--json", "as_json", is_flag=True, help="Write what the pictures are made of: processes, signals, times.")
def timeline(
    file: "BinaryIO",
    output: "Path | None",
    run: "int | None",
    last: "float | None",
    rows: int,
    by: "str | None",
    as_json: bool,
) -> None:
    """Draw the life of a container from what `pyinit --events JOURNAL` wrote; - is standard input.

    Each process is a bar up to its reaping; each signal an arrow, with its sender and where it was forwarded to. The
    journal may not tell since when an orphan has lived: up to where it was first heard of there is a thin line then.

    \b
    Example: podman run --name c -v .:/log image /pyinit --events /log/journal -- server
             pyinitctl timeline journal -o life.html
    """
    if as_json and output:
        raise click.UsageError("--json writes to standard output: leave out --output")
    draw = _drawing(output) if output else None
    drawn = model.make(choose(file, run))
    if by and not any(process.cost for process in drawn.processes):
        raise click.ClickException(f"--by: this journal does not tell what processes have cost: {WHY_NO_COSTS}")
    drawn.by = by
    if last is not None:
        drawn = model.last_seconds(drawn, last)
    if as_json:
        click.echo(json.dumps(drawn.as_json(), indent=1))
    elif output and draw:
        write(output, draw(drawn, rows))
        click.echo(f"{printable(str(output))}: {len(drawn.processes)} processes, {len(drawn.signals)} signals")
    else:
        _show(drawn, rows)


def _drawing(output: Path) -> "Callable[[Timeline, int], bytes]":
    """What draws a file of that name. Raises UsageError."""
    draw = next((draw for end, draw in _DRAWINGS.items() if output.name.lower().endswith(end)), None)
    if draw is None:
        raise click.UsageError(f"--output: {str(output)!r} must end in {', '.join(_DRAWINGS)}")
    try:
        check_replaceable(output)
    except OSError as error:
        raise click.UsageError(f"--output: {str(output)!r}: {error.strerror}") from None
    return draw


def choose(file: "BinaryIO", number: "int | None") -> "list[Event]":
    """The events of run `number`, by default the last; says what was left out. Raises ClickException."""
    name = printable(str(getattr(file, "name", "standard input")))
    try:
        journal = read(file)
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror}") from None
    except NoJournal as error:
        raise click.ClickException(f"{name}: not a journal of pyinit: {error}") from None
    if not journal.runs:
        if not journal.lines:
            raise click.ClickException(f"{name}: empty: pyinit has written nothing yet")
        raise click.ClickException(f"{name}: not a journal of pyinit: no line is one of its events")
    for note in _notes(journal):
        click.echo(f"{name}: {note}", err=True)
    runs = len(journal.runs)
    if number is not None and number > runs:
        raise click.UsageError(f"--run: {number}: the journal has {words.plural(runs, 'run')}")
    if number is None and runs > 1:
        click.echo(f"{name}: the last of {runs} runs; --run N takes another", err=True)
    return journal.runs[(number or runs) - 1]


def _notes(journal: Journal) -> "Iterator[str]":
    """What was left out, and why."""
    if journal.broken:
        numbers = ", ".join(map(str, journal.broken[:_NAMED]))
        more = len(journal.broken) - _NAMED
        lines = f"line {numbers} is" if len(journal.broken) == 1 else f"lines {numbers} are"
        lines = lines if more <= 0 else f"lines {numbers} and {more:,} more are"
        yield f"warning: {lines} no event of a journal: left out"
    if journal.incomplete:
        yield "the last line is not complete: it may be being written, and is left out"
    if journal.unknown:
        kinds = ", ".join(f"{printable(kind)} ({count:,})" for kind, count in list(journal.unknown.items())[:_NAMED])
        yield f"left out, since only a newer pyinitctl knows them: {kinds}{', …' * (len(journal.unknown) > _NAMED)}"


def _show(timeline: Timeline, rows: int) -> None:
    """The text, with what standard output can take: its width, its characters, and colours on a terminal."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    characters = text.UNICODE
    try:
        "".join(vars(text.UNICODE).values()).encode(encoding)
    except UnicodeError:
        characters = text.ASCII
    drawn = text.draw(timeline, shutil.get_terminal_size().columns, rows, characters)
    if characters is text.ASCII:
        drawn = drawn.translate(text.TO_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    # https://no-color.org: any value but none at all. click leaves colours out where there is no terminal.
    click.echo(drawn, color=False if os.environ.get("NO_COLOR") else None)


def write(output: Path, data: bytes) -> None:
    """Raises ClickException."""
    try:
        replace(output, data)
    except OSError as error:
        raise click.ClickException(f"--output: {str(output)!r}: {error.strerror}") from None
