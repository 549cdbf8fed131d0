"""What the commands have in common: `--json`, `--pid` or `--container`, and colour only where it is wanted."""

import contextlib
import functools
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from pyinit.tell.text import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


LONGEST = 1e6  # seconds; what waits longer, waits for ever


class Seconds(click.FloatRange):
    """A time that can be waited for."""

    name = "seconds"

    def __init__(self, min: float, min_open: bool = False) -> None:
        super().__init__(min=min, max=LONGEST, min_open=min_open)

    def convert(self, value: Any, param: "click.Parameter | None", ctx: "click.Context | None") -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no time", param, ctx)
        return seconds


class CannotLook(click.ClickException):
    """Nothing can be said. Status 2, since a status of 1 says that something is wrong."""

    exit_code = 2


def container_options(command: "Callable[..., None]") -> "Callable[..., None]":
    """`--pid` and `--container`, of which one may be given. The command gets `pid`: a process of the container, or None
    for the container that this runs in."""

    @click.option(
        "--pid",
        type=click.IntRange(min=1),
        metavar="N",
        help="A process of the container, as it is numbered here.  [default: the container that this runs in]",
    )
    @click.option(
        "--container",
        metavar="NAME",
        help="On the host: the container of this name or ID, for which docker and podman are asked.",
    )
    @functools.wraps(command)
    def with_pid(*arguments: object, pid: "int | None", container: "str | None", **others: object) -> None:
        command(*arguments, pid=process_of(pid, container), **others)

    return with_pid


def process_of(pid: "int | None", container: "str | None") -> "int | None":
    """The process that the two options mean. Raises CannotLook."""
    if container is None:
        return pid
    if pid is not None:
        raise click.UsageError("--container and --pid both say which container: give one of them")
    from pyinit.ctl import engine

    try:
        pid = engine.pid_of(container)
    except engine.Unknown as error:
        raise CannotLook(f"--container: {error}") from None
    if not is_pid_1(pid):
        text = f"--container: {container} has no PID namespace of its own: what follows is of all that is in it"
        click.echo(f"Warning: {text}", err=True)
    return pid


def is_pid_1(pid: int) -> bool:
    """Whether a process is PID 1 of its PID namespace, or nobody can tell (Linux before 4.1)."""
    from pyinit.ctl import proc

    try:
        process = proc.read(pid)
    except OSError:
        return True
    return not process or "NSpid" not in process.status or process.numbers("NSpid")[-1] == 1


def prepare_output(context: click.Context) -> None:
    """No colour where NO_COLOR is set (no-color.org; click itself sees pipes), and `?` for what a terminal of another
    encoding cannot show."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def write_json(value: object) -> None:
    """One line of JSON, in ASCII: whatever bytes a command line has, it can be written anywhere."""
    click.echo(json.dumps(value))


def shown(command: "Sequence[str]") -> str:
    """A command line on one line; what could write on the terminal by itself is escaped."""
    return printable(" ".join(command))


@contextlib.contextmanager
def working(what: str) -> "Iterator[Callable[[str], None]]":
    """Show on standard error, if it is a terminal, that something takes its time: a bar that moves, since nobody knows
    how long. Yields what says how far it is."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    from pyinit.ctl.console import output

    console = output(stderr=True)
    name = TextColumn("{task.description}", markup=False)
    far = TextColumn("{task.fields[far]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Progress(name, BarColumn(20), TimeElapsedColumn(), far, console=console, transient=True) as progress:
        console.show_cursor(True)  # whatever ends or suspends us, the terminal is as it was
        task = progress.add_task(what, total=None, far="")
        yield lambda text: progress.update(task, far=text)
