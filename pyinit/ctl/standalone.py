"""Building the standalone file: one static executable, for images that have no Python.

It is the interpreter's static library, a main of our own (main.c) and the byte code of all modules, frozen. The same
sources with the same interpreter, compiler and C library give the same bytes. Behind what the linker made stands one
line, which the kernel does not read: what the file is made of, and a digest of all before it.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pyinit import __version__
from pyinit.ctl import zipapp
from pyinit.ctl.files import replace
from pyinit.ctl.zipapp import LOADER, MAIN, PACKAGE, BuildError

MARK = b"\npyinit-standalone "
MADE_OF = ("version", "python", "machine", "sources", "library", "c_library", "compiler")

# What our modules import of the interpreter's own, and what main.c names itself.
IMPORTED = ("_io", "_signal", "errno", "posix", "time")
IN_MAIN = ("_imp", "_warnings", "builtins", "marshal", "sys")

# Run by the interpreter that goes in: where its parts are, and what of the standard library is needed. That is the
# import system, the codec of UTF-8, with which handlers of errors are found, and JSON and TOML, for fixuid's
# configuration. Modules that are shared objects cannot go in, so none is found here; without some there is no TOML.
# Its library is where it was built, if it runs there, or where it is installed, or where it was to be.
ASK = """
import sys
sys.path = [path for path in sys.path if "lib-dynload" not in path]
import encodings.aliases, encodings.utf_8, json
loaded = dict(sys.modules)
try:
    import tomllib
    loaded = dict(sys.modules)
except ImportError:
    pass
specs = [module.__spec__ for name, module in loaded.items() if name != "__main__" and type(module) is type(sys)]
import sysconfig
value = sysconfig.get_config_var
print(json.dumps({
    "release": "%d.%d.%d" % sys.version_info[:3],
    "machine": value("MULTIARCH") or sysconfig.get_platform(),
    "headers": [sysconfig.get_path("include"), sysconfig.get_path("platinclude")],
    "libraries": [f"{place}/{value('LIBRARY')}" for place in (
        value("projectbase"), sysconfig.get_path("platstdlib") + "/" + value("LIBPL").rpartition("/")[2],
        value("LIBPL"), value("LIBDIR"))],
    "files": {spec.name.replace(".", "/") + "/__init__" * (spec.submodule_search_locations is not None): spec.origin
              for spec in specs if (spec.origin or "").endswith(".py")}
             | {"_frozen_importlib": encodings.__path__[0] + "/../importlib/_bootstrap.py"},
    "built_in": [spec.name for spec in specs if spec.origin == "built-in"],
}))
"""

# Newer ones may start otherwise: main.c calls two functions that are the interpreter's own.
OLDEST, NEWEST = (3, 9), (3, 13)

LIBRARY_NEEDED = "Debian: libpython3-dev; Alpine: python3-dev; Fedora: none, build Python from its source"
COMPILER_NEEDED = "Debian: gcc, libc6-dev; Alpine: gcc, musl-dev; Fedora: gcc, glibc-static"

# Without debugging information, which has paths. Seen to gain nothing: --gc-sections (4 kB of 6.4 MB), gold's --icf,
# one segment for code and data, no RELRO. A static PIE has 0.3 MB more, and a start 16 % more instructions. There is
# more of it, with figures, in docs/explanation/speed.md.
OPTIONS = ("-std=gnu11", "-Os", "-DNDEBUG", "-static", "-s", "-Wl,--build-id=none")
LIBRARIES = ("-lpthread", "-ldl", "-lutil", "-lm")


# Whose code is in the file besides ours, and the files in licenses/ that say under which terms.
PYTHON = ("Python", ("python.txt", "python-parts.txt"))
MUSL = ("musl", ("musl.txt",))
GLIBC = (  # LGPL 2.1, 6: who has the file must be able to link it with another version of the library.
    """the GNU C Library, Copyright (C) Free Software Foundation, Inc., under the GNU Lesser General
Public License, version 2.1 or later. `pyinitctl build --standalone` links the file anew with any version of it.""",
    ("glibc.txt", "glibc-parts.txt"),
)
LIBGCC = """

