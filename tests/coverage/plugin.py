"""For pytest: `build` makes a pyinit that records, and so does what tests run as `python -IS -c CODE`.

PYINIT_COVERAGE_STEPS is the directory for the records.
"""

import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pyinit.ctl import zipapp
from tests.support import Pyinit

RECORDER = Path(__file__).with_name("recorder.py")
# Code that tests run without `site`, where coverage.py does not start by itself.
DRIVERS = {"tests.support.reown": "DRIVER", "tests.identity.matching.test_account_files": "APPLY"}


def recording(directory: str) -> str:
    """Code that begins a record."""
    return f"{RECORDER.read_text()}\nrecord({directory!r}, {sys.version_info[:2]!r})\n"


def write(file: Path, python: str, directory: str) -> None:
    """A pyinit in one file, as the zipapp, but from its sources and with a record of each step in `directory`."""
    code = f"{recording(directory)}install({zipapp.sources()!r})\nfrom pyinit.__main__ import main\nmain()\n"
    # The same first line, which runs the second with "-c" before the arguments; `python3 FILE` runs it as it is.
    second_line = f"import sys as s;s.argv[0]=='-c'and s.argv.pop(0);exec({code!r})\n"
    file.write_bytes(zipapp.make_first_line(python) + second_line.encode())


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: "pytest.FixtureDef[Any]") -> "Generator[None, Any, object]":
    made: "Callable[[str], Pyinit]" = yield
    if fixturedef.argname != "build":
        return made
    measured: "set[Path]" = set()

    def build(python: str) -> Pyinit:
        built = made(python)
        if built.file not in measured:
            write(built.file, python, os.environ["TESTS_PYINIT_COVERAGE_STEPS"])
            measured.add(built.file)
        return built

    assert fixturedef.cached_result is not None
    fixturedef.cached_result = (build, *fixturedef.cached_result[1:])
    return build


def pytest_collection_finish() -> None:
    code = recording(os.environ["TESTS_PYINIT_COVERAGE_STEPS"])
    for module, name in DRIVERS.items():
        if module in sys.modules:
            driver = getattr(sys.modules[module], name)
            # Those that str.format fills have their braces doubled.
            setattr(sys.modules[module], name, (double(code) if "{repository!r}" in driver else code) + driver)


def double(code: str) -> str:
    return code.replace("{", "{{").replace("}", "}}")
