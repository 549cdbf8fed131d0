"""What all tests share: pyinit built once for each interpreter."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.identity_support import Etc
from tests.support import REPOSITORY, Pyinit, interpreters, require_namespaces

INTERPRETERS = interpreters()

# They run the tests of the core once more elsewhere, which takes minutes.
collect_ignore = [] if os.environ.get("PYINIT_LONG") == "1" else ["test_architectures.py", "test_musl.py"]


def pytest_configure() -> None:
    """A shell without job control ignores INT and QUIT for what it runs in the background (POSIX, 2.11), nohup HUP."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


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


@pytest.fixture(scope="session")
def shared_pyinit(build: "Callable[[str], Pyinit]") -> "Iterator[Pyinit]":
    """pyinit for an interpreter, and in a directory, that every user may read."""
    require_namespaces()
    with tempfile.TemporaryDirectory(prefix="pyinit-tests-") as directory:
        Path(directory).chmod(0o755)
        file = shutil.copy(build("/usr/bin/python3").file, directory)
        yield Pyinit(Path(file), "/usr/bin/python3")


@pytest.fixture
def etc(tmp_path: Path) -> Etc:
    """Account files of a test's own, mounted over /etc by the wrapper `etc.mounted`."""
    return Etc(tmp_path)
