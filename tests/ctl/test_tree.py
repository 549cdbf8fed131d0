"""pyinitctl tree and pyinitctl top: what they show of real processes, on a terminal and in a pipe."""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator

import click
import pytest

from pyinit.ctl import container, forest, proc
from tests.support import (
    CTL,
    DEADLINE,
    NAMESPACE,
    REPOSITORY,
    Pyinit,
    Run,
    Terminal,
    children,
    ctl,
    require_namespaces,
    state,
    wait_until,
    waits_for_signals,
)

ENTER, LEAVE = r"\x1b\[\?1049h", r"\x1b\[\?1049l"


def python(script: str) -> "tuple[str, ...]":
    return sys.executable, "-IS", "-c", f"import os, signal, subprocess, time\n{script}"


@contextlib.contextmanager
def started(pyinit: Pyinit, *program: str) -> "Iterator[Run]":
    """A program under pyinit, when it or one of its children has said `ready`."""
    with pyinit.start("--", *program) as run:
        run.wait_for("ready")
        yield run


@pytest.fixture
def family(pyinit: Pyinit) -> "Iterator[Run]":
    """A program with an orphan, which PID 1 has adopted, and with a zombie."""
    script = (
        "subprocess.run(['sh', '-c', 'sleep 1111 >/dev/null &'])\n"
        "child = subprocess.Popen(['true'])\n"
        "os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)\n"
        "print('ready', flush=True)\n"
        "time.sleep(1000)\n"
    )
    with started(pyinit, *python(script)) as run:
        wait_until(lambda: len(children(run.pid)) == 2, "PID 1 adopts the orphan")
        yield run


def processes(pid: int) -> "dict[str, dict[str, object]]":
    """What `tree --json` says of each process, by name."""
    told = json.loads(ctl("tree", "--json", "--pid", pid).stdout)
    return {each["name"]: each for each in told["processes"]}


def test_tree_shows_who_belongs_to_whom_and_marks_orphans_and_zombies(family: Run) -> None:
    done = ctl("tree", "--pid", family.pid)
    assert (done.returncode, done.stderr) == (0, "")
    titles, *lines, summary = done.stdout.splitlines()
    assert titles.split() == ["PID", "S", "PGRP", "SID", "TTY", "SIGNALS", "COMMAND"]
    at = titles.index("COMMAND")
    shown = [line[at:] for line in lines]
    assert [text.split("-c import")[0].strip() for text in shown if not text.startswith("subprocess")] == [
        f"{family_file(family)} -- {sys.executable} -IS",
        f"├─ {sys.executable} -IS",
        "│  └─ [zombie] true",
        "└─ [adopted] sleep 1111",
    ] or pytest.fail(done.stdout)
    assert [line.split()[0] for line in lines][:2] == ["1", "2"]
    assert summary == "4 processes, 1 adopted by PID 1, 1 zombie"


def family_file(run: Run) -> str:
    return container.look(run.pid).pid1.command[2]


def test_tree_as_json_has_both_numbers_of_each_process(family: Run) -> None:
    told = json.loads(ctl("tree", "--json", "--pid", family.pid).stdout)
    first, program, zombie, orphan = told["processes"]
    assert (told["pid1"], told["init"]) == (family.pid, "pyinit")
    assert (first["pid"], first["number"]) == (family.pid, 1)
    assert (program["parent"], program["number"], program["process_group"]) == (family.pid, 2, 2)
    assert (zombie["parent"], zombie["state"], zombie["marks"]) == (program["pid"], "Z", ["zombie"])
    assert (orphan["parent"], orphan["marks"], orphan["command"]) == (family.pid, ["adopted"], ["sleep", "1111"])


def test_tree_says_what_each_does_about_signals(pyinit: Pyinit) -> None:
    script = (
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])\n"
        "print('ready', flush=True)\n"
        "signal.sigwait([signal.SIGUSR2])\n"
    )
    with started(pyinit, *python(script)) as run:
        (program,) = children(run.pid)
        wait_until(lambda: waits_for_signals(program), "the program waits")
        told = list(json.loads(ctl("tree", "--json", "--pid", run.pid).stdout)["processes"])
        shown = ctl("tree", "--pid", run.pid).stdout.splitlines()
    assert "SIGTERM" in told[0]["collects"]
    assert told[0]["blocks"] == []
    assert " collects all" in shown[1]
    assert told[1]["collects"] == ["SIGUSR2"]
    assert {"SIGTERM"} <= set(told[1]["catches"])
    assert {"SIGHUP", "SIGPIPE"} <= set(told[1]["ignores"])
    assert told[1]["blocks"] == ["SIGUSR1"]


