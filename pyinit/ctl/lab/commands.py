"""`pyinitctl lab list`, `run`, `all` and `write`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from pyinit.ctl.lab.experiment import DIFFERS, SKIPPED, Experiment, Result, open_lab
from pyinit.ctl.lab.experiment import run as run_experiment
from pyinit.ctl.lab.experiments import BY_NAME, EXPERIMENTS
from pyinit.ctl.lab.namespace import NotAvailable
from pyinit.ctl.options import json_option, write_json

NOT_AVAILABLE = 3  # the exit status


@click.group()
def lab() -> None:
    """Learn what PID 1 does, by experiment.

    Each experiment runs for real in a PID namespace of its own, as root or in a user namespace. It tells what will
    happen, shows what does (from /proc, while it runs), and ends with the rule and its manual page.

    \b
    Exit status: 0 all came as told, 1 something did not, 2 wrong usage,
    3 what the experiment needs is not to be had here.

    Example: pyinitctl lab all --pause
    """


@lab.command("list")
@json_option
def list_experiments(as_json: bool) -> None:
    """List the experiments.

    Example: pyinitctl lab list
    """
    if as_json:
        rows = [{"name": each.name, "title": each.title, "manual": each.manual} for each in EXPERIMENTS]
        write_json(rows)
        return
    from rich.table import Table

    from pyinit.ctl import console

    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    for each in EXPERIMENTS:
        table.add_row(each.name, each.title)
    console.output().print(table)


def run_options(command: "Callable[..., None]") -> "Callable[..., None]":
    """The options that `run` and `all` have in common."""
    for option in (
        json_option,
        click.option("--explain", is_flag=True, help="Tell the longer story, too."),
        click.option("--pause", is_flag=True, help="Wait for Enter at each step."),
    ):
        command = option(command)
    return command


@lab.command("run")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=click.Choice(list(BY_NAME)))
@run_options
def run(names: "tuple[str, ...]", pause: bool, explain: bool, as_json: bool) -> None:
    """Run the experiments NAME, such as zombies.

    Example: pyinitctl lab run zombies --explain
    """
    results = perform([BY_NAME[name] for name in names], pause, explain, as_json)
    finish(results, NOT_AVAILABLE if any(result.verdict == SKIPPED for result in results) else 0)


@lab.command("all")
@run_options
def run_all(pause: bool, explain: bool, as_json: bool) -> None:
    """Run all experiments. One that cannot be run here is skipped, and says what it needs.

    Example: pyinitctl lab all --pause
    """
    finish(perform(list(EXPERIMENTS), pause, explain, as_json), 0)


@lab.command("write")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@json_option
def write(directory: Path, as_json: bool) -> None:
    """Write a workshop for a class into DIR, which must be new or empty.

    Each experiment is a small shell script that needs only unshare, ps, and the pyinit that is written beside it. The
    README says how to go about it, and has the answers.

    Example: pyinitctl lab write workshop
    """
    from pyinit.ctl import zipapp
    from pyinit.ctl.lab import workshop

    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise click.UsageError(f"DIR: {str(directory)!r} is not empty; name a new or an empty directory")
        files = workshop.write(directory)
    except OSError as error:
        raise click.ClickException(f"DIR: {str(error.filename or directory)!r}: {error.strerror}") from None
    except zipapp.BuildError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        write_json([str(file) for file in files])
    else:
        click.echo(f"{directory}: {len(files)} files; begin with README.md")


def perform(experiments: "list[Experiment]", pause: bool, explain: bool, as_json: bool) -> "list[Result]":
    """Run experiments and tell of them, in words or as JSON."""
    if as_json and (pause or explain):
        raise click.UsageError("--json: there is nothing to pause or to explain for a program")
    from pyinit.ctl.lab.narrator import Narrator

    try:
        with open_lab() as place:
            if as_json:
                results = [run_experiment(each, place) for each in experiments]
                write_json([as_dictionary(result) for result in results])
                return results
            narrator = Narrator(pause, explain)
            place.show = narrator.see
            place.hold = narrator.hold if pause else None
            if len(experiments) > 1:
                narrator.introduce()
            results = []
            for each in experiments:
                narrator.open(each)
                results.append(run_experiment(each, place, narrator.before, narrator.after))
                narrator.close(results[-1])
            if len(experiments) > 1:
                narrator.sum_up(results)
            return results
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except NotAvailable as error:
        click.echo(f"pyinitctl lab: {error}", err=True)
        sys.exit(NOT_AVAILABLE)


def as_dictionary(result: Result) -> "dict[str, object]":
    """A result for --json."""
    return {
        "name": result.experiment.name,
        "verdict": result.verdict,
        "needs": result.needs or None,
        "trials": [
            {
                "case": outcome.trial.case,
                "told": outcome.trial.told,
                "observed": outcome.observed,
                "held": outcome.held,
                "evidence": outcome.evidence,
            }
            for outcome in result.outcomes
        ],
        "rule": " ".join(result.experiment.rule.split()),
        "manual": result.experiment.manual,
    }


def finish(results: "list[Result]", otherwise: int) -> NoReturn:
    """Complain about what was not as told, and end."""
    from pyinit.ctl.lab.narrator import complain

    complain(results)
    sys.exit(1 if any(result.verdict == DIFFERS for result in results) else otherwise)
