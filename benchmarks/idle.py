"""Idle: how often PID 1 wakes up while nothing happens, and the processor time that this takes.

All of them run at the same time. Each time that a process is taken off a processor, because it waits or because another
one is due, is a context switch (man 5 proc_pid_status): one that never runs has none.
"""

import contextlib
import time
from pathlib import Path

import click

from benchmarks.memory import BARE, BARE_SCRIPT, settled
from benchmarks.peers import Peer
from benchmarks.plots import Figure, bars
from benchmarks.reaping import processor_time
from benchmarks.runner import Lab, Result
from benchmarks.table import Table, number

TITLE = "Idle"


def switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def measure(lab: Lab) -> Result:
    seconds = 3 if lab.quick else 20
    bare = Peer(BARE, "", lab.python, lambda _: [lab.python, "-IS", "-c", BARE_SCRIPT])
    inits = {**lab.residents(), BARE: bare}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(lab.start(peer.command([lab.native("program")]))) for name, peer in inits.items()
        }
        for init in running.values():
            init.read(8)
            settled(init.pid)
        before = {name: (switches(init.pid), processor_time(init.pid)) for name, init in running.items()}
        with click.progressbar(range(seconds), label=f"{TITLE:32}") as bar:
            for _ in bar:
                time.sleep(1)
        after = {name: (switches(init.pid), processor_time(init.pid)) for name, init in running.items()}
    return {
        "seconds": seconds,
        "inits": {
            name: {"wakeups": after[name][0] - before[name][0], "cpu_us": (after[name][1] - before[name][1]) / 1000}
            for name in inits
        },
    }


def a_minute(result: Result, value: float) -> float:
    return value * 60 / float(result["seconds"])


def table(result: Result) -> "list[Table]":
    rows = [
        [name, number(a_minute(result, entry["wakeups"]), 0), number(a_minute(result, entry["cpu_us"]), 0)]
        for name, entry in result["inits"].items()
    ]
    headers = ["", "wake-ups a minute", "CPU a minute, µs"]
    return [Table("Idle", headers, rows, f"Seen over {result['seconds']} s.")]


def plot(result: Result) -> "list[Figure]":
    names = list(result["inits"])
    series = {"wake-ups": [a_minute(result, result["inits"][name]["wakeups"]) for name in names]}
    return [bars("idle", "Wake-ups of PID 1 while nothing happens", "wake-ups a minute", names, series)]
