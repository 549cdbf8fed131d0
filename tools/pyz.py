"""Make pyinitctl.pyz: pyinitctl with what it needs in one file, for containers that have Python and no pip.

It is a zip archive behind a first line, as the module zipapp of the standard library has it, and runs with every Python
from 3.9 on, whatever the machine: psutil, which is no Python alone, is left out. What goes in besides the repository's
own is in tools/pyz.txt, with digests. The same sources and the same SOURCE_DATE_EPOCH give the same bytes; zipapp
itself takes files in the order and with the dates that they happen to have.

Usage: python -m tools.pyz FILE
"""

import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pyinit.ctl.files import replace
from pyinit.ctl.zipapp import EXECUTABLE, source_date

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "tools/pyz.txt"

FIRST_LINE = b"#!/usr/bin/env python3\n"

MAIN = b"""\
import sys

if sys.version_info < (3, 9):
    sys.exit("pyinitctl needs Python 3.9 or newer")

from pyinit.ctl.__main__ import main

main()
"""


def main(output: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        wheels = fetch(Path(directory))
        archive = Path(directory, "pyz")
        write(archive, {"__main__.py": MAIN, **dict(own_files()), **dict(files_of(wheels))})
        replace(output, archive.read_bytes(), EXECUTABLE)


def fetch(directory: Path) -> "list[Path]":
    """Have pip fetch the wheels, which it holds against their digests."""
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(directory), "-r", str(REQUIREMENTS)]
    if subprocess.run(command).returncode:
        sys.exit("tools/pyz.py: pip could not fetch what tools/pyz.txt names")
    return sorted(directory.glob("*.whl"))


def own_files() -> "Iterator[tuple[str, bytes]]":
    for path in (REPOSITORY / "pyinit").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(REPOSITORY)), path.read_bytes()


def files_of(wheels: "list[Path]") -> "Iterator[tuple[str, bytes]]":
    """With what is said about them: the terms of a license want to be there."""
    for wheel in wheels:
        if not wheel.name.endswith("-none-any.whl"):
            sys.exit(f"tools/pyz.py: {wheel.name} is for some machines only")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def write(path: Path, files: "dict[str, bytes]") -> None:
    """The archive, with the files in order."""
    date = time.gmtime(source_date())[:6]
    path.write_bytes(FIRST_LINE)
    with zipfile.ZipFile(path, "a") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, date)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, files[name], compresslevel=9)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.pyz FILE")
    main(Path(sys.argv[1]))
