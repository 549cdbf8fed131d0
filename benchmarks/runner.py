"""What all measurements share: where they run, what they compare, and commands as PID 1 of their own namespaces."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import click

from benchmarks import peers
from benchmarks.peers import Peer
from pyinit.ctl import zipapp

NATIVE = Path(__file__).resolve().parent / "native"
# Without what the inits take their settings from: a variable costs a start the parser.
SETTINGS = ("PYINIT_", "TINI_", "DUMB_INIT_", "CATATONIT_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
DEADLINE = 60.0  # seconds; nothing that works takes that long

Case = TypeVar("Case")
Result = dict[str, Any]  # what a measure function returns, ready for JSON


class MeasureError(click.ClickException):
    """Something could not be measured; the message says what and why."""


@dataclass
class Lab:
    """What a measurement has to work with. `directory` is a temporary one that every user may enter."""

    directory: Path
    quick: bool
    asked_runs: "int | None"
    pythons: "dict[str, str]"  # {version: path}; the first is the one for comparisons
    peers: "dict[str, Peer]"
    files: "tuple[int, ...]" = ()
    tree_directory: "Path | None" = None
    versions: "dict[str, Path]" = field(default_factory=dict)  # the built pyinit for each

    @property
    def python(self) -> str:
        return next(iter(self.pythons.values()))

    @property
    def pyinit(self) -> Path:
        """The file, built for the first interpreter."""
        return self.built(next(iter(self.pythons)))

    def runs(self, full: int, quick: int) -> int:
        """How many rounds there are, unless the command line says so."""
        return self.asked_runs or (quick if self.quick else full)

    def built(self, version: str) -> Path:
        """pyinit for that interpreter."""
        if version not in self.versions:
            file = self.directory / f"pyinit-{version}"
            zipapp.build(file, self.pythons[version])
            self.versions[version] = file
        return self.versions[version]

    @property
    def early(self) -> Path:
        """The file in whose first line env blocks signals, built for the first interpreter."""
        file = self.directory / "pyinit-early"
        if not file.exists():
            zipapp.build(file, self.python, early_signals=True)
        return file

    def native(self, name: str) -> str:
        """The path of one of the programs in C, compiled when it is needed first."""
        program = self.directory / name
        if not program.exists():
            command = ["gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o", str(program)]
            try:
                done = subprocess.run([*command, str(NATIVE / f"{name}.c")], capture_output=True, text=True)
            except FileNotFoundError:
                raise MeasureError("gcc is needed, and libc6-dev or what has the C library's static form") from None
            if done.returncode:
                raise MeasureError(f"cannot compile {name}.c: {done.stderr}")
        return str(program)

    def residents(self) -> "dict[str, Peer]":
        """pyinit, and the peers that stay while the program runs and end with it."""
        return {"pyinit": self.pyinit_as_peer(), **{name: peer for name, peer in self.peers.items() if peer.stays}}

    def forwarders(self) -> "dict[str, Peer]":
        """Those of the residents that pass signals on."""
        return {name: peer for name, peer in self.residents().items() if peer.forwards}

    def pyinit_as_peer(self, *options: str, python: str = "") -> Peer:
        """pyinit with such options, for that version of the interpreter, or for the first."""
        file = str(self.built(python) if python else self.pyinit)
        return Peer("pyinit", "", file, peers.before(file, *options, "--"))

    def start(self, command: "Sequence[str]", **options: Any) -> "Pid1":
        return Pid1(self, command, **options)

    def rounds(self, label: str, cases: "Sequence[Case]", runs: int) -> "Iterator[tuple[int, Case]]":
        """Each case once a round, in an order that changes, so that a machine whose speed drifts favours none."""
        with click.progressbar(length=runs * len(cases), label=f"{label:32}", file=sys.stderr) as bar:
            for number in range(runs):
                for case in random.sample(list(cases), len(cases)):
                    yield number, case
                    bar.update(1)


class Pid1:
    """A command as PID 1 of a namespace of its own; leaving the context kills all that is in it.

    `pid` is its pid outside of the namespace, `exec_time` the time just before its execve, in nanoseconds of
    CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        lab: Lab,
        command: "Sequence[str]",
        stdout: int = subprocess.PIPE,
        term_at: int = -1,
        cgroup: "Path | None" = None,
    ) -> None:
        report, other_end = os.pipe()
        self._report = os.fdopen(report)
        self._log = lab.directory / "stderr"
        with open(self._log, "ab") as log:
            words = [lab.native("starter"), str(other_end), str(term_at), str(cgroup or ""), *command]
            self.process = subprocess.Popen(
                words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log, pass_fds=[other_end]
            )
        os.close(other_end)
        self.command = command
        self.pid, self.exec_time = self._reported()

    def __enter__(self) -> "Pid1":
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()  # kills PID 1, and with it the namespace
        self.process.wait(DEADLINE)
        if self.process.stdout:
            self.process.stdout.close()
        self._report.close()

    def _reported(self) -> "tuple[int, int]":
        first, _, second = self._report.readline().partition(" ")
        if not second:
            self.process.wait(DEADLINE)
            self._report.close()
            if self.process.stdout:
                self.process.stdout.close()
            raise MeasureError(f"cannot start {' '.join(self.command)}: {self.complaints()}")
        return int(first), int(second)

    def complaints(self) -> str:
        """The last that was written to standard error by anything."""
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def finish(self) -> "tuple[int, int, bytes]":
        """Wait for the end by itself: the time of it, the status as from wait, and what was written."""
        output = self.process.stdout.read() if self.process.stdout else b""
        end, status = self._reported()
        return end, status, output

    def read(self, size: int) -> bytes:
        """So many bytes that it or its program writes. Raises MeasureError if it ends before that."""
        assert self.process.stdout is not None
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise MeasureError(f"ended early: {' '.join(self.command)}: {self.complaints()}")
        return data


def wait_for(condition: "Any", what: str) -> None:
    """Wait for what nothing announces. Raises MeasureError at the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise MeasureError(f"waited {DEADLINE:.0f} s in vain: {what}")
        time.sleep(0.002)


def prepare_directory() -> Path:
    """A temporary directory that the users who programs run as may enter. The caller removes it."""
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="pyinit-benchmarks-"))
    directory.chmod(0o755)
    return directory


def need_root() -> None:
    if os.geteuid() != 0:
        raise MeasureError("PID namespaces and owners need root")
    if not shutil.which("gcc"):
        raise MeasureError("gcc is needed, and libc6-dev or what has the C library's static form")
