"""Mixed load for a long time: orphans, signals, execs, container restarts. Run by .ci/soak.

Two inits, one plain and one with all that may remember things, each with a program that leaves orphans behind
(programs/busy.py), while signals are sent and processes are started beside it; and a container that is restarted again
and again. What must hold: no growth in memory or descriptors, no zombie older than a second, no lost signal.
"""

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pyinit.ctl import zipapp
from tests.container.engines import SHARED, Daemon, Engine, Podman, shared_daemon
from tests.container.support import Container, Containers, base_image
from tests.support import DEADLINE, Pyinit, Run, children, probe, wait_until
from tests.test_footprint import private_dirty

INITS = {"plain": [], "journal": ["--events", "/dev/null", "--warn-on-reap", "--orphans", "end"]}
ZOMBIE_LIMIT = 1.0  # seconds
# Whole pages, in kB. One more page may be written to at any time without anything growing.
GROWTH_LIMIT = 16

# What is sent one at a time, since a second one is merged with a first that waits (man 7 signal); TERM is for the end.
ORDINARY = [
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM,
    signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGURG, signal.SIGXCPU, signal.SIGVTALRM,
    signal.SIGPROF, signal.SIGWINCH, signal.SIGIO, signal.SIGPWR,
]  # fmt: skip
# The first stop, such as INT, has more to do than others: five seconds after it pyinit says who is still there.
STOP_IS_OVER = 6.0  # seconds
# What is queued: each one counts.
REAL_TIME = list(range(signal.SIGRTMIN, signal.SIGRTMAX + 1))

# Announces itself, and TERM. Ends with status 0 on TERM.
RESTARTED = "trap 'echo TERM; exit 0' TERM; echo ready; while :; do sleep 0.3 & (sleep 0.1 &); wait $!; done"


class Load:
    """What is shared by all threads: whether to stop, and what went wrong."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.problems: "list[str]" = []

    def problem(self, text: str) -> None:
        """Note what does not hold, and end everything."""
        self.problems.append(text)
        self.stop.set()

    def start(self, name: str, work: "Callable[[], None]") -> threading.Thread:
        """Do `work` in a thread until it returns; what it raises is a problem."""

        def guarded() -> None:
            try:
                work()
            except (Exception, pytest.fail.Exception) as error:
                self.problem(f"{name}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=guarded, name=name)
        thread.start()
        return thread


class Zombies:
    """The children of a process that are dead and not reaped, and since when we know of each."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._since: "dict[tuple[int, str], float]" = {}
        self.oldest = 0.0  # seconds

    def look(self) -> "dict[int, float]":
        """How long each zombie has been there at least."""
        now = time.monotonic()
        found = {key for pid in children(self._pid) if (key := zombie(pid))}
        self._since = {key: self._since.get(key, now) for key in found}
        ages = {pid: now - since for (pid, _), since in self._since.items()}
        self.oldest = max([self.oldest, *ages.values()])
        return ages


