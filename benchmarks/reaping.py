"""Reaping: a program leaves thousands of orphans behind, and its init has to reap them.

At once: all of them live until the last one is made, and then end at once. In a stream: each ends as soon as it is
made, while others are still made. Flat: they are the children of a parent that ended; nested: chains of ten, each the
parent of the next. 1,000 others live on beside them, all children of the init, which the kernel searches at each wait.

A cgroup counts the processes, zombies among them, without the cost of looking through /proc. Meanwhile a sender sends
signals through the init, where it passes signals on.
"""

import contextlib
import os
import signal
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.latency import start_sender
from benchmarks.peers import Peer
from benchmarks.plots import NOTHING, Figure, bars
from benchmarks.runner import Lab, MeasureError, Pid1, Result, wait_for
from benchmarks.stats import ratio, summary
from benchmarks.table import Table, number, times

TITLE = "Reaping"
BASE = "tini"
BACKGROUND = 1000
PAUSE = 5_000_000  # ns between two signals during a storm
FULL_RUNS = {"bf": 5, "bn": 5, "sf": 1, "sn": 1}  # all of it takes two minutes or three
STORM_DEADLINE = 90.0  # seconds
STORM_SIZE = 32  # bytes of struct storm


@dataclass(frozen=True)
class Storm:
    """So many orphans in such a shape (see native/program.c), with how many more that live."""

    orphans: int
    shape: str
    background: int = BACKGROUND

    @property
    def name(self) -> str:
        how = "at once" if self.shape[0] == "b" else "in a stream"
        return f"{self.orphans:,} {how}, {'flat' if self.shape[1] == 'f' else 'nested'}"


class TooSlow(Exception):
    """An init that has not reaped all after the deadline. supervisord, for one, reaps a hundred a second."""


def storms(lab: Lab) -> "list[Storm]":
    few, many = (500, 2000) if lab.quick else (10_000, 100_000)
    background = 100 if lab.quick else BACKGROUND
    shapes = (few, "bf"), (few, "bn"), (many, "sf"), (many, "sn")
    return [Storm(orphans, shape, background) for orphans, shape in shapes]


def measure(lab: Lab) -> Result:
    """A stream takes longer: it has fewer rounds, and the inits alone that pass signals on."""
    result: Result = {}
    for storm in storms(lab):
        stream = storm.shape[0] == "s"
        inits = lab.forwarders() if stream else lab.residents()
        runs = lab.runs(full=FULL_RUNS[storm.shape], quick=2)
        found: "dict[str, list[Result]]" = {name: [] for name in inits}
        slow = set()
        for _, name in lab.rounds(f"Reaping {storm.name}", list(inits), runs):
            if name not in slow:
                try:
                    found[name].append(one(lab, inits[name], storm))
                except TooSlow:
                    slow.add(name)
        done = {name: each for name, each in found.items() if name not in slow}
        result[storm.name] = {"storm": vars(storm), "inits": evaluated(done), "too_slow": sorted(slow)}
    return result


@contextlib.contextmanager
def cgroup() -> "Iterator[Path]":
    """A cgroup that counts processes (cgroups(7): version 1 or 2), empty again in the end."""
    root = Path("/sys/fs/cgroup")
    parent = root if (root / "cgroup.controllers").exists() else root / "pids"
    group = parent / f"pyinit-benchmarks-{os.getpid()}"
    try:
        if parent == root:
            (root / "cgroup.subtree_control").write_text("+pids")
        group.mkdir()
    except OSError as error:
        raise MeasureError(f"reaping is measured with a cgroup, and {error.filename}: {error.strerror}") from None
    try:
        yield group
    finally:
        wait_for(lambda: removed(group), f"{group} is empty")


def removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def one(lab: Lab, peer: Peer, storm: Storm) -> Result:
    """One storm under one init: what the watcher saw, what PID 1 used, what the sender met."""
    with cgroup() as group, stormy(lab, peer, storm, group) as (init, shared):
        before = processor_time(init.pid)
        sender = start_sender(lab, init, 0, PAUSE) if peer.forwards else None
        try:
            seen = weather(lab, init, storm, group, shared)
        finally:
            delays = end(sender) if sender else []
        used = processor_time(init.pid) - before
    seconds = (seen["last"] - seen["began"]) / 1e9
    return {
        "seconds": seconds,
        "orphans_per_second": storm.orphans / seconds,
        "most_zombies": seen["zombies"],
        "forks_refused": seen["refused"],
        "cpu_us_per_orphan": used / storm.orphans / 1000,
        "signal_us": delays,
    }


