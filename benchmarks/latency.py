"""Signal latency: from just before `kill` in a sender outside of the container to the program's return from
sigwaitinfo, through each init and, as "none", with the program as PID 1 itself. The floor is the least that Python can
do: one function that waits and sends on.

The signal is USR1. Hot: the next one is sent as soon as the last has arrived. Paced: one each 0.4 ms, so that the init
has gone to sleep. Loaded: as hot, while as many processes as there are processors keep these busy. Cold: one each 0.7 s
to each init, all of them at the same time, one after the other. (Not one a second: tini wakes up by itself a second
after the last signal, and would be awake at the next.)

tini signals the program alone and pyinit its process group, which the kernel needs longer for. So like is compared with
like: pyinit and dumb-init with `tini -g`; `pyinit -c`, catatonit and the floor with tini.
"""

import array
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import click

from benchmarks.peers import Peer, before
from benchmarks.plots import Figure, cumulative
from benchmarks.runner import DEADLINE, Lab, MeasureError, Pid1, Result
from benchmarks.stats import ratio, summary
from benchmarks.table import Table, number, times

TITLE = "Signal latency"
BASE = "tini"
GROUP_BASE = "tini -g"
FLOOR_BASE = "the floor"
LEFT_OUT = 20  # signals at the start of each hot series, for which code and data are not in the caches yet
PACE = 0.0004  # seconds
COLD = 0.7

# The smallest loop: it starts its arguments in a process group of their own, sends on what comes, and ends with them.
# Nobody could use it.
FLOOR = """\
import _signal, posix, sys
every = _signal.valid_signals()
_signal.pthread_sigmask(_signal.SIG_BLOCK, every)
def loop(sigwait=_signal.sigwait, kill=posix.kill, every=tuple(every)):
    program = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ, setpgroup=0, setsigmask=())
    while True:
        signal = sigwait(every)
        if signal == _signal.SIGCHLD:
            posix._exit(posix.WEXITSTATUS(posix.waitpid(program, 0)[1]))
        kill(program, signal)
loop()
"""


def measure(lab: Lab) -> Result:
    """Hot and idle, hot and loaded, cold."""
    floor = Peer("floor", "", lab.python, before(lab.python, "-ISc", FLOOR))
    inits = {
        "none": lab.peers["none"],
        **lab.forwarders(),
        "pyinit -c": lab.pyinit_as_peer("-c"),
        FLOOR_BASE: floor,
    }
    if BASE in inits:
        inits[GROUP_BASE] = replace(inits[BASE], command=before(inits[BASE].binary, "-g", "--"))
    with busy(0, lab):
        hot = rounds(lab, "Latency, hot", inits, lab.runs(full=20, quick=3), 100 if lab.quick else 500)
        paced = rounds(lab, "Latency, paced", inits, lab.runs(full=20, quick=3), 100 if lab.quick else 500, PACE)
    with busy(cores(), lab):
        loaded = rounds(lab, "Latency, loaded", inits, lab.runs(full=20, quick=2), 20 if lab.quick else 500)
    cold = cold_series(lab, inits, 2 if lab.quick else 30)
    return {"hot": hot, "paced": paced, "loaded": loaded, "cold": cold}


