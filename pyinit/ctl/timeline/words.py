"""The timeline in words: a heading, what happened, and what there is to say of each thing in the picture."""

import shlex
from collections.abc import Iterator
from datetime import datetime, timezone

from pyinit.ctl.timeline.model import (
    CPU,
    HOOK,
    MEMORY,
    ORPHAN,
    Cost,
    Drain,
    Process,
    Signal,
    Timeline,
    cost_of,
    count_outcomes,
    short,
)
from pyinit.ctl.timeline.rows import TIMES, Row, one_line
from pyinit.ctl.timeline.scale import duration, moment, size
from pyinit.tell.text import printable


def heading(timeline: Timeline) -> "list[str]":
    """What ran; when, for how long, and how it ended."""
    title = one_line(shlex.join(timeline.program)) or "no program"
    start = datetime.fromtimestamp(timeline.time, timezone.utc)
    facts = [f"{start:%Y-%m-%d %H:%M:%S} UTC", duration(timeline.duration)]
    if timeline.ended is None:
        facts.append("no end in the journal")
    elif timeline.error:
        facts.append(f"not started: status {timeline.status}")
    else:
        facts.append(f"status {timeline.status}")
    reaped = sum(process.reaped is not None for process in timeline.orphans)
    if reaped:
        facts.append(f"{plural(reaped, 'orphan')} reaped")
    if timeline.by:
        facts.append({CPU: "by processor time", MEMORY: "by the largest resident set"}[timeline.by])
    if timeline.begin:
        facts.append(f"the last {duration(timeline.duration - timeline.begin)}")
    if timeline.before:
        facts.append(f"{plural(timeline.before, 'process')} ended before")
    return [title, ", ".join(facts)]


def times(timeline: Timeline) -> "Iterator[float]":
    """When anything happened."""
    for process in timeline.processes:
        yield from (
            time for time in (process.started, process.seen, process.reaped, process.killed) if time is not None
        )
    yield from (signal.time for signal in timeline.signals)
    yield from (drain.time for drain in timeline.drains)
    yield from (kill.time for kill in timeline.kills)


def signalled(timeline: Timeline, process: Process) -> "Iterator[float]":
    """When a signal came to pyinit, or was forwarded to the process or the group that it leads."""
    for signal in timeline.signals:
        if process.role == "pyinit":
            yield signal.time
        elif is_target(process, signal):
            yield signal.forwarded or signal.time


def is_target(process: Process, signal: Signal) -> bool:
    """Whether a signal was forwarded to the process, or to the group that it leads, while it lived."""
    if signal.target is None or signal.forwarded is None or abs(signal.target) != process.pid:
        return False
    return lives(process, signal.forwarded)


def lives(process: Process, time: float) -> bool:
    """Whether the journal knows the process to be there at a time."""
    return process.seen <= time and (process.reaped is None or process.reaped >= time)


def events(timeline: Timeline) -> "list[tuple[float, str]]":
    """What happened beside processes coming and going, in order."""
    found = [(signal.time, of_signal(signal)) for signal in timeline.signals]
    for drain in timeline.drains:
        found.append((drain.time, of_drain(drain)))
    for process in timeline.processes:
        if process.killed_by == "memory" and process.reaped is not None:
            who = f"{process.pid} {printable(process.name)}"
            found.append((process.reaped, f"the kernel has killed {who} for want of memory"))
    for kill in timeline.kills:
        found.append(
            (kill.time, f"KILL to {printable(', '.join(kill.processes) or plural(len(kill.pids), 'process'))}")
        )
    if timeline.ended is not None:
        text = f"pyinit ends with status {timeline.status}"
        found.append((timeline.ended, f"{text}: {printable(timeline.error)}" if timeline.error else text))
    return sorted(((time, text) for time, text in found if time >= timeline.begin), key=lambda each: each[0])


def of_drain(drain: Drain) -> str:
    asked = f"{short(drain.signal)}, and " if drain.signal else ""
    return f"the program has left {plural(len(drain.left), 'process')}: {asked}KILL in {round(drain.grace, 1):g} s"


def sender(signal: Signal) -> str:
    """`outside` or a pid."""
    if signal.sender_pid is None:
        return "?"
    return str(signal.sender_pid) if signal.sender_pid else "outside"


def of_signal(signal: Signal) -> str:
    """Who sent it, and what became of it."""
    name = short(signal.signal)
    came = f"{name} from {'a sender that is not known' if signal.sender_pid is None else sender(signal)}"
    if signal.sender_uid:
        came += f" (UID {signal.sender_uid})"
    if signal.target is None:
        return f"{came}, {'sent to all that was left' if signal.to_the_rest else 'not forwarded'}"
    target = f"process group {-signal.target}" if signal.target < 0 else str(signal.target)
    return f"{came}, forwarded as {short(signal.forwarded_as or '')} to {target}"


def of_row(row: Row, timeline: Timeline) -> "list[str]":
    """All there is to say of a row, in lines."""
    return of_process(row.processes[0], timeline) if row.single else of_group(row.processes)


def of_process(process: Process, timeline: Timeline) -> "list[str]":
    role = {HOOK: "command of --before or --after"}.get(process.role, process.role)
    lines = [f"{process.pid} {printable(process.name)}: {role}"]
    if process.words:
        lines.append(printable(shlex.join(process.words)))
    if process.started is not None:
        lines.append(f"started at {moment(process.started)}")
    elif process.seen != process.reaped:
        lines.append(f"there at {moment(process.seen)}, since when is not known")
    if process.left:
        lines.append("still there when the program had ended")
    if process.killed is not None:
        lines.append(f"{'ignored its signal, ' if process.ignores else ''}got KILL at {moment(process.killed)}")
    if process.reaped is not None:
        adopted = "adopted by then, and " if process.role == ORPHAN else ""
        why = " of the kernel's for want of memory" if process.killed_by == "memory" else ""
        how = f"ended by {short(process.signal)}{why}, " if process.signal else ""
        lines.append(f"{adopted}reaped at {moment(process.reaped)}: {how}status {process.status}")
    elif process.role != "pyinit":
        lines.append(
            "not reaped by pyinit" if timeline.ended is not None else "still there, as far as the journal goes"
        )
    return lines + of_cost(process.cost) if process.cost else lines


def of_cost(cost: Cost) -> "list[str]":
    faults = f"{plural(cost.minor_faults + cost.major_faults, 'page fault')}, {cost.major_faults:,} of them from disk"
    waited = f"waited {plural(cost.voluntary_switches, 'time')}, {size(cost.disk_read)} read from disk"
    kernel = f"{duration(cost.system_time)} of it in the kernel"
    return [f"processor {duration(cost.cpu)}, {kernel}; at most {size(cost.max_rss)}", f"{faults}; {waited}"]


def of_group(processes: "list[Process]") -> "list[str]":
    first = min(process.seen for process in processes)
    last = max(process.reaped or process.seen for process in processes)
    lines = [f"{len(processes):,} orphans, {moment(first)} to {moment(last)}"]
    for outcome, count in count_outcomes(processes)[:5]:
        what = "not reaped by pyinit" if outcome == "?" else f"status {outcome}" if outcome.isdigit() else outcome
        lines.append(f"{count:,} {TIMES} {what}")
    if any(process.cost for process in processes):
        lines.append(f"processor {duration(cost_of(processes, CPU))}; at most {size(cost_of(processes, MEMORY))} each")
    return lines


def plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"
