"""What all tests share: pyinit built once for each interpreter."""

import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.container.engines import SHARED, Daemon
from tests.support import REPOSITORY, Pyinit, interpreters, require_namespaces
from tests.support.identity import Etc

INTERPRETERS = interpreters()

# They run the tests of the core once more elsewhere, which takes minutes.
LONG = ["test_architectures.py", "test_architectures_standalone.py", "test_musl.py"]
collect_ignore = [] if os.environ.get("TESTS_PYINIT_LONG") == "1" else LONG


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine", choices=["docker", "podman", "all"], help="the containers' engine; by default, each that is there"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Undo what a shell without job control does to what it runs in the background, and name a directory for dockerd.

    It ignores INT and QUIT for that (POSIX, 2.11), nohup HUP. The directory is what the workers have in common.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if SHARED not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="pyinit-tests-", dir="/var/tmp")
        config.add_cleanup(Daemon(Path(os.environ[SHARED])).stop)  # the workers, which have the variable, have ended


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: "list[pytest.Item]") -> None:
    """Containers first, then the files with the most tests: at the end no worker is left alone with a long file."""
    tests = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("container") is None, -tests[item.path], item.path))


@pytest.fixture
def require_root() -> None:
    if os.geteuid() == 0:
        return
    if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
        pytest.fail("changing owners needs root")
    pytest.skip("changing owners needs root")


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