def test_tree_names_the_terminal() -> None:
    with Terminal(*CTL, "tree", "--json", "--pid", str(os.getpid())) as terminal:
        number = fcntl.ioctl(terminal.master, 0x80045430, bytes(4))  # man 2 ioctl_tty, TIOCGPTN
        assert terminal.finish() == 0
        told = json.loads(terminal.output)
    (own,) = [each for each in told["processes"] if each["pid"] == terminal.pid]
    assert own["terminal"] == f"pts/{int.from_bytes(number, sys.byteorder)}"


@pytest.mark.parametrize(
    ("device", "name"),
    [(0, "-"), (0x8803, "pts/3"), (0x8901, "pts/257"), (0x0401, "tty1"), (0x0440, "ttyS0"), (0x0501, "console")],
)
def test_names_of_terminals(device: int, name: str) -> None:
    assert forest.terminal(device) == name


def test_on_a_terminal_lines_are_cut_to_its_width(family: Run) -> None:
    command = [*CTL, "tree", "--pid", str(family.pid)]
    with Terminal("sh", "-c", 'stty cols 80; exec "$@"', "sh", "env", "NO_COLOR=1", *command) as terminal:
        assert terminal.finish() == 0
        lines = click.unstyle(terminal.output).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(len(line) == 80 and line.endswith("…") for line in lines)


