"""The figures that are claimed, made from the results, between two markers of a document: those that a reader can use
for the README, all of them for the benchmarks' own page."""

import statistics
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.blind_window import EARLY
from benchmarks.runner import Result
from benchmarks.table import Table, number

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
COLUMNS = ("pyinit", "tini", "dumb-init", "catatonit")
Row = list[str]


def figure(value: "float | None", digits: int = 0, ratio: "Result | None" = None) -> str:
    """A figure, with its ratio if there is one: `8.1 (0.98)`."""
    if value is None:
        return "-"
    return number(value, digits) + (f" ({ratio['median']:.2f})" if ratio else "")


def row(label: str, bound: str, entries: Result, cell: "Callable[[Result], str]") -> "Row":
    """A line of the table: of each column its figure, if that was measured."""
    return [label, bound, *(cell(entries[name]) if name in entries else "-" for name in COLUMNS)]


def startup(result: Result) -> "list[Row]":
    def cell(which: str) -> "Callable[[Result], str]":
        return lambda entry: figure(entry[f"{which}_summary"]["p50"], 1, entry[f"{which}_ratio"])

    label = "start to exit of `true`, ms (ratio to `python3 -IS -c pass`)"
    other = "start to the program's first instruction, ms (same ratio)"
    return [row(label, "≤ 1.00", result["cases"], cell("exit")), row(other, "", result["cases"], cell("first"))]


def blind_window(result: Result) -> "list[Row]":
    label = "TERM is lost for so long after the start, ms"
    cell: "Callable[[Result], str]" = lambda entry: figure(entry["blind_ms"], 1)  # noqa: E731
    early = {"pyinit": result[EARLY]} if EARLY in result else {}
    return [row(label, "", result, cell), row("the same, built with `--early-signals`", "≤ 1.5", early, cell)]


def latency(result: Result) -> "list[Row]":
    """Like with like: who signals the program's group beside who does that too, and who signals it alone likewise."""

    def cell(quantile: str, key: str) -> "Callable[[Result], str]":
        return lambda entry: figure(entry["summary_us"][quantile], 0, entry.get(f"{quantile}_{key}"))

    rows = []
    for series, words in (("paced", ""), ("hot", ", one after the other"), ("loaded", ", all cores busy")):
        found = result[series]
        group = chosen(found, {"pyinit": "pyinit", "tini": "tini -g", "dumb-init": "dumb-init"})
        alone = chosen(found, {"pyinit": "pyinit -c", "tini": "tini", "catatonit": "catatonit"})
        for quantile in ("p50", "p99"):
            label = f"signal latency{words}: {quantile}, µs (ratio to `tini -g`)"
            rows.append(row(label, "≤ 1.10", group, cell(quantile, "to_group")))
            label = f"signal latency with `-c`{words}: {quantile}, µs (ratio to tini)"
            rows.append(row(label, "≤ 1.10", alone, cell(quantile, "ratio")))
    label = "signal latency with `-c`: p50, ratio to the smallest loop that Python can write"
    to_floor = chosen(result["paced"], {"pyinit": "pyinit -c"})
    return [*rows, row(label, "≤ 1.03", to_floor, lambda entry: figure(entry["p50_to_floor"]["median"], 2))]


def chosen(entries: Result, columns: "dict[str, str]") -> Result:
    """What stands in a column: there may be several of an init."""
    return {column: entries[name] for column, name in columns.items() if name in entries}


def reaping(result: Result) -> "list[Row]":
    def cell(entry: Result) -> str:
        median = statistics.median(entry["orphans_per_second"])
        return figure(median, 0, entry.get("orphans_per_second_ratio"))

    def delay(entry: Result) -> str:
        return figure(entry.get("signal_summary_us", {}).get("p50"), 0, entry.get("signal_p50_ratio"))

    rows = []
    for name, entry in result.items():
        rows.append(row(f"orphans a second, {name} (ratio to tini)", "≥ 1.00", entry["inits"], cell))
    first = next(iter(result))
    rows.append(row(f"signals meanwhile, {first}: p50, µs (same ratio)", "", result[first]["inits"], delay))
    return rows


