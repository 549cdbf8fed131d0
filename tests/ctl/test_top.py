"""pyinitctl top: what it measures, and the screen of a real terminal as an emulator, and so a person, sees it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.support import CTL, REPOSITORY, Pyinit, Run, Terminal, children, ctl, state, wait_until

SIZES = [(24, 80), (10, 40), (50, 160), (3, 20), (2, 10), (1, 1)]

FAMILY = """
import os, subprocess, sys, threading, time
sys.stdout = sys.stderr = open(os.devnull, "w")
subprocess.run(["sh", "-c", "sleep 1111 &"])
eater = ["eats-memory", "-c", "x = bytearray(64 << 20); import time; time.sleep(1000)"]
subprocess.Popen(eater, executable=sys.executable)
for _ in range(4):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
subprocess.Popen(["sh", "-c", "sleep 2222; : [red]not red[/red]", "hostile \\x1b[2J \\x07 \\udcff \\u202e"])
for number in range(12):
    subprocess.Popen(["sleep", f"30{number:02}"])
os.write(1, b"ready\\n")
time.sleep(1000)
"""


@pytest.fixture
def family(pyinit: Pyinit, tmp_path: Path) -> "Iterator[Run]":
    """A program with threads, an orphan, a child that has 64 MiB, one with a hostile name, and many others."""
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    with pyinit.start("--", sys.executable, str(script)) as run:
        run.wait_for("ready")
        wait_until(lambda: len(children(run.pid)) == 2, "PID 1 adopts the orphan")
        wait_until(lambda: any(each["memory"] > 64 << 20 for each in measured(run) if each["memory"]), "it is eaten")
        yield run


def measured(run: Run, *options: str, **environment: str) -> "list[dict[str, Any]]":
    done = ctl("top", "--json", "-n", "1", "--pid", run.pid, *options, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return list(json.loads(done.stdout)["processes"])


class Screen:
    """What is on a terminal that runs `top`."""

    def __init__(self, terminal: Terminal, rows: int, columns: int) -> None:
        self.terminal = terminal
        self._shown = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._shown)
        self._fed = 0

    @property
    def lines(self) -> "list[str]":
        self._stream.feed(self.terminal.output[self._fed :])
        self._fed = len(self.terminal.output)
        return [line.rstrip() for line in self._shown.display]

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def wait(self, condition: "Callable[[], bool]") -> None:
        """Wait until what is shown is so."""
        while not condition():
            self.terminal.wait_for(r"(?s).+")

    def type(self, keys: str, text: str) -> None:
        """Type, and wait for a text on the screen."""
        self.terminal.type(keys)
        self.wait(lambda: self.has(text))

    def line(self, text: str) -> int:
        """The line with a text."""
        return next(number for number, line in enumerate(self.lines) if text in line)

    def selected(self) -> str:
        """The line that stands out."""
        lines = self.lines
        return next((line for row, line in enumerate(lines) if self._shown.buffer[row][0].reverse), "")


@contextlib.contextmanager
def live(run: Run, rows: int = 24, columns: int = 80, *options: str, delay: str = "0.2") -> "Iterator[Screen]":
    command = [*CTL, "top", "--pid", str(run.pid), "-d", delay, *options]
    script = f'stty rows {rows} cols {columns}; exec "$@"'
    with Terminal("sh", "-c", script, "sh", *command) as terminal:
        screen = Screen(terminal, rows, columns)
        terminal.wait_for(r"\x1b\[\?1049h")
        screen.wait(lambda: any(screen.lines))
        yield screen


def names(processes: "list[dict[str, Any]]") -> "list[object]":
    return [each["name"] for each in processes]


def test_it_measures_memory_threads_and_age(family: Run) -> None:
    first, program, *others = measured(family)
    eater = next(each for each in others if "eats-memory" in each["command"])
    assert 64 << 20 < eater["memory"] < 96 << 20
    assert eater["memory_is"] == "uss"
    assert program["threads"] == 5
    assert first["threads"] == 1
    assert first["age"] >= eater["age"] > 0


def test_who_is_busy_comes_first_by_processor(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "sleep 1000 & echo ready; while :; do :; done") as run:
        run.wait_for("ready")
        wait_until(lambda: measured(run, "--sort", "cpu")[0]["name"] == "sh", "it has taken more than pyinit's start")
        command = [*CTL, "top", "--json", "-d", "0.1", "--pid", str(run.pid), "--filter", "while"]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # over its life; from here on it is since the look before
            wait_until(lambda: busy(process.stdout.readline()), "it gets a processor")  # type: ignore[union-attr]
            process.kill()


def busy(line: bytes) -> bool:
    return bool(json.loads(line)["processes"][-1]["cpu_percent"] > 0)


@pytest.mark.parametrize(("key", "first"), [("memory", "eats-memory"), ("threads", "family.py")])
def test_it_sorts_by_what_is_taken(family: Run, key: str, first: str) -> None:
    assert first in " ".join(measured(family, "--sort", key)[0]["command"])


@pytest.mark.parametrize(("key", "field", "is_falling"), [("pid", "number", False), ("age", "age", True)])
def test_it_sorts_by_what_a_process_is(family: Run, key: str, field: str, is_falling: bool) -> None:
    found = [each[field] for each in measured(family, "--sort", key)]
    assert found == sorted(found, reverse=is_falling)


def test_a_filter_leaves_what_matches_and_in_a_tree_what_is_above_it(family: Run) -> None:
    assert names(measured(family, "--filter", "SLEEP 30", "--sort", "pid")) == ["sleep"] * 12
    assert len(measured(family, "--filter", "sleep 30")) == 14


def test_without_psutil_it_says_what_it_cannot_show(family: Run) -> None:
    code = "import sys; sys.modules['psutil'] = None; from pyinit.ctl.__main__ import main; main()"
    command = [sys.executable, "-c", code, "top", "-n", "1", "--pid", str(family.pid)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("psutil is not installed: no processor times")
    [eater] = [line.split() for line in done.stdout.splitlines() if " eats-memory " in line]
    assert eater[2] == "-"
    assert eater[3].startswith("~")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_where_unique_memory_may_not_be_read_it_says_so(family: Run) -> None:
    """Without CAP_SYS_PTRACE and as somebody else, as a user on a host who looks at root's."""
    # Whose files may be root's alone.
    modules = "difflib, os, shlex, psutil, rich.table, rich.filesize, pyinit.ctl.commands, pyinit.ctl.top.look"
    modules += ", pyinit.ctl.tree"
    code = f"import {modules}; from pyinit.ctl.__main__ import main; os.setuid(65534); main()"
    command = [sys.executable, "-c", code, "top", "-n", "1", "--pid", str(family.pid)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("~ memory with shared pages (RSS)")


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_it_fits_every_screen(family: Run, rows: int, columns: int) -> None:
    """What does not fit would scroll the first line away."""
    with live(family, rows, columns) as screen:
        if columns >= 20:
            screen.wait(lambda: screen.lines[0][2:3] == ":" and (rows < 3 or screen.lines[-1] != ""))
        if columns >= 40:
            assert "q quit" in screen.lines[-1]
            assert screen.lines[1].split()[-1] == "COMMAND"
            assert ("AGE" in screen.lines[1]) is (columns >= 60)
            assert ("SIGNALS" in screen.lines[1]) is (columns >= 110)
        screen.terminal.type("q")
        assert screen.terminal.finish() == 0


def test_keys_sort_and_switch_the_tree_off(family: Run) -> None:
    with live(family) as screen:
        screen.wait(lambda: screen.has("├─ sleep 3000"))
        screen.type("M", "sort: memory")
        assert "eats-memory" in screen.lines[2]
        assert not screen.has("├─")
        screen.type("t", "sort: tree")
        assert screen.has("├─ sleep 3000")


def test_a_filter_is_typed(family: Run) -> None:
    with live(family) as screen:
        screen.type("/", "filter: ")
        screen.type("300x", "filter: 300x_")
        screen.type("\x7f", "filter: 300_")
        screen.wait(lambda: not screen.has("sleep 2222"))
        assert screen.has("sleep 3000") and screen.has("sleep 3009")
        screen.type("\r", "/ filter: 300")
        screen.type("\x1b", "sleep 2222")


def select(screen: Screen, name: str) -> None:
    """Select the process with that name: the only one that a filter leaves."""
    screen.terminal.type("s")
    screen.type("/", "filter: ")
    screen.type(name, f"filter: {name}")
    screen.type("\r", f"/ filter: {name}")
    screen.wait(lambda: name in screen.selected())


def test_a_signal_is_sent_after_a_question(family: Run) -> None:
    [orphan] = [each["pid"] for each in measured(family) if each["command"] == ["sleep", "1111"]]
    with live(family) as screen:
        select(screen, "sleep 1111")
        screen.type("k", "signal: ")
        screen.type("nonsense\r", "'nonsense' is no signal")
        screen.type("kSTOP\r", "send STOP? y/n")
        screen.type("n", "nothing was sent")
        assert state(orphan) == "S"
        screen.type("k\x1b[A", "signal: KILL")
        screen.type("\x15", "signal: _")
        screen.type("STOP\r", "send STOP? y/n")
        screen.type("y", "STOP to")
        wait_until(lambda: state(orphan) == "T", "it is stopped")
        screen.type("k\r", "send TERM? y/n")
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: state(orphan) == "", "it has ended")
        screen.type("y", "was not sent: it has ended")