def test_where_a_tree_cannot_be_drawn_ascii_will_do(family: Run) -> None:
    done = ctl("tree", "--pid", family.pid, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "`- [adopted] sleep 1111" in done.stdout


def test_a_command_line_cannot_write_on_the_terminal_by_itself(pyinit: Pyinit) -> None:
    script = "echo ready; sleep 1000; : \x1b[2J\udcff\r"
    with started(pyinit, "sh", "-c", script) as run:
        done = ctl("tree", "--pid", run.pid)
        assert r"\x1b[2J\udcff\r" in done.stdout
        assert "\x1b" not in done.stdout


def test_top_in_a_pipe_is_one_look_after_the_other(family: Run) -> None:
    done = ctl("top", "--pid", family.pid, "-n", "2", "-d", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split("\n\n")
    for look in (first, second):
        assert "4 processes, 1 adopted by PID 1, 1 zombie" in look.splitlines()[0]
        assert "[adopted] sleep 1111" in look
    assert "\x1b" not in done.stdout


def test_top_as_json_is_a_line_for_each_look(family: Run) -> None:
    done = ctl("top", "--json", "--pid", family.pid, "-n", "3", "-d", "0.1")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 3
    assert [each["name"] for each in told[2]["processes"]] == [each["name"] for each in told[0]["processes"]]
    assert told[0]["time"] < told[1]["time"] < told[2]["time"]


def test_top_ends_when_nobody_reads_any_more(family: Run) -> None:
    command = [*CTL, "top", "--pid", str(family.pid), "-d", "0.1"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(DEADLINE)
    assert errors == b""


def test_top_ends_with_the_container(pyinit: Pyinit) -> None:
    with started(pyinit, "sh", "-c", "echo ready; exec sleep 1000") as run:
        command = [*CTL, "top", "--pid", str(run.pid), "-d", "0.1"]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            run.send(signal.SIGKILL)
            run.finish()
            process.stdout.read()
            assert process.wait(DEADLINE) == 0


@contextlib.contextmanager
def live(run: Run, *arguments: str) -> "Iterator[Terminal]":
    """`pyinitctl top` on a terminal, once it shows something."""
    with Terminal(*CTL, "top", "--pid", str(run.pid), "-d", "0.2", *arguments) as terminal:
        terminal.wait_for(ENTER)
        terminal.resize(24, 200)
        terminal.wait_for("adopted by PID 1")
        yield terminal


def flags(terminal: Terminal) -> int:
    """The terminal's local modes: with ICANON and ECHO it is as a shell expects it."""
    return int(termios.tcgetattr(terminal.master)[3]) & (termios.ICANON | termios.ECHO)


@pytest.mark.parametrize(("key", "status"), [("q", 0), ("\x03", 0)], ids=["q", "ctrl-c"])
def test_top_ends_by_a_key_and_leaves_the_terminal_as_it_was(family: Run, key: str, status: int) -> None:
    with live(family) as terminal:
        assert flags(terminal) == 0
        terminal.type(key)
        terminal.wait_for(LEAVE)
        assert terminal.finish() == status
        assert flags(terminal) == termios.ICANON | termios.ECHO


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_top_ends_by_a_signal_and_leaves_the_terminal_as_it_was(family: Run, number: int) -> None:
    with live(family) as terminal:
        os.kill(terminal.pid, number)
        terminal.wait_for(LEAVE)
        assert terminal.finish() == 128 + number
        assert flags(terminal) == termios.ICANON | termios.ECHO


def test_ctrl_z_suspends_top_with_the_terminal_as_it_was(family: Run) -> None:
    with live(family) as terminal:
        os.kill(terminal.pid, signal.SIGTSTP)  # the terminal sends none to a group that nobody could continue
        terminal.wait_for(LEAVE)
        wait_until(lambda: state(terminal.pid) == "T", "it stops")
        assert flags(terminal) == termios.ICANON | termios.ECHO
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for(ENTER)
        terminal.wait_for("adopted by PID 1")
        assert flags(terminal) == 0
        terminal.type("q")
        assert terminal.finish() == 0


def test_who_came_from_outside_is_marked(pyinit: Pyinit) -> None:
    with started(pyinit, "sh", "-c", "echo ready; exec sleep 1000") as run:
        enter = ("nsenter", "--target", str(run.pid), "--pid", "--mount", "sleep", "3333")
        with subprocess.Popen(enter, stdin=subprocess.DEVNULL) as outside:
            try:
                wait_until(lambda: "sleep 3333" in ctl("tree", "--pid", run.pid).stdout, "it has entered")
                [line] = [each for each in ctl("tree", "--pid", run.pid).stdout.splitlines() if "sleep 3333" in each]
            finally:
                outside.kill()
                run.send(signal.SIGKILL)
    assert "[from outside]" in line


def test_top_marks_what_is_new(pyinit: Pyinit) -> None:
    with (
        started(pyinit, "sh", "-c", "trap 'sleep 2222 & ' USR1; echo ready; while :; do sleep 0.05; done") as run,
        live(run) as terminal,
    ):
        run.send(signal.SIGUSR1)
        terminal.wait_for(r"\[new\] sleep 2222")
        terminal.wait_for(r"(?<!\[new\] )sleep 2222")


def test_top_follows_the_size_of_the_terminal(family: Run) -> None:
    with live(family, "-d", "1000") as terminal:
        terminal.resize(4, 40)
        terminal.wait_for(r"1/4 q quit")
        terminal.resize(24, 200)
        terminal.wait_for(r"\[adopted\] sleep 1111")


def test_top_without_colour(family: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    colour = r"\x1b\[[\d;]*[34]\dm"  # console_codes(4): 30 to 37, and 40 to 47
    with live(family) as terminal:
        terminal.wait_for(colour)
    monkeypatch.setenv("NO_COLOR", "1")
    with live(family) as terminal:
        terminal.wait_for("1111")
        assert not re.search(colour, terminal.output)


@pytest.mark.parametrize("words", [("tree",), ("doctor",), ("top", "-n1"), ("tree", "--pid", "1")], ids=" ".join)
@pytest.mark.parametrize("hidden", ["hidepid=1", "hidepid=2"])
def test_where_proc_hides_others_it_says_so_in_one_line(hidden: str, words: "tuple[str, ...]") -> None:
    """Root in no group of root's and without a capability may look at as little as any other user."""
    require_namespaces()
    nobody = ("setpriv", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
    script = f'mount -t proc -o {hidden} proc /proc; "$@"; exit $?'  # a shell that stays, as PID 1
    command = [*NAMESPACE, "sh", "-c", script, "sh", *nobody, *CTL, *words]
    done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("Error: --pid: " if "--pid" in words else "Error: PID 1 of ")


def test_a_number_of_a_thread_is_no_process() -> None:
    script = "import threading; threading.Thread(target=input).start(); print(threading.enumerate()[1].native_id)"
    with subprocess.Popen(
        [sys.executable, "-uc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        thread = int(process.stdout.readline())
        done = ctl("tree", "--pid", thread)
        process.communicate("\n")
    assert (done.returncode, done.stderr) == (2, f"Error: --pid: there is no process {thread} here\n")


def test_a_command_line_that_was_written_over_is_shown_whole() -> None:
    """As nginx and others do, also over the environment behind it: then there may be no NUL at the end."""
    script = (
        "import ctypes, os\n"
        "numbers = open('/proc/self/stat').read().rpartition(')')[2].split()\n"
        "start, end = int(numbers[45]), int(numbers[48])\n"  # arg_start, env_end
        "ctypes.memmove(start, b'title' + b'x' * (end - start - 5), end - start)\n"
        "print('ready', flush=True); input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            assert b"\0" not in file.read()
        told = proc.read(process.pid)
        process.communicate(b"\n")
    assert told and told.command[0].startswith("titlexxx")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", []), ("a", ["a"]), ("a\0", ["a"]), ("a\0b", ["a", "b"]), ("\0", [""]), ("a\0\0", ["a", ""])],
)
def test_words_of_a_command_line(text: str, words: "list[str]") -> None:
    assert proc.words_of(text) == words


def test_a_name_keeps_what_only_unicode_takes_for_a_blank() -> None:
    assert proc.fields("Name:\t\u3000x\x85\nState:\tS (sleeping)\n") == {"Name": "\u3000x\x85", "State": "S (sleeping)"}


def test_a_tree_of_no_process_is_status_2() -> None:
    for command in ("tree", "top"):
        done = ctl(command, "--pid", "4194304")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "Error: --pid: there is no process 4194304 here\n"
