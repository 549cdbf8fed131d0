"""Building the zipapp.

The file is a zip archive behind what starts it quickly:

    line 1      the shebang: opens the file, skips this line, and runs the next
    line 2      runs the loader: from byte code if this interpreter can read it, else from the archive's first member
    byte code   of the loader and of all modules, for one interpreter; see pyinit.ctl.compile. None with --source-only
    archive     pyinit/loader.py as __main__.py, for `python3 FILE`; then all sources as they are in the repository
"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pyinit.ctl.files import replace

if TYPE_CHECKING:
    from importlib.abc import Traversable

PACKAGE = files("pyinit")  # a directory, or a part of pyinitctl.pyz
LOADER = "pyinit/loader.py"
MAIN = "__main__.py"
LOCAL_HEADER_SIZE = 30  # of a member, before its name (APPNOTE.TXT, 4.3.7)
COMMENT_SIZE = 2  # of the comment's own size, at the end of the archive (4.3.16)
MAGIC_SIZE = 4
EXECUTABLE = 0o755

# Isolated mode, no `site`, and standard streams without buffers, which the log and the help do not need: 8 kB.
OPTIONS = "-IuSc"

# sys.argv[0] is "-c" here, and the file comes after it. The loader runs from here and not from the next line: a line's
# syntax tree, 16 kB, is there until the line has ended.
LINE_1 = 'import sys as s;f=open(s.argv[1],"rb");next(f);exec(next(f));exec(code)'

# Behind the magic number is a pair, the loader and its index; behind # the release of the interpreter that made them.
LINE_2 = (
    "from marshal import loads;from _frozen_importlib_external import MAGIC_NUMBER;"
    "code,index=(loads(f.read({start}))if f.read(4)==MAGIC_NUMBER else(f.seek({skipped},1)and f.read({loader}),()))"
    "#{release}\n"
)

# What in the first two lines of a source names an encoding (PEP 263).
CODING = re.compile(r"(?:[^\n]*\n)?[ \t\f]*#[^\n]*coding[:=]")

# With --early-signals env blocks every signal, so that none is lost while the interpreter starts (coreutils 8.31). What
# the mask was before nobody can tell then: the program starts with an empty one (pyinit.boot).
EARLY_ENV = "/usr/bin/env"
EARLY = "-Xpyinit_early"

# What a first line may name: an interpreter by its path, which ends at a blank, or GNU env, which is to find one by a
# name. env -S reads more into its words: quotes, backslashes, variables, comments, and its own options and assignments
# (man 1 env). So a name for env has none of what means anything there.
PATH = r"/[^\x00-\x20\x7f]+"
ENV = r"/[^\x00-\x20\x7f]*/env"
NAME = r"[A-Za-z0-9._/+][A-Za-z0-9._/+-]*"
PYTHON = re.compile(rf"(?P<path>{PATH})|(?P<env>{ENV}) (?P<name>{NAME})")

# The kernel reads no more of a first line; before Linux 5.1 it did not read so much (man 2 execve).
FIRST_LINE_LIMIT = 127
LATER_FIRST_LINE_LIMIT = 255

# zip knows the years 1980 to 2107; SOURCE_DATE_EPOCH may name one of them (reproducible-builds.org).
EARLIEST_TIME = 315532800
LATEST_TIME = 4354819199


class BuildError(Exception):
    """The file cannot be built; the message says why and what would be right."""


class WrongName(BuildError):
    """No first line can name this interpreter."""


class ByteCode(NamedTuple):
    """What an interpreter made of the sources; nothing with --source-only."""

    release: str = ""  # the interpreter's, such as 3.11.2
    start: int = 0  # how much of it is to be loaded first, the loader and the index
    data: bytes = b""


def build(output: Path, python: "str | None" = None, source_only: bool = False, early_signals: bool = False) -> None:
    """Write the zipapp to `output`, replacing it whole. Raises BuildError."""
    python = python or sys.executable
    first_line = make_first_line(python, early_signals)
    try:
        modules = sources()
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"cannot read the modules: {error}") from None
    # An interpreter that is not here is the image's: it can use the running one's byte code if it is of its series.
    compiler = python if os.access(python, os.X_OK) else sys.executable
    byte_code = ByteCode() if source_only else compile_with(compiler, modules)
    try:
        replace(output, assemble(first_line, byte_code, modules, source_date()), EXECUTABLE)
    except OSError as error:
        raise BuildError(f"--output: cannot write {str(output)!r}: {error.strerror}") from None


def assemble(first_line: bytes, byte_code: ByteCode, sources: "dict[str, str]", date: int) -> bytes:
    """The whole file. `date` is that of the archive's members, in seconds since 1970. Raises BuildError."""
    for path, source in sources.items():
        if "\r" in source:  # which ends a line, too: an encoding could be named behind it
            raise BuildError(f"{path} has a carriage return: every interpreter must see the same lines")
        if CODING.match(source):
            raise BuildError(f"{path} names an encoding: every interpreter must read the sources as UTF-8")
    skipped = len(byte_code.data) - MAGIC_SIZE + LOCAL_HEADER_SIZE + len(MAIN)
    loader_size = len(sources[LOADER].encode())
    line_2 = LINE_2.format(start=byte_code.start, skipped=skipped, loader=loader_size, release=byte_code.release)
    start = first_line + line_2.encode() + byte_code.data
    return start + archive(sources, date, start)


