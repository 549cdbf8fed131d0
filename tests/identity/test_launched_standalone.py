"""The set-user-ID start and fixuid by name, with the standalone file, which needs no launcher."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity.test_launched import *  # noqa: F403
from tests.identity.test_launched import HOSTILE
from tests.support import Pyinit, require_namespaces, standalone
from tests.support.identity import PASSWD
from tests.support.launcher import Installed

# There is no interpreter to be found or misled; what is in its place, the last test here looks at.
del test_an_interpreter_found_through_path_is_not_the_callers  # noqa: F821
del test_the_interpreter_finds_no_variable_of_the_caller  # noqa: F821
del test_started_by_root_it_changes_nothing_and_runs_the_program  # noqa: F821  # it is plain pyinit then


@pytest.fixture(scope="session")
def shared_pyinit() -> "Iterator[Pyinit]":
    """In a directory that every user may read."""
    require_namespaces()
    with tempfile.TemporaryDirectory(prefix="pyinit-tests-") as directory:
        Path(directory).chmod(0o755)
        yield Pyinit(standalone.build(Path(directory, "pyinit")), "")


@pytest.fixture(scope="session")  # type: ignore[no-redef]
def launcher(shared_pyinit: Pyinit) -> Path:
    """The file itself, with the bit, and under fixuid's name."""
    file = Path(shutil.copy(shared_pyinit.file, shared_pyinit.file.with_name("launcher")))
    file.chmod(0o4755)
    file.with_name("fixuid").symlink_to(file)
    return file


def test_with_the_callers_variables_no_other_file_is_looked_for(installed: Installed, tmp_path: Path) -> None:
    """By the C library and the interpreter, up to where pyinit reads its settings."""
    found = []
    for variables in ({}, HOSTILE):
        trace = tmp_path / "trace"
        given = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
        strace = ("strace", "-u", "dev", "-o", str(trace), "-e", "trace=%file", *given)
        status, output, errors = Pyinit(installed.launcher, "").run(
            "id", "-u", wrapper=(*installed.etc.mounted, *strace)
        )
        assert (status, output, errors) == (0, "1000\n", "")
        calls, there, _ = trace.read_text().split("\n", 1)[1].partition('"/etc/fixuid"')
        assert there
        found.append(calls)
    assert found[0] == found[1]


def test_started_by_root_it_is_pyinit_as_ever(installed: Installed) -> None:
    assert installed.run("-u", "node", "--", "id", "-u", ids="0:0")[:2] == (0, "1001\n")
    assert installed.etc.read("passwd") == PASSWD


def test_the_group_bit_and_a_file_that_is_not_roots_are_refused(installed: Installed) -> None:
    for mode, owner in ((0o2755, 0), (0o4755, 1005)):
        file = Path(shutil.copy(installed.launcher, installed.launcher.with_name(f"mode-{mode:o}")))
        os.chown(file, owner, owner)
        file.chmod(mode)
        status, output, errors = installed.run("--", "true", name=file.name)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert "chmod 4755" in errors
        file.unlink()
