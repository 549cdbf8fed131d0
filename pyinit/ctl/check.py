"""`pyinitctl build --check`: what a built file is, and whether it is what its own sources make. Nothing of it is run.

The file may be hostile. The proof is to build it once more from the sources in it and to compare: the two lines and the
byte code byte for byte, the archive by its members, since the same content can be deflated in several ways.
"""

import ast
import calendar
import contextlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from pyinit.ctl import standalone, zipapp
from pyinit.ctl.zipapp import (
    COMMENT_SIZE,
    EARLY,
    EARLY_ENV,
    ENV,
    LATER_FIRST_LINE_LIMIT,
    LINE_1,
    LINE_2,
    LOADER,
    MAGIC_SIZE,
    MAIN,
    NAME,
    OPTIONS,
    PATH,
    ByteCode,
)

SIZE_LIMIT = 1 << 22  # bytes of the zipapp, which has less than 400 kB
STANDALONE_LIMIT = 1 << 24  # bytes of the standalone file, which has 7 MB
MEMBER_LIMIT = 1 << 20  # bytes of one source

# The magic numbers of byte code, with which a series keeps its (PEP 3147; importlib._bootstrap_external).
SERIES = {"3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}

FIRST_LINE = re.compile(
    rf"#!(?P<path>{PATH}) {OPTIONS}{re.escape(LINE_1)}\n"
    rf"|#!(?P<env>{ENV}) -S (?:(?P<early>--block-signal) )?(?P<name>{NAME}) (?(early){EARLY} ){OPTIONS}"
    rf"'{re.escape(LINE_1)}'\n".encode()
)
SECOND_LINE = re.compile(
    re.escape(LINE_2)
    .replace(r"\{start\}", "(?P<start>[0-9]{1,9})")
    .replace(r"\{skipped\}", "[0-9]{1,9}")
    .replace(r"\{loader\}", "[0-9]{1,9}")
    .replace(r"\{release\}", r"(?P<release>[0-9]+\.[0-9]+\.[0-9]+|)")
    .encode()
)
RELEASE = re.compile("[0-9]{1,3}([.][0-9]{1,3}){2}")
MODULE = re.compile(r"pyinit(/[a-z][a-z0-9_]*)*/[a-z_][a-z0-9_]*\.py")


class Damaged(Exception):
    """The file is not as it was built, or none of ours; the message says what is wrong."""


@dataclass(frozen=True)
class Built:
    """What a built file is."""

    version: str  # pyinit's
    python: str  # the interpreter that its first line names
    release: str  # the Python release that made its byte code, such as 3.11.2; "" if it has none
    proven: bool  # whether its byte code was compared; False where it has some and that release is not here
    modules: "tuple[str, ...]"
    early_signals: bool  # whether env blocks every signal before the interpreter starts

    @property
    def series(self) -> str:
        """The releases that can run its byte code, such as 3.11."""
        return self.release.rpartition(".")[0]


@dataclass(frozen=True)
class BuiltStandalone:
    """What a standalone file is."""

    version: str  # pyinit's
    release: str  # of the interpreter in it, such as 3.11.2
    machine: str
    same_sources: bool  # whether it is made of the sources that this pyinitctl has
    unproven: str  # why it could not be built again and compared; "" if it was


def examine_standalone(data: bytes, python: "str | None" = None) -> BuiltStandalone:
    """As `examine`: its sources are not in it, so it is built again from ours, if they are the same."""
    try:
        made_of = standalone.read_mark(data)
    except Exception as error:  # whatever the line says
        raise Damaged(f"its last line is damaged: {type(error).__name__}: {error}") from None
    if not made_of or len(data) > STANDALONE_LIMIT:
        raise Damaged("the bytes are not those that were built, or it is another program")
    if not RELEASE.fullmatch(made_of["python"]):  # it names a program that is run
        raise Damaged(f"its last line is damaged: {made_of['python']!r} is no release of Python")
    same_sources = made_of["sources"] == standalone.digest_of(zipapp.sources())
    unproven = _compared(data, made_of, python) if same_sources else "other sources"
    return BuiltStandalone(made_of["version"], made_of["python"], made_of["machine"], same_sources, unproven)


def _compared(data: bytes, made_of: "dict[str, str]", python: "str | None") -> str:
    """Build it again. Returns what is different here, so that nothing is proven. Raises Damaged if only the file is."""
    release = made_of["python"]
    compiler = python or interpreter_of(release)
    if not compiler:
        return f"no Python {release} here (--python PATH names one)"
    interpreter = standalone.interpreter(compiler)
    if interpreter.release != release:
        raise zipapp.BuildError(f"--python: {compiler!r} is Python {interpreter.release}, and {release} is needed")
    again = standalone.make(interpreter)
    here = standalone.read_mark(again)
    if here and here != made_of:
        different = [name for name in made_of if here[name] != made_of[name]]
        return f"here the {' and the '.join(different)} is another"
    if again != data:
        raise Damaged(f"it is not what its sources make with Python {release} ({compiler})")
    return ""


def examine(data: bytes, python: "str | None" = None) -> Built:
    """What a file is that has this content. `python` is the interpreter to compare its byte code with; without it the
    usual ones are looked through. Raises Damaged, and BuildError if `python` is none of that release."""
    try:
        first, byte_code, sources = _read(data)
    except Damaged:
        raise
    except Exception as error:  # whatever a hostile archive makes of the modules that read it
        raise Damaged(f"the archive is damaged: {type(error).__name__}: {error}") from None
    proven = is_proven(byte_code, sources, python)
    env, name = first["env"], first["path"] or first["name"]
    # A path stands behind the usual env for its sake alone.
    is_named_by_env = env and not (first["early"] and env == EARLY_ENV.encode() and name.startswith(b"/"))
    named = (env + b" " + name if is_named_by_env else name).decode(errors="replace")
    modules = tuple(sorted(path[: -len(".py")].replace("/", ".").replace(".__init__", "") for path in sources))
    version = version_of(sources["pyinit/__init__.py"])
    return Built(version, named, byte_code.release, proven, modules, bool(first["early"]))


def _read(data: bytes) -> "tuple[re.Match[bytes], ByteCode, dict[str, str]]":
    """The first line, the byte code and the sources of a file that is these and nothing else. Raises Damaged, and all
    that the modules raise which read the archive."""
    if len(data) > SIZE_LIMIT:
        raise Damaged(f"it is larger than {SIZE_LIMIT} bytes, and none of pyinit's")
    first = FIRST_LINE.match(data[: LATER_FIRST_LINE_LIMIT + 1])
    if not first:
        raise Damaged("the first line is not pyinit's: it is another file, or that line was changed")
    second = SECOND_LINE.match(data, first.end())
    if not second:
        raise Damaged("the second line is not pyinit's: it was changed, or is of another version of pyinitctl")
    sources, date, archive_start = contents(data)
    found = ByteCode(second["release"].decode(), int(second["start"]), data[second.end() : archive_start])
    try:
        again = zipapp.assemble(first[0], found, sources, date)
    except zipapp.BuildError as error:
        raise Damaged(str(error)) from None
    if again[:archive_start] != data[:archive_start] or members(again) != members(data):
        raise Damaged("it is not what its own sources make")
    return first, found, sources


def contents(data: bytes) -> "tuple[dict[str, str], int, int]":
    """The sources, by their paths; the time of the members, in seconds since 1970; and where the archive begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        end = len(archive.comment).to_bytes(COMMENT_SIZE, "little") + archive.comment
        if zipapp.digest(data[: -len(end)]) != archive.comment or not data.endswith(end):
            raise Damaged("the bytes are not those that were built")
        first, *others = archive.infolist()
        if first.filename != MAIN or not all(MODULE.fullmatch(each.filename) for each in others):
            raise Damaged("it has members that are no modules of pyinit's")
        sources = {each.filename: content(archive, each).decode() for each in others}
        modules = {path.replace("/__init__.py", ".py") for path in sources}
        if not len(others) == len(sources) == len(modules) or not {LOADER, "pyinit/__init__.py"} <= set(sources):
            raise Damaged("it has a module twice, or lacks one")
        return sources, calendar.timegm(first.date_time), first.header_offset


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """What a member holds. Raises Damaged for one that would take all memory, before it is inflated."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.file_size > MEMBER_LIMIT:
        raise Damaged(f"the member {member.filename!r} is packed as pyinit's are not")
    with archive.open(member) as file:
        data = file.read(MEMBER_LIMIT + 1)
    if len(data) != member.file_size:
        raise Damaged(f"the member {member.filename!r} is not as long as it says")
    return data


def members(data: bytes) -> "tuple[dict[str, bytes], bytes]":
    """What all members hold, and the archive's directory. Raises Damaged for an archive with gaps."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {}
        at = archive.infolist()[0].header_offset
        for each in archive.infolist():
            header = each.FileHeader()
            if each.header_offset != at or data[at : at + len(header)] != header:
                raise Damaged("there is something between the archive's members")
            at += len(header)
            check_packed(each, data[at : at + each.compress_size])
            at += each.compress_size
            found[each.filename] = content(archive, each)
        if archive.start_dir != at:
            raise Damaged("there is something behind the archive's members")
        return found, directory(data[at : -len(archive.comment)], found)


def directory(data: bytes, names: "Iterable[str]") -> bytes:
    """The archive's directory, without what depends on how long each content is once deflated."""
    result = bytearray(data)
    at = 0
    for name in names:
        for place in DEPENDS_ON_SIZES:
            result[at + place : at + place + 4] = bytes(4)
        at += CENTRAL_HEADER + len(name.encode())
    result[at + DIRECTORY_AT : at + DIRECTORY_AT + 4] = bytes(4)
    return bytes(result)


def check_packed(member: zipfile.ZipInfo, packed: bytes) -> None:
    """Raises Damaged where more or less is there than the content: zipfile reads no further, others do."""
    if member.compress_type == zipfile.ZIP_STORED:
        is_whole = len(packed) == member.file_size
    else:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        stream.decompress(packed, MEMBER_LIMIT + 1)
        is_whole = stream.eof and not stream.unused_data
    if not is_whole:
        raise Damaged(f"there is something in the member {member.filename!r} that is not its content")


CENTRAL_HEADER = 46  # without the name (APPNOTE.TXT, 4.3.12)
DEPENDS_ON_SIZES = (20, 42)  # in it: the compressed size, and where the member is
DIRECTORY_AT = 16  # in the record at the end: where the directory is (4.3.16)


def is_proven(found: ByteCode, sources: "dict[str, str]", python: "str | None") -> bool:
    """Whether the byte code was compared with what the sources make. Raises Damaged if it is something else, and
    BuildError if `python` cannot tell."""
    if not found.release:
        if found != ByteCode():
            raise Damaged("it has byte code, and does not say of which release")
        return True
    check_magic(found)
    compiler = python or interpreter_of(found.release)
    if not compiler:
        return False
    check_release(compiler, found.release)
    try:
        made = zipapp.read_byte_code(zipapp.run_compile(compiler, sources).stdout)
    except OSError as error:
        raise zipapp.BuildError(f"--python: {compiler!r} cannot compile the modules: {error.strerror}") from None
    except ValueError:  # it is the right one, and could make nothing of them
        made = ByteCode()
    if made != found:
        raise Damaged(f"its byte code is not what Python {found.release} makes of its sources ({compiler})")
    return True


def check_magic(found: ByteCode) -> None:
    """Raises Damaged for byte code that another series reads than that which the file names. Of a series that is not
    known here nobody can say so, but that its magic number is none of a known one."""
    magic = int.from_bytes(found.data[: MAGIC_SIZE - 2], "little")
    names = [series for series, number in SERIES.items() if number == magic]
    series = found.release.rpartition(".")[0]
    if (names or series in SERIES) and names != [series]:
        whose = f"for Python {names[0]}" if names else "for another Python"
        raise Damaged(f"its byte code is {whose}, and not for Python {found.release}, as it says")


def check_release(python: str, release: str) -> None:
    """Raises BuildError for an interpreter that is none of that release."""
    try:
        found = release_of(python)
    except OSError as error:
        raise zipapp.BuildError(f"--python: {python!r} cannot be run: {error.strerror}") from None
    if found != release:
        what = f"is Python {found}" if RELEASE.fullmatch(found) else "is no Python"
        raise zipapp.BuildError(f"--python: {python!r} {what}, and {release} is needed")


def interpreter_of(release: str) -> "str | None":
    """An interpreter of that very release: others of the series may compile a little differently. None if none is here.

    Those that are looked at are named by the system, and never by the file.
    """
    series = release.rpartition(".")[0]
    names = [sys.executable, shutil.which(f"python{series}"), shutil.which("python3"), "/usr/bin/python3"]
    for name in names:
        if name and shutil.which(name):
            with contextlib.suppress(OSError):  # what cannot be run proves nothing
                if release_of(name) == release:
                    return name
    return None


def release_of(python: str) -> str:
    """What an interpreter says that it is, such as 3.11.2. Raises OSError if it cannot be run."""
    script = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    done = subprocess.run([python, "-ISc", script], capture_output=True, stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors="replace").strip()


def version_of(source: str) -> str:
    """The literal that pyinit/__init__.py assigns to __version__. Raises Damaged."""
    with contextlib.suppress(Exception):  # whatever a hostile source makes of it
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
                return str(ast.literal_eval(node.value))
    raise Damaged("its sources do not say __version__")
