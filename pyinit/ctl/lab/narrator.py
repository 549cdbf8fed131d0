"""The lab's words for a person at a terminal: what will happen, what does, and whether that was right."""

import sys
import textwrap

import click

from pyinit.ctl.lab.experiment import DIFFERS, Experiment, Outcome, Result, Trial

WIDTH = 80

INTRODUCTION = """\
PID 1, the first process of a container, has duties that no other process has. In each experiment you read what will \
happen, and then it happens, for real, in a PID namespace of its own. What you see is read from /proc while it runs.\
"""


class Narrator:
    """Tells experiments one after the other. With `pause` it waits for Enter at each step."""

    def __init__(self, pause: bool, explain: bool) -> None:
        self._pause = pause
        self._explain = explain

    def introduce(self) -> None:
        paragraph(INTRODUCTION)

    def open(self, experiment: Experiment) -> None:
        """Title, what is done, and what will come of it."""
        click.echo()
        click.secho(f"{experiment.name}: {experiment.title}", bold=True)
        paragraph(experiment.story)
        if self._explain:
            for text in experiment.reading.split("\n\n"):
                click.echo()
                paragraph(text)
        click.echo()
        heading("What will happen")
        for trial in experiment.trials:
            click.echo(f"  {trial.case:<12} {trial.told}: {trial.because}")
        click.echo()
        heading("What happens")

    def before(self, trial: Trial) -> None:
        self.wait(f"[Enter] {trial.case}")
        click.secho(f"  {trial.case}", bold=True)

    def see(self, line: str) -> None:
        click.secho(f"    {line}", fg="cyan" if line.startswith("$ ") else None)

    def after(self, outcome: Outcome) -> None:
        if outcome.held:
            click.secho(f"    = {outcome.observed}, as told", fg="green")
        else:
            click.secho(f"    = {outcome.observed}; told was: {outcome.trial.told}", fg="red")

    def close(self, result: Result) -> None:
        """The rule, and where it is written down."""
        experiment = result.experiment
        if result.needs:
            click.secho(f"  skipped: {result.needs}", fg="yellow")
        self.wait("[Enter] the rule")
        click.echo()
        heading("The rule")
        paragraph(experiment.rule, "  ")
        click.echo(f"  Read: {', '.join(experiment.manual)}")

    def wait(self, prompt: str) -> None:
        """Until Enter is pressed; not at all once the input has ended."""
        if self._pause:
            click.secho(prompt, dim=True, nl=False)
            self._pause = bool(sys.stdin.readline())

    def sum_up(self, results: "list[Result]") -> None:
        click.echo()
        counts = [(word, sum(result.verdict == word for result in results)) for word in ("held", "skipped", "differs")]
        click.echo(f"{len(results)} experiments: " + ", ".join(f"{number} {word}" for word, number in counts if number))


def complain(results: "list[Result]") -> None:
    """One line on standard error for each outcome that was not as told."""
    for result in results:
        if result.verdict == DIFFERS:
            for outcome in (each for each in result.outcomes if not each.held):
                name = f"{result.experiment.name}, {outcome.trial.case}"
                click.echo(f"{name}: told {outcome.trial.told!r}, observed {outcome.observed!r}", err=True)


def heading(text: str) -> None:
    click.secho(text, underline=True)


def paragraph(text: str, indent: str = "") -> None:
    click.echo(textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))
