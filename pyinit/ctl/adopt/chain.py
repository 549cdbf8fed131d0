"""What an image's command starts, from one program to the next: shells, inits, gosu, env, and the server in the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyinit.ctl.adopt import shell
from pyinit.ctl.container import SHELLS
from pyinit.ctl.init import RESIDENT
from pyinit.settings import personality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyinit.ctl.adopt.content import Content

LONGEST = 8  # links; a chain that goes round ends here

_STEPPING_DOWN = ("gosu", "su-exec", "suexec")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Link:
    """One command of the chain."""

    kind: str  # "init", "step down", "environment", "shell", "script" or "program"
    words: tuple[str, ...]
    path: str = ""  # of the file that it is in the image; "" where none was found
    script: shell.Script | None = None  # of a shell or a script


def follow(command: Sequence[str], content: Content) -> list[Link]:
    """The links of a command, the first one first. The last one is the program, as far as can be read."""
    links: list[Link] = []
    words = tuple(command)
    while words and len(links) < LONGEST:
        link, words = _look(words, content)
        links.append(link)
    return links


def _look(words: tuple[str, ...], content: Content) -> tuple[Link, tuple[str, ...]]:
    """What the first word of a command is, and which command it starts; () for none."""
    name = os.path.basename(words[0])
    if personality(words[0]) in RESIDENT:
        return Link("init", words), program_of_init(words)
    if name in _STEPPING_DOWN:
        return Link("step down", words), words[2:]
    if name == "env":
        rest = list(words[1:])
        while rest and (rest[0].startswith("-") or _ASSIGNMENT.match(rest[0])):
            rest.pop(0)
        return Link("environment", words), tuple(rest)
    if name in SHELLS and (at := index_of_string(words)):
        script = shell.read_string(words[at])
        return Link("shell", words, script=script), behind(script, words[at + 2 :])
    if name in SHELLS and words[1:] and not words[1].startswith("-"):
        words = words[1:]  # `sh FILE`: the file need not be executable
        found = content.file(os.path.normpath(os.path.join("/", content.directory, words[0])))
    else:
        found = content.program(words[0])
    if found and not found.is_binary and shell.is_shell_script(found.start):
        script = shell.read_script(found.text)
        return Link("script", words, found.path, script), behind(script, words[1:])
    return Link("program", words, found.path if found else ""), ()


def index_of_string(words: tuple[str, ...]) -> int:
    """Where the text behind a shell's -c stands; 0 where there is none. `-o` has a value (man 1 dash)."""
    at = 1
    while at < len(words) and words[at].startswith(("-", "+")):
        if "c" in words[at][1:] and not words[at].startswith(("--", "+")):
            return at + 1 if at + 1 < len(words) else 0
        at += 2 if words[at].endswith("o") else 1
    return 0


def behind(script: shell.Script, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The last command of a script, with the script's own arguments where it says "$@"."""
    words: list[str] = []
    for word in script.last:
        if word in ("$@", "$*", "${@}", "${*}"):
            words += arguments
        else:
            words.append(word)
    return tuple(words)


def program_of_init(words: tuple[str, ...]) -> tuple[str, ...]:
    """What another init's command line starts; () where it cannot be read."""
    from pyinit.options import inits
    from pyinit.tell import Fatal

    try:
        return tuple(inits.read(personality(words[0]), list(words[1:]), {}).program)
    except Fatal:
        return ()
