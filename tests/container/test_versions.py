"""The README names the engines and versions that the tests run with."""

import os
import shutil

import pytest

from .engines import unavailable
from .versions import COMMANDS, LINE, README, line


def test_the_readme_names_the_engines_that_the_tests_run_with() -> None:
    for command in COMMANDS.values():
        if not shutil.which(command):
            unavailable(f"{command} is not installed")
    found = LINE.search(README.read_text())
    assert found
    if found[0] != line() and os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") != "1":
        pytest.skip(f"the README was made with others than are here: {line()}")
    assert found[0] == line(), "python -m tests.container.versions makes it"
