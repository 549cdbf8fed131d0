"""`pyinitctl build --check`: what a built file is, and whether it is as it was built. Nothing of it is run."""

import ast
import io
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from pyinit.ctl.zipapp import FIRST_LINE_LIMIT, LINE_1, LINE_2, OPTIONS, digest_of

SIZE_LIMIT = 1 << 20  # bytes; our file has less than 64 kB

# The magic numbers of byte code, with which a release keeps its (PEP 3147; importlib._bootstrap_external).
RELEASES = {3425: "3.9", 3439: "3.10", 3495: "3.11", 3531: "3.12", 3571: "3.13", 3627: "3.14"}

FIRST_LINE = re.compile(
    rf"#!(?P<path>/\S+) {OPTIONS}{re.escape(LINE_1)}\n"
    rf"|#!(?P<env>\S+/env) -S (?P<name>\S+) {OPTIONS}'{re.escape(LINE_1)}'\n".encode()
)
SECOND_LINE = re.compile(
    re.escape(LINE_2).replace(r"\{size\}", "(?P<size>[0-9]+)").replace(r"\{digest\}", "(?P<digest>[0-9a-f]+)").encode()
)


class Damaged(Exception):
    """The file is not as it was built, or none of ours; the message says what is wrong."""


@dataclass(frozen=True)
class Built:
    """What a built file is."""

    version: str  # pyinit's
    python: str  # the interpreter that its first line names
    magic: "int | None"  # the magic number of its byte code, None if it has none
    modules: "tuple[str, ...]"

    @property
    def release(self) -> str:
        """The Python release that its byte code is for, "" if there is none, or if it is unknown."""
        return RELEASES.get(self.magic or 0, "")


def examine(data: bytes) -> Built:
    """What a file is that has this content. Raises Damaged."""
    first = FIRST_LINE.match(data[: FIRST_LINE_LIMIT + 1])
    if not first:
        raise Damaged("the first line is not pyinit's: it is another file, or that line was changed")
    second = SECOND_LINE.match(data, first.end())
    if not second:
        raise Damaged("the second line is not pyinit's: it was changed, or is of another version of pyinitctl")
    rest = data[second.end() :]
    size = int(second["size"])
    if digest_of(first[0], size, rest).encode() != second["digest"]:
        raise Damaged("the bytes are not those that were built")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sources = modules(archive.read("sources"))
            version = str(assigned(sources["pyinit"], "__version__"))
            kept = assigned(archive.read("loader.py").decode(), "places")
    except (zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:  # a digest of nonsense
        raise Damaged(f"the archive is none of pyinit's: {error}") from None
    python = (first["path"] or first["env"] + b" " + first["name"]).decode(errors="replace")
    magic = int.from_bytes(rest[:2], "little") if size else None
    return Built(version, python, magic, tuple(sorted([*sources, *(f"pyinit.{name}" for name in kept)])))


def modules(member: bytes) -> "dict[str, str]":
    """The sources of the modules, from the archive's member that pyinit.ctl.zipapp.joined makes."""
    words, places, data = member.split(b";", 2)
    found = {}
    for name, (at, size) in ast.literal_eval(places.decode()).items():
        source = data[at : at + size]
        for number, word in enumerate(words.split(), 128):
            source = source.replace(bytes([number]), word)
        found[name] = source.decode("ascii")
    return found


def assigned(source: str, name: str) -> "Any":
    """The literal that a module assigns to a name. Raises KeyError."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    return ast.literal_eval(node.value)
    raise KeyError(name)
