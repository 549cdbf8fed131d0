"""Which form of pyinit an image can run, and that file.

The zipapp where the image has an interpreter: that is asked by running it, and makes its own byte code in the same
run, so that no interpreter of its version is needed here. The standalone file otherwise, which looks for nothing in an
image.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyinit.ctl import check, standalone, zipapp
from pyinit.ctl.build import content_of
from pyinit.ctl.options import CannotLook
from pyinit.ctl.zipapp import PACKAGE, BuildError, ByteCode
from pyinit.tell.text import printable

if TYPE_CHECKING:
    from pyinit.ctl.adopt.content import Content
    from pyinit.ctl.adopt.engine import Engine
    from pyinit.ctl.adopt.image import Image

# Where an interpreter is, its own place before what PATH has: a virtual environment's takes longer to start.
USUAL = ("/usr/local/bin/python3", "/usr/bin/python3")

# What the dynamic linker gives an interpreter of what is meant for the program (man 8 ld.so).
FOR_THE_LINKER = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT")

OLDEST = (3, 9)
WHICH = "import sys; print(*sys.version_info[:3], sep='.')"

# Architectures as images name them (Go's GOARCH), as the kernel does (uname -m), and in an executable (man 5 elf,
# e_machine, from elf.h).
ARCHITECTURES = {
    "amd64": ("x86_64", 62),
    "arm64": ("aarch64", 183),
    "arm": ("armv7l", 40),
    "386": ("i686", 3),
    "ppc64le": ("ppc64le", 21),
    "riscv64": ("riscv64", 243),
    "s390x": ("s390x", 22),
    "loong64": ("loongarch64", 258),
}
_BIG_ENDIAN = 2  # e_ident[EI_DATA]


@dataclass(frozen=True)
class File:
    """pyinit's file for an image."""

    data: bytes
    form: str  # "zipapp" or "standalone"
    python: str  # the interpreter in the image that runs it, "" for none
    without: tuple[str, ...] = ()  # variables that this interpreter must not have
    said: tuple[str, ...] = ()  # what people should know
    doubts: tuple[str, ...] = ()


@dataclass
class Search:
    """What was found out about the interpreters of an image."""

    byte_code: ByteCode | None = None
    python: str = ""
    without: tuple[str, ...] = ()
    unusable: list[str] = field(default_factory=list)  # why each of the others is none


def given(path: Path, image: Image, content: Content) -> File:
    """A file that is there already. Raises CannotLook if it is none of pyinit's, or cannot run in the image."""
    data = content_of(path, check.STANDALONE_LIMIT, "--file")
    try:
        if data.startswith(b"\x7fELF"):
            if not standalone.read_mark(data):
                raise CannotLook(f"--file: {str(path)!r} is no standalone file of pyinit's, or is damaged")
            check_machine(data, image, f"--file: {str(path)!r}")
            return File(data, "standalone", "")
        python = check.examine(data).python
    except (check.Damaged, BuildError) as error:
        raise CannotLook(f"--file: {str(path)!r}: {error}") from None
    if not content.program(python.rpartition(" ")[2]):
        raise CannotLook(f"--file: {str(path)!r} is run by {python}, which is not in the image")
    return File(data, "zipapp", python)


def make(engine: Engine, image: Image, content: Content, python: str | None, wants_standalone: bool) -> File:
    """The file for an image. `python` is the one interpreter to take: of the image, or of this machine with
    `wants_standalone`. Raises CannotLook."""
    if wants_standalone:
        return alone(image, python, "as was asked for")
    if image_is_foreign(image):
        return from_sources(image, content, python)
    search = look_for(engine, image, content, python)
    if search.byte_code is not None and not search.without:
        return zipped(image, search)
    try:
        return alone(image, None, reason_of(search))
    except CannotLook as error:
        if search.byte_code is not None and content.program("env"):
            return zipped(image, search)
        raise CannotLook(f"{error.message}; and a zipapp: {reason_of(search)}") from None


def reason_of(search: Search) -> str:
    return "; ".join(search.unusable) or "the image has no python3"


def look_for(engine: Engine, image: Image, content: Content, python: str | None) -> Search:
    """Ask the interpreters of an image, until one can run pyinit."""
    search = Search()
    asked: list[bytes] = []  # by what they are: /bin may be /usr/bin
    for path in candidates(image, python):
        found = content.file(path)
        if not (found and found.is_executable and found.is_binary):
            if python:
                raise CannotLook(f"--python: {python!r} is no interpreter in the image")
            continue
        if found.start in asked:
            continue
        asked.append(found.start)
        if ask(engine, image, path, search):
            break
    return search


def candidates(image: Image, python: str | None) -> list[str]:
    if python:
        return [python]
    directories = image.environment.get("PATH", "").split(":")
    return list(dict.fromkeys((*USUAL, *(f"{each}/python3" for each in directories if each.startswith("/")))))


def ask(engine: Engine, image: Image, python: str, search: Search) -> bool:
    """Have an interpreter of the image compile pyinit's modules. Says whether it can run pyinit as things are."""
    compiler = (PACKAGE / "ctl" / "compile.py").read_text("utf-8")
    modules = json.dumps(zipapp.sources()).encode()
    output, reason = engine.run(image.id, python, "-ISc", compiler, given=modules)
    try:
        search.byte_code, search.python, search.without = zipapp.read_byte_code(output), python, ()
        return True
    except ValueError:
        return ask_why(engine, image, python, search, reason)