def cores() -> int:
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def busy(processes: int, lab: Lab) -> "Iterator[None]":
    """That many processes keep a processor busy each."""
    running = [subprocess.Popen([lab.native("spin")]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait(DEADLINE)


def rounds(lab: Lab, label: str, inits: "dict[str, Peer]", runs: int, signals: int, interval: float = 0) -> Result:
    """So many rounds, in each of which every init is started and gets so many signals, one each `interval` seconds."""
    series: "dict[str, list[list[float]]]" = {name: [] for name in inits}
    for _, name in lab.rounds(label, list(inits), runs):
        with lab.start(inits[name].command([lab.native("program")])) as init:
            init.read(8)  # it is ready
            series[name].append(latencies(lab, init, signals + LEFT_OUT, int(interval * 1e9))[LEFT_OUT:])
    return evaluated(series)


def start_sender(lab: Lab, init: Pid1, signals: int, interval: int) -> "subprocess.Popen[bytes]":
    command = [lab.native("sender"), str(init.pid), str(int(signal.SIGUSR1)), str(signals), str(interval)]
    return subprocess.Popen(command, stdin=init.process.stdout, stdout=subprocess.PIPE)


def result_of(sender: "subprocess.Popen[bytes]", expected: int) -> "list[float]":
    """Microseconds, for each signal. Raises MeasureError if one was lost."""
    assert sender.stdout is not None
    with sender:
        times = array.array("q", sender.stdout.read())
    if len(times) < expected or min(times, default=0) < 0:
        raise MeasureError(f"a signal did not arrive: {len(times)} of {expected} sent")
    return [time / 1000 for time in times]


def latencies(lab: Lab, init: Pid1, signals: int, interval: int = 0) -> "list[float]":
    return result_of(start_sender(lab, init, signals, interval), signals)


def cold_series(lab: Lab, inits: "dict[str, Peer]", signals: int) -> Result:
    """A signal now and then for each, at different moments, all at the same time."""
    series: "dict[str, list[list[float]]]" = {}
    senders = {}
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(lab.start(peer.command([lab.native("program")])))
                   for name, peer in inits.items()}  # fmt: skip
        for init in running.values():
            init.read(8)
        for name, init in running.items():
            senders[name] = start_sender(lab, init, signals, int(COLD * 1e9))
            stack.callback(senders[name].kill)
            time.sleep(COLD / len(running))
        with click.progressbar(list(senders.items()), label=f"{'Latency, cold':32}") as bar:
            for name, sender in bar:
                series[name] = [[each] for each in result_of(sender, signals)]
    return evaluated(series)


def evaluated(series: "dict[str, list[list[float]]]") -> Result:
    """Over all signals the quantiles; round by round the ratio of the quantiles to the base's."""
    result: Result = {}
    for name, by_round in series.items():
        every = [value for values in by_round for value in values]
        entry: Result = {"summary_us": summary(every), "us": [round(value, 1) for value in every]}
        summaries = [summary(values) for values in by_round]
        for which in ("p50", "p90", "p99"):
            for other, key in ((BASE, "ratio"), (GROUP_BASE, "to_group"), (FLOOR_BASE, "to_floor")):
                if other in series and len(by_round[0]) > 1:
                    bases = [summary(values)[which] for values in series[other]]
                    entry[f"{which}_{key}"] = ratio([each[which] for each in summaries], bases)
        result[name] = entry
    if BASE in series and len(series[BASE][0]) == 1:  # cold: a round is one signal
        base = [values[0] for values in series[BASE]]
        for name, entry in result.items():
            entry["p50_ratio"] = ratio([values[0] for values in series[name]], base)
    for entry in result.values():
        entry["more_than_none_us"] = entry["summary_us"]["p50"] - result["none"]["summary_us"]["p50"]
    return result


WORDS = {
    "hot": "one after the other",
    "paced": f"one each {PACE * 1000:g} ms",
    "loaded": "one after the other, all cores busy",
    "cold": f"one each {COLD} s",
}


def table(result: Result) -> "list[Table]":
    tables = []
    for which, words in WORDS.items():
        rows = []
        for name, entry in sorted(result[which].items(), key=lambda item: item[1]["summary_us"]["p50"]):
            found = entry["summary_us"]
            quantiles = [number(found[each], 0) for each in ("p50", "p90", "p99", "p99.9")]
            rows.append([name, *quantiles, number(entry["more_than_none_us"], 0),
                         times(entry.get("p50_ratio")), times(entry.get("p99_ratio")),
                         times(entry.get("p50_to_floor"))])  # fmt: skip
        headers = ["", "p50, µs", "p90", "p99", "p99.9", "p50 over none", "p50 ratio", "p99 ratio", "p50 to the floor"]
        count = result[which]["none"]["summary_us"]["count"]
        note = f"{count:,} signals each; ratios are to {BASE}, round by round."
        tables.append(Table(f"Signal latency, {words}", headers, rows, note))
    return tables


def plot(result: Result) -> "list[Figure]":
    panels = {}
    for which, words in WORDS.items():
        panels[words] = {name: entry["us"] for name, entry in result[which].items() if " -" not in name}
    return [cumulative("latency", "From kill to the program, through each init", "microseconds", panels)]
