"""What all tests share: pyinit built once for each interpreter."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import REPOSITORY, Pyinit, interpreters, require_namespaces

INTERPRETERS = interpreters()


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> "Callable[[str], Pyinit]":
    """Build pyinit for an interpreter, once a session."""
    built: "dict[str, Pyinit]" = {}

    def build(python: str) -> Pyinit:
        if python not in built:
            file = tmp_path_factory.mktemp("build") / "pyinit"
            command = [sys.executable, "-m", "pyinit.ctl", "build", "-o", str(file), "--python", python]
            subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            built[python] = Pyinit(file, python)
        return built[python]

    return build


def short(python: str) -> str:
    """A path that fits a first line: that of a virtual environment may be too long for it."""
    return python if len(python) < 45 else str(Path(python).resolve())


@pytest.fixture(scope="session")
def pyinit(build: "Callable[[str], Pyinit]") -> Pyinit:
    """pyinit for the running interpreter."""
    require_namespaces()
    return build(short(next(iter(INTERPRETERS.values()))))


@pytest.fixture(params=INTERPRETERS, scope="session")
def every_pyinit(request: pytest.FixtureRequest, build: "Callable[[str], Pyinit]") -> Pyinit:
    """pyinit for each interpreter that is found: a test that takes this runs once for each."""
    require_namespaces()
    return build(short(INTERPRETERS[request.param]))
