"""Processes as a tree of text, for `tree` and `top`."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from pyinit import signal_names
from pyinit.ctl import proc
from pyinit.ctl.container import Container, command_line
from pyinit.ctl.proc import Process, numbers_in

TITLES = ("PID", "S", "PGRP", "SID", "TTY", "SIGNALS", "COMMAND")
MANY = 24  # signals; whoever does the same about so many does it about all that matter

LEAST_SIGNALS = 16  # characters of that column on a terminal, or a quarter: the command must have room

C_LIBRARYS = proc.mask_of(32, 33)  # glibc keeps these for its threads (man 7 nptl)

BRANCHES = ("├─ ", "└─ ", "│  ", "   ")
ASCII_BRANCHES = ("|- ", "`- ", "|  ", "   ")


@dataclass(frozen=True)
class Row:
    """One process, where it is in the tree, and what there is to say about it."""

    process: Process
    last_of: "tuple[bool, ...]"  # for each level from the top: whether it is the last of its parent's children
    marks: "tuple[str, ...]"  # of "adopted", "zombie", "from outside", "new"


def rows(container: Container, known: "frozenset[tuple[int, int]] | None" = None) -> "list[Row]":
    """All processes, each below its parent. With the identities of those that are `known`, the others are new."""
    first = container.pid1
    outside = [each for each in container.processes.values() if each.parent not in container.processes]
    tops = [first, *(each for each in outside if each is not first)]
    return [row for top in tops for row in below(container, top, (), known)]


def below(
    container: Container, process: Process, last_of: "tuple[bool, ...]", known: "frozenset[tuple[int, int]] | None"
) -> "Iterator[Row]":
    yield Row(process, last_of, tuple(marks(container, process, known)))
    children = container.children(process)
    for child in children:
        yield from below(container, child, (*last_of, child is children[-1]), known)


def marks(container: Container, process: Process, known: "frozenset[tuple[int, int]] | None") -> "Iterator[str]":
    if process in container.adopted:
        yield "adopted"
    if process.is_zombie:
        yield "zombie"
    if process is not container.pid1 and process.parent not in container.processes:
        yield "from outside"
    if known is not None and process.identity not in known:
        yield "new"


def summary(found: "list[Row]") -> str:
    counts = {mark: sum(mark in row.marks for row in found) for mark in ("adopted", "zombie")}
    zombies = "zombie" if counts["zombie"] == 1 else "zombies"
    return f"{len(found)} processes, {counts['adopted']} adopted by PID 1, {counts['zombie']} {zombies}"


def lines(container: Container, found: "list[Row]", branches: "tuple[str, ...]", width: int = 0) -> "list[str]":
    """A line of titles, and one for each row; with a width they are cut to it. Colour is for click to keep or drop."""
    table = [cells(container, row) for row in found]
    if width:
        room = max(LEAST_SIGNALS, width // 4)
        table = [(*each[:-1], cut(each[-1], room)) for each in table]
    widths = [max(map(len, column)) for column in zip(TITLES[:-1], *table)]
    result = [click.style(cut(aligned(TITLES[:-1], widths) + TITLES[-1], width), bold=True)]
    for row, texts in zip(found, table):
        text = aligned(texts, widths) + branch(row.last_of, branches) + command(row)
        result.append(click.style(cut(text, width), fg=colour(row)))
    return result


def cells(container: Container, row: Row) -> "tuple[str, ...]":
    process = row.process
    numbers = (container.number(process), process.state, container.group(process), container.session(process))
    return (*map(str, numbers), terminal(process.tty), signals(process))


def aligned(texts: "tuple[str, ...]", widths: "list[int]") -> str:
    """Cells in columns, numbers to the right; with what separates the last from what comes."""
    right = (True, False, True, True, False, False)
    padded = [text.rjust(w) if r else text.ljust(w) for text, w, r in zip(texts, widths, right)]
    return "  ".join(padded) + "  "


def branch(last_of: "tuple[bool, ...]", branches: "tuple[str, ...]") -> str:
    if not last_of:
        return ""
    child, last, goes_on, nothing = branches
    above = "".join(nothing if each else goes_on for each in last_of[:-1])
    return above + (last if last_of[-1] else child)


def command(row: Row) -> str:
    """The marks come first: a long command line is cut at its end."""
    return "".join(f"[{mark}] " for mark in row.marks) + command_line(row.process)


def colour(row: Row) -> "str | None":
    if "zombie" in row.marks:
        return "red"
    if "adopted" in row.marks:
        return "yellow"
    return "green" if "new" in row.marks else None


def cut(text: str, width: int) -> str:
    return text if not width or len(text) <= width else text[: width - 1] + "…"


def signals(process: Process) -> str:
    """What a process does about signals, as far as it is not the default action."""
    sets = {verb: mask & ~C_LIBRARYS for verb, mask in dispositions(process).items()}
    parts = [f"{verb} {names(mask)}" for verb, mask in sets.items() if mask]
    return ", ".join(parts) or "-"


def dispositions(process: Process) -> "dict[str, int]":
    """The sets of signals that are not met by the default action."""
    if process.is_zombie:
        return {}
    return {
        "collects": process.collected,
        "catches": process.caught,
        "ignores": process.ignored,
        "blocks": process.blocked & ~process.collected,
    }


def names(mask: int) -> str:
    numbers = numbers_in(mask)
    return "all" if len(numbers) >= MANY else " ".join(signal_names.name(number)[3:] for number in numbers)


def terminal(device: int) -> str:
    """The name of a controlling terminal, as below /dev (man 5 proc_pid_stat, tty_nr; the kernel's devices.txt)."""
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    if not device:
        return "-"
    if 136 <= major <= 143:
        return f"pts/{minor + (major - 136) * 256}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return "console" if (major, minor) == (5, 1) else f"{major}:{minor}"


def as_object(container: Container, found: "list[Row]") -> "dict[str, object]":
    """The same for JSON. `pid` is the number in this /proc, `number` that inside."""
    return {
        "pid1": container.pid1.pid,
        "init": container.init.name if container.init else None,
        "processes": [process_object(container, row) for row in found],
    }


def process_object(container: Container, row: Row) -> "dict[str, object]":
    process = row.process
    return {
        "pid": process.pid,
        "number": container.number(process),
        "parent": process.parent,
        "state": process.state,
        "process_group": container.group(process),
        "session": container.session(process),
        "terminal": terminal(process.tty) if process.tty else None,
        **{verb: list(map(signal_names.name, numbers_in(mask))) for verb, mask in dispositions(process).items()},
        "marks": row.marks,
        "name": process.name,
        "command": process.command,
    }
