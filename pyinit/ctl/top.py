"""`pyinitctl top`: the processes of a container, live."""

import contextlib
import itertools
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pyinit.ctl.options import CannotLook, json_option, pid_option, write_json

if TYPE_CHECKING:
    from pyinit.ctl.container import Container
    from pyinit.ctl.forest import Row


@click.command()
@pid_option
@click.option(
    "-d",
    "--delay",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="The time between two looks.",
)
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="End after N looks.  [default: never]")
@json_option
def top(pid: "int | None", delay: float, count: "int | None", as_json: bool) -> None:
    """Show the processes of a container, live.

    It shows what `tree` does, until q or Ctrl-C. What was not there at the look before is marked as new. It ends when
    the container does. In a pipe one look follows the other; with --json each is a line.

    \b
    Example: podman exec -it web pyinitctl top
             pyinitctl top -d 0.5 --pid $(podman inspect -f '{{.State.Pid}}' web)
    """
    found = looks(pid, count)
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            write_each(found, delay)
        elif sys.stdout.isatty():
            draw(found, delay)
        else:
            print_each(found, delay)


def looks(pid: "int | None", count: "int | None") -> "Iterator[tuple[Container, list[Row]]]":
    """Look again and again, each time when it is asked for, until PID 1 ends. Raises CannotLook for the first look."""
    from pyinit.ctl import container, forest

    known = None
    first = None
    for _ in range(count) if count else itertools.count():
        try:
            now = container.look(pid if first is None else first.pid)
        except CannotLook:
            if first is None:
                raise
            return
        if first is not None and now.pid1.identity != first.identity:
            return
        first = now.pid1
        yield now, forest.rows(now, known)
        known = frozenset(each.identity for each in now.processes.values())


def write_each(found: "Iterator[tuple[Container, list[Row]]]", delay: float) -> None:
    from pyinit.ctl import forest

    for number, (container, rows) in enumerate(found):
        if number:
            time.sleep(delay)
        write_json({"time": time.time(), **forest.as_object(container, rows)})


def print_each(found: "Iterator[tuple[Container, list[Row]]]", delay: float) -> None:
    from pyinit.ctl import forest
    from pyinit.ctl.tree import branches

    for number, (container, rows) in enumerate(found):
        if number:
            time.sleep(delay)
            click.echo()
        text = [time.strftime("%H:%M:%S ") + forest.summary(rows), *forest.lines(container, rows, branches())]
        click.echo("\n".join(text))


def draw(found: "Iterator[tuple[Container, list[Row]]]", delay: float) -> None:
    from pyinit.ctl import forest
    from pyinit.ctl.screen import Screen, size
    from pyinit.ctl.tree import branches

    colours = click.get_current_context().color is not False
    with Screen() as screen:
        for container, rows in found:
            until = time.monotonic() + delay
            while (left := until - time.monotonic()) > 0:
                width, height = size()
                head = time.strftime("%H:%M:%S ") + forest.summary(rows) + "; q ends this"
                text = [forest.cut(head, width), *forest.lines(container, rows, branches(), width)]
                if len(text) > height - 1:
                    text[height - 2 :] = [f"and {len(text) - height + 2} more"]
                screen.draw(text if colours else [click.unstyle(line) for line in text])
                if screen.wait(left) in ("q", "Q"):
                    return
