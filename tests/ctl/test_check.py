"""pyinitctl build --check: what a forged file may not pass for, and what it says where nobody is to blame."""

import json
import os
import sys
from pathlib import Path

import pytest

from pyinit.ctl import check, zipapp
from pyinit.ctl.zipapp import EARLIEST_TIME, EARLY, LINE_1, OPTIONS, ByteCode
from tests.support import ctl

SOURCES_ALONE = ByteCode()


def assembled(first: bytes, byte_code: ByteCode = SOURCES_ALONE, **changed: str) -> bytes:
    """A file with a right digest, of our sources but for what is changed, by the names of modules."""
    sources = {**zipapp.sources(), **{f"pyinit/{name}.py": source for name, source in changed.items()}}
    return zipapp.assemble(first, byte_code, sources, EARLIEST_TIME)


@pytest.fixture(scope="module")
def byte_code() -> ByteCode:
    """What the running interpreter makes of our sources."""
    return zipapp.compile_with(sys.executable, zipapp.sources())


FIRST = zipapp.make_first_line(sys.executable)


@pytest.mark.parametrize(
    "word",
    [r"sh\_-c\_id\c", r"sh\t-c", "'sh'", '"sh"', "${SHELL}", "A=b", "-i", "--split-string=sh", "#sh", "s\0h"],
)
@pytest.mark.parametrize("early", [False, True])
def test_what_env_would_read_more_into_is_no_name(word: str, early: bool) -> None:
    """env -S takes `\\_` for a blank and `\\c` for the end of the line: such a line could run anything."""
    start = f"#!/usr/bin/env -S --block-signal {word} {EARLY} " if early else f"#!/usr/bin/env -S {word} "
    first = f"{start}{OPTIONS}'{LINE_1}'\n".encode()
    with pytest.raises(check.Damaged, match="first line"):
        check.examine(assembled(first))
    with pytest.raises(zipapp.WrongName):
        zipapp.make_first_line(f"/usr/bin/env {word}", early)


@pytest.mark.parametrize("path", [r"/opt/a\_b/python3", "/opt/a'b/python3", "/opt/$HOME/python3", "/opt/a=b/python3"])
def test_a_path_is_a_word_of_envs_with_early_signals_alone(path: str) -> None:
    assert check.examine(assembled(zipapp.make_first_line(path))).python == path
    with pytest.raises(zipapp.WrongName, match="env would read"):
        zipapp.make_first_line(path, True)


@pytest.mark.parametrize(
    "python",
    ["/usr/bin/python3\n", "/usr/bin/python3 ", "/usr/bin/python3\t", " /usr/bin/python3", "/usr/bin/env -i",
     "/usr/bin/env A=b", r"/usr/bin/env sh\_-c\_id\c", "/usr/bin/env python3 ", "/usr/bin/env  python3", "/env x"],
)  # fmt: skip
def test_a_python_that_makes_a_broken_first_line_is_wrong_usage(python: str, tmp_path: Path) -> None:
    done = ctl("build", "--python", python, "-o", tmp_path / "file")
    assert (done.returncode, done.stderr.count("\n"), os.listdir(tmp_path)) == (2, 1, [])
    assert done.stderr.startswith(f"Error: --python: {python!r} is neither ")


def test_what_the_builder_takes_check_takes() -> None:
    for python in ("/usr/bin/python3", "/usr/bin/env python3.12", "/home/j\u00fcrgen/.venv/bin/python"):
        assert check.examine(assembled(zipapp.make_first_line(python))).python == python
    for python in ("/usr/bin/python3", "/opt/bin/env python3"):
        assert check.examine(assembled(zipapp.make_first_line(python, True))).python == python


@pytest.mark.parametrize("source", ["\r# coding: unicode_escape\n# \\u000aimport os\n", "x = 1\r\n", "'\r'\n"])
def test_a_source_with_a_carriage_return_is_refused(source: str) -> None:
    """Behind one an encoding can be named, and every interpreter but that of the byte code would obey it."""
    with pytest.raises(zipapp.BuildError, match="carriage return"):
        assembled(FIRST, boot=source)
    made = assembled(FIRST)
    start = made[: check.contents(made)[2]]
    sources = {**zipapp.sources(), "pyinit/boot.py": source}
    with pytest.raises(check.Damaged, match="carriage return"):
        check.examine(start + zipapp.archive(sources, EARLIEST_TIME, start))