def test_a_hostile_name_is_shown_as_it_is(family: Run) -> None:
    with live(family, 30, 160) as screen:
        screen.wait(lambda: screen.has("[red]not red[/red]"))
        line = screen.lines[screen.line("[red]not red[/red]")]
    assert r"hostile \x1b[2J \x07 \udcff \u202e" in line


def test_the_selected_process_is_kept_on_the_screen(family: Run) -> None:
    with live(family, 10, 80) as screen:
        screen.wait(lambda: screen.has("1/18"))
        screen.type("\x1b[F", "18/18")
        assert "sleep 1111" in screen.selected()
        screen.type("\x1b[H", "1/18")
        screen.type("\x1b[B\x1b[B", "3/18")
        screen.type("\x1b[6~", "10/18")


def modes(terminal: Terminal) -> int:
    return int(termios.tcgetattr(terminal.master)[3]) & (termios.ICANON | termios.ECHO)


@pytest.mark.parametrize("keys", ["/abc", "k", "kTERM\r"])
def test_ctrl_c_ends_it_in_a_question_too(family: Run, keys: str) -> None:
    with live(family) as screen:
        screen.terminal.type(keys)
        screen.terminal.type("\x03")
        screen.terminal.wait_for(r"\x1b\[\?1049l")
        assert screen.terminal.finish() == 0
        assert modes(screen.terminal) == termios.ICANON | termios.ECHO


