"""The workshop for a class: each experiment as a small shell script, and a README."""

import os
import re
import shutil
import textwrap
from importlib.resources import files
from pathlib import Path

from pyinit.ctl import zipapp
from pyinit.ctl.lab.experiment import Experiment, as_program
from pyinit.ctl.lab.experiments import EXPERIMENTS

SCRIPTS = files("pyinit.ctl.lab") / "workshop"
SHARED = ("common.sh", "users.sh")
PROGRAMS = {name: script for experiment in EXPERIMENTS for name, script in experiment.programs.items()}

WIDTH = 100

INTRODUCTION = """\
# PID 1: a workshop

{number} experiments on the first process of a container, for Linux. Each is a shell script that can be read in a
minute. They need root or user namespaces, `unshare` (util-linux), `ps` (procps), and for `./pyinit` Python 3.9 or
newer. They need no container engine and no network, and leave nothing behind.

For each experiment:

1. Read its head, here or in the script. Write down what you think will happen in each of the cases.
2. Run it: `sh 01-pid1.sh`. The lines with `=>` are what came of it. The numbers in the tables are those out here; in
   the PID namespace the first process is number 1.
3. Where you were wrong: why? Read the manual page. Change the script, and predict again.

`pyinitctl lab run NAME --explain` tells the same from /proc, with the longer story.
"""


def file_name(number: int, experiment: Experiment) -> str:
    return f"{number:02}-{experiment.name}.sh"


def write(directory: Path) -> "list[Path]":
    """Write the workshop into an empty directory; returns its files. Raises OSError, and BuildError of the zipapp: the
    directory is empty again then."""
    try:
        return _write(directory)
    except BaseException:
        for each in directory.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        raise


def _write(directory: Path) -> "list[Path]":
    programs = directory / "programs"
    programs.mkdir()
    zipapp.build(directory / "pyinit", "/usr/bin/env python3")
    for name in SHARED:
        create(directory / name, (SCRIPTS / name).read_text())
    for number, experiment in enumerate(EXPERIMENTS, 1):
        script = (SCRIPTS / f"{experiment.name}.sh").read_text()
        create(directory / file_name(number, experiment), as_program(f"{head(experiment)}\n\n{script}"), 0o755)
    for name, content in PROGRAMS.items():
        create(programs / name, as_program(content), 0o755)
    create(directory / "README.md", readme())
    return sorted(path for path in directory.rglob("*") if path.is_file())


def create(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a new file; what somebody else put there meanwhile, a link say, is an error."""
    with file.open("x") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), mode)


def head(experiment: Experiment) -> str:
    """The comment on top of a script: the question, and what to predict."""
    text = [experiment.title, folded(experiment.story), predict(experiment), read(experiment)]
    return "\n#\n".join(textwrap.indent(textwrap.fill(each, WIDTH), "# ") for each in text)


def readme() -> str:
    """What the class gets, and at the end the answers."""
    parts = [INTRODUCTION.format(number=len(EXPERIMENTS))]
    for number, experiment in enumerate(EXPERIMENTS, 1):
        title = f"## {number}. {experiment.title}\n"
        texts = [
            folded(experiment.story),
            predict(experiment),
            f"Then: {folded(experiment.exercise)}",
            read(experiment),
        ]
        parts += [title, f"`sh {file_name(number, experiment)}`\n", *(f"{each}\n" for each in texts)]
    parts.append("## Answers, for whoever leads the class\n")
    for number, experiment in enumerate(EXPERIMENTS, 1):
        parts.append(f"**{number}. {experiment.title}** {folded(experiment.rule)}\n")
        parts.append("".join(f"- {trial.case}: {trial.told}. ({trial.because})\n" for trial in experiment.trials))
    return "\n".join(parts)


def predict(experiment: Experiment) -> str:
    return f"Predict, for each case: {'; '.join(trial.case for trial in experiment.trials)}."


def read(experiment: Experiment) -> str:
    return f"Read: {', '.join(experiment.manual)}."


def folded(text: str) -> str:
    """A text of several lines as one."""
    return re.sub(r"\s+", " ", text.strip())
