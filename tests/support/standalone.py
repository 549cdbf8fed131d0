"""The standalone file for a test, where what it is built of is here."""

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinit.ctl import standalone, zipapp
from pyinit.ctl.files import replace
from pyinit.ctl.zipapp import EXECUTABLE, BuildError

PYTHON = "/usr/bin/python3"


@functools.cache
def content() -> bytes:
    """Built once for all tests of a process: that takes seconds."""
    return standalone.make(standalone.interpreter(PYTHON))


def build(file: Path) -> Path:
    with needed():
        replace(file, content(), EXECUTABLE)
    return file


@contextlib.contextmanager
def needed() -> "Iterator[None]":
    """Without what the standalone file is built of the test skips, or fails where that is not allowed."""
    try:
        yield
    except BuildError as error:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1" or not re.search(
            " lacks | needs a C compiler", str(error)
        ):
            pytest.fail(str(error))
        pytest.skip(str(error))


def forged(data: bytes, old: bytes, new: bytes) -> bytes:
    """With something else in it, and the digest right for that."""
    assert old in data
    body = data.replace(old, new).rpartition(b" ")[0] + b" "
    return body + zipapp.digest(body) + b"\n"
