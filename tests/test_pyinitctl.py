"""What every command of pyinitctl has: JSON, help with an example, completion, no colour where it is not wanted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pyinit import __version__
from pyinit.ctl.__main__ import main
from tests.support import REPOSITORY, ctl


def commands(group: click.Group = main, names: "tuple[str, ...]" = ()) -> "list[tuple[str, ...]]":
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
    script = "import sys, pyinit.ctl.__main__; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=REPOSITORY).split()
    assert not {"rich", "psutil", "matplotlib", "zipfile", "pyinit.ctl.container"} & set(loaded)


def test_the_version_is_pyinits() -> None:
    assert ctl("--version").stdout.split()[-1] == __version__
