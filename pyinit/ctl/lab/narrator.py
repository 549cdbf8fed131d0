"""The lab's words for a person at a terminal: what will happen, what does, and whether that was right."""

import os
import select
import sys

import click
from rich.table import Table
from rich.text import Text

from pyinit.ctl import console
from pyinit.ctl.lab.experiment import DIFFERS, Experiment, Outcome, Result, Trial
from pyinit.ctl.lab.namespace import Namespace

WIDTH = 80
TURN = 0.2  # seconds

INTRODUCTION = """\
A process is a program that runs. PID 1 is the first process of a container, and has duties that no other has. In \
each experiment you read what will happen, and then it happens, for real, in a PID namespace of its own. After $ \
stands the command that is PID 1 there, below it what /proc shows while it runs, and after = what came of it.\
"""


class Narrator:
    """Tells experiments one after the other. With `pause` it waits for Enter at each step."""

    def __init__(self, pause: bool, explain: bool) -> None:
        self._out = console.output()
        self._width = min(WIDTH, self._out.width)
        self._pause = pause
        self._explain = explain
        self._case = ""  # of the trial that has shown nothing so far

    def introduce(self) -> None:
        self._paragraph(INTRODUCTION)

    def open(self, experiment: Experiment) -> None:
        """Title, what is done, and what will come of it."""
        self._line()
        self._line((f"{experiment.name}: {experiment.title}", "bold"))
        self._paragraph(experiment.story)
        for name, script in experiment.programs.items():
            if "\n" not in script:
                self._paragraph(f"script {name}: {script}", "  ")
        self._line()
        self._line(("What will happen", "underline"))
        cases = Table.grid(padding=(0, 0, 0, 2), pad_edge=True)
        for trial in experiment.trials:
            cases.add_row(Text(trial.case, no_wrap=True), Text(f"{trial.told}: {trial.because}"))
        self._out.print(cases, width=self._width)
        self._line()
        self._line(("What happens", "underline"))

    def before(self, trial: Trial) -> None:
        self.wait(f"[Enter] {trial.case}")
        self._case = trial.case

    def see(self, line: str) -> None:
        """A line of evidence; a trial's first is its command, and stands beside the name of the case."""
        case, self._case = self._case, ""
        self._line("  ", (case, "bold"), ": ", (line, "cyan")) if case else self._line(f"    {line}")

    def hold(self, namespace: Namespace) -> None:
        """Let the person look at what is still there, from another terminal."""
        pid = namespace.pid1.pid
        self._line((f"    To look from another terminal: ps -o pid,ppid,stat,args -p {pid} --ppid {pid}", "dim"))
        self.wait("[Enter] end it")

    def after(self, outcome: Outcome) -> None:
        if outcome.held:
            self._line((f"    = {outcome.observed}, as told", "green"))
        else:
            self._line((f"    = {outcome.observed}; told was: {outcome.trial.told}", "red"))

    def close(self, result: Result) -> None:
        """The rule, and where it is written down."""
        experiment = result.experiment
        if result.needs:
            self._line((f"  skipped: {result.needs}", "yellow"))
        self.wait("[Enter] the rule")
        self._line()
        self._line(("The rule", "underline"))
        self._paragraph(experiment.rule, "  ")
        self._paragraph(f"Read: {', '.join(experiment.manual)}", "  ")
        if self._explain:
            for text in [*experiment.reading.split("\n\n"), f"To try: {experiment.exercise.strip()}"]:
                self._line()
                self._paragraph(text)

    def wait(self, prompt: str) -> None:
        """Until Enter is pressed; not at all once the input has ended."""
        if self._pause:
            self._out.print(Text(prompt, style="dim"), end="")
            self._pause = line_is_entered(sys.stdin.fileno())

    def sum_up(self, results: "list[Result]") -> None:
        self._line()
        counts = [(word, sum(result.verdict == word for result in results)) for word in ("held", "skipped", "differs")]
        self._line(f"{len(results)} experiments: " + ", ".join(f"{number} {word}" for word, number in counts if number))
        if not self._explain:
            self._line("The longer story of each: pyinitctl lab run NAME --explain")

    def _line(self, *parts: "str | tuple[str, str]") -> None:
        """A line as it is, however long, of texts and of texts with their styles."""
        self._out.print(Text.assemble(*parts), soft_wrap=True)

    def _paragraph(self, text: str, indent: str = "") -> None:
        for line in Text(" ".join(text.split())).wrap(self._out, self._width - len(indent)):
            line.rstrip()
            self._line(indent + line.plain)


def complain(results: "list[Result]") -> None:
    """One line on standard error for each outcome that was not as told."""
    for result in results:
        if result.verdict == DIFFERS:
            for outcome in (each for each in result.outcomes if not each.held):
                name = f"{result.experiment.name}, {outcome.trial.case}"
                click.echo(f"{name}: told {outcome.trial.told!r}, observed {outcome.observed!r}", err=True)


def line_is_entered(descriptor: int) -> bool:
    """Wait for the end of a line; False at the end of the input.

    In turns, since Python deals with a Ctrl-C that comes just before a call that waits only when that has ended.
    """
    byte = b" "
    while byte not in (b"", b"\n"):
        if select.select([descriptor], [], [], TURN)[0]:
            byte = os.read(descriptor, 1)
    return byte != b""
