"""The life of a container as the journal tells it: processes and signals, and when what happened to them."""

import re
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pyinit.ctl.timeline.journal import Event
from pyinit.tell.text import printable

PYINIT = "pyinit"
PROGRAM = "program"
HOOK = "hook"
ORPHAN = "orphan"

CPU = "cpu"
MEMORY = "memory"

_TICK = 0.01  # seconds: the kernel's unit for the start of a process (man 5 proc_pid_stat)

_DESCRIBED = re.compile(r"(-?[0-9]{1,19}) \((.*?)(, ignores it)?\)", re.DOTALL)  # as processes.describe writes it


@dataclass(frozen=True)
class Cost:
    """What a process has cost, with the children that it had waited for: seconds, bytes, how often (man 2 getrusage).

    The largest resident set counts what the process was before its exec: of what pyinit starts it is pyinit's at least.
    """

    user_time: float
    system_time: float
    max_rss: int
    minor_faults: int
    major_faults: int
    disk_read: int
    voluntary_switches: int  # how often it waited: for a file, a child, time
    involuntary_switches: int  # how often others were let on

    @property
    def cpu(self) -> float:
        return self.user_time + self.system_time


@dataclass
class Process:
    """One process. Times are seconds since the start of the run, None where the journal does not tell.

    pyinit hears of an orphan when it reaps it, and then knows how long it lived. When it was adopted nobody tells.
    """

    pid: int
    role: str  # pyinit, program, hook (a command of --before or --after), orphan
    name: str
    words: "list[str]"  # of its command line, if pyinit started it
    started: "float | None"
    seen: float  # from here on it certainly existed
    reaped: "float | None" = None
    status: "int | None" = None  # as a shell reports it: 128 + signal
    signal: "str | None" = None  # that ended it
    killed_by: "str | None" = None  # of KILL who sent it: memory, pyinit, other
    left: bool = False  # when the program had ended
    killed: "float | None" = None  # pyinit sent KILL
    ignores: bool = False  # the signal that should have ended it
    cost: "Cost | None" = None

    @property
    def outcome(self) -> str:
        """The signal that ended it, or its exit status; empty if the journal does not tell."""
        return short(self.signal) if self.signal else "" if self.status is None else str(self.status)


@dataclass
class Signal:
    """One signal that pyinit got, and what became of it. The sender 0 is outside the container."""

    time: float
    signal: str
    sender_pid: "int | None"  # None: the journal has lost it
    sender_uid: "int | None"
    forwarded: "float | None" = None
    forwarded_as: "str | None" = None
    target: "int | None" = None  # a pid, or minus a process group
    to_the_rest: bool = False  # the program had ended (--wait-all): it went to every process that was left


@dataclass(frozen=True)
class Drain:
    """The program had ended and left others behind, which got the stop, and KILL after `grace` seconds."""

    time: float
    left: "list[int]"
    signal: "str | None"  # that they were sent now, None if they had had it before
    grace: float


@dataclass(frozen=True)
class Kill:
    """pyinit sent KILL to processes that did not end."""

    time: float
    pids: "list[int]"
    processes: "list[str]"


@dataclass
class Timeline:
    """One run. `ended` is None if the journal stops before the end."""

    time: float  # of the start, in seconds since 1970
    duration: float  # seconds, up to the last event
    ended: "float | None" = None
    status: "int | None" = None
    error: "str | None" = None
    program: "list[str]" = field(default_factory=list)  # its command line
    processes: "list[Process]" = field(default_factory=list)
    signals: "list[Signal]" = field(default_factory=list)
    drains: "list[Drain]" = field(default_factory=list)
    kills: "list[Kill]" = field(default_factory=list)
    cost: "Cost | None" = None  # of all who were reaped together, but for the largest set, which is that of one
    by: "str | None" = None  # which cost a picture shows: cpu, memory
    begin: float = 0.0  # where a picture begins, see last_seconds
    before: int = 0  # processes that had ended by then

    def as_json(self) -> "dict[str, Any]":
        return asdict(self)

    @property
    def orphans(self) -> "list[Process]":
        return [process for process in self.processes if process.role == ORPHAN]


def make(events: "list[Event]") -> Timeline:
    """The timeline of one run, which has one event at least."""
    first = events[0].at
    timeline = Timeline(events[0].time, events[-1].at - first)
    living = _Living(timeline)
    for event in events:
        living.take(event.kind, event.at - first, event.details)
    timeline.processes.sort(key=lambda process: process.seen)
    program = _find_the_program(timeline.processes, events)
    timeline.program = program.words if program else []
    return timeline


def last_seconds(timeline: Timeline, seconds: float) -> Timeline:
    """The same without what was over before the last `seconds`."""
    begin = max(0.0, timeline.duration - seconds)
    shown = [process for process in timeline.processes if process.reaped is None or process.reaped >= begin]
    return replace(
        timeline,
        begin=begin,
        before=len(timeline.processes) - len(shown),
        processes=shown,
        signals=[signal for signal in timeline.signals if signal.time >= begin],
    )


def short(signal: str) -> str:
    """TERM for SIGTERM, and nothing that a terminal would obey."""
    return printable(signal[3:] if signal.startswith("SIG") else signal)