def zombie(pid: int) -> "tuple[int, str] | None":
    """A zombie's pid and the time of its start, by which it is told from one that has the pid later."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (pid, fields[19]) if fields[0] == "Z" else None


class Service:
    """One init in a PID namespace with the busy program, what loads it, and what was seen of it."""

    def __init__(
        self, name: str, run: Run, load: Load, lost_after: float = 30.0, zombie_limit: float = ZOMBIE_LIMIT
    ) -> None:
        self._name = name
        self._run = run
        self._load = load
        self._lost_after = lost_after  # seconds
        self._zombie_limit = zombie_limit  # seconds
        self._arrival = threading.Condition()
        self._sent: "Counter[int]" = Counter()
        self._received: "Counter[int]" = Counter()
        self._bursts = -1  # the first zero says that the program is ready
        self._slowest = 0.0  # seconds from sending to what the program wrote
        self._execs = 0
        self._memory: "list[int]" = []
        self._descriptors: "list[int]" = []
        self._zombies = Zombies(run.pid)
        self._threads: "list[threading.Thread]" = []

    def start(self) -> None:
        """Start all threads, once the program is ready."""
        self._reader = self._load.start(f"{self._name}: reading", self._read)
        wait_until(lambda: self._bursts >= 0 or self._load.stop.is_set(), "the program is ready")
        if not self._load.stop.is_set():
            self._send_and_wait([signal.SIGINT])
        for work in (self._send, self._execute, self._watch):
            self._threads.append(self._load.start(f"{self._name}:{work.__name__.replace('_', ' ')}", work))

    def finish(self) -> None:
        """Once the load is to stop: the last signals arrive, then TERM, and the program's status comes back."""
        for thread in self._threads:
            thread.join()
        self._run.send(signal.SIGTERM)
        status = self._run.process.wait(timeout=DEADLINE)
        self._reader.join()
        if status != 5:
            self._load.problem(f"{self._name}: ended with {status} instead of the program's 5")

    def figures(self) -> "dict[str, Any]":
        return {
            "orphans": max(0, self._bursts) * 30,
            "signals": sum(self._received.values()),
            "kinds_of_signals": len(self._received),
            "slowest_signal_ms": round(self._slowest * 1000, 1),
            "execs": self._execs,
            "oldest_zombie_ms": round(self._zombies.oldest * 1000),
            "private_dirty_kb": course(self._memory),
            "descriptors": course(self._descriptors),
        }

    def check_growth(self) -> None:
        for what, samples, limit in (("memory", self._memory, GROWTH_LIMIT), ("descriptors", self._descriptors, 0)):
            if samples and (more := growth(samples)) > limit:
                self._load.problem(f"{self._name}: {what} grew by {more}: {course(samples)}")

    def _read(self) -> None:
        """Count what the program writes, until it ends."""
        assert self._run.process.stdout is not None
        while data := os.read(self._run.process.stdout.fileno(), 65536):
            with self._arrival:
                self._bursts += data.count(0)
                self._received.update(byte for byte in data if byte)
                self._arrival.notify_all()
        if not self._load.stop.is_set():
            self._load.problem(f"{self._name}: the program ended")

    def _send(self) -> None:
        """One ordinary signal or a volley of real-time ones, and wait until the program has all of them."""
        while not self._load.stop.is_set():
            if random.random() < 0.5:
                numbers = [int(random.choice(ORDINARY))]
            else:
                numbers = random.choices(REAL_TIME, k=random.randint(1, 20))
            self._send_and_wait(numbers)
            self._load.stop.wait(0.01)

    def _send_and_wait(self, numbers: "list[int]") -> None:
        self._sent.update(map(int, numbers))
        began = time.monotonic()
        for number in numbers:
            self._run.send(number)
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: self._received == self._sent, self._lost_after)
        if not arrived:
            self._load.problem(f"{self._name}: lost signals: {dict(self._sent - self._received)}")
        self._slowest = max(self._slowest, time.monotonic() - began)

    def _execute(self) -> None:
        """What `podman exec` does: a process in the namespace that nobody in it has started, and its orphans."""
        command = ["nsenter", f"--target={self._run.pid}", "--pid", "--mount", "--"]
        command += ["sh", "-c", "sleep 0.1 & (sleep 0.2 &); exit 3"]
        while not self._load.stop.wait(0.1):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE)
            if done.returncode != 3:
                self._load.problem(f"{self._name}: an exec ended with {done.returncode}: {done.stderr!r}")
            self._execs += 1

    def _watch(self) -> None:
        pid = self._run.pid
        next_sample = time.monotonic() + STOP_IS_OVER
        while not self._load.stop.wait(0.05):
            for child, age in self._zombies.look().items():
                if age > self._zombie_limit:
                    self._load.problem(f"{self._name}: {child} is a zombie for {age:.1f} s")
            if time.monotonic() > next_sample:
                next_sample = time.monotonic() + 0.5
                self._memory.append(private_dirty(pid))
                self._descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))