def ask_why(engine: Engine, image: Image, python: str, search: Search, reason: str) -> bool:
    """Why it cannot: it is too old, lacks modules of the standard library, or is broken by what ENV says."""
    output, _ = engine.run(image.id, python, "-ISc", WHICH)
    release = output.decode(errors="replace").strip()
    numbers = tuple(map(int, release.split("."))) if check.RELEASE.fullmatch(release) else ()
    if numbers >= OLDEST:  # Debian's python3-minimal has no json
        search.byte_code, search.python, search.without = ByteCode(), python, ()
        return True
    if numbers:
        search.unusable.append(f"{python} is Python {release}, and pyinit needs 3.9")
        return False
    names = tuple(name for name in FOR_THE_LINKER if image.environment.get(name))
    options = tuple(word for name in names for word in ("--env", f"{name}="))
    if names and engine.run(image.id, python, "-ISc", WHICH, options=options)[0]:
        search.unusable.append(f"{python} does not start with the image's {' and '.join(names)}: {reason}")
        if search.byte_code is None:
            search.byte_code, search.python, search.without = ByteCode(), python, names
    else:
        search.unusable.append(f"{python} does not start: {reason}")
    return False


def zipped(image: Image, search: Search) -> File:
    """The zipapp for an interpreter that was asked."""
    byte_code = search.byte_code or ByteCode()
    data = assembled(search.python, byte_code)
    if byte_code.release:
        said = [f"{search.python} of the image, {byte_code.release}, runs pyinit, and has made its byte code"]
    else:
        said = [f"{search.python} of the image runs pyinit from its sources, {COSTS}: it could not make byte code"]
    if search.without:
        names = " and ".join(search.without)
        said.append(
            f"{search.unusable[-1]}. So {names} is given to the program alone, by env; `docker exec` and HEALTHCHECK "
            "do not have it any more"
        )
    elif names := " and ".join(name for name in FOR_THE_LINKER if image.environment.get(name)):
        said.append(f"{names} of ENV was tried: the interpreter starts with it, and the program has it as before")
    return File(data, "zipapp", search.python, search.without, tuple(said))


COSTS = "which costs some 60 ms of processor time at each start"  # 72 ms instead of 14


def from_sources(image: Image, content: Content, python: str | None) -> File:
    """The zipapp for an interpreter that cannot be asked here: it runs the sources, whatever its version is."""
    for path in candidates(image, python):
        found = content.file(path)
        if found and found.is_executable and found.is_binary:
            doubt = (
                f"the image is for {image.architecture}, and {path} could not be asked here: it must be Python 3.9 or "
                f"newer. It runs pyinit from its sources, {COSTS}"
            )
            return File(assembled(path, ByteCode()), "zipapp", path, doubts=(doubt,))
    raise CannotLook(
        f"IMAGE: {image.name!r} is for {image.architecture} and has no python3, and the standalone file is built for "
        f"this machine ({platform.machine()}): build it there, and name it with --file"
    )


def assembled(python: str, byte_code: ByteCode) -> bytes:
    try:
        return zipapp.assemble(zipapp.make_first_line(python), byte_code, zipapp.sources(), zipapp.source_date())
    except BuildError as error:
        raise CannotLook(str(error)) from None


def alone(image: Image, python: str | None, reason: str) -> File:
    """The standalone file, of the first interpreter of this machine that has its static library. Raises CannotLook."""
    if image_is_foreign(image):
        raise CannotLook(
            f"--standalone: the image is for {image.architecture}, and the file is built for this machine "
            f"({platform.machine()}): build it there, and name it with --file"
        )
    problems: list[str] = []
    for each in dict.fromkeys((python,) if python else (sys.executable, "/usr/bin/python3")):
        try:
            data = standalone.make(standalone.interpreter(each))
        except BuildError as error:
            problems.append(str(error).removeprefix("--standalone: "))
            continue
        check_machine(data, image, "--standalone")
        return File(data, "standalone", "", said=(f"the standalone file, with an interpreter in it: {reason}",))
    raise CannotLook(f"the standalone file cannot be built here: {'; '.join(dict.fromkeys(problems))}")


def image_is_foreign(image: Image) -> bool:
    """Whether the image is for another machine than this one. A 64-bit x86 or ARM runs 32-bit images, but a file that
    is built here is none of theirs."""
    return ARCHITECTURES.get(image.architecture, ("", 0))[0] != platform.machine()


def check_machine(data: bytes, image: Image, about: str) -> None:
    """Raises CannotLook for an executable of another architecture than the image's."""
    machine = int.from_bytes(data[18:20], "big" if data[5] == _BIG_ENDIAN else "little")  # e_machine
    if machine != ARCHITECTURES.get(image.architecture, ("", 0))[1]:
        its = next((name for name, (_, number) in ARCHITECTURES.items() if number == machine), str(machine))
        raise CannotLook(f"{about}: the file is for {its}, and the image for {printable(image.architecture)}")
