"""The core tests on arm64 with the standalone file, which the cross compiler makes and qemu's user mode runs.

`--python` is then whatever runs as that interpreter, here Debian's by qemu, and CC the cross compiler with the
directory where the packages were unpacked.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinit import __version__
from pyinit.ctl import standalone
from tests.support import Pyinit, require_namespaces
from tests.test_architectures import *  # noqa: F403
from tests.test_architectures import PACKAGES, unavailable, unpack

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64-static"


@pytest.fixture(scope="module")  # type: ignore[no-redef]
def emulated() -> "Iterator[str]":
    """The path of a script that runs the standalone file."""
    for program in (COMPILER, EMULATOR, "mmdebstrap"):
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="pyinit-") as directory:
        Path(directory).chmod(0o755)
        root = f"{directory}/root"
        unpack(root, "arm64", f"{PACKAGES},libc6-dev,libpython3.11-dev")
        script(f"{directory}/python", f"{EMULATOR} -L {root} {root}/usr/bin/python3.11")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CC", f"{COMPILER} --sysroot={root}")
            standalone.build(Path(directory, "arm64"), f"{directory}/python")
        yield script(f"{directory}/pyinit", f'{EMULATOR} -0 "$0" {directory}/arm64')


def script(path: str, command: str) -> str:
    Path(path).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    Path(path).chmod(0o755)
    return path


@pytest.fixture(scope="module")  # type: ignore[no-redef]
def pyinit(emulated: str) -> Pyinit:
    require_namespaces()
    return Pyinit(Path(emulated), "")


def test_it_is_a_static_executable_for_arm64(pyinit: Pyinit) -> None:
    file = pyinit.file.with_name("arm64")
    header = subprocess.check_output(["readelf", "--file-header", "--program-headers", file], text=True)
    assert "AArch64" in header and "INTERP" not in header
    assert file.stat().st_size <= 7_000_000
    made_of = standalone.read_mark(file.read_bytes())
    assert made_of and made_of["machine"] == "aarch64-linux-gnu"
    assert pyinit.run("-V") == (0, f"pyinit {__version__}\n", "")
