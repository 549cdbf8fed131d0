"""What an experiment is, what its trials work with, and how it is run and checked."""

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyinit.ctl.lab.namespace import Namespace, NotAvailable, TooLate, find_unshare

HELD = "held"
DIFFERS = "differs"
SKIPPED = "skipped"

# The highest UID or GID that an experiment with several users takes.
HIGHEST_ID = 4242


@dataclass(frozen=True)
class Trial:
    """One of the cases that an experiment compares."""

    case: str  # "no init", "a shell", "pyinit", ...
    told: str  # the outcome that is told beforehand, word for word what `run` returns if it is right
    because: str  # why, in one line
    run: "Callable[[Lab], str]"  # does it, shows what it sees, and returns the outcome


@dataclass(frozen=True)
class Experiment:
    """A question to PID 1, put to several of them."""

    name: str
    title: str
    story: str  # what is going to be done, for somebody who has never heard of it
    trials: "tuple[Trial, ...]"
    rule: str  # what there is to remember
    exercise: str  # what to try next
    manual: "tuple[str, ...]"  # where it is written down, such as "man 2 wait"
    reading: str  # the longer explanation, paragraphs with an empty line between them
    programs: "Mapping[str, str]" = field(default_factory=dict)  # shell scripts that the trials start, by name
    needs_users: bool = False  # several UIDs, which a user namespace of somebody who is not root does not have


@dataclass(frozen=True)
class Outcome:
    """What came of a trial."""

    trial: Trial
    observed: str
    evidence: "tuple[str, ...]"

    @property
    def held(self) -> bool:
        return self.observed == self.trial.told


@dataclass(frozen=True)
class Result:
    """What came of an experiment."""

    experiment: Experiment
    outcomes: "tuple[Outcome, ...]"
    needs: str = ""  # why it was skipped

    @property
    def verdict(self) -> str:
        if self.needs:
            return SKIPPED
        return HELD if all(outcome.held for outcome in self.outcomes) else DIFFERS


class Lab:
    """What a trial works with: namespaces, in which the command `pyinit` is the file that a container would have."""

    def __init__(self, unshare: "tuple[str, ...]", directory: Path) -> None:
        self.unshare = unshare
        self.directory = directory
        # Of our own environment only the way to the programs: a PYINIT_ variable would change what pyinit does.
        # A directory that we may not search would make "not found" (127) a "permission denied" (126; man 3 exec).
        places = [place for place in os.environ.get("PATH", os.defpath).split(":") if os.access(place, os.X_OK)]
        self.environment = {"PATH": ":".join([str(directory), *places]), "LC_ALL": "C"}
        self.show: "Callable[[str], None]" = lambda _: None
        self.hold: "Callable[[Namespace], None] | None" = None  # called at the end of a trial, if anything is left
        self.evidence: "list[str]" = []

    @contextlib.contextmanager
    def namespace(
        self, *command: str, setup: "tuple[str, ...]" = (), terminal: "int | None" = None
    ) -> "Iterator[Namespace]":
        """Start a command as PID 1, and show it as a shell would take it. `setup` comes before it, and becomes it."""
        self.see(f"$ {shlex.join(command)}")
        with Namespace(self.unshare, (*setup, *command), self.environment, terminal) as namespace:
            yield namespace
            if self.hold and not namespace.has_ended():
                self.hold(namespace)

    def install(self, programs: "Mapping[str, str]") -> None:
        """Have these programs, too. Raises NotAvailable."""
        try:
            for name, script in programs.items():
                (self.directory / name).write_text(as_program(script))
                (self.directory / name).chmod(0o755)
        except OSError as error:
            raise NotAvailable(f"needs to write below {str(self.directory)!r}: {error.strerror}; see TMPDIR") from None

    def see(self, line: str) -> None:
        """Show a piece of evidence at once, and keep it."""
        self.evidence.append(line)
        self.show(line)

    def has_users(self) -> bool:
        """Whether the UIDs up to HIGHEST_ID exist in the namespaces of this lab (man 7 user_namespaces)."""
        with Namespace(self.unshare, ("cat", "/proc/self/uid_map"), self.environment) as namespace:
            namespace.end()
            ranges = [tuple(map(int, line.split())) for line in namespace.output.splitlines()]
        return any(first == 0 and size > HIGHEST_ID for first, _, size in ranges)


@contextlib.contextmanager
def open_lab() -> "Iterator[Lab]":
    """A lab with a pyinit, built into a directory that is deleted afterwards. Raises NotAvailable."""
    unshare = find_unshare()
    try:
        place = tempfile.TemporaryDirectory(prefix="pyinit-lab-")
    except OSError as error:
        raise NotAvailable(f"needs a directory for its programs: {error.strerror}; see TMPDIR") from None
    with place as directory:
        build_pyinit(Path(directory, "pyinit"))
        if not can_run(Path(directory, "pyinit")):
            raise NotAvailable(f"needs a directory in which programs can be executed, not {directory!r}; see TMPDIR")
        yield Lab(unshare, Path(directory))


def as_program(script: str) -> str:
    """The file of a shell script that can be executed."""
    return f"#!/bin/sh\n{script.strip()}\n"


def build_pyinit(file: Path) -> None:
    """Build the zipapp for the running interpreter; a path too long for its first line is found by env instead.

    Raises NotAvailable.
    """
    from pyinit.ctl import zipapp

    python = os.path.realpath(sys.executable)
    try:
        try:
            zipapp.build(file, python)
        except zipapp.BuildError:
            zipapp.build(file, "/usr/bin/env python3")
    except zipapp.BuildError as error:
        raise NotAvailable(f"needs pyinit's file; {error}") from None


def can_run(file: Path) -> bool:
    """Whether pyinit runs from where it is: there are mounts without permission to execute (noexec)."""
    try:
        return subprocess.run([file, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


def procedure(observe: "Callable[..., str]") -> "Callable[..., Callable[[Lab], str]]":
    """Make what a trial does out of a function of a lab and a command: `Trial(..., stopped("sleep", "60"))`."""

    def with_command(*command: str, **more: object) -> "Callable[[Lab], str]":
        return lambda lab: observe(lab, *command, **more)

    return with_command


def run(
    experiment: Experiment,
    lab: Lab,
    before: "Callable[[Trial], None]" = lambda _: None,
    after: "Callable[[Outcome], None]" = lambda _: None,
) -> Result:
    """Run all trials, one after the other; `before` and `after` are called around each."""
    if experiment.needs_users and not lab.has_users():
        return Result(experiment, (), "needs root, or a user namespace with several UIDs: it is about other users")
    lab.install(experiment.programs)
    outcomes = []
    for trial in experiment.trials:
        before(trial)
        outcomes.append(run_trial(trial, lab))
        after(outcomes[-1])
    return Result(experiment, tuple(outcomes))


def run_trial(trial: Trial, lab: Lab) -> Outcome:
    """What did not come in time is an outcome, too: not the one that was told."""
    lab.evidence = []
    try:
        observed = trial.run(lab)
    except TooLate as error:
        observed = str(error)
    return Outcome(trial, observed, tuple(lab.evidence))
