"""The blind window: how long after exec a TERM is still lost, or ends PID 1 without the program's knowledge.

TERM is sent at offsets from 0 to 30 ms after exec, and what becomes of it is one of these:

    arrived   the program's handler ran
    early     the init passed it on before the program had its handler, and the program ended by it: as without an init
    lost      neither, although later signals arrive
    died      the init itself ended by it
"""

import os
import select
import signal
from dataclasses import replace

from benchmarks import peers
from benchmarks.peers import Peer
from benchmarks.plots import Figure, lines
from benchmarks.runner import DEADLINE, Lab, MeasureError, Pid1, Result
from benchmarks.table import Table, number

TITLE = "Blind window"
EARLY = "pyinit --early-signals"
OUTCOMES = ("arrived", "early", "lost", "died")
OFFSETS = (*(step / 4 for step in range(8)), *(2 + step / 2 for step in range(20)), *range(12, 31, 2))  # ms
QUICK_OFFSETS = (0, 1, 4, 8, 16, 30)
AGAIN = 0.02  # seconds until a signal is sent once more, and after which no signal is expected through a shell


def inits(lab: Lab) -> "dict[str, Peer]":
    """Nothing, what stays and passes signals on, pyinit in two other forms, my_init, which passes TERM, and a shell."""
    plain = replace(lab.pyinit_as_peer(), command=peers.before(lab.python, str(lab.pyinit), "--"))
    others: "dict[str, Peer]" = {name: lab.peers[name] for name in ("my_init", "sh -c") if name in lab.peers}
    early = replace(lab.pyinit_as_peer(), command=peers.before(str(lab.early), "--"))
    named = {"python3 FILE": plain, EARLY: early}
    return {"none": lab.peers["none"], **lab.forwarders(), **named, **others}


def measure(lab: Lab) -> Result:
    every = inits(lab)
    offsets = QUICK_OFFSETS if lab.quick else OFFSETS
    found = {name: {offset: dict.fromkeys(OUTCOMES, 0) for offset in offsets} for name in every}
    cases = [(name, offset) for name in every for offset in offsets]
    for _, (name, offset) in lab.rounds(TITLE, cases, lab.runs(full=10, quick=2)):
        found[name][offset][outcome(lab, every[name], offset)] += 1
    return {
        name: {"offsets_ms": list(offsets), "counts": list(counts.values()), "blind_ms": blind(counts)}
        for name, counts in found.items()
    }


def outcome(lab: Lab, peer: Peer, offset: float) -> str:
    """What becomes of one TERM, sent so many milliseconds after exec."""
    with lab.start(peer.command([lab.native("catcher")]), term_at=int(offset * 1e6)) as init:
        said = first_byte(init, DEADLINE)
        if said == b"r":  # the program is ready
            said = next_byte(init, peer)
        if said == b"T":
            return "arrived"
        if said in (b"P", b"-"):
            return "lost"
        _, status, _ = init.finish()
        if os.WIFSIGNALED(status):
            return "died"
        if os.WEXITSTATUS(status) == peer.stopped:
            return "early"
        raise MeasureError(f"{peer.name} ended with {os.WEXITSTATUS(status)} after a TERM: {init.complaints()}")


def first_byte(init: Pid1, seconds: float) -> bytes:
    """A byte that the program writes; b"" at its end, b"-" if nothing comes within that time."""
    assert init.process.stdout is not None
    descriptor = init.process.stdout.fileno()
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return os.read(descriptor, 1) if ready else b"-"


def next_byte(init: Pid1, peer: Peer) -> bytes:
    """What the program says after TERM. A later signal, PWR, comes after TERM: then TERM will not come any more."""
    if not peer.forwards:
        return first_byte(init, AGAIN)
    for _ in range(int(DEADLINE / AGAIN)):
        try:
            os.kill(init.pid, signal.SIGPWR)
        except ProcessLookupError:
            pass
        said = first_byte(init, AGAIN)
        if said != b"-":
            return said
    raise MeasureError(f"{peer.name} passes no signal on")


def share_lost(counts: "dict[str, int]") -> float:
    return (counts["lost"] + counts["died"]) / sum(counts.values())


def blind(counts: "dict[float, dict[str, int]]") -> float:
    """For how many milliseconds a TERM is lost: the area under the share lost over the offsets."""
    points = [(offset, share_lost(each)) for offset, each in counts.items()]
    return sum((right - left) * (low + high) / 2 for (left, low), (right, high) in zip(points, points[1:]))


def last_lost(entry: Result) -> "float | None":
    lost = [offset for offset, counts in zip(entry["offsets_ms"], entry["counts"]) if share_lost(counts)]
    return max(lost, default=None)


def table(result: Result) -> "list[Table]":
    rows = []
    for name, entry in sorted(result.items(), key=lambda item: item[1]["blind_ms"]):
        total = {outcome: sum(counts[outcome] for counts in entry["counts"]) for outcome in OUTCOMES}
        last = last_lost(entry)
        shown = "never" if last is None else number(last, 2 if last < 30 else 0)
        rows.append([name, number(entry["blind_ms"]), shown, *(number(total[outcome], 0) for outcome in OUTCOMES)])
    headers = ["", "blind for, ms", "last lost at, ms", *OUTCOMES]
    offsets = next(iter(result.values()))["counts"]
    note = (
        f"{sum(offsets[0].values())} signals at each of {len(offsets)} offsets up to 30 ms. "
        "Early: it ended the program, which had no handler yet. Died: the init ended by it."
    )
    return [Table("The blind window: what becomes of a TERM soon after exec", headers, rows, note)]


def plot(result: Result) -> "list[Figure]":
    series = {
        name: (entry["offsets_ms"], [100 * share_lost(counts) for counts in entry["counts"]])
        for name, entry in result.items()
    }
    title = "TERM soon after exec: lost, or fatal for the init"
    return [lines("blind_window", title, ("milliseconds from exec to the signal", "% of signals"), series)]