@contextlib.contextmanager
def stormy(lab: Lab, peer: Peer, storm: Storm, group: Path) -> "Iterator[tuple[Pid1, Path]]":
    """The program under an init, ready, with its live orphans in place; and the file that it shares."""
    shared = lab.directory / "storm"
    shared.write_bytes(bytes(STORM_SIZE))
    program = [lab.native("program"), str(storm.background), str(storm.orphans), storm.shape, str(shared)]
    with lab.start(peer.command(program), cgroup=group) as init:
        init.read(8)
        # The helper that left them is gone when all of them are the init's.
        wait_for(lambda: len(children(init.pid)) == 1 + storm.background, "the live orphans are there")
        yield init, shared


def children(pid: int) -> "list[int]":
    """Of its first thread, the oldest first (man 5 proc_pid_task)."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor_time(pid: int) -> int:
    """Nanoseconds that a process has run (the kernel's documentation: scheduler/sched-stats)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def weather(lab: Lab, init: Pid1, storm: Storm, group: Path, shared: Path) -> "dict[str, int]":
    """Start the storm, and watch it until the last orphan is gone."""
    command = [lab.native("watcher"), str(group / "pids.current"), str(shared), str(storm.orphans)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            assert watcher.stdout is not None
            watcher.stdout.readline()
            # Not through the init, since not all pass signals on. Its first child is the program.
            os.kill(children(init.pid)[0], signal.SIGUSR2)
            line, _ = watcher.communicate(timeout=STORM_DEADLINE)
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        finally:
            watcher.kill()
    if not line:
        raise MeasureError(f"{storm.name}: the watcher failed under {' '.join(init.command)}")
    return dict(zip(("began", "last", "zombies", "refused"), map(int, line.split())))


def end(sender: "subprocess.Popen[bytes]") -> "list[float]":
    """Stop the sender: microseconds for each signal that it sent."""
    import array

    sender.terminate()
    assert sender.stdout is not None
    with sender:
        return [delay / 1000 for delay in array.array("q", sender.stdout.read())]


def evaluated(found: "dict[str, list[Result]]") -> Result:
    result: Result = {}
    for name, runs in found.items():
        entry: Result = {key: [run[key] for run in runs] for key in runs[0] if key != "signal_us"}
        delays = [delay for run in runs for delay in run["signal_us"]]
        if delays:
            entry["signal_summary_us"] = summary(delays)
        if BASE in found:
            for key in ("orphans_per_second", "cpu_us_per_orphan"):
                entry[f"{key}_ratio"] = ratio(entry[key], [run[key] for run in found[BASE]])
            for key in ("p50", "p99"):
                by_round = [summary(run["signal_us"])[key] for run in runs if run["signal_us"]]
                if by_round:
                    base = [summary(run["signal_us"])[key] for run in found[BASE]]
                    entry[f"signal_{key}_ratio"] = ratio(by_round, base)
        result[name] = entry
    return result


def table(result: Result) -> "list[Table]":
    tables = []
    for name, entry in result.items():
        rows = []
        for init, found in sorted(entry["inits"].items(), key=lambda item: statistics.median(item[1]["seconds"])):
            delays = found.get("signal_summary_us", {})
            rows.append(
                [
                    init,
                    number(statistics.median(found["orphans_per_second"]), 0),
                    times(found.get("orphans_per_second_ratio")),
                    number(max(found["most_zombies"]), 0),
                    number(statistics.median(found["seconds"]) * 1000, 0),
                    number(statistics.median(found["cpu_us_per_orphan"])),
                    number(delays.get("p50", float("nan")), 0),
                    number(delays.get("p99", float("nan")), 0),
                ]
            )
        headers = ["", "orphans/s", "ratio", "most zombies", "last gone after, ms", "CPU an orphan, µs"]
        headers += ["signal p50, µs", "p99"]
        rows += [[init, f"not done after {STORM_DEADLINE:.0f} s", *"------"] for init in entry["too_slow"]]
        note = f"{entry['storm']['background']:,} other children live on. Ratios are to {BASE}, round by round."
        tables.append(Table(f"Reaping {name}", headers, rows, note))
    return tables


def plot(result: Result) -> "list[Figure]":
    def median(init: str, storm: Result) -> float:
        return statistics.median(storm["inits"][init]["orphans_per_second"]) if init in storm["inits"] else NOTHING

    inits = next(iter(result.values()))["inits"]
    series = {init: [median(init, storm) for storm in result.values()] for init in inits}
    return [bars("reaping", "Orphans reaped a second (median)", "orphans a second", list(result), series)]
