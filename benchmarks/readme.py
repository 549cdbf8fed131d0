"""The README's table: the figures that are claimed, made from the results, between two markers of a document."""

from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.runner import Result
from benchmarks.table import Table, number

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
COLUMNS = ("pyinit", "tini", "dumb-init", "catatonit")


def figure(value: "float | None", digits: int, ratio: "Result | None" = None) -> str:
    """A figure, with its ratio if there is one: `8.1 (0.98)`."""
    if value is None:
        return "-"
    return number(value, digits) + (f" ({ratio['median']:.2f})" if ratio else "")


def startup_rows(result: Result) -> "list[list[str]]":
    rows = []
    for which, label, bound in (
        ("exit", "start to exit of `true`, ms (ratio to `python3 -IS -c pass`)", "1.00"),
        ("first", "start to the program's first instruction, ms (same ratio)", ""),
    ):
        found = [result["cases"].get(name, {}) for name in COLUMNS]
        cells = [figure(each.get(f"{which}_summary", {}).get("p50"), 1, each.get(f"{which}_ratio")) for each in found]
        rows.append([label, bound, *cells])
    return rows


def latency_rows(result: Result) -> "list[list[str]]":
    rows = []
    for series, words in (("hot", ""), ("loaded", ", all cores busy")):
        for quantile in ("p50", "p99"):
            found = [result[series].get(name, {}) for name in COLUMNS]
            cells = [
                figure(each.get("summary_us", {}).get(quantile), 0, each.get(f"{quantile}_ratio")) for each in found
            ]
            rows.append([f"signal latency, {quantile}, µs (ratio to tini){words}", "" if words else "1.10", *cells])
    found = [result["cold"].get(name, {}) for name in COLUMNS]
    cells = [figure(each.get("summary_us", {}).get("p50"), 0, each.get("p50_ratio")) for each in found]
    return [*rows, ["signal latency, p50, µs (ratio to tini), one a second", "", *cells]]


ROWS: "dict[str, Callable[[Result], list[list[str]]]]" = {
    "startup": startup_rows,
    "latency": latency_rows,
}


def summary(data: Result) -> str:
    """The table, and a line that says what it was measured on."""
    rows = [row for name, make in ROWS.items() if name in data["results"] for row in make(data["results"][name])]
    found = data["machine"]
    peers = ", ".join(f"{name} {data['peers'][name]}" for name in COLUMNS if name in data["peers"])
    version = next(iter(data["interpreters"]))
    note = (
        f"Measured on {found['date'][:10]}: {found['cpu']}, {found['cores']} cores, Linux {found['kernel']}, "
        f"Python {version}, {peers}. Absolute times are this machine's; ratios are medians of rounds."
    )
    missing = f" Not there: {', '.join(data['missing'])}." if data["missing"] else ""
    quick = " A quick run, which shows little." if data["quick"] else ""
    return Table("pyinit beside its peers", ["", "at most", *COLUMNS], rows, note + missing + quick).text()


def write(document: Path, text: str) -> None:
    """Replace what is between the markers. Raises ClickException if they are not there."""
    content = document.read_text()
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise click.ClickException(f"--readme: {str(document)!r} has no lines {BEGIN} and {END}")
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}")
