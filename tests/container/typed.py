"""What documents say to type, and typing it: a shell at a terminal, in a copy of the repository.

What is shown must come, in that order; numbers and names that differ from host to host are not compared. Commands come
from the blocks `console`, in which they begin with `$ `.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import psutil
import pytest
import rich

from .support import REPOSITORY, Docker, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Engine

UID = 4242  # a person's, who may use Docker and is not root

# docker-compose is 1.29 here.
DOCKER = """\
#!/bin/sh
if [ "$1" = compose ]; then
    shift
    exec /usr/bin/docker-compose "$@"
fi
exec /usr/bin/docker "$@"
"""

# A build that installs packages reaches their sources as this host does.
PODMAN = """\
#!/bin/sh
if [ "$1" = build ]; then
    shift
    exec podman build {sources} "$@"
fi
exec podman "$@"
"""

PYINITCTL = """\
#!/bin/sh
PYTHONPATH={} exec /usr/bin/python3 -B -m pyinit.ctl "$@"
"""


class Step(NamedTuple):
    """A command and what is shown after it."""

    command: str
    shown: list[str]


def steps(block: str) -> list[Step]:
    """What one block says."""
    found: list[Step] = []
    continued = False
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        elif continued:
            found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line}")
        else:
            found[-1].shown.append(line)
        continued = line.endswith("\\") or (continued and line.endswith("\\"))
    return found


# In what is shown: an identifier, a date, a number, anything, and room between columns.
VARIES = re.compile(r"([0-9a-f]{12,}|Nov \d+ [\d:]+|\d+|…| +)")


def pattern(line: str) -> str:
    """A line as an expression, in which what differs from host to host may be anything of its kind.

    A number that is a line of its own, up to 255, is an exit status or a count, and has to be that.
    """
    if line.isdigit() and int(line) <= 255:
        return f"^{line}$"

    def any_of_its_kind(found: str) -> str:
        if found == "…":
            return ".*"
        if found.startswith("Nov"):
            return r"\w+ +\d+ [\d:]+"
        return r"\w+" if found.strip() else " +"

    parts = VARIES.split(line)  # every other one varies
    return "".join(any_of_its_kind(part) if number % 2 else re.escape(part) for number, part in enumerate(parts))


def answers(step: Step, shown: str) -> bool:
    """Whether that came which the document shows: each line, after the one before."""
    at = 0
    for line in step.shown:
        found = re.compile(pattern(line), re.MULTILINE).search(shown, at)
        if not found:
            return False
        at = found.end()
    return True


@contextlib.contextmanager
def copy_of_the_repository() -> Iterator[Path]:
    """The repository as a person has it, who owns it; beside it `bin`, with the programs that they type, and `home`."""
    with tempfile.TemporaryDirectory(prefix="pyinit-typed-", dir="/var/tmp") as directory:
        copy = Path(directory, "checkout")
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build", "dist", "shared")
        shutil.copytree(REPOSITORY, copy, ignore=ignored, symlinks=True)
        shutil.copytree(REPOSITORY / "pyinit", Path(directory, "site/pyinit"))
        for package in (click, psutil, rich):
            shutil.copytree(Path(str(package.__file__)).parent, Path(directory, "site", package.__name__))
        for name in ("bin", "home"):
            Path(directory, name).mkdir()
        program(copy, "pyinitctl", PYINITCTL.format(f"{directory}/site"))
        subprocess.run(["chown", "-R", f"{UID}:{UID}", directory], check=True)
        yield copy


def program(checkout: Path, name: str, text: str) -> None:
    """Put a program into the `PATH` of who works in that checkout."""
    file = checkout.parent / "bin" / name
    file.write_text(text)
    file.chmod(0o755)


class Shell:
    """A person's shell at a terminal, in the checkout; root's with podman, who alone may use that engine here."""

    def __init__(self, engine: Engine, checkout: Path) -> None:
        drop: tuple[str, ...] = ()
        docker = PODMAN.format(sources=shlex.join(engine.package_sources()))
        program(checkout, "docker", DOCKER if isinstance(engine, Docker) else docker)
        if isinstance(engine, Docker):
            group = (engine.directory / "docker.sock").stat().st_gid
            drop = ("setpriv", f"--reuid={UID}", f"--regid={UID}", f"--groups={group}")
            # Where nothing is yet: the tests' own belongs to root.
            drop += ("env", f"DOCKER_CONFIG={checkout.parent}/home/.docker")
        environment = {
            **engine.environment,
            "PATH": f"{checkout.parent}/bin:{os.environ['PATH']}",
            "HOME": f"{checkout.parent}/home",
            "BUILDKIT_PROGRESS": "plain",
            "BUILDAH_FORMAT": "docker",  # podman's own form of images has no HEALTHCHECK and no STOPSIGNAL
            "COMPOSE_INTERACTIVE_NO_CLI": "1",
            "PS1": "",
            "PS2": "",
        }
        bash = ("bash", "--norc", "--noediting", "-i")
        self._terminal = Terminal([*drop, "env", f"--chdir={checkout}", *bash], environment)
        self._number = 0
        self.type("stty -echo")

    def type(self, command: str, seconds: float = 400) -> tuple[int, str]:
        """Type a command, wait for its end, and return its status and what was shown."""
        self._number += 1
        # One command for the shell, which has read it whole before the program reads from the terminal.
        self._terminal.send(f"{{ {command}\n}}; echo ended-{self._number}=$?=\n")
        if self._number == 1:  # which turns the echo off
            self._terminal.wait_for("$?=")
        shown = self._terminal.wait_for(f"ended-{self._number}=", seconds)
        status = self._terminal.wait_for("=", seconds)
        return int(status[:-1]), re.sub(r"\r|\x1b\[[\d;]*m", "", shown)  # without colours

    def take(self, step: Step, may_fail: bool = False) -> None:
        """Type one command; again, where it shows what takes a while to come true, or asked a network that was away."""
        deadline = time.monotonic() + 90
        first = ""
        for number in count(1):
            status, shown = self.type(step.command)
            first = first or shown
            if answers(step, shown) and (status == 0 or may_fail):
                return
            if not step.shown or (time.monotonic() > deadline and number > 1):
                said = f"status {status}; shown:\n{shown}\nexpected:\n{step.shown}\nshown at first:\n{first}"
                pytest.fail(f"{step.command}: {said}")
            time.sleep(0.2)

    def send(self, keys: str) -> None:
        """To what has the terminal now."""
        self._terminal.send(keys)

    def wait_for(self, text: str) -> None:
        self._terminal.wait_for(text, 100)

    def close(self) -> None:
        self._terminal.close()
