"""Building the zipapp.

The file is a zip archive behind two lines and a block of byte code:

    line 1      the shebang: opens the file, skips this line, runs the next
    line 2      runs the byte code if this interpreter can, else the archive's loader.py
    byte code   the modules for one interpreter, after its magic number (PEP 3147); see pyinit.ctl.compile
    archive     __main__.py, which `python3 FILE` runs and which runs line 2; loader.py; and sources.py, all modules'
                sources in one member, which deflates to a quarter less than a member for each
"""

import ast
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

# The modules that may be imported while the program runs. They are read at the start, since the file may have been
# replaced or deleted by then.
KEPT = ("pyinit.exec_failure", "pyinit.message", "pyinit.report", "pyinit.signal_names")

# The modules that many runs import before the program starts, and whose compiling would take milliseconds; and those of
# a package that are imported with it. Each of them alone would take some 100 us more.
PACKED: "dict[str, tuple[str, ...]]" = {
    "pyinit.command_line": (),
    "pyinit.identity": ("accounts", "privileges", "user"),
    "pyinit.linux": (),
    "pyinit.prepare": (),
}

# sys.argv[0] is "-c" here, and the file comes after it.
LINE_1 = 'import sys as s;f=open(s.argv[1],"rb");f.readline();exec(f.readline())'

# `python3 FILE` does the same.
MAIN = 'import sys as s\n\ns.argv.insert(0, "")\nf = open(s.argv[1], "rb")\nf.readline()\nexec(f.readline())\n'

# The magic number and {size} bytes of boot code follow, and the modules that it reads.
LINE_2 = (
    "from marshal import loads;from _frozen_importlib_external import MAGIC_NUMBER;del s.argv[0];"
    "exec(loads(f.read({size}))if f.read(4)==MAGIC_NUMBER else's.path.insert(0,s.argv[0]);import loader')\n"
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
    sources = {str(path.relative_to(PACKAGE.parent)): bare(path.read_text()) for path in sorted(module_files())}
    places = repr(places_of(sources))
    boot_size, byte_code = (0, b"") if source_only else compile_with(compiler_for(python), sources, places)
    file = io.BytesIO()
    file.write(first_line)
    file.write(LINE_2.format(size=boot_size).encode())
    file.write(byte_code)
    write_archive(file, sources, places)
    try:
        replace_file(output, file.getvalue())
    except OSError as error:
        raise BuildError(f"--output: cannot write {str(output)!r}: {error.strerror}") from None


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
    to start without `runpy`, in isolated mode (-I) and without `site` (-S)."""
    words = python.split()
    if len(words) == 2 and words[0].endswith("/env"):
        line = f"#!{words[0]} -S {words[1]} -ISc'{LINE_1}'\n"
    elif len(words) == 1 and python.startswith("/"):
        line = f"#!{python} -ISc{LINE_1}\n"
    else:
        raise BuildError(f"--python: {python!r} is neither an absolute path without spaces nor '/usr/bin/env NAME'")
    if len(line) > FIRST_LINE_LIMIT:
        longest = FIRST_LINE_LIMIT - len(line) + len(python)
        raise BuildError(f"--python: {python!r} is too long: at most {longest} bytes fit the kernel's limit")
    return line.encode()


def module_files() -> "list[Path]":
    """The modules that go in: the init, and nothing of pyinitctl."""
    return [path for path in PACKAGE.rglob("*.py") if "ctl" not in path.relative_to(PACKAGE).parts]


def places_of(sources: "dict[str, str]") -> "dict[str, tuple[int, int, bool]]":
    """Where each module is in all sources behind each other, in bytes: start, size, and whether it is a package."""
    places = {}
    at = 0
    for path, source in sources.items():
        name = path[: -len(".py")].replace("/", ".")
        size = len(source.encode())
        places[name.replace(".__init__", "")] = (at, size, name.endswith(".__init__"))
        at += size
    return places


def bare(source: str) -> str:
    """A module without comments, docstrings and annotations: half of the file's size would be for people only."""
    text = ast.unparse(ast.fix_missing_locations(Bare().visit(ast.parse(source)))) + "\n"
    return re.sub("^(    )+", lambda spaces: " " * (len(spaces[0]) // 4), text, flags=re.MULTILINE)


class Bare(ast.NodeTransformer):
    """Takes out of a module what does nothing when it runs."""

    def visit_If(self, node: ast.If) -> "ast.AST | None":
        checking = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if checking else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> "ast.AST | None":
        return ast.Assign([node.target], self.visit(node.value)) if node.value else None

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_body(self, node: "ast.Module | ast.ClassDef | ast.FunctionDef") -> ast.AST:
        if ast.get_docstring(node) is not None:
            del node.body[0]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.visit_body(node)

    visit_Module = visit_body
    visit_ClassDef = visit_body


def compiler_for(python: str) -> str:
    """The interpreter whose byte code goes in: the one that will run the file, if it exists here."""
    return python if os.access(python, os.X_OK) else sys.executable


def compile_with(python: str, sources: "dict[str, str]", places: str) -> "tuple[int, bytes]":
    """The size of the boot code; the magic number and all byte code.

    A fresh interpreter makes them, since what marshal writes depends on what ran before.
    """
    with tempfile.TemporaryDirectory() as directory:
        for name, source in sources.items():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        packed = ["+".join((name, *others)) for name, others in PACKED.items()]
        done = subprocess.run(
            [python, "-IS", str(PACKAGE / "ctl" / "compile.py"), places, *EAGER, "--", *KEPT, "--", *packed],
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


def write_archive(file: IO[bytes], sources: "dict[str, str]", places: str) -> None:
    moment = time.gmtime(source_date())[:6]
    loader = "import sys as s\n" + bare(compile.loader({}, {}, places) + compile.FROM_SOURCE)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {
            "__main__.py": MAIN,
            "loader.py": loader,
            "sources.py": "".join(sources.values()),
        }.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
