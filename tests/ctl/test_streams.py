"""pyinitctl and what it writes to: its standard streams, files of its own, and what is left when it is ended."""

import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyinit.ctl import standalone
from tests.support import CTL, REPOSITORY, ctl, wait_until
from tests.support.standalone import PYTHON, needed

JOURNAL = "docs/stop.journal"
AS_A_TERMINAL = [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}]


@pytest.mark.parametrize("variables", AS_A_TERMINAL, ids=str)
@pytest.mark.parametrize("words", [("tree",), ("top", "-n1"), ("doctor",), ("lab", "list")], ids=" ".join)
def test_a_pipe_is_none_whatever_a_variable_says(words: "tuple[str, ...]", variables: "dict[str, str]") -> None:
    """rich takes it for a terminal then. It has colours, but no size, and nothing is drawn over."""
    done = ctl(*words, **variables)
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    assert not re.findall(r"\x1b\[[^m]*[A-Za-ln-z]", done.stdout)


def test_in_a_pipe_that_is_taken_for_a_terminal_no_line_is_cut() -> None:
    name = "x" * 500
    with subprocess.Popen([sys.executable, "-c", "input()", name], stdin=subprocess.PIPE, text=True) as process:
        told = ctl("tree", "--pid", process.pid, FORCE_COLOR="1").stdout
        process.communicate("\n")
    assert name in told


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_does_not_fit_is_an_error_with_and_without_a_buffer(unbuffered: str, tmp_path: Path) -> None:
    """A pipe that keeps nobody waiting takes a part."""
    lines = (REPOSITORY / JOURNAL).read_text().splitlines(keepends=True)
    signals = [line for line in lines if '"event": "signal"' in line]
    (tmp_path / "journal").write_text("".join([lines[0], *signals * 100]))
    reader, writer = os.pipe2(os.O_NONBLOCK)
    fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [*CTL, "timeline", "--json", str(tmp_path / "journal")]
    with open(reader, "rb"), open(writer, "wb") as pipe:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("Error: standard output: ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_encoding_of_standard_output_is_the_one_that_was_asked_for(encoding: str, unbuffered: str) -> None:
    shell = ["env", f"PYTHONIOENCODING={encoding}", f"PYTHONUNBUFFERED={unbuffered}", *CTL, "timeline", JOURNAL]
    done = subprocess.run(shell, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding).isascii() == (encoding != "utf-8")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_a_note_that_cannot_be_written_costs_nothing_else(redirection: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes((REPOSITORY / JOURNAL).read_bytes() + b"no event\n")
    told = ctl("report", journal)
    assert "left out" in told.stderr
    shell = ["sh", "-c", f'"$@" {redirection}', "sh", *CTL, "report", str(journal)]
    done = subprocess.run(shell, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, told.stdout)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("lab", "run", "zombies"), 3, "pyinitctl lab: needs a directory for its programs: No usable temporary"),
        (("build", "--standalone", "--python", PYTHON), 1, "Error: --standalone: no directory to build in: No usable"),
    ],
    ids=["lab", "build"],
)
def test_without_a_temporary_directory_it_says_so(words: "tuple[str, ...]", status: int, says: str) -> None:
    """And it is no word about standard output."""
    if "build" in words:
        with needed():
            standalone.interpreter(PYTHON)
    shell = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *CTL, *words]  # no file may have a byte
    done = subprocess.run(shell, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert done.stderr.startswith(says)


def test_what_else_goes_wrong_is_not_said_to_be_standard_outputs() -> None:
    code = "import errno, pyinit.ctl.__main__ as m\n"
    code += "def run(*_): raise BlockingIOError(errno.EAGAIN, 'no process')\n"
    code += "m.run = run; m.main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1
    assert "standard output" not in done.stderr and "no process" in done.stderr


COMPILER = """#!/bin/sh
case "$*" in
*main.c*) touch "$TMPDIR/of-the-compiler"; echo > {started}; sleep 1000; touch late;;
*) echo musl;;
esac
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("module", ["pyinit.ctl", "pyinit.ctl.make"])
def test_a_build_that_is_ended_leaves_nothing(module: str, number: int, tmp_path: Path) -> None:
    """A compiler that never ends stands for one that takes long; it ends with us."""
    with needed():
        standalone.interpreter(sys.executable)
    (tmp_path / "cc").write_text(COMPILER.format(started=tmp_path / "started"))
    (tmp_path / "cc").chmod(0o755)
    (tmp_path / "temporary").mkdir()
    words = ["build", "-o"] if module == "pyinit.ctl" else []
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words, str(tmp_path / "file"), "--standalone"], cwd=REPOSITORY,
        env={**os.environ, "CC": str(tmp_path / "cc"), "TMPDIR": str(tmp_path / "temporary")},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_until((tmp_path / "started").exists, "the compiler runs")
    assert os.listdir(tmp_path / "temporary")
    process.send_signal(number)
    output, _ = process.communicate()  # which all hold that the compiler has started
    assert (process.returncode, output) == (128 + number, b"")
    assert sorted(os.listdir(tmp_path)) == ["cc", "started", "temporary"]
    assert os.listdir(tmp_path / "temporary") == []


def test_a_signal_that_is_ignored_stays_so() -> None:
    code = "import signal; from pyinit.ctl import signals; signals.end_by_exception(); "
    code += "print(signal.getsignal(1) is signal.SIG_IGN, callable(signal.getsignal(15)))"
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True) == "True True\n"


def test_without_click_it_says_what_it_needs() -> None:
    command = [sys.executable, "-S", "-m", "pyinit.ctl", "tree"]  # no site-packages
    done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: pyinitctl needs click, ") and "pyinit.ctl.make" in done.stderr


NAMES = ["\u4e16" * 80 + ".svg", "a" * 251 + ".svg", "x" + "\u00fc" * 125 + ".svg"]  # the longest have 255 bytes


@pytest.mark.parametrize("name", NAMES, ids=["three bytes", "one byte", "two bytes"])
def test_a_name_of_many_wide_characters_can_be_written(name: str, tmp_path: Path) -> None:
    """Under another name first, which must not be longer."""
    done = ctl("timeline", JOURNAL, "-o", tmp_path / name)
    assert (done.returncode, done.stderr, os.listdir(tmp_path)) == (0, "", [name])
    done = ctl("index", "root", tmp_path, "-o", tmp_path / name)
    assert "too long" not in done.stderr