Where gcc has made it, this file contains functions of its runtime library, libgcc, under the GNU General Public
License, version 3, with the GCC Runtime Library Exception, version 3.1, which sets no terms for this file.
"""

# A header that all C libraries have: glibc's says which version it is, musl's do not want to.
ASK_C = """#include <features.h>
#ifdef __GLIBC__
glibc __GLIBC__ __GLIBC_MINOR__
#else
musl
#endif
"""


class Interpreter(NamedTuple):
    """The interpreter that goes in, and where its parts are."""

    python: str
    release: str  # such as 3.11.2
    machine: str
    headers: "list[str]"  # directories
    library: Path
    files: "dict[str, str]"  # the sources of what is needed of the standard library, by their paths
    built_in: "list[str]"  # modules that are in the library


def build(output: Path, python: "str | None" = None) -> None:
    """Write the standalone file to `output`, replacing it whole. Raises BuildError."""
    data = make(interpreter(python or sys.executable))
    try:
        replace(output, data, zipapp.EXECUTABLE)
    except OSError as error:
        raise BuildError(f"--output: cannot write {str(output)!r}: {error.strerror}") from None


def make(interpreter: Interpreter) -> bytes:
    """The whole file. Raises BuildError."""
    sources = zipapp.sources()
    compiler = compiler_words()
    library = c_library(compiler)
    program = link(interpreter, compiler, frozen(interpreter, sources, licenses(library)))
    made_of = {
        "version": __version__,
        "python": interpreter.release,
        "machine": interpreter.machine,
        "sources": digest_of(sources),
        "library": digest(interpreter.library.read_bytes()),
        "c_library": library,
        "compiler": first_line([*compiler, "--version"]),
    }
    body = program + MARK + json.dumps(made_of).encode() + b" "
    return body + zipapp.digest(body) + b"\n"


def read_mark(data: bytes) -> "dict[str, str] | None":
    """What a file says that it is made of; None if it is not as it was built."""
    body, _, end = data.rpartition(b" ")
    if end != zipapp.digest(body + b" ") + b"\n":
        return None
    made_of = json.loads(body.rpartition(MARK)[2])
    return {name: str(made_of[name]) for name in MADE_OF}


def interpreter(python: str) -> Interpreter:
    """What there is of the interpreter that this path names. Raises BuildError."""
    try:
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # so that no codec is loaded but UTF-8's
        options = ("-IS", "-X", "utf8", "-X", "frozen_modules=off")
        done = subprocess.run([python, *options, "-c", ASK], env=environment, capture_output=True, text=True)
        told = json.loads(done.stdout)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no Python from 3.9 on"
        raise BuildError(f"--python: {python!r} cannot be asked for its parts: {reason}") from None
    if not OLDEST <= tuple(map(int, told["release"].split(".")[:2])) <= NEWEST:
        raise BuildError(f"--python: {python!r} is Python {told['release']}: --standalone takes 3.9 to 3.13")
    library = next((Path(path) for path in told["libraries"] if os.path.isfile(path)), None)
    if not library or not os.path.isfile(f"{told['headers'][0]}/Python.h"):
        missing = "its headers" if library else f"its static library, {os.path.basename(told['libraries'][0])}"
        raise BuildError(f"--python: {python!r} lacks {missing} ({LIBRARY_NEEDED})")
    try:
        files = {f"{name}.py": Path(path).read_text("utf-8") for name, path in sorted(told["files"].items())}
    except OSError as error:
        raise BuildError(f"--python: {python!r} lacks {error.filename!r}: {error.strerror}") from None
    built_in = sorted({*told["built_in"], *IMPORTED} - {*IN_MAIN})
    return Interpreter(python, told["release"], told["machine"], told["headers"], library, files, built_in)


def compiler_words() -> "list[str]":
    """The C compiler's command line, as far as CC says it. Raises BuildError."""
    given = os.environ.get("CC", "")
    try:
        return shlex.split(given) or ["cc"]
    except ValueError as error:
        raise BuildError(f"CC: {given!r} is no command line: {error}") from None


