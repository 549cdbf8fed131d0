"""The lab's words for a person at a terminal: what will happen, what does, and whether that was right."""

import sys
import textwrap

import click

from pyinit.ctl.lab.experiment import DIFFERS, Experiment, Outcome, Result, Trial
from pyinit.ctl.lab.namespace import Namespace

WIDTH = 80

INTRODUCTION = """\
A process is a program that runs. PID 1 is the first process of a container, and has duties that no other has. In \
each experiment you read what will happen, and then it happens, for real, in a PID namespace of its own. After $ \
stands the command that is PID 1 there, below it what /proc shows while it runs, and after = what came of it.\
"""


class Narrator:
    """Tells experiments one after the other. With `pause` it waits for Enter at each step."""

    def __init__(self, pause: bool, explain: bool) -> None:
        self._pause = pause
        self._explain = explain
        self._case = ""  # of the trial that has shown nothing so far

    def introduce(self) -> None:
        paragraph(INTRODUCTION)

    def open(self, experiment: Experiment) -> None:
        """Title, what is done, and what will come of it."""
        click.echo()
        click.secho(f"{experiment.name}: {experiment.title}", bold=True)
        paragraph(experiment.story)
        for name, script in experiment.programs.items():
            if "\n" not in script:
                paragraph(f"script {name}: {script}", "  ")
        click.echo()
        heading("What will happen")
        width = max(len(trial.case) for trial in experiment.trials)
        for trial in experiment.trials:
            click.echo(f"  {trial.case:<{width}}  {trial.told}: {trial.because}")
        click.echo()
        heading("What happens")

    def before(self, trial: Trial) -> None:
        self.wait(f"[Enter] {trial.case}")
        self._case = trial.case

    def see(self, line: str) -> None:
        """A line of evidence; a trial's first is its command, and stands beside the name of the case."""
        case, self._case = self._case, ""
        click.echo(f"  {click.style(case, bold=True)}: {click.style(line, fg='cyan')}" if case else f"    {line}")

    def hold(self, namespace: Namespace) -> None:
        """Let the person look at what is still there, from another terminal."""
        pid = namespace.pid1.pid
        click.secho(f"    To look from another terminal: ps -o pid,ppid,stat,args -p {pid} --ppid {pid}", dim=True)
        self.wait("[Enter] end it")

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
        paragraph(f"Read: {', '.join(experiment.manual)}", "  ")
        if self._explain:
            for text in [*experiment.reading.split("\n\n"), f"To try: {experiment.exercise.strip()}"]:
                click.echo()
                paragraph(text)

    def wait(self, prompt: str) -> None:
        """Until Enter is pressed; not at all once the input has ended."""
        if self._pause:
            click.secho(prompt, dim=True, nl=False)
            self._pause = bool(sys.stdin.readline())

    def sum_up(self, results: "list[Result]") -> None:
        click.echo()
        counts = [(word, sum(result.verdict == word for result in results)) for word in ("held", "skipped", "differs")]
        click.echo(f"{len(results)} experiments: " + ", ".join(f"{number} {word}" for word, number in counts if number))
        if not self._explain:
            click.echo("The longer story of each: pyinitctl lab run NAME --explain")


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
    click.echo(
        textwrap.fill(
            " ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
    )