def growth(samples: "list[int]") -> int:
    """From the second quarter to the last: what the first requests of each kind need is no growth."""
    quarter = max(1, len(samples) // 4)
    return int(
        statistics.median_low(samples[-quarter:]) - statistics.median_low(samples[quarter : 2 * quarter] or samples)
    )


def course(samples: "list[int]") -> "dict[str, int]":
    if not samples:
        return {}
    return {"first": samples[0], "last": samples[-1], "most": max(samples), "growth": growth(samples)}


class Restarts:
    """A container that is looked into and restarted again and again."""

    def __init__(self, containers: Containers, load: Load, zombie_limit: float) -> None:
        self._containers = containers
        self._load = load
        self._zombie_limit = zombie_limit  # seconds
        self._restarts = 0
        self._execs = 0
        self._oldest_zombie = 0.0
        self._slowest = 0.0

    def run(self) -> None:
        container = self._containers.start("sh", "-c", RESTARTED)
        while not self._load.stop.is_set():
            self._wait_for_lines(container, "ready", self._restarts + 1)
            self._execute(container)
            began = time.monotonic()
            container.engine("restart", "--time", "10", container.name)
            self._slowest = max(self._slowest, time.monotonic() - began)
            self._restarts += 1
            self._wait_for_lines(container, "TERM", self._restarts)
        self._wait_for_lines(container, "ready", self._restarts + 1)
        container.stop()
        if (status := container.wait()) != 0:
            self._load.problem(f"the container ended with {status}")

    def _execute(self, container: Container) -> None:
        done = container.exec("sh", "-c", "sleep 0.1 & (sleep 0.2 &); exit 3", check=False)
        if done.returncode != 3:
            self._load.problem(f"an exec in the container ended with {done.returncode}: {done.stderr}")
        self._execs += 1
        zombies = Zombies(container.host_pid())
        wait_until(lambda: not zombies.look() or zombies.oldest > self._zombie_limit, "no zombie is left")
        self._oldest_zombie = max(self._oldest_zombie, zombies.oldest)
        if zombies.oldest > self._zombie_limit:
            self._load.problem(f"a zombie in the container for {zombies.oldest:.1f} s")

    def _wait_for_lines(self, container: Container, line: str, number: int) -> None:
        """So many of them since the container was made, and never more."""
        wait_until(lambda: container.lines().count(line) >= number, f"{number} times {line!r} from the container")
        if (found := container.lines().count(line)) != number:
            self._load.problem(f"{found} times {line!r} from the container instead of {number}")

    def figures(self) -> "dict[str, Any]":
        return {
            "restarts": self._restarts,
            "execs": self._execs,
            "slowest_restart_s": round(self._slowest, 1),
            "oldest_zombie_ms": round(self._oldest_zombie * 1000),
        }


@contextlib.contextmanager
def made_engine(name: str, directory: Path) -> "Iterator[Engine]":
    """Podman, or Docker: the daemon of the tests that this is a part of, or one of its own."""
    if name == "podman":
        yield Podman(directory)
    elif SHARED in os.environ:
        yield shared_daemon().docker
    else:
        daemon = Daemon(Path(tempfile.mkdtemp(prefix="pyinit-soak-", dir="/var/tmp")))
        try:
            daemon.start()
            yield daemon.docker
        finally:
            daemon.stop()


@contextlib.contextmanager
def made_containers(engine: str, directory: Path, file: Path) -> "Iterator[Containers]":
    with made_engine(engine, directory) as made:
        containers = Containers(made, base_image(made), file)
        try:
            yield containers
        finally:
            containers.remove()


def soak(seconds: float, engine: "str | None", zombie_limit: float) -> "dict[str, Any]":
    """All of it for so long, with containers of an engine or without. Returns the figures, `problems` among them."""
    load = Load()
    restarts = None
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyinit-soak-")))
        directory.chmod(0o755)
        zipapp.build(directory / "pyinit", "/usr/bin/python3")
        pyinit = Pyinit(directory / "pyinit", "/usr/bin/python3")
        services = {}
        for name, options in INITS.items():
            run = stack.enter_context(
                # Without a terminal, and what the program leaves has a second.
                pyinit.start(
                    "--grace", "1", *options, "--", *probe("busy"), stderr=subprocess.DEVNULL, start_new_session=True
                )
            )
            services[name] = Service(name, run, load, zombie_limit=zombie_limit)
        if engine:
            containers = stack.enter_context(made_containers(engine, directory, pyinit.file))
            restarts = Restarts(containers, load, zombie_limit)
        began = time.monotonic()
        try:
            for service in services.values():
                service.start()
            restarting = load.start("restarts", restarts.run) if restarts else None
            load.stop.wait(seconds)
        finally:
            load.stop.set()
        elapsed = time.monotonic() - began
        if restarting:
            restarting.join()
        for service in services.values():
            service.finish()
        for service in services.values():
            service.check_growth()
    figures: "dict[str, Any]" = {"seconds": round(elapsed, 1)}
    figures["inits"] = {name: service.figures() for name, service in services.items()}
    if restarts:
        figures["containers"] = restarts.figures()
    return {**figures, "problems": load.problems}


def summary(figures: "dict[str, Any]") -> str:
    """What a person wants to know first."""
    lines = [f"{figures['seconds']:.0f} s"]
    for name, found in figures["inits"].items():
        lines.append(
            "{}: {orphans} orphans, {signals} signals (slowest {slowest_signal_ms} ms), {execs} execs; "
            "oldest zombie {oldest_zombie_ms} ms; private dirty {private_dirty_kb}; descriptors {descriptors}".format(
                name, **found
            )
        )
    if "containers" in figures:
        lines.append(
            "containers: {restarts} restarts (slowest {slowest_restart_s} s), {execs} execs; "
            "oldest zombie {oldest_zombie_ms} ms".format(**figures["containers"])
        )
    lines += [f"PROBLEM: {problem}" for problem in figures["problems"]] or ["all of it holds"]
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=20, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False), help="Write the figures there.  [default: standard output]")
@click.option("--engine", type=click.Choice(["podman", "docker"]), default="podman", show_default=True)
@click.option("--no-containers", is_flag=True, help="Leave out the restarts, for which an engine is needed.")
@click.option(
    "--zombie-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=ZOMBIE_LIMIT,
    show_default=True,
    help="How many seconds a zombie may be there. A busy machine needs more.",
)
def main(minutes: float, output: "str | None", engine: str, no_containers: bool, zombie_limit: float) -> None:
    figures = soak(minutes * 60, None if no_containers else engine, zombie_limit)
    text = json.dumps(figures, indent=2) + "\n"
    if output:
        Path(output).write_text(text)
    else:
        click.echo(text, nl=False)
    click.echo(summary(figures), err=True)
    sys.exit(1 if figures["problems"] else 0)


if __name__ == "__main__":
    main()
