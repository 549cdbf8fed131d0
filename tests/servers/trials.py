"""Programs in containers, each with pyinit in front, with tini, and with neither: asked, stopped, restarted, killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.container.support import Container, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.container.support import Containers, Process

    from .programs import Program, Request

HERE = Path(__file__).resolve().parent
CLIENT = HERE / "client.py"
FILES = HERE / "files"

ORPHANS = 3
# Each sleep's parent, a shell of an exec, has ended before it does: it is PID 1's by then.
MAKE_ORPHANS = "(sleep 0.3 & sleep 0.3 & sleep 0.3 &)"
BIG = 8 << 20  # bytes: more than the kernel's buffers take of an answer that nobody reads
START_DEADLINE = 180  # seconds, until the first answer
ASK_AGAIN = 0.3  # seconds, after no answer: what starts needs the processor more than who asks
SETTLE = 2.0  # seconds, in which a program that reaps its orphans has done so


class Stop(NamedTuple):
    """What came of one stop by the engine."""

    seconds: float
    status: int
    answered: bool | None = None  # the request that it came into; None: there was none
    killed: int = 0  # processes that pyinit had to kill in the end


class Life(NamedTuple):
    """What came of one program with one init."""

    stop: Stop
    reload_answered: bool | None = None  # the request that a reload came into
    zombies: int | None = None  # left of ORPHANS
    reaped: int | None = None  # orphans in all, by pyinit's journal
    killed_status: int | None = None  # of the container, when its program was killed
    command: tuple[str, ...] = ()  # the program's command line, as /proc has it
    ended: bool = False  # when it got the orphans


@contextmanager
def site() -> Iterator[Path]:
    """What the servers serve: a small file, and one that takes its time."""
    with tempfile.TemporaryDirectory(prefix="pyinit-servers-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "index.html").write_text("served\n")
        with (directory / "big").open("wb") as big:
            big.truncate(BIG)
            big.seek(0, 2)
            big.write(b"served\n")
        yield directory


class Running(Container):
    """A container whose init's process ID is asked for once a start: each question costs a process of the engine."""

    _host_pid = 0

    def host_pid(self) -> int:
        self._host_pid = self._host_pid or super().host_pid()
        return self._host_pid

    def has_ended(self) -> bool:
        return not Path(f"/proc/{self.host_pid()}/ns/pid").exists()

    def forget(self) -> None:
        """It has another process ID when it is started again."""
        self._host_pid = 0