@pytest.mark.parametrize(
    "broken",
    [")(\n", "x = " + "-" * 300_000 + "1\n", "a" + ".b" * 100_000 + " = 1\n"],
    ids=["brackets", "minuses", "attributes"],
)
def test_sources_that_do_not_compile_are_the_files_fault(broken: str, byte_code: ByteCode, tmp_path: Path) -> None:
    """And not that of --python, which nobody has given."""
    file = tmp_path / "file"
    file.write_bytes(assembled(FIRST, byte_code, boot=broken))
    done = ctl("build", "--check", file, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["intact"] is False and "makes of its sources" in told["problem"]


@pytest.mark.parametrize("value", ["{[]: 1}", "f()", "9" * 5000, "'\\N{no such name}'"])
def test_a_version_that_is_none_is_the_files_fault(value: str) -> None:
    with pytest.raises(check.Damaged, match="__version__"):
        check.examine(assembled(FIRST, __init__=f"__version__ = {value}\n"))


@pytest.mark.parametrize("start", [b"/\xff/env -S --block-signal /x", b"/\xff/env -S x", b"/\xff/python"])
def test_a_first_line_that_is_no_text_can_be_told_of(start: bytes) -> None:
    end = f" {OPTIONS}'{LINE_1}'\n" if b"env" in start else f" {OPTIONS}{LINE_1}\n"
    early = f" {EARLY}" if b"block" in start else ""
    assert "\ufffd" in check.examine(assembled(b"#!" + start + f"{early}{end}".encode())).python


def test_sources_without_what_the_builder_needs_are_the_files_fault(byte_code: ByteCode) -> None:
    with pytest.raises(check.Damaged, match="makes of its sources"):
        check.examine(assembled(FIRST, byte_code, loader="x = 1\n"))
    with pytest.raises(check.Damaged, match="__version__"):
        check.examine(assembled(FIRST, __init__="x = " + "-" * 300_000 + "1\n"))


@pytest.mark.parametrize("release", ["3.99.1", "3.15.0", "3.10.1" if sys.version_info[:2] != (3, 10) else "3.9.1"])
def test_byte_code_of_another_series_than_it_says_is_found(byte_code: ByteCode, release: str) -> None:
    """Who has that series runs it, whatever the second line says."""
    with pytest.raises(check.Damaged, match=rf"is for Python 3\.\d+, and not for Python {release}"):
        check.examine(assembled(FIRST, byte_code._replace(release=release, data=byte_code.data + b"more")))


def test_byte_code_of_a_series_that_nobody_knows_here_is_not_compared(byte_code: ByteCode) -> None:
    unknown = byte_code._replace(release="3.99.1", data=b"\xff\xff\r\n" + byte_code.data[4:])
    assert not check.examine(assembled(FIRST, unknown)).proven
    with pytest.raises(check.Damaged, match="for another Python"):
        check.examine(assembled(FIRST, unknown._replace(release="3.12.1")))


def test_an_interpreter_that_cannot_be_run_says_nothing_about_the_file(byte_code: ByteCode, tmp_path: Path) -> None:
    """Found in PATH, and without a first line (ENOEXEC), or with one that names nothing; or it says no text."""
    other = byte_code._replace(release=byte_code.release + "9")  # none of that release is here
    for name, content in (("python3", b""), (f"python{other.release.rpartition('.')[0]}", b"#!/nothing\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for made, status in ((other, 3), (byte_code, 0)):
        (tmp_path / "file").write_bytes(assembled(FIRST, made))
        assert ctl("build", "--check", tmp_path / "file", PATH=path).returncode == status
    (tmp_path / "python3").write_bytes(b"#!/bin/sh\nprintf '\\377'\n")
    assert ctl("build", "--check", tmp_path / "file", PATH=path).returncode == 0


def test_a_python_that_cannot_compare_is_named(byte_code: ByteCode, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(assembled(FIRST, byte_code))
    for python, problem in (("/nothing", "cannot be run: No such file"), ("/bin/false", "is no Python, and 3")):
        done = ctl("build", "--check", tmp_path / "file", "--python", python)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: --python: {python!r} {problem}")
