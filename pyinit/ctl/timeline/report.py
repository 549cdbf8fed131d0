"""What a container did, in figures: who took longest, was largest, cost most; which commands, signals and orphans.

This makes the figures; `report_page` has them written.
"""

from collections import Counter
from dataclasses import dataclass

from pyinit.ctl.timeline.model import CPU, MEMORY, ORPHAN, PYINIT, Cost, Process, Signal, Timeline, cost_of, short
from pyinit.ctl.timeline.rows import one_line
from pyinit.ctl.timeline.words import sender

_ASKS_TO_END = ("SIGTERM", "SIGINT", "SIGQUIT")


@dataclass(frozen=True)
class One:
    """One process. `seconds` is how long it was there as far as the journal tells."""

    pid: int
    role: str
    command: str
    outcome: str  # the signal that ended it, or its status
    seconds: float
    cost: "Cost | None"


@dataclass(frozen=True)
class Command:
    """All processes of a name. Those that pyinit has not reaped are counted by who has."""

    name: str
    count: int
    failed: int  # not ended with status 0
    seconds: float  # of all together
    cpu: float
    max_rss: int


@dataclass(frozen=True)
class Signals:
    """One kind of signal from one sender."""

    signal: str
    sender: str  # outside, or a pid
    forwarded_as: "str | None"
    count: int
    first: float  # seconds after the start
    last: float


@dataclass(frozen=True)
class Stop:
    """What became of the first signal that asks to end (TERM, INT, QUIT). None: the journal ends before."""

    signal: str
    at: float  # seconds after the start
    to_the_programs_end: "float | None"  # seconds from the signal; negative if it had ended already
    to_the_end: "float | None"
    killed: int  # processes that were sent KILL after it


@dataclass(frozen=True)
class Report:
    """One run."""

    program: "list[str]"
    time: float  # of the start, in seconds since 1970
    seconds: float
    status: "int | None"
    error: "str | None"
    processes: int  # all that the journal knows, without pyinit
    cost: "Cost | None"  # of all together, but for the largest set, which is that of one
    own_cost: "Cost | None"  # pyinit's
    longest: "list[One]"
    largest: "list[One]"
    busiest: "list[One]"
    commands: "list[Command]"  # the most frequent ones
    names: int  # of commands, all of them
    orphans: "dict[str, int]"  # that pyinit has reaped, by their names, the most frequent first
    signals: "list[Signals]"
    stop: "Stop | None"


def make(timeline: Timeline, most: int) -> Report:
    """The report, with at most so many entries in each list but that of the orphans."""
    ours = [process for process in timeline.processes if process.role == PYINIT]
    others = [process for process in timeline.processes if process.role != PYINIT]
    reaped = [each for each in others if each.role == ORPHAN and each.reaped is not None]
    commands = _commands(others, timeline)
    return Report(
        program=timeline.program,
        time=timeline.time,
        seconds=timeline.duration,
        status=timeline.status,
        error=timeline.error,
        processes=len(others),
        cost=timeline.cost,
        own_cost=ours[0].cost if ours else None,
        longest=_ones(sorted(others, key=lambda each: -_seconds(each, timeline)), timeline, most),
        largest=_ones(_by(others, MEMORY), timeline, most),
        busiest=_ones(_by(others, CPU), timeline, most),
        commands=commands[:most],
        names=len(commands),
        orphans=dict(Counter(_name(each) for each in reaped).most_common()),
        signals=_signals(timeline)[:most],
        stop=_stop(timeline),
    )


def _ones(processes: "list[Process]", timeline: Timeline, most: int) -> "list[One]":
    return [
        One(each.pid, each.role, _name(each), each.outcome, _seconds(each, timeline), each.cost)
        for each in processes[:most]
    ]


def _by(processes: "list[Process]", cost: str) -> "list[Process]":
    return sorted((each for each in processes if each.cost), key=lambda each: -cost_of([each], cost))


def _seconds(process: Process, timeline: Timeline) -> float:
    return (timeline.duration if process.reaped is None else process.reaped) - process.seen


def _name(process: Process) -> str:
    """The name that the kernel has: a command line may be long, and of orphans pyinit knows none."""
    return one_line(process.name) or "?"


def _commands(processes: "list[Process]", timeline: Timeline) -> "list[Command]":
    by_name: "dict[str, list[Process]]" = {}
    for process in processes:
        by_name.setdefault(_name(process), []).append(process)
    found = [
        Command(
            name,
            len(same),
            sum(each.outcome not in ("", "0") for each in same),
            sum(_seconds(each, timeline) for each in same),
            cost_of(same, CPU),
            int(cost_of(same, MEMORY)),
        )
        for name, same in by_name.items()
    ]
    return sorted(found, key=lambda each: (-each.count, -each.cpu))


def _signals(timeline: Timeline) -> "list[Signals]":
    """In the order in which the first of each came."""
    together: "dict[tuple[str, str, str | None], list[Signal]]" = {}
    for signal in timeline.signals:
        forwarded = short(signal.forwarded_as) if signal.forwarded_as else None
        together.setdefault((short(signal.signal), sender(signal), forwarded), []).append(signal)
    return [
        Signals(*what, len(signals), min(each.time for each in signals), max(each.time for each in signals))
        for what, signals in together.items()
    ]


def _stop(timeline: Timeline) -> "Stop | None":
    first = next((signal for signal in timeline.signals if signal.signal in _ASKS_TO_END), None)
    if first is None:
        return None
    ends = [each.reaped for each in timeline.processes if each.role == "program" and each.reaped is not None]
    return Stop(
        short(first.signal),
        first.time,
        ends[-1] - first.time if ends else None,
        None if timeline.ended is None else timeline.ended - first.time,
        sum(len(kill.pids) for kill in timeline.kills if kill.time >= first.time),
    )