class Trial:
    """One program in one container."""

    def __init__(
        self, containers: Containers, image: str, program: Program, init: Sequence[str], site: Path, directory: Path
    ) -> None:
        """`init` is the command line of who is in front, from /pyinit on, or nothing; `directory` is this trial's."""
        self.program = program
        self._out = directory / "out"
        self._journal = directory / "journal"
        for made in (self._out, self._journal):
            made.mkdir()
            made.chmod(0o777)
        options = [f"--volume={FILES}:/servers:ro", f"--volume={site}:/site:ro", f"--volume={self._out}:/out"]
        options += [f"--volume={self._journal}:/journal", "--env=PYINIT_EVENTS=/journal/events", "--network=none"]
        options += ["--shm-size=64m", "--env=HOME=/root"]
        words = list(init)
        under_pyinit = words[:1] == ["/pyinit"]
        if not under_pyinit or not any(word.startswith("TERM:") for word in words):
            # pyinit gets TERM, and says another signal; the others get it from the engine.
            options.append(f"--stop-signal=SIG{program.stop_signal}" if not under_pyinit else "--stop-signal=SIGTERM")
        script = f"{program.prepare}\nexec {program.command}"
        self._containers = containers
        started = containers.start(
            *([] if under_pyinit else words),
            *("sh", "-c", script),
            init=words[1:] if under_pyinit else None,
            options=options,
            image=image,
        )
        self.container = Running(started.engine, started.name)

    def wait_for_answer(self) -> None:
        """Start what is to be beside the program, and return when a request was answered."""
        self.container.forget()
        if self.program.beside:
            self.container.engine("exec", "--detach", self.container.name, "sh", "-c", f"exec {self.program.beside}")

        def answered() -> bool:
            if self.container.has_ended():
                pytest.fail(f"{self.program.name} ended")
            if self.ask(self.program.request).wait(60) == 0:
                return True
            time.sleep(ASK_AGAIN)
            return False

        try:
            wait_until(answered, f"an answer of {self.program.name}", START_DEADLINE)
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}\n{self._said()}")

    def _said(self) -> str:
        logs = self.container.logs()
        return (logs.stdout + logs.stderr)[-3000:]

    def ask(self, request: Request, slow: bool = False) -> subprocess.Popen[bytes]:
        """Start one request; its status is 0 if it was answered."""
        if request.inside:
            command = [*self.container.engine.command, "exec", self.container.name, "sh", "-c", *request.words]
        else:
            enter = ["nsenter", f"--target={self.container.host_pid()}", "--net"]
            command = [*enter, sys.executable, str(CLIENT), *(["--slow", str(self._out)] if slow else [])]
            command += request.words
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.container.engine.environment,
        )

    @contextmanager
    def in_flight(self, answered: list[bool]) -> Iterator[None]:
        """The slow request is being answered when this is entered, and whether it was is added in the end."""
        if not self.program.slow:
            yield
            return
        for mark in ("begun", "done"):
            (self._out / mark).unlink(missing_ok=True)
        client = self.ask(self.program.slow, slow=True)
        try:
            wait_until((self._out / "begun").exists, f"{self.program.name}'s slow request to begin")
            yield
            client.wait(60)
            deadline = time.monotonic() + 5  # a task goes on when who asked for it has ended
            while not (self.container.has_ended() or (self._out / "done").exists() or time.monotonic() > deadline):
                time.sleep(0.05)
            answered.append((self._out / "done").exists())
        finally:
            client.kill()
            client.wait()

    def orphans(self) -> int:
        """Make some, and count the zombies that are left of them; none, too, where PID 1 ends of having got them."""
        self.container.exec("sh", "-c", MAKE_ORPHANS, check=False)
        wait_until(lambda: not any(self._sleeping()), "the orphans to end")
        deadline = time.monotonic() + SETTLE
        while (left := self.zombies()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def _sleeping(self) -> Iterator[bool]:
        return (each.arguments == "sleep 0.3" for each in self._processes())

    def zombies(self) -> int:
        return sum(each.state == "Z" for each in self._processes())

    def _processes(self) -> list[Process]:
        try:
            return self.container.processes()
        except FileNotFoundError:  # it has ended
            return []

    def reload(self) -> bool | None:
        """Send the signal for it while a request is in flight, and see that another one is answered."""
        answered: list[bool] = []
        if not self.program.reload:
            self.container.kill("SIGCONT")
        else:
            with self.in_flight(answered):
                self.container.kill(f"SIG{self.program.reload}")
        self._answers()
        return answered[0] if answered else None

    def _answers(self) -> None:
        wait_until(lambda: self.ask(self.program.request).wait(60) == 0, f"{self.program.name} to answer again", 60)

    def restart(self) -> None:
        self.container.engine("restart", "--time", "10", self.container.name)
        self.wait_for_answer()

    def kill_program(self) -> int:
        """Kill it, return the container's status, and see that it comes back."""
        pid = [event["pid"] for event in self.events() if event["event"] == "spawn"][-1]
        self.container.exec("sh", "-c", f"kill -KILL {pid}", check=False)
        status = self.container.wait(60)
        self.container.engine("start", self.container.name)
        self.wait_for_answer()
        return status

    def stop(self) -> Stop:
        """Stop it as an engine does, while a request is in flight."""
        before = self._count("killed")
        answered: list[bool] = []
        with self.in_flight(answered):
            began = time.monotonic()
            self.container.engine("stop", "--time", "10", self.container.name)
            seconds = time.monotonic() - began
            status = self.container.wait()
        return Stop(round(seconds, 1), status, answered[0] if answered else None, self._count("killed") - before)

    def events(self) -> list[dict[str, Any]]:
        """Pyinit's journal of all starts so far."""
        file = self._journal / "events"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _count(self, kind: str) -> int:
        return Counter(event["event"] for event in self.events())[kind]

    def reaped(self) -> int:
        return sum(event["event"] == "reaped" and event["orphan"] for event in self.events())

    def command(self) -> tuple[str, ...]:
        """The command line of the container's program, which may have rewritten it."""
        pid = [event["pid"] for event in self.events() if event["event"] == "spawn"][-1]
        words = self.container.exec("cat", f"/proc/{pid}/cmdline").stdout
        return tuple(words.rstrip("\0").split("\0"))


class Bench:
    """Where the trials of one engine and image are made."""

    def __init__(self, containers: Containers, image: str, site: Path) -> None:
        self._containers = containers
        self._image = image
        self._site = site

    @contextmanager
    def _trial(self, program: Program, *init: str) -> Iterator[Trial]:
        directory = Path(tempfile.mkdtemp(prefix="pyinit-trial-"))
        directory.chmod(0o755)
        try:
            made = Trial(self._containers, self._image, program, init, self._site, directory)
            try:
                made.wait_for_answer()
                yield made
            finally:
                self._containers.engine.remove(made.container.name)
        finally:
            shutil.rmtree(directory)

    def whole_life(self, program: Program) -> Life:
        """With pyinit: asked, orphaned, reloaded, restarted, killed, started again and stopped."""
        with self._trial(program, "/pyinit", *program.options, "--") as trial:
            command = trial.command()
            zombies = trial.orphans()
            reloaded = trial.reload()
            trial.restart()
            killed = trial.kill_program()
            zombies += trial.zombies()
            return Life(trial.stop(), reloaded, zombies, trial.reaped(), killed, command)

    def short_life(self, program: Program, *init: str, reload: bool = False) -> Life:
        """With another init, or with none: asked, orphaned and stopped."""
        with self._trial(program, *init) as trial:
            zombies = trial.orphans()
            if trial.container.has_ended():
                return Life(Stop(0, trial.container.wait()), zombies=zombies, ended=True)
            reloaded = trial.reload() if reload else None
            return Life(trial.stop(), reloaded, zombies)

    def lives(self, program: Program) -> dict[str, Life]:
        """All that the table says of a program."""
        lives = {
            "pyinit": self.whole_life(program),
            "tini": self.short_life(program, "tini", "--"),
            "neither": self.short_life(program),
        }
        if program.stop_signal != "TERM":
            single = ["-c"] if program.single else []
            lives["TERM"] = self.short_life(program, "/pyinit", *single, "--")
        if program.slow:
            other = program._replace(single=not program.single)
            lives["other"] = self.short_life(program, "/pyinit", *other.options, "--", reload=bool(program.reload))
        return lives
