"""Processes as a tree, for `tree` and `top`: who is below whom, and what /proc alone says of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from pyinit.ctl import console, proc
from pyinit.ctl.container import Container, command_line
from pyinit.ctl.proc import Process, numbers_in
from pyinit.tell import signal_names

TITLES = ("PID", "S", "PGRP", "SID", "TTY", "SIGNALS")
LEFT = ("S", "TTY", "SIGNALS", "COMMAND")
GAP = 2  # between two columns
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


def rows(
    container: Container,
    known: "frozenset[tuple[int, int]] | None" = None,
    wanted: "Iterable[Process] | None" = None,
) -> "list[Row]":
    """Processes, each below its parent: those that are `wanted` and all above them. With the identities of those that
    are `known`, the others are new."""
    shown = None if wanted is None else with_ancestors(container, wanted)
    first = container.pid1
    outside = [each for each in container.processes.values() if each.parent not in container.processes]
    tops = [first, *(each for each in outside if each is not first)]
    # Without recursion: a chain of processes may be longer than the interpreter's stack.
    waiting: "list[tuple[Process, tuple[bool, ...]]]" = [
        (top, ()) for top in reversed(tops) if shown is None or top.pid in shown
    ]
    found = []
    while waiting:
        process, last_of = waiting.pop()
        found.append(row(container, process, known, last_of))
        children = [each for each in container.children(process) if shown is None or each.pid in shown]
        waiting += [(each, (*last_of, each is children[-1])) for each in reversed(children)]
    return found


def row(
    container: Container,
    process: Process,
    known: "frozenset[tuple[int, int]] | None" = None,
    last_of: "tuple[bool, ...]" = (),
) -> Row:
    return Row(process, last_of, tuple(marks(container, process, known)))


def with_ancestors(container: Container, processes: "Iterable[Process]") -> "set[int]":
    """The numbers of processes, and of all above them."""
    found: "set[int]" = set()
    for process in processes:
        each: "Process | None" = process
        while each and each.pid not in found:
            found.add(each.pid)
            each = container.processes.get(each.parent)
    return found


def marks(container: Container, process: Process, known: "frozenset[tuple[int, int]] | None") -> "Iterator[str]":
    if process.pid in container.adopted_pids:
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


def table(container: Container, found: "list[Row]", width: int) -> Table:
    """What stands before the commands."""
    result = console.columns(GAP, *TITLES, left=LEFT, cut={"SIGNALS": max(LEAST_SIGNALS, width // 4)})
    for row in found:
        process = row.process
        numbers = (container.number(process), process.state, container.group(process), container.session(process))
        result.add_row(*map(str, numbers), terminal(process.tty), Text(signals(process)))
    return result


def commands(found: "list[Row]", branches: "tuple[str, ...]") -> "list[Text]":
    """The last column, with its title."""
    return [Text("COMMAND", style="bold"), *(Text(branch(row.last_of, branches) + command(row)) for row in found)]


def coloured(lines: "list[Text]", found: "list[Row]") -> "list[Text]":
    """The lines of these rows behind one of titles."""
    for line, row in zip(lines[1:], found):
        line.stylize(colour(row))
    return lines


def branch(last_of: "tuple[bool, ...]", branches: "tuple[str, ...]") -> str:
    if not last_of:
        return ""
    child, last, goes_on, nothing = branches
    above = "".join(nothing if each else goes_on for each in last_of[:-1])
    return above + (last if last_of[-1] else child)


def command(row: Row) -> str:
    """The marks come first: a long command line is cut at its end."""
    return "".join(f"[{mark}] " for mark in row.marks) + command_line(row.process)


def colour(row: Row) -> str:
    if "zombie" in row.marks:
        return "red"
    if "adopted" in row.marks:
        return "yellow"
    return "green" if "new" in row.marks else ""


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
