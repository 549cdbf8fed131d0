"""python -m benchmarks: measure pyinit beside its peers.

Without names of measurements all of them run, which takes less than ten minutes, with --quick less than one. What is
claimed are ratios, taken round by round between commands that run in turn in a shuffled order: other work on the
machine hits all of them alike. The absolute times are this machine's.
"""

import json
import shutil
import signal
from pathlib import Path
from typing import NoReturn

import click

from benchmarks import (
    blind_window,
    idle,
    latency,
    machine,
    memory,
    peers,
    readme,
    reaping,
    reown,
    runner,
    size,
    startup,
)
from benchmarks.runner import Lab, Result

ITEMS = {
    "startup": startup,
    "blind-window": blind_window,
    "latency": latency,
    "reaping": reaping,
    "memory": memory,
    "idle": idle,
    "reown": reown,
    "size": size,
}


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(ITEMS)))
@click.option("--quick", is_flag=True, help="Fewer rounds: a look, no claim.")
@click.option("--runs", type=click.IntRange(1), help="How many rounds each measurement has.")
@click.option(
    "--peer", "chosen", multiple=True, help="A peer to measure beside; repeatable. Default: all that are here."
)
@click.option(
    "--python", "paths", multiple=True, help="An interpreter; repeatable, the first is compared with the peers."
)
@click.option("--files", multiple=True, type=click.IntRange(1), help="Of a tree to re-own, up to 1000000; repeatable.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the trees to re-own are made; the file system counts.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Where results.json and plots go.")
@click.option("--readme", "document", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file that gets the summary between its markers.")  # fmt: skip
def main(
    names: "tuple[str, ...]",
    quick: bool,
    runs: "int | None",
    chosen: "tuple[str, ...]",
    paths: "tuple[str, ...]",
    files: "tuple[int, ...]",
    directory: "Path | None",
    output: "Path | None",
    document: "Path | None",
) -> None:
    runner.need_root()
    signal.signal(signal.SIGTERM, end)
    temporary = runner.prepare_directory()
    try:
        found, missing = peers.find(temporary)
        unknown = [name for name in chosen if name not in found]
        if unknown:
            raise click.ClickException(f"--peer: {unknown[0]!r} is not here; there are {', '.join(found)}")
        if chosen:
            found = {name: peer for name, peer in found.items() if name in (*chosen, "none")}
        lab = Lab(temporary, quick, runs, interpreters(paths), found, files, directory)
        data = measured(lab, names or tuple(ITEMS), missing)
    finally:
        shutil.rmtree(temporary)
    report(data, output, document)


def end(number: int, _: object) -> "NoReturn":
    """TERM ends a run as Ctrl-C does: whatever was started is killed on the way out."""
    raise SystemExit(128 + number)


def interpreters(paths: "tuple[str, ...]") -> "dict[str, str]":
    if not paths:
        return machine.interpreters()
    found = {}
    for path in paths:
        version, real = machine.asked(path)
        if version < machine.OLDEST:
            raise click.ClickException(f"--python: {path!r} is no Python of version 3.9 or newer")
        found[".".join(map(str, version))] = real
    return found


def measured(lab: Lab, names: "tuple[str, ...]", missing: "list[str]") -> Result:
    """Everything that one run finds out, ready for JSON."""
    if missing:
        click.echo(f"Not here, and not measured: {', '.join(missing)}.", err=True)
    data: Result = {
        "machine": machine.description(),
        "interpreters": lab.pythons,
        "peers": {name: peer.version for name, peer in lab.peers.items() if name != "none"},
        "missing": missing,
        "quick": lab.quick,
        "results": {},
    }
    for name in names:
        data["results"][name] = ITEMS[name].measure(lab)
    return data


def report(data: Result, output: "Path | None", document: "Path | None") -> None:
    """Print all tables and the summary, and write what was asked for."""
    for name, result in data["results"].items():
        for table in ITEMS[name].table(result):
            click.echo(f"\n{table.text()}")
    summary = readme.summary(data)
    click.echo(f"\n{summary}")
    if document:
        readme.write(document, summary)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        (output / "results.json").write_text(json.dumps(data, indent=1) + "\n")
        for name, result in data["results"].items():
            for figure in ITEMS[name].plot(result):
                figure.save(output)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