def cost_of(processes: "list[Process]", by: str) -> float:
    """The processor time of all of them in seconds, or the largest resident set of one in bytes; 0 if nobody tells."""
    costs = [process.cost for process in processes if process.cost]
    return sum(cost.cpu for cost in costs) if by == CPU else max((cost.max_rss for cost in costs), default=0)


def count_outcomes(processes: "list[Process]") -> "list[tuple[str, int]]":
    """How they ended, the most frequent first."""
    return Counter(process.outcome or "?" for process in processes).most_common()


class _Living:
    """The processes that are there, by pid, while the events pass. A pid may come back once it was reaped."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._by_pid: "dict[int, Process]" = {}
        self._senders: "dict[int, float]" = {}  # seen first as the sender of a signal
        self._spawned_at: "float | None" = None
        self._waiting: "Signal | None" = None  # its `forwarded` would come next

    def take(self, kind: str, at: float, details: "dict[str, Any]") -> None:
        waiting, self._waiting = self._waiting, None
        if kind == "start":
            self._add(Process(details["pid"], PYINIT, "pyinit", details["arguments"], at, at))
        elif kind == "spawn":
            words = details["program"]
            self._spawned_at = at if self._spawned_at is None else self._spawned_at
            self._add(Process(details["pid"], PROGRAM, words[0] if words else "", words, at, at))
        elif kind == "signal":
            self._signal(at, details)
        elif kind == "forwarded":
            self._forwarded(at, details, waiting)
        elif kind == "reaped":
            self._reaped(at, details)
        elif kind == "drain":
            self._drain(at, details)
        elif kind == "killed":
            self._killed(at, details)
        elif kind == "ended":
            self._timeline.ended = at
            self._timeline.status = details["status"]
            self._timeline.error = details.get("error")
            self._timeline.cost = _cost(details.get("reaped"))
            for process in self._timeline.processes:
                if process.role == PYINIT:
                    process.status = details["status"]
                    process.cost = _cost(details.get("own"))

    def _add(self, process: Process) -> Process:
        self._timeline.processes.append(process)
        self._by_pid[process.pid] = process
        self._senders.pop(process.pid, None)
        return process

    def _find(self, pid: int, at: float) -> Process:
        """The process with this pid now. One that is heard of for the first time is an orphan, or will be."""
        seen = self._senders.get(pid, at)
        return self._by_pid.get(pid) or self._add(Process(pid, ORPHAN, "", [], None, seen))

    def _signal(self, at: float, details: "dict[str, Any]") -> None:
        sender = details["sender_pid"]
        if sender and sender not in self._by_pid:
            self._senders.setdefault(sender, at)
        self._waiting = Signal(at, details["signal"], sender, details["sender_uid"])
        self._waiting.to_the_rest = self._spawned_at is not None and not any(
            p.role == PROGRAM for p in self._by_pid.values()
        )
        self._timeline.signals.append(self._waiting)

    def _forwarded(self, at: float, details: "dict[str, Any]", signal: "Signal | None") -> None:
        if signal is None:
            signal = Signal(at, details["signal"], None, None)
            self._timeline.signals.append(signal)
        signal.forwarded, signal.forwarded_as, signal.target = at, details["signal"], details["target"]

    def _reaped(self, at: float, details: "dict[str, Any]") -> None:
        process = self._find(details["pid"], at)
        process.reaped = at
        process.status = details["status"]
        process.signal = details["signal"]
        process.killed_by = details.get("killed_by")
        process.name = details["command"] or process.name
        process.cost = _cost(details)
        if process.started is None and details.get("age") is not None:
            process.started = process.seen = min(process.seen, self._start(at - details["age"]))
        del self._by_pid[process.pid]

    def _start(self, at: float) -> float:
        """When an orphan was started, which the kernel rounds down: not before the program that it descends from."""
        program = self._spawned_at
        return program if program is not None and program - _TICK < at < program else max(0.0, at)

    def _drain(self, at: float, details: "dict[str, Any]") -> None:
        self._timeline.drains.append(Drain(at, details["left"], details.get("signal"), details["grace"]))
        for pid in details["left"]:
            self._find(pid, at).left = True

    def _killed(self, at: float, details: "dict[str, Any]") -> None:
        self._timeline.kills.append(Kill(at, details["pids"], details["processes"]))
        for pid in details["pids"]:
            self._find(pid, at).killed = at
        for match in filter(None, map(_DESCRIBED.fullmatch, details["processes"])):
            described = self._by_pid.get(int(match[1]))
            if described:
                described.name = described.name or match[2]
                described.ignores = bool(match[3])


def _cost(details: "dict[str, Any] | None") -> "Cost | None":
    """None where a journal does not tell, as older ones."""
    told = {each.name: details.get(each.name) for each in fields(Cost)} if details else {}
    if told.get("user_time") is None:
        return None
    return Cost(**{name: value or 0 for name, value in told.items()})


def _find_the_program(processes: "list[Process]", events: "list[Event]") -> "Process | None":
    """Tell the program from the commands of --before and --after: its words end pyinit's command line."""
    spawned = [process for process in processes if process.role == PROGRAM]
    arguments = events[0].details["arguments"] if events[0].kind == "start" else []
    same = [each for each in spawned if each.words and arguments[-len(each.words) :] == each.words]
    program = (same or spawned)[-1] if spawned else None
    for process in spawned:
        process.role = PROGRAM if process is program else HOOK
    return program
