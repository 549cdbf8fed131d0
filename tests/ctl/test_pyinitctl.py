"""What every command of pyinitctl has: JSON, help with an example, completion, no colour where it is not wanted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from pyinit import __version__
from pyinit.ctl import standalone
from pyinit.ctl.commands import pyinitctl
from tests.support import CTL, DEADLINE, REPOSITORY, Terminal, ctl
from tests.support.standalone import PYTHON, needed


def commands(group: click.Group = pyinitctl, names: "tuple[str, ...]" = ()) -> "list[tuple[str, ...]]":
    """All commands, also those of groups within."""
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, (*names, name))
        else:
            found.append((*names, name))
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_json_and_help_with_an_example(words: "tuple[str, ...]") -> None:
    done = ctl(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Example: pyinitctl {' '.join(words)}" in done.stdout or f"pyinitctl {' '.join(words)}" in done.stdout
    assert "Example:" in done.stdout
    assert "--json" in done.stdout
    assert "\x1b" not in done.stdout


def installed(**environment: str) -> str:
    """What the installed command says: completion goes by its name."""
    command = [Path(sys.executable).with_name("pyinitctl")]
    variables = {**os.environ, **environment}
    return subprocess.run(
        command, env=variables, stdin=subprocess.DEVNULL, check=True, capture_output=True
    ).stdout.decode()


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "compdef"), ("fish", "complete --no-files --command pyinitctl")])
def test_other_shells_get_a_completion_as_well(shell: str, sign: str) -> None:
    assert sign in installed(_PYINITCTL_COMPLETE=f"{shell}_source")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("pyinitctl", "doc"), "doctor"),
        (("pyinitctl", "tr"), "tree"),
        (("pyinitctl", "doctor", "--stop"), "--stop-signal"),
        (("pyinitctl", "build", "--ch"), "--check"),
    ],
)
def test_bash_completes_commands_and_options(typed: "tuple[str, ...]", offered: str) -> None:
    """As the help says, and then what bash does when Tab is pressed."""
    script = (
        'eval "$(_PYINITCTL_COMPLETE=bash_source pyinitctl)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_pyinitctl_completion pyinitctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "--norc", "-c", script, "bash", *typed]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True)
    assert offered in done.stdout.decode().split()


def test_the_help_says_how_to_complete() -> None:
    assert "_PYINITCTL_COMPLETE=bash_source pyinitctl" in ctl("--help").stdout


def test_build_as_json(tmp_path: Path) -> None:
    done = ctl("build", "--json", "--python", "/usr/bin/python3", "-o", tmp_path / "file")
    assert json.loads(done.stdout) == {"file": str(tmp_path / "file"), "size": (tmp_path / "file").stat().st_size}


def test_a_command_imports_nothing_that_only_others_need() -> None:
    script = "import sys, pyinit.ctl.commands; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=REPOSITORY).split()
    assert not {"rich", "psutil", "matplotlib", "zipfile", "pyinit.ctl.container"} & set(loaded)


WRITING = [
    ("timeline", "docs/stop.journal"), ("timeline", "--json", "docs/stop.journal"), ("report", "docs/stop.journal"),
    ("tree",), ("doctor",), ("doctor", "--json"), ("top", "-n1"), ("top", "-n1", "--json"), ("lab", "list"),
    ("--help",), ("tree", "--help"),
]  # fmt: skip


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_an_output_that_cannot_be_written_is_one_line_and_a_status(words: "tuple[str, ...]") -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*CTL, *words], cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "Error: standard output: No space left on device\n")


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_an_output_that_nobody_reads_ends_it_as_pipes_do(words: "tuple[str, ...]") -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run([*CTL, *words], cwd=REPOSITORY, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", [*WRITING, ("timeline", "-")], ids=" ".join)
def test_closed_standard_streams_are_as_good_as_empty_ones(words: "tuple[str, ...]") -> None:
    shell = ["sh", "-c", '"$@" <&- >&-', "sh"]
    done = subprocess.run([*shell, *CTL, *words], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("words", [("timeline", "/dev/stdin"), ("top",), ("doctor",), ("build", "--check", "none")])
def test_ctrl_c_ends_it_without_a_traceback_whenever_it_comes(words: "tuple[str, ...]") -> None:
    """From main() on: what Python does before that is Python's."""
    code = "import os, pyinit.ctl.__main__ as m; m.open_standard_streams = lambda: os.write(1, b'!'); m.main()"
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with process:
            assert process.stdout and process.stdout.read(1) == b"!"
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=DEADLINE)[1].decode()
        assert "Traceback" not in errors, (delay, errors)


def test_ctrl_c_behind_the_end_changes_nothing() -> None:
    code = "import atexit, os, pyinit.ctl.__main__ as m; atexit.register(os.kill, os.getpid(), 2); m.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "build", "--check", "none"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "Error: --check: cannot read 'none': No such file or directory\n"


def test_ctrl_c_in_a_callback_is_not_lost() -> None:
    """Python cannot raise it there. Imports have such callbacks, of weak references."""
    code = (
        "import os, sys, time, weakref, pyinit.ctl.__main__ as m\n"
        "class Dies: pass\n"
        "def run(*_):\n"
        "    dies = Dies()\n"
        "    reference = weakref.ref(dies, lambda _: os.kill(os.getpid(), 2) or [0 for _ in range(1000)])\n"
        "    del dies\n"
        "    time.sleep(1000)\n"
        "m.run = run\n"
        "m.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_what_takes_long_shows_a_bar_on_a_terminal_and_nothing_elsewhere(tmp_path: Path) -> None:
    """A compiler that never ends stands for one that takes long."""
    with needed():
        standalone.interpreter(PYTHON)
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\ncase "$*" in *main.c*) sleep 1000;; *) echo musl;; esac\n')
    compiler.chmod(0o755)
    words = ("build", "--standalone", "--python", PYTHON, "-o", str(tmp_path / "file"))
    with Terminal("env", "TERM=xterm", f"CC={compiler}", *CTL, *words) as terminal:
        terminal.wait_for("compiling and linking the standalone file .*\u2501.*0:00:01")
        terminal.type("\x03")
        assert terminal.finish() == 130
        assert "Traceback" not in terminal.output and terminal.output.rstrip().endswith("\x1b[2K")
    compiler.write_text("#!/bin/sh\nexit 3\n")
    done = ctl(*words, CC=str(compiler))
    assert (done.stdout, done.stderr.count("\n"), "\x1b" in done.stderr) == ("", 1, False)
    assert sorted(os.listdir(tmp_path)) == ["cc"]


def test_the_version_is_pyinits() -> None:
    assert ctl("--version").stdout.split()[-1] == __version__
