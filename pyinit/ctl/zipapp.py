"""Building the zipapp.

The file is a zip archive behind two lines and a block of byte code:

    line 1      the shebang: opens the file, skips this line, runs the next
    line 2      runs the byte code if this interpreter can, else the archive's loader.py; has a digest of all the rest
    byte code   the modules for one interpreter, after its magic number (PEP 3147); see pyinit.ctl.compile
    kept        the modules that are read at each start, and imported while the program runs; see there
    archive     __main__.py, which `python3 FILE` runs and which runs line 2; loader.py; and `sources`, the other
                modules' sources in one member, which deflates to a quarter less than a member for each. It begins with
                the words that are one byte each in the rest: from 128 on, since sources are ASCII
"""

import collections
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import IO

from pyinit.ctl import compile
from pyinit.ctl.bare import bare

PACKAGE = Path(__file__).resolve().parent.parent

# The modules that run before every program, each after those that it imports.
EAGER = (
    "pyinit",
    "pyinit.log",
    "pyinit.signals",
    "pyinit.settings",
    "pyinit.boot",
    "pyinit.spawn",
    "pyinit.supervisor",
    "pyinit.__main__",
)

# The modules that may be imported first while the program runs. They are read at the start, since the file and the
# interpreter's own may have been replaced or deleted by then.
KEPT = ("pyinit.drain", "pyinit.message", "pyinit.processes", "pyinit.report", "pyinit.signal_names", "pyinit.timer")

# The modules that many runs import before the program starts, and whose compiling would take milliseconds. One that is
# kept as well is taken from here if these are unpacked already.
PACKED = (
    "pyinit.command_line",
    "pyinit.exec_failure",
    "pyinit.fork",
    "pyinit.identity",
    "pyinit.identity.accounts",
    "pyinit.identity.privileges",
    "pyinit.identity.user",
    "pyinit.linux",
    "pyinit.message",
    "pyinit.prepare",
)

# As many as there are bytes that are not ASCII, less one.
WORDS = 127

# Isolated mode, no `site`, and standard streams without buffers, which the log and the help do not need: 8 kB.
OPTIONS = "-IuSc"

# sys.argv[0] is "-c" here, and the file comes after it.
LINE_1 = 'import sys as s;f=open(s.argv[1],"rb");f.readline();exec(f.readline())'

# `python3 FILE` does the same.
MAIN = 'import sys as s\n\ns.argv.insert(0, "")\nf = open(s.argv[1], "rb")\nf.readline()\nexec(f.readline())\n'

# The magic number and {size} bytes of boot code follow, and the modules that it reads. The {digest} is for --check.
LINE_2 = (
    "from marshal import loads;from _frozen_importlib_external import MAGIC_NUMBER;del s.argv[0];"
    "exec(loads(f.read({size}))if f.read(4)==MAGIC_NUMBER else's.path.insert(0,s.argv[0]);import loader')#{digest}\n"
)

# Before Linux 5.1 the kernel read no more of a first line (man 2 execve).
FIRST_LINE_LIMIT = 127

# zip knows the years 1980 to 2107; SOURCE_DATE_EPOCH may name one of them (reproducible-builds.org).
EARLIEST_TIME = 315532800
LATEST_TIME = 4354819199


class BuildError(Exception):
    """The file cannot be built; the message says why and what would be right."""


def build(output: Path, python: "str | None" = None, source_only: bool = False) -> None:
    """Write the zipapp to `output`, replacing it whole. Raises BuildError."""
    python = python or sys.executable
    first_line = make_first_line(python)
    sources = bare({str(path.relative_to(PACKAGE.parent)): path.read_text() for path in sorted(module_files())})
    boot_size, byte_code = (0, b"") if source_only else compile_with(compiler_for(python), sources)
    second_line = LINE_2.format(size=boot_size, digest=digest(b""))
    rest = byte_code + kept_and_archive(sources, len(first_line) + len(second_line) + len(byte_code))
    second_line = LINE_2.format(size=boot_size, digest=digest_of(first_line, boot_size, rest))
    try:
        replace_file(output, first_line + second_line.encode() + rest)
    except OSError as error:
        raise BuildError(f"--output: cannot write {str(output)!r}: {error.strerror}") from None


def digest(data: bytes) -> str:
    """A short one: it is to tell damage, and who could forge it could as well change the code."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def digest_of(first_line: bytes, size: int, rest: bytes) -> str:
    """The digest of a file, which is in its second line: of all but the digest itself."""
    return digest(first_line + LINE_2.format(size=size, digest="").encode() + rest)


def replace_file(path: Path, data: bytes) -> None:
    """Write an executable file whole: under another name beside it, then renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=path.name)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, 0o755)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def make_first_line(python: str) -> bytes:
    """The shebang. Linux hands everything after the interpreter to it as one argument (man 2 execve), which is enough
    to start without `runpy`."""
    words = python.split()
    if len(words) == 2 and words[0].endswith("/env"):
        line = f"#!{words[0]} -S {words[1]} {OPTIONS}'{LINE_1}'\n"
    elif len(words) == 1 and python.startswith("/"):
        line = f"#!{python} {OPTIONS}{LINE_1}\n"
    else:
        raise BuildError(f"--python: {python!r} is neither an absolute path without spaces nor '/usr/bin/env NAME'")
    if len(line) > FIRST_LINE_LIMIT:
        longest = FIRST_LINE_LIMIT - len(line) + len(python)
        raise BuildError(f"--python: {python!r} is too long: at most {longest} bytes fit the kernel's limit")
    return line.encode()