def frozen(interpreter: Interpreter, sources: "dict[str, str]", licenses: str) -> str:
    """The modules as C has them: `main.c` includes it. Raises BuildError."""
    # The interpreter looks through them in this order, name by name.
    files = {**sources, MAIN: sources[LOADER], **interpreter.files, "_pyinit_licenses.py": f"TEXT = {licenses!r}\n"}
    try:
        done = zipapp.run_compile(interpreter.python, files, "--frozen")
        modules = json.loads(done.stdout)
    except (OSError, ValueError):
        raise BuildError(f"--python: {interpreter.python!r} cannot compile the modules") from None
    lines = []
    for number, (_, _, code) in enumerate(modules):
        lines.append(f"static const unsigned char code_{number}[] = {{{','.join(map(str, bytes.fromhex(code)))}}};")
    lines.append("static const struct _frozen modules[] = {")
    for number, (name, is_package, _) in enumerate(modules):
        lines.append(f'    MODULE("{name}", code_{number}, {int(is_package)}),')
    return "\n".join([*lines, "    {0}};", ""])


def link(interpreter: Interpreter, compiler: "list[str]", modules: str) -> bytes:
    """Compile main.c with the modules, and link it with the library. Raises BuildError."""
    try:
        place = tempfile.TemporaryDirectory(prefix="pyinit-build-")
    except OSError as error:
        raise BuildError(f"--standalone: no directory to build in: {error.strerror}") from None
    with place as directory:
        try:
            Path(directory, "main.c").write_bytes((PACKAGE / "ctl" / "main.c").read_bytes())
            Path(directory, "modules.h").write_text(modules)
            Path(directory, "built_in.h").write_text("".join(f"BUILT_IN({name})\n" for name in interpreter.built_in))
        except OSError as error:
            raise BuildError(f"--standalone: cannot write below {tempfile.gettempdir()!r}: {error.strerror}") from None
        headers = [f"-I{path}" for path in interpreter.headers]
        command = [*compiler, *OPTIONS, *headers, "-o", "pyinit", "main.c", str(interpreter.library), *LIBRARIES]
        done = run_cc(command, directory)
        program = Path(directory, "pyinit")
        if done.returncode or not program.is_file():
            telling = ("error", "cannot find", "undefined reference", "multiple definition")
            lines = [line for line in done.stderr.splitlines() if any(word in line for word in telling)]
            problem = lines[0] if lines else f"status {done.returncode}" if done.returncode else "it made no file"
            raise BuildError(f"--standalone: {compiler[0]!r} failed: {problem} ({COMPILER_NEEDED})")
        return program.read_bytes()


def run_cc(command: "list[str]", directory: "str | None" = None, told: str = "") -> "subprocess.CompletedProcess[str]":
    """In English, whose errors are looked for, and whatever the bytes that it writes. `told` is its standard input.

    A compiler is several programs, with files of their own: they end with us, and what they leave is in `directory`.
    """
    environment = {**os.environ, "LC_ALL": "C", **({"TMPDIR": directory} if directory else {})}
    with subprocess.Popen(
        command, cwd=directory, env=environment, text=True, errors="replace", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            output, errors = process.communicate(told)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def c_library(compiler: "list[str]") -> str:
    """Which C library the compiler links with, such as `glibc 2.36` or `musl`. Raises BuildError."""
    try:
        done = run_cc([*compiler, "-E", "-P", "-xc", "-"], told=ASK_C)
    except OSError as error:
        problem = f"{compiler[0]!r} cannot be run: {error.strerror}"
        raise BuildError(f"--standalone needs a C compiler, and {problem} ({COMPILER_NEEDED})") from None
    words = done.stdout.split()
    return f"glibc {words[-2]}.{words[-1]}" if words[-3:-2] == ["glibc"] else "musl"


def licenses(library: str) -> str:
    """Whose code is in the file besides ours, and under which terms."""
    text = ""
    for title, names in (PYTHON, GLIBC if library.startswith("glibc") else MUSL):
        terms = "\n\n".join((PACKAGE / "ctl" / "licenses" / name).read_text("utf-8") for name in names)
        text += f"\n\nThis file contains {title}\n\n{terms}"
    return text + LIBGCC


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def digest_of(sources: "dict[str, str]") -> str:
    return digest(json.dumps(sources, sort_keys=True).encode())


def first_line(command: "list[str]") -> str:
    """Of what a program writes that has run before."""
    return run_cc(command).stdout.partition("\n")[0]