@pytest.mark.parametrize("trap", [":", ""], ids=["with-hup", "with-hup-ignored"])
def test_where_the_terminal_goes_it_ends_without_a_word(family: Run, tmp_path: Path, trap: str) -> None:
    said, status = tmp_path / "said", tmp_path / "status"
    script = f"trap '{trap}' HUP; \"$@\" 2>{said}; echo $? >{status}.new; mv {status}.new {status}"
    with Terminal("sh", "-c", script, "sh", *CTL, "top", "--pid", str(family.pid), "-d", "0.1") as terminal:
        terminal.wait_for("q quit")
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), terminal.master)  # which closes the terminal's other side
        wait_until(status.exists, "top ends")
    assert (said.read_text(), status.read_text()) == ("", "129\n")


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null"])
def test_without_keys_it_is_live_all_the_same(family: Run, redirection: str) -> None:
    command = [*CTL, "top", "--pid", str(family.pid), "-d", "0.1", "-n", "3"]
    with Terminal("sh", "-c", f'exec "$@" {redirection}', "sh", *command) as terminal:
        terminal.wait_for("q quit")
        assert terminal.finish() == 0
    assert "Traceback" not in terminal.output


def test_a_chain_longer_than_the_stack_is_shown(pyinit: Pyinit) -> None:
    """With a small stack, so that it takes few processes."""
    script = (
        "import os, time\n"
        "for _ in range(320):\n"
        "    if os.fork(): time.sleep(1000)\n"
        "os.write(1, b'ready\\n'); time.sleep(1000)\n"
    )
    with pyinit.start("--", sys.executable, "-IS", "-c", script) as run:
        run.wait_for("ready")
        code = "import sys, pyinit.ctl.tree, pyinit.ctl.forest; from pyinit.ctl.__main__ import main"
        command = [sys.executable, "-c", f"{code}; sys.setrecursionlimit(300); main()", "tree", "--pid", str(run.pid)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("322 processes")


def test_a_dumb_terminal_is_like_a_pipe(family: Run) -> None:
    command = ["env", "TERM=dumb", *CTL, "top", "--pid", str(family.pid), "-n", "1"]
    with Terminal(*command) as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.output
    assert "adopted by PID 1" in terminal.output