def module_files() -> "list[Path]":
    """The modules that go in: the init, and nothing of pyinitctl."""
    return [path for path in PACKAGE.rglob("*.py") if "ctl" not in path.relative_to(PACKAGE).parts]


def shortened(sources: "dict[str, str]") -> "tuple[list[bytes], dict[str, bytes]]":
    """The words that save most if they are one byte each, and the sources with these. It deflates to 5 % less."""
    text = "\0".join(sources.values()).encode("ascii")
    words = []
    for number in range(128, 128 + WORDS):
        counts = collections.Counter(re.findall(rb"[A-Za-z_]{3,}", text))
        words.append(max(sorted(counts), key=lambda word: counts[word] * (len(word) - 1) - len(word)))
        text = text.replace(words[-1], bytes([number]))
    return words, dict(zip(sources, text.split(b"\0")))


def module_name(path: str) -> str:
    return path[: -len(".py")].replace("/", ".").replace(".__init__", "")


def packages_of(sources: "dict[str, str]") -> "list[str]":
    return [module_name(path) for path in sources if path.endswith("__init__.py")]


def joined(sources: "dict[str, str]") -> bytes:
    """The member `sources`: the words, where each module is in the rest (start and size), and that rest."""
    # The short ones first: that deflates to 1 % less.
    words, short_sources = shortened(dict(sorted(sources.items(), key=lambda item: (len(item[1]), item[0]))))
    places = {}
    at = 0
    for path, source in short_sources.items():
        places[module_name(path)] = (at, len(source))
        at += len(source)
    return b";".join([b" ".join(words), repr(places).replace(" ", "").encode(), b"".join(short_sources.values())])


def compiler_for(python: str) -> str:
    """The interpreter whose byte code goes in: the one that will run the file, if it exists here."""
    return python if os.access(python, os.X_OK) else sys.executable


def compile_with(python: str, sources: "dict[str, str]") -> "tuple[int, bytes]":
    """The size of the boot code; the magic number and all byte code.

    A fresh interpreter makes them, since what marshal writes depends on what ran before.
    """
    with tempfile.TemporaryDirectory() as directory:
        for name, source in sources.items():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        done = subprocess.run(
            [
                python,
                "-IS",
                str(PACKAGE / "ctl" / "compile.py"),
                repr(packages_of(sources)),
                *EAGER,
                "--",
                *KEPT,
                "--",
                *PACKED,
            ],
            cwd=directory,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise BuildError(f"--python: {python!r} cannot compile the modules: {reason}")
    size, byte_code = done.stdout.split(b" ", 1)
    return int(size), byte_code


def source_date() -> int:
    """The time of the members, in seconds since 1970. Raises BuildError."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EARLIEST_TIME))
    if not (text.isascii() and text.isdigit()):
        raise BuildError(f"SOURCE_DATE_EPOCH: {text!r} is no number of seconds since 1970")
    return min(max(int(text), EARLIEST_TIME), LATEST_TIME)


def kept_and_archive(sources: "dict[str, str]", start: int) -> bytes:
    """Both as they are behind `start` other bytes: the places of the archive's members count from the file's start."""
    paths = {module_name(path): path for path in sources}
    kept, places = compile.kept_block({name: sources[paths[name]] for name in KEPT})
    others = {path: source for path, source in sources.items() if module_name(path) not in KEPT}
    values = {
        "KEPT_AT": start,
        "KEPT_SIZE": len(kept),
        "PACKAGES": packages_of(sources),
        "PACKED": {},
        "PACKED_SIZE": 0,
        "PLACES": places,
        "SHORT": (),
        "SIZE": 0,
    }
    loader = compile.filled(compile.LOADER + compile.KEPT + compile.FROM_SOURCE, **values)
    file = io.BytesIO(bytes(start) + kept)
    file.seek(0, os.SEEK_END)
    write_archive(file, bare({"": "import sys as s\n" + loader})[""], others)
    return file.getvalue()[start:]


def write_archive(file: IO[bytes], loader: str, sources: "dict[str, str]") -> None:
    moment = time.gmtime(source_date())[:6]
    with zipfile.ZipFile(file, "w") as archive:
        members: "dict[str, str | bytes]" = {"__main__.py": MAIN, "loader.py": loader, "sources": joined(sources)}
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
