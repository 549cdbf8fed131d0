"""What a shell script, or the command line of a `sh -c`, starts in the end: read, and never run.

A shell's grammar is not parsed: what is looked for is how such scripts are written. So each answer is one of "surely
so" and "as far as can be read", and people are told which.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pyinit.ctl.container import SHELLS

REPLACED, PERHAPS, STAYS = "replaced", "perhaps", "stays"

# What ends a command that spans lines, and is no command itself.
_ENDS = re.compile(r"(fi|done|esac|\}|\)|;;)[;\s]*")

# `exec` with a command behind it. With redirections alone the shell goes on (POSIX, 2.14, exec).
_EXEC = re.compile(r"(?:^|[;&|{(]|\bthen\b|\belse\b|\bdo\b)\s*(?:[A-Za-z_]\w*=\S*\s+)*exec\s+(?![<>&\d]|$)(.*)")

# A script that waits for what it has started, and hands on a stop by itself.
_TRAP = re.compile(r"^\s*trap\s.*\b(SIG)?(TERM|15|INT|QUIT)\b", re.MULTILINE)
_STARTED = re.compile(r"(?<![&<>|])&(?![&>\d])")  # in the background: a trap runs when what is in front has ended
_WAIT = re.compile(r"(^|[;&|]|\bdo\b)\s*wait\b", re.MULTILINE)

_FUNCTION = re.compile(r"^\s*(?:function\s+)?([A-Za-z_]\w*)\s*\(\s*\)", re.MULTILINE)

# What is one word to a shell, and what makes more of a line than one command.
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_SUBSTITUTED = re.compile(r"\$\([^()]*\)|`[^`]*`")
_OPERATORS = re.compile(r"[;|\n()`]|(?<![<>])&|<<")
_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_BUILT_IN = (
    ". : alias bg break case cd command continue echo eval exec exit export false fg for function getopts hash if jobs "
    "kill let local printf pwd read readonly return select set shift source test time times trap true type typeset "
    "ulimit umask unalias unset until wait while [ [[ !"
)


@dataclass(frozen=True)
class Script:
    """What a script does in the end."""

    shell_is: str  # REPLACED by its last command, PERHAPS, or it STAYS in between
    last: tuple[str, ...]  # that command, as far as it can be read; "$@" is one word of it
    hands_on: bool = False  # the script has a trap for a stop, and waits


def is_shell_script(start: bytes) -> bool:
    """Whether a file's first line names a shell; a text without such a line is given to one (man 3 execvp)."""
    first = start.partition(b"\n")[0].decode("utf-8", "replace")
    if not first.startswith("#!"):
        return b"\0" not in start and bool(start.strip())
    words = first[2:].split()
    names = [word.rpartition("/")[2] for word in words]
    if names[:1] == ["env"]:
        names = [name for name in names[1:] if not name.startswith("-")]
    return bool(names) and names[0] in SHELLS


def read_script(text: str) -> Script:
    """What a script does in the end, as far as can be read."""
    commands = command_lines(text)
    executed = [found for command in commands if (found := _EXEC.search(command))]
    last, is_in_branch = last_command(commands, set(_FUNCTION.findall(text)))
    hands_on = all(each.search("\n".join(commands)) for each in (_TRAP, _STARTED, _WAIT))
    if not executed:
        return Script(STAYS, words_of(last), hands_on)
    is_last = bool(_EXEC.match(last)) and not is_in_branch
    return Script(REPLACED if is_last else PERHAPS, words_of(executed[-1][1]), hands_on and not is_last)


def last_command(commands: list[str], functions: set[str]) -> tuple[str, bool]:
    """The last command, and whether it runs only in a branch.

    Long scripts have a function, and call it in the end: what stands before the call is the function's last command.
    """
    commands = list(commands)
    is_in_branch = is_called = False
    while commands:
        words = re.split(r"[\s;]+", commands[-1])
        if _ENDS.fullmatch(commands[-1]):
            is_in_branch = not is_called
        elif functions & set(words):
            is_called = True
        elif not (is_called and words[0] in ("if", "then", "else")):
            break
        commands.pop()
    return (commands[-1] if commands else ""), is_in_branch and not is_called


def read_string(text: str) -> Script:
    """What `sh -c TEXT` does in the end."""
    if "\n" in text:
        return read_script(text)
    found = _EXEC.search(text)
    if found and (_EXEC.match(text) or not re.search(r"\|\|", text)):
        return Script(REPLACED, words_of(found[1]))
    if found:
        return Script(PERHAPS, words_of(found[1]))
    return Script(STAYS, commands_of(text)[-1])


def with_exec(text: str) -> str:
    """The text of a `sh -c` with `exec` in front, if it is one plain command; "" if it is not, or has it.

    Redirections, quotes, variables and wildcards mean the same behind exec, which a program's path or name follows.
    """
    words = words_of(text)
    bare = _SUBSTITUTED.sub("x", _QUOTED.sub("x", text))
    if _OPERATORS.search(bare) or not words or not _NAME.fullmatch(words[0]) or words[0] in _BUILT_IN.split():
        return ""
    return f"exec {text.strip()}"


def command_lines(text: str) -> list[str]:
    """The lines of a script without comments, empty ones, and line breaks behind a backslash."""
    lines = text.replace("\\\r\n", " ").replace("\\\n", " ").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def words_of(command: str) -> tuple[str, ...]:
    """The words of the first command in a line, without redirections; () for what cannot be split."""
    return commands_of(command)[0]


def commands_of(line: str) -> list[tuple[str, ...]]:
    """The words of each command in a line, without redirections: at least one, () for what cannot be split."""
    split = shlex.shlex(line, posix=True, punctuation_chars=True)
    split.whitespace_split = True
    commands: list[list[str]] = [[]]
    is_file = False  # what stands behind a redirection
    try:
        for word in split:
            if not set(word) <= set("();<>|&"):
                commands[-1] += [] if is_file else [word]
                is_file = False
            elif word[0] in "<>":
                is_file = True
                if commands[-1] and commands[-1][-1].isdigit():  # 2>
                    commands[-1].pop()
            else:
                commands.append([])
    except ValueError:
        return [()]
    found = [tuple(command) for command in commands if command]
    return found or [()]