def memory(result: Result) -> "list[Row]":
    def growth(entry: Result) -> str:
        last = entry["day"] if "day" in entry else entry["storm"]
        return f"{last['Private_Dirty'] - entry['before']['Private_Dirty']:+,}"

    entries = result["kilobytes"]
    bare = entries["python3 -IS"]["start"]["Private_Dirty"]
    label = "private dirty memory, kB"
    grown = f"the same after {result['orphans']:,} orphans and {result['signals']:,} signals"
    return [
        row(label, f"≤ {bare + 128:,}", entries, lambda entry: figure(entry["start"]["Private_Dirty"])),
        row(grown, "+0", entries, growth),
    ]


def idle(result: Result) -> "list[Row]":
    minutes = result["seconds"] / 60
    cell: "Callable[[Result], str]" = lambda entry: figure(entry["wakeups"] / minutes)  # noqa: E731
    return [row("wake-ups a minute while idle", "0", result["inits"], cell)]


def reown(result: Result) -> "list[Row]":
    """Not beside other inits but beside coreutils: what the ratio is to is in the label."""
    rows = []
    for name, tools in result.items():
        tool = "pyinit, two workers" if "pyinit, two workers" in tools else "pyinit, one worker"
        milliseconds = statistics.median(tools[tool]["seconds"]) * 1000
        shown = figure(milliseconds, 0, tools[tool]["ratio"])
        rows.append([f"re-owning {name}, ms (ratio to `chown -R --from`)", "≤ 1.00", shown, "-", "-", "-"])
    return rows


def size(result: Result) -> "list[Row]":
    return [row("size of the file, kB", "≤ 400", result, lambda entry: figure(entry["bytes"] / 1024))]


# By the names of the measurements.
ROWS: "dict[str, Callable[[Result], list[Row]]]" = {
    "startup": startup,
    "blind-window": blind_window,
    "latency": latency,
    "reaping": reaping,
    "memory": memory,
    "idle": idle,
    "reown": reown,
    "size": size,
}


# Which of them a reader of the README can use: the measurement, and the number of the row.
BRIEF = [
    ("startup", 0),
    ("blind-window", 0),
    ("blind-window", 1),
    ("latency", 0),
    ("reaping", 0),
    ("reaping", 2),
    ("memory", 0),
    ("size", 0),
]


def summary(data: Result, brief: bool = False) -> str:
    """The table, and a line that says what it was measured on."""
    made = {name: make(data["results"][name]) for name, make in ROWS.items() if name in data["results"]}
    rows = [row for several in made.values() for row in several]
    if brief:
        rows = [made[name][number] for name, number in BRIEF if number < len(made.get(name, ()))]
    found = data["machine"]
    peers = ", ".join(f"{name} {data['peers'][name]}" for name in COLUMNS if name in data["peers"])
    version = next(iter(data["interpreters"]))
    note = (
        f"Measured on {found['date'][:10]}: {found['cpu']}, {found['cores']} cores, Linux {found['kernel']}, "
        f"Python {version}, {peers}. Absolute times are this machine's; ratios are medians of rounds."
    )
    missing = f" Not there: {', '.join(data['missing'])}." if data["missing"] else ""
    quick = " A quick run, which shows little." if data["quick"] else ""
    return Table("pyinit beside its peers", ["", "bound", *COLUMNS], rows, note + missing + quick).text()


def parts(document: Path, option: str = "") -> "tuple[str, str]":
    """What is before the markers, and what is behind them. Raises ClickException if they are not there."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise click.ClickException(f"{option}: {str(document)!r} has no lines {BEGIN} and {END}")
    return before + begin, end + after


def write(document: Path, text: str) -> None:
    """Replace what is between the markers."""
    before, after = parts(document)
    document.write_text(f"{before}\n{text}\n{after}")
