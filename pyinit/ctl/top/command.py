"""The command's options, and how it shows what it sees: live, in a pipe, as JSON."""

import contextlib
import errno
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pyinit.ctl.options import Seconds, container_options, json_option, write_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from pyinit.ctl.top.keyboard import Keyboard
    from pyinit.ctl.top.look import Look
    from pyinit.ctl.top.view import View

ORDERS = ("tree", "cpu", "memory", "threads", "age", "state", "pid", "command")  # look.ORDERS, which takes its time


@click.command()
@container_options
@click.option(
    "-d",
    "--delay",
    type=Seconds(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="The time between two looks.",
)
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="End after N looks.  [default: never]")
@click.option(
    "-s", "--sort", "order", type=click.Choice(ORDERS), default="tree", show_default=True, help="The order at first."
)
@click.option("-f", "--filter", "wanted", default="", metavar="TEXT", help="Only commands that have TEXT in them.")
@json_option
def top(pid: "int | None", delay: float, count: "int | None", order: str, wanted: str, as_json: bool) -> None:
    """Show the processes of a container, live, with what they take.

    CPU% is the share of one processor since the look before; at the first look, over the life of the process. MEMORY is
    what would be free if the process ended (USS); where that may not be read, ~ and its resident set (RSS), in which
    shared pages count, too. THR is its threads. What was not there at the look before is marked as new.

    It ends with q, Ctrl-C or the container. In a pipe one look follows the other; with --json each is a line.

    \b
    Keys: up, down, PgUp, PgDn, Home, End  select a process
          s, >, <     sort by the next key, or the one before
          P M N A     sort by processor, memory, number, age
          t           show the tree, or not
          /           type a text to filter by; Esc shows all
          k           send a signal to the selected process

    \b
    Example: podman exec -it web pyinitctl top
             pyinitctl top -d 0.5 --container web
    """
    from pyinit.ctl import console
    from pyinit.ctl.top.look import looks

    found = looks(pid, count)
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            write_each(found, delay, order, wanted)
            return
        out = console.output()
        if console.is_terminal(out) and not out.is_dumb_terminal:
            draw(out, found, delay, order, wanted)
        else:
            print_each(out, found, delay, order, wanted)


def write_each(found: "Iterator[Look]", delay: float, order: str, wanted: str) -> None:
    from pyinit.ctl.top import look

    for number, each in enumerate(found):
        if number:
            time.sleep(delay)
        write_json({"time": time.time(), **look.as_object(each, look.chosen(each, order, wanted))})


def print_each(out: "Console", found: "Iterator[Look]", delay: float, order: str, wanted: str) -> None:
    from pyinit.ctl import console, forest
    from pyinit.ctl.top import look
    from pyinit.ctl.tree import branches

    for number, each in enumerate(found):
        if number:
            time.sleep(delay)
            click.echo()
        click.echo(time.strftime("%H:%M:%S ") + forest.summary(forest.rows(each.container)))
        console.write(out, look.lines(out, each, look.chosen(each, order, wanted), branches(), console.width(out)))
        if note := look.note(each):
            click.echo(note)


def draw(out: "Console", found: "Iterator[Look]", delay: float, order: str, wanted: str) -> None:
    """Live, until a key, a signal, the container or the terminal ends it."""
    from pyinit.ctl.top.keyboard import Keyboard
    from pyinit.ctl.top.view import View
    from pyinit.ctl.tree import branches

    view = View(out, branches(), order, wanted)
    first = next(found, None)  # what cannot be looked at is said before the screen is taken
    if first is None:
        return
    keyboard = Keyboard()
    try:
        with keyboard, full_screen(out) as live:
            for each in itertools.chain([first], found):
                view.show(each)
                if not stay(out, live, keyboard, view, delay):
                    break
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        # The terminal is gone (man 4 pts): what is still to be written cannot be.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        keyboard.ended_by = keyboard.ended_by or signal.SIGHUP
    if keyboard.ended_by not in (0, signal.SIGINT):
        sys.exit(128 + keyboard.ended_by)


@contextlib.contextmanager
def full_screen(out: "Console") -> "Iterator[Live]":
    """The whole terminal; rich draws, and shows afterwards what was there before."""
    from rich.live import Live

    with Live(console=out, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        yield live


def stay(out: "Console", live: "Live", keyboard: "Keyboard", view: "View", delay: float) -> bool:
    """Show a look for a while, and do what keys and signals ask for. False if that is to end."""
    from rich.console import Group

    from pyinit.ctl import console

    until = time.monotonic() + delay
    while True:
        out.size = columns, rows = console.size()
        live.update(Group(*view.draw(columns, rows)), refresh=True)
        left = until - time.monotonic()
        if left <= 0:
            return True
        for key in keyboard.wait(left):
            view.press(key)
        if keyboard.ended_by or view.is_done:
            return False
        if keyboard.is_suspended:
            suspend(live, keyboard)


def suspend(live: "Live", keyboard: "Keyboard") -> None:
    """As Ctrl-Z does, with the terminal as it was."""
    live.stop()
    keyboard.give_back()
    os.kill(os.getpid(), signal.SIGSTOP)
    keyboard.is_suspended = False
    keyboard.take()
    live.start()
