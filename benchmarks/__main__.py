"""python -m benchmarks: measure pyinit beside its peers.

Without names of measurements all of them run, which takes less than ten minutes, with --quick less than one. What is
claimed are ratios, taken round by round between commands that run in turn in a shuffled order: other work on the
machine hits all of them alike. The absolute times are this machine's.
"""

import json
import shutil
import signal
import time
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
from benchmarks.peers import Peer
from benchmarks.runner import Lab, MeasureError, Result

DIRECTORY = click.Path(file_okay=False, path_type=Path)
EXISTING_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

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

# Whose plots docs/explanation/speed.md shows.
SHOWN = ("startup", "latency", "reaping", "memory")


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(ITEMS)))
@click.option("--quick", is_flag=True, help="Fewer rounds: a look, no claim.")
@click.option("--runs", type=click.IntRange(1), help="How many rounds each measurement has.")
@click.option("--peer", "chosen", multiple=True, help="A peer to measure beside; repeatable. Default: all there are.")
@click.option(
    "--python", "paths", multiple=True, help="An interpreter; repeatable, the first is compared with the peers."
)
@click.option("--files", multiple=True, type=click.IntRange(1), help="Of a tree to re-own, up to 1000000; repeatable.")
@click.option("--directory", type=EXISTING_DIRECTORY, help="Where trees to re-own are made; the file system counts.")
@click.option("--output", type=DIRECTORY, help="Where results.json and the plots go.")
@click.option("--plots", type=DIRECTORY, help="Where the plots go that the documentation shows, as SVG.")
@click.option(
    "--readme", "document", type=EXISTING_FILE, help="A file that gets the eight main rows between its markers."
)
@click.option("--page", type=EXISTING_FILE, help="A file that gets all rows there.")
@click.option("--results", type=EXISTING_FILE, help="A results.json to show; nothing is measured.")
def main(
    names: "tuple[str, ...]",
    quick: bool,
    runs: "int | None",
    chosen: "tuple[str, ...]",
    paths: "tuple[str, ...]",
    files: "tuple[int, ...]",
    directory: "Path | None",
    output: "Path | None",
    plots: "Path | None",
    document: "Path | None",
    page: "Path | None",
    results: "Path | None",
) -> None:
    for option, file in (("--readme", document), ("--page", page)):
        if file:
            readme.parts(file, option)  # before anything is measured
    for folder in filter(None, (output, plots)):
        folder.mkdir(parents=True, exist_ok=True)
    if results:
        data = json.loads(results.read_text())
    else:
        runner.need_root()
        signal.signal(signal.SIGTERM, end)
        temporary = runner.prepare_directory()
        try:
            found, missing = choose(chosen, temporary)
            lab = Lab(temporary, quick, runs, interpreters(paths), found, files, directory)
            data = measured(lab, names or tuple(ITEMS), missing)
        finally:
            shutil.rmtree(temporary)
    report(data, output, plots)
    if document:
        readme.write(document, readme.summary(data, brief=True))
    if page:
        readme.write(page, readme.summary(data))
    if data["failed"]:
        raise click.ClickException(f"not measured: {', '.join(data['failed'])}")


def choose(chosen: "tuple[str, ...]", temporary: Path) -> "tuple[dict[str, Peer], list[str]]":
    """The peers to measure beside, and the names of those that are missing."""
    found, missing = peers.find(temporary)
    for name in chosen:
        if name not in found:
            raise click.ClickException(f"--peer: {name!r} is not here; there are {', '.join(found)}")
    if not chosen:
        return found, missing
    return {name: peer for name, peer in found.items() if name in (*chosen, "none")}, []


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
        "failed": {},
        "seconds": {},
    }
    for name in dict.fromkeys(names):
        began = time.monotonic()
        try:
            data["results"][name] = ITEMS[name].measure(lab)
        except MeasureError as error:  # what the others found out is not thrown away
            click.echo(f"{name}: {error.message}", err=True)
            data["failed"][name] = error.message
        data["seconds"][name] = round(time.monotonic() - began, 1)
    return data


def report(data: Result, output: "Path | None", plots: "Path | None") -> None:
    """Print all tables and the summary, and write results and plots if that was asked for."""
    for name, result in data["results"].items():
        for table in ITEMS[name].table(result):
            click.echo(f"\n{table.text()}")
    click.echo(f"\n{readme.summary(data)}")
    if output:
        (output / "results.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
        for name, result in data["results"].items():
            for figure in ITEMS[name].plot(result):
                figure.save(output)
    if plots:
        for name in filter(data["results"].__contains__, SHOWN):
            for figure in ITEMS[name].plot(data["results"][name]):
                figure.save(plots, "svg")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