def sources() -> "dict[str, str]":
    """The modules that go in, by their paths there: the init, and nothing of pyinitctl."""
    return dict(sorted(modules_below(PACKAGE, "pyinit"), key=lambda module: module[0].split("/")))


def modules_below(directory: "Traversable", path: str) -> "Iterator[tuple[str, str]]":
    for each in directory.iterdir():
        if each.is_dir() and each.name != "ctl":
            yield from modules_below(each, f"{path}/{each.name}")
        elif each.name.endswith(".py"):
            yield f"{path}/{each.name}", each.read_bytes().decode()


def make_first_line(python: str, early_signals: bool = False) -> bytes:
    """The shebang. Linux hands everything after the interpreter to it as one argument (man 2 execve), which is enough
    to start without `runpy`. Raises WrongName."""
    named = PYTHON.fullmatch(python)
    if not named:
        raise WrongName(f"--python: {python!r} is neither an absolute path without spaces nor '/usr/bin/env NAME'")
    env, name = named["env"], named["name"] or python
    if early_signals and not re.fullmatch(NAME, name):
        raise WrongName(f"--python: {python!r} has what env would read; --early-signals takes letters, digits, ._/+-")
    if early_signals:
        line = f"#!{env or EARLY_ENV} -S --block-signal {name} {EARLY} {OPTIONS}'{LINE_1}'\n"
    elif env:
        line = f"#!{env} -S {name} {OPTIONS}'{LINE_1}'\n"
    else:
        line = f"#!{python} {OPTIONS}{LINE_1}\n"
    data = os.fsencode(line)
    limit = LATER_FIRST_LINE_LIMIT if early_signals else FIRST_LINE_LIMIT
    if len(data) > limit:
        longest = limit - len(data) + len(os.fsencode(python))
        raise WrongName(f"--python: {python!r} is too long: at most {longest} bytes fit the kernel's limit")
    return data


def run_compile(python: str, sources: "dict[str, str]", *options: str) -> "subprocess.CompletedProcess[bytes]":
    """Run compile.py with the interpreter that is to run the modules. Raises OSError."""
    with as_file(PACKAGE / "ctl" / "compile.py") as script:
        return subprocess.run(
            [python, "-IS", str(script), *options],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            input=json.dumps(sources).encode(),
            capture_output=True,
        )


def compile_with(python: str, sources: "dict[str, str]") -> ByteCode:
    """Raises BuildError."""
    try:
        done = run_compile(python, sources)
        return read_byte_code(done.stdout)
    except (OSError, ValueError) as error:
        said = "" if isinstance(error, OSError) else done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        reason = said or (error.strerror if isinstance(error, OSError) else "it is no Python from 3.9 on")
        raise BuildError(f"--python: {python!r} cannot compile the modules: {reason}") from None


def read_byte_code(output: bytes) -> ByteCode:
    """What compile.py has written. Raises ValueError if it was none, or an interpreter that is too old."""
    release, start, data = output.split(b" ", 2)
    if [int(part) for part in release.split(b".")] < [3, 9]:
        raise ValueError(release)
    return ByteCode(release.decode("ascii"), int(start), data)


def archive(sources: "dict[str, str]", date: int, start: bytes) -> bytes:
    """The archive as it stands behind `start`. Its comment is a digest of all that is before the comment itself."""
    file = io.BytesIO()
    file.write(start)
    with zipfile.ZipFile(file, "a") as archive:
        for path, source in {MAIN: sources[LOADER], **sources}.items():
            member = zipfile.ZipInfo(path, time.gmtime(date)[:6])
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_STORED if path == MAIN else zipfile.ZIP_DEFLATED
            archive.writestr(member, source, compresslevel=9)
    data = file.getvalue()[:-COMMENT_SIZE]
    comment = digest(data)
    return data[len(start) :] + len(comment).to_bytes(COMMENT_SIZE, "little") + comment


def digest(data: bytes) -> bytes:
    """A short one: it is to tell damage. What a file really is, building it once more tells."""
    return hashlib.blake2b(data, digest_size=8).hexdigest().encode()


def source_date() -> int:
    """The time of the members, in seconds since 1970. Raises BuildError."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EARLIEST_TIME))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BuildError(f"SOURCE_DATE_EPOCH: {text!r} is no number of seconds since 1970")
    return min(max(int(text), EARLIEST_TIME), LATEST_TIME)
