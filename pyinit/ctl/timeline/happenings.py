"""What comes from above in the picture: signals, the grace period, kills; what is nearly the same moment is one."""

from dataclasses import dataclass, replace

from pyinit.ctl.timeline import words
from pyinit.ctl.timeline.model import Process, Signal, Timeline, short
from pyinit.ctl.timeline.rows import TIMES
from pyinit.ctl.timeline.scale import Scale, moment
from pyinit.tell.text import printable

_ASKS_TO_END = ("SIGTERM", "SIGINT", "SIGQUIT")


@dataclass(frozen=True)
class Happening:
    """Something at a time, with a label that is `brief` where there is little room."""

    time: float
    text: str
    brief: str
    style: str  # signal, drain, kill
    important: bool
    tip: "list[str]"
    comes: bool = False  # to pyinit, from `sender` or from outside
    sender: "Process | None" = None
    targets: "tuple[Process, ...]" = ()


def happenings(timeline: Timeline, scale: Scale, finest: float) -> "list[Happening]":
    """All of them in the order of their time. Equal signals less than `finest` apart on the axis are one."""
    found = _signals(timeline, scale, finest)
    for drain in timeline.drains:
        pids = set(drain.left)
        left = tuple(process for process in timeline.processes if process.left and process.pid in pids)
        tip = [f"at {moment(drain.time)}: {words.of_drain(drain)}"]
        brief = f"{short(drain.signal)} to {len(drain.left):,}" if drain.signal else f"{len(drain.left):,}"
        text = f"{brief} left, KILL in {round(drain.grace, 1):g} s"
        found.append(Happening(drain.time, text, brief, "drain", True, tip, targets=left))
    for kill in timeline.kills:
        killed = tuple(p for p in timeline.processes if p.killed == kill.time)
        tip = [f"at {moment(kill.time)}: KILL to", *map(printable, kill.processes[:20])]
        found.append(Happening(kill.time, f"KILL to {len(kill.pids):,}", "KILL", "kill", True, tip, targets=killed))
    return sorted((each for each in found if each.time >= timeline.begin), key=lambda each: each.time)


def _signals(timeline: Timeline, scale: Scale, finest: float) -> "list[Happening]":
    by_pid: "dict[int, list[Process]]" = {}
    for process in timeline.processes:
        by_pid.setdefault(process.pid, []).append(process)
    together: "dict[tuple[object, ...], list[Signal]]" = {}
    for signal in timeline.signals:
        what = (signal.signal, signal.sender_pid, signal.forwarded_as, signal.target)
        together.setdefault((*what, int(scale.place(signal.time) / finest)), []).append(signal)
    found = []
    for signals in together.values():
        one = _signal(signals[0], by_pid)
        if len(signals) > 1:
            many = f" {TIMES}{len(signals):,}"
            one = replace(
                one, text=one.text + many, brief=one.brief + many, tip=[*one.tip, f"{len(signals):,} of these"]
            )
        found.append(one)
    return found


def _signal(signal: Signal, by_pid: "dict[int, list[Process]]") -> Happening:
    name = short(signal.signal)
    text = f"{name} from {words.sender(signal)}"
    if signal.target is None:
        text += ", to all left" if signal.to_the_rest else ", not forwarded"
    elif signal.forwarded_as != signal.signal:
        text += f" as {short(signal.forwarded_as or '')}"
    senders = [p for p in by_pid.get(signal.sender_pid or 0, []) if words.lives(p, signal.time)]
    targets = [p for p in by_pid.get(abs(signal.target or 0), []) if words.is_target(p, signal)]
    return Happening(
        signal.time,
        text,
        name,
        "signal",
        signal.signal in _ASKS_TO_END,
        [f"at {moment(signal.time)}: {words.of_signal(signal)}"],
        True,
        senders[0] if senders else None,
        tuple(targets[:1]),
    )
