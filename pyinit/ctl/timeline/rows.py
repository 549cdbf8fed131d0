"""Which processes share a row: every one has its own, unless there are too many of them."""

import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pyinit.ctl.timeline.model import CPU, ORPHAN, PYINIT, Process, Timeline, cost_of, count_outcomes
from pyinit.ctl.timeline.scale import duration, size
from pyinit.tell.text import printable

TIMES = "\N{MULTIPLICATION SIGN}"
_LEAST = 4  # rows, however few are asked for


@dataclass(frozen=True)
class Row:
    """One process, or several that are much the same. `by` is the cost that is shown, if one is."""

    label: str
    processes: "list[Process]"
    by: "str | None" = None

    @property
    def single(self) -> bool:
        return len(self.processes) == 1

    @property
    def seen(self) -> float:
        return min(process.seen for process in self.processes)

    @property
    def outcome(self) -> str:
        """How they ended, in a few characters; or what they have cost."""
        if self.by:
            cost = cost_of(self.processes, self.by)
            return duration(cost) if self.by == CPU else size(cost)
        outcomes = [outcome for outcome, _ in count_outcomes(self.processes)]
        return outcomes[0].replace("?", "") if self.single else ", ".join(outcomes[:3]) + (", …" * (len(outcomes) > 3))


def make(timeline: Timeline, most: int) -> "list[Row]":
    """The rows in the order in which their processes were first heard of, about `most` of them at the most.

    Orphans are grouped by name where there are too many: first those that came and went, then those that were left
    when the program had ended, and those that were killed last. What is still too much becomes one row of all others.
    """
    if timeline.by:
        return _by_cost(timeline, max(_LEAST, most), timeline.by)
    kept = [Row(_label(process), [process]) for process in timeline.processes if process.role != ORPHAN]
    loose = [Row(_label(process), [process]) for process in timeline.orphans]
    kinds: "list[Callable[[Process], bool]]" = [
        lambda process: not process.left and process.killed is None,
        lambda process: process.left and process.killed is None,
        lambda process: process.killed is not None,
    ]
    room = max(_LEAST, most - len(kept))
    for kind in kinds:
        if len(loose) > room:
            loose = _group(loose, kind)
    last = []
    if len(loose) > room:
        loose.sort(key=lambda row: len(row.processes), reverse=True)
        others = [process for row in loose[room - 1 :] for process in row.processes]
        names = Counter(process.name for process in others)
        last = [Row(f"{len(others):,} of {len(names):,} other names", others)]
        loose = loose[: room - 1]
    return kept[:1] + sorted(kept[1:] + loose, key=lambda row: row.seen) + last


def _by_cost(timeline: Timeline, most: int, by: str) -> "list[Row]":
    """pyinit; below it who has cost most, in that order; and in a last row of `most` all others."""
    first = [process for process in timeline.processes if process.role == PYINIT]
    ordered = [process for process in timeline.processes if process.role != PYINIT]
    ordered.sort(key=lambda process: -cost_of([process], by))
    room = most - len(first)
    alone = ordered if len(ordered) <= room else ordered[: room - 1]
    rows = [Row(_label(process), [process], by) for process in [*first, *alone]]
    others = ordered[len(alone) :]
    return [*rows, Row(f"{len(others):,} others", others, by)] if others else rows


def _group(rows: "list[Row]", suits: "Callable[[Process], bool]") -> "list[Row]":
    """Processes of the same name that `suits` picks, together."""
    by_name: "dict[str, list[Process]]" = {}
    rest = []
    for row in rows:
        process = row.processes[0]
        if row.single and suits(process):
            by_name.setdefault(process.name, []).append(process)
        else:
            rest.append(row)
    return rest + [
        Row(_label(found[0]) if len(found) == 1 else f"{len(found):,} {TIMES} {_name(found[0])}", found)
        for found in by_name.values()
    ]


def _label(process: Process) -> str:
    return f"{process.pid} {_name(process)}"


def _name(process: Process) -> str:
    """The command line where pyinit has started it, otherwise the name that the kernel has."""
    if process.role == PYINIT:
        return "pyinit"
    return one_line(shlex.join(process.words) if process.words else process.name or "?")


def one_line(text: str) -> str:
    """The text with every white space as a blank, as a short name of a long script."""
    return printable(" ".join(text.split()))
