"""The pages of docs/: their blocks of commands, and the files that they say to write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Union

from tests.support import REPOSITORY

DOCS = REPOSITORY / "docs"


class Commands(NamedTuple):
    """A block `console`."""

    text: str
    line: int  # where it begins
    not_run: str  # why nobody types it, or ""


class File(NamedTuple):
    """A block with a caption, which is the path of what is in it."""

    path: str
    text: str


Part = Union[Commands, File]

_PART = re.compile(
    r"""
    (?:^%\ not\ run:\ (?P<reason>[^\n]*)\n)?
    ^```console\n (?P<commands>.*?) ^```$
    | ^```\{code-block\}\ \w+\n :caption:\ (?P<path>\S+)\n (?:\n)? (?P<text>.*?) ^```$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def pages() -> list[str]:
    """Their paths in docs/."""
    return sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def parts(page: Path) -> list[Part]:
    """What there is to do on a page, in its order."""
    text = page.read_text()
    found: list[Part] = []
    for part in _PART.finditer(text):
        if part["path"]:
            found.append(File(part["path"], part["text"]))
        else:
            line = text.count("\n", 0, part.start("commands")) + 1
            found.append(Commands(part["commands"], line, part["reason"] or ""))
    return found


def typed(page: Path) -> list[Part]:
    """What a person does who works through a page; empty for one without commands."""
    found = [part for part in parts(page) if isinstance(part, File) or not part.not_run]
    return found if any(isinstance(part, Commands) for part in found) else []
