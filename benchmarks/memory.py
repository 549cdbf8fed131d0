"""Memory of PID 1 once the program runs, after a storm of orphans, and after as many signals as come in a day.

A day's signals: one a second. RSS counts what is in memory, PSS what is shared in proportion, and private dirty what
nobody else can use and what the kernel cannot read again from a file (man 5 proc_pid_smaps): the price of a process.
"""

import contextlib
import statistics
import time
from pathlib import Path

from benchmarks.latency import latencies
from benchmarks.peers import Peer
from benchmarks.plots import Figure, bars
from benchmarks.reaping import Storm, TooSlow, cgroup, processor_time, stormy, weather
from benchmarks.runner import Lab, MeasureError, Result
from benchmarks.table import Table, number

TITLE = "Memory"
KINDS = ("Rss", "Pss", "Private_Dirty")
BARE = "python3 -IS"
# Says that it is ready as the program in C does.
BARE_SCRIPT = "import _signal, posix; posix.write(1, bytes(8)); _signal.pause()"


def settled(pid: int) -> None:
    """Wait until a process has not run for a while."""
    for _ in range(1000):
        before = processor_time(pid)
        time.sleep(0.03)
        if processor_time(pid) == before:
            return
    raise MeasureError(f"process {pid} is never idle")


def of(pid: int) -> "dict[str, int]":
    """In kB."""
    settled(pid)
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return {kind: found[kind] for kind in KINDS}


def measure(lab: Lab) -> Result:
    """After the start for everything, with each interpreter; the rest for what stays and takes part in it."""
    bare = {name: Peer(name, "", python, lambda _, python=python: [python, "-IS", "-c", BARE_SCRIPT])  # type: ignore[misc]
            for name, python in labelled(lab, BARE)}  # fmt: skip
    ours = {name: lab.pyinit_as_peer(python=version) for name, version in labelled(lab, "pyinit", paths=False)}
    at_start: "dict[str, list[dict[str, int]]]" = {name: [] for name in {**ours, **bare, **lab.residents()}}
    every = {**lab.residents(), **ours, **bare}
    for _, name in lab.rounds("Memory after the start", list(every), lab.runs(full=5, quick=2)):
        with lab.start(every[name].command([lab.native("program")])) as init:
            init.read(8)
            at_start[name].append(of(init.pid))
    result: Result = {name: {"start": middle(values)} for name, values in at_start.items()}
    orphans, signals = (2000, 1000) if lab.quick else (100_000, 86_400)
    for _, name in lab.rounds("Memory after a storm and a day", list(lab.residents()), 1):
        with contextlib.suppress(TooSlow):
            result[name].update(later(lab, lab.residents()[name], Storm(orphans, "sf", 0), signals))
    return {"kilobytes": result, "orphans": orphans, "signals": signals}


def labelled(lab: Lab, name: str, paths: bool = True) -> "list[tuple[str, str]]":
    """The name for the first interpreter, and with the version for the others, with their paths or versions."""
    return [
        (name if number == 0 else f"{name} ({version})", path if paths else version)
        for number, (version, path) in enumerate(lab.pythons.items())
    ]


def middle(values: "list[dict[str, int]]") -> "dict[str, int]":
    return {kind: int(statistics.median_low([each[kind] for each in values])) for kind in KINDS}


def later(lab: Lab, peer: Peer, storm: Storm, signals: int) -> "dict[str, dict[str, int]]":
    """One process: after its start, after a storm, and after that many signals."""
    with cgroup() as group, stormy(lab, peer, storm, group) as (init, shared):
        found = {"before": of(init.pid)}
        weather(lab, init, storm, group, shared)
        found["storm"] = of(init.pid)
        if peer.forwards:
            latencies(lab, init, signals)
            found["day"] = of(init.pid)
        return found


def table(result: Result) -> "list[Table]":
    rows = []
    entries = result["kilobytes"]
    for name, entry in entries.items():
        bare = entries[BARE + name[len("pyinit") :]]["start"] if name.startswith("pyinit") else entry["start"]
        more = entry["start"]["Private_Dirty"] - bare["Private_Dirty"]
        shown = [number(entry["start"][kind], 0) for kind in KINDS]
        rows.append([name, *shown, f"{more:+,}" if name.startswith("pyinit") else ""])
    note = f"kB of PID 1. The last column: private dirty over `{BARE}` of the same version, which waits for a signal."
    headers = ["", "RSS", "PSS", "private dirty", "over bare"]
    tables = [Table("Memory once the program runs", headers, rows, note)]
    rows = []
    for name, entry in entries.items():
        if "storm" in entry:
            cells = [name]
            for kind in ("Private_Dirty", "Pss"):
                values = [entry[moment][kind] for moment in ("before", "storm", "day") if moment in entry]
                cells += [number(value, 0) for value in values] + ["-"] * (3 - len(values))
                cells.append(f"{values[-1] - values[0]:+,}")
            rows.append(cells)
    headers = ["", "private dirty", "after the storm", "after the day", "growth"]
    headers += ["PSS", "after the storm", "after the day", "growth"]
    note = f"kB of PID 1. The storm: {result['orphans']:,} orphans; the day: {result['signals']:,} signals."
    note += " PSS changes, too, when other processes that share pages begin and end."
    return [*tables, Table("Growth of memory", headers, rows, note)]


def plot(result: Result) -> "list[Figure]":
    names = [name for name in result["kilobytes"] if "(" not in name]
    series = {
        label: [result["kilobytes"][name]["start"][kind] for name in names]
        for label, kind in (("PSS", "Pss"), ("private dirty", "Private_Dirty"))
    }
    return [bars("memory", "Memory of PID 1 once the program runs", "kB", names, series)]
