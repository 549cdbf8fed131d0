"""One look at a container: its processes with what they take, chosen and ordered as a person wants to see them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.filesize import pick_unit_and_suffix
from rich.table import Table
from rich.text import Text

from pyinit.ctl import console, container, forest
from pyinit.ctl.container import Container, command_line
from pyinit.ctl.forest import Row
from pyinit.ctl.options import CannotLook
from pyinit.ctl.proc import Process
from pyinit.ctl.top.usage import HAS_PSUTIL, SHARED, WITHOUT_PSUTIL, Meter, Usage

TREE = "tree"

BUSY = "RDSITtXZ"  # the states in the order in which they are of interest

# What is sorted by: the greatest first, where that is what is looked for.
KEYS: "dict[str, Callable[[Look, Process], object]]" = {
    "cpu": lambda look, process: -(look.usage[process.pid].processor or 0),
    "memory": lambda look, process: -(look.usage[process.pid].memory or 0),
    "threads": lambda look, process: -look.usage[process.pid].threads,
    "age": lambda look, process: -look.usage[process.pid].age,
    "state": lambda _, process: BUSY.find(process.state),
    "pid": lambda look, process: look.container.number(process),
    "command": lambda _, process: command_line(process).lower(),
}

ORDERS = (TREE, *KEYS)

LEFT = ("S", "SIGNALS")

# Which columns there are from which width on: the command needs room, too.
FITTING = (
    (110, ("PID", "S", "CPU%", "MEMORY", "THR", "AGE", "SIGNALS")),
    (60, ("PID", "S", "CPU%", "MEMORY", "THR", "AGE")),
    (36, ("PID", "S", "CPU%", "MEMORY")),
    (20, ("PID", "CPU%")),
    (0, ("PID",)),
)

UNITS = ["", "K", "M", "G", "T", "P"]


@dataclass(frozen=True)
class Look:
    """A container at one moment."""

    container: Container
    known: "frozenset[tuple[int, int]] | None"  # who was there at the look before, None at the first
    usage: "dict[int, Usage]"  # by the numbers in /proc


def looks(pid: "int | None", count: "int | None") -> "Iterator[Look]":
    """Look again and again, each time when it is asked for, until PID 1 ends. Raises CannotLook for the first look."""
    meter = Meter()
    known = first = None
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
        yield Look(now, known, meter.look(now))
        known = frozenset(each.identity for each in now.processes.values())


def chosen(look: Look, order: str, wanted: str) -> "list[Row]":
    """The processes whose command line has the text `wanted`, in an order. A tree has those above them, too."""
    everyone = look.container.processes.values()
    found = [each for each in everyone if wanted.lower() in command_line(each).lower()]
    if order == TREE:
        return forest.rows(look.container, look.known, found if wanted else None)
    key = KEYS[order]
    found.sort(key=lambda process: (key(look, process), process.pid))
    return [forest.row(look.container, each, look.known) for each in found]


def lines(out: Console, look: Look, found: "list[Row]", branches: "tuple[str, ...]", width: int) -> "list[Text]":
    """A line of titles, and one for each row."""
    commands = forest.commands(found, branches)
    return forest.coloured(console.lines(out, table(look, found, width), commands, width), found)


def table(look: Look, found: "list[Row]", width: int) -> Table:
    """What stands before the commands, as far as there is room for it."""
    titles = next(titles for least, titles in FITTING if width >= least)
    result = console.columns(1, *titles, left=LEFT, cut={"SIGNALS": max(forest.LEAST_SIGNALS, width // 4)})
    for row in found:
        texts = cells(look, row.process)
        result.add_row(*(Text(texts[title]) for title in titles))
    for column, least in zip(result.columns, (5, 1, 5, 7, 3, 6)):  # so that they stay where they are
        column.min_width = least
    return result


def cells(look: Look, process: Process) -> "dict[str, str]":
    """What each column says of a process."""
    usage = look.usage[process.pid]
    return {
        "PID": str(look.container.number(process)),
        "S": process.state,
        "CPU%": "-" if usage.processor is None else f"{usage.processor:.1f}",
        "MEMORY": "-" if usage.memory is None else "~" * (not usage.is_unique) + size(usage.memory),
        "THR": str(usage.threads),
        "AGE": age(usage.age),
        "SIGNALS": forest.signals(process),
    }


def size(number: int) -> str:
    unit, suffix = pick_unit_and_suffix(number, UNITS, 1024)
    return f"{number / unit:.{int(number < 100 * unit)}f}{suffix}"


def age(seconds: float) -> str:
    """The two greatest units: 5s, 3m12s, 4h05m, 12d07h."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02}h"
    if hours:
        return f"{hours}h{minute:02}m"
    return f"{minutes}m{second:02}s" if minutes else f"{second}s"


def note(look: Look) -> str:
    """What cannot be shown, and what a sign means."""
    if not HAS_PSUTIL:
        return WITHOUT_PSUTIL
    return SHARED if any(each.memory and not each.is_unique for each in look.usage.values()) else ""


def as_object(look: Look, found: "list[Row]") -> "dict[str, object]":
    """The same for JSON."""
    told = forest.as_object(look.container, [])
    told["processes"] = [
        {**forest.process_object(look.container, row), **usage_object(look.usage[row.process.pid])} for row in found
    ]
    return told


def usage_object(usage: Usage) -> "dict[str, object]":
    return {
        "cpu_percent": usage.processor,
        "memory": usage.memory,
        "memory_is": None if usage.memory is None else "uss" if usage.is_unique else "rss",
        "threads": usage.threads,
        "age": round(usage.age, 2),
    }
