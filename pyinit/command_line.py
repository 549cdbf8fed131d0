"""The command line: the table of options and its parser. Help and the README are made from the same table."""

import _signal

from pyinit.log import Fatal
from pyinit.message import decode, is_number
from pyinit.settings import Settings

# Letter, name, value. What a value looks like decides how it is read (_READERS); an option without one is a switch.
# Every option but the answers has a variable: PYINIT_ and its name. What each does is said in pyinit.help.
OPTIONS = (
    ("s", "subreaper", ""),
    ("p", "parent-death-signal", "SIGNAL"),
    ("g", "kill-process-group", ""),
    ("c", "single-child", ""),
    ("e", "remap-exit", "CODE[:TO]"),
    ("w", "warn-on-reap", ""),
    ("r", "rewrite", "FROM:TO"),
    ("", "session", ""),
    ("P", "pause", ""),
    ("", "grace", "SECONDS"),
    ("", "stop-timeout", "SECONDS"),
    ("", "wait-all", ""),
    ("", "orphans", "keep|end"),
    ("", "before", "COMMAND"),
    ("", "after", "COMMAND"),
    ("u", "user", "USER[:GROUP]"),
    ("", "match", "UID[:GID]"),
    ("", "match-owner", "PATH"),
    ("", "match-group", "FILE"),
    ("", "own", "TREE"),
    ("", "own-index", "PATH"),
    ("", "no-new-privileges", ""),
    ("", "drop-capabilities", ""),
    ("", "keep-capabilities", "LIST"),
    ("", "keep-home", ""),
    ("", "strict", ""),
    ("", "exec", ""),
    ("", "secrets", "DIR"),
    ("", "secret", "NAME=PATH"),
    ("", "expand-file-vars", ""),
    ("", "events", "PATH"),
    ("v", "verbose", ""),
    ("q", "quiet", ""),
    ("l", "license", ""),
    ("h", "help", ""),
    ("V", "version", ""),
)
ANSWERS = ("license", "help", "version")
COUNTED = ("verbose", "quiet")
REPEATABLE = ("CODE[:TO]", "FROM:TO", "FILE", "TREE", "LIST", "COMMAND", "NAME=PATH")
NEEDS_USER = ("match", "match-owner", "match-group", "own", "own-index", "keep-home")
OPPOSITES = {"kill-process-group": "single-child", "single-child": "kill-process-group"}

USAGE = "usage: pyinit [OPTIONS] [--] PROGRAM [ARGUMENT...]"

_YES = ("1", "yes", "true", "on")
_NO = ("", "0", "no", "false", "off")

# Given maps the name of an option to how it was given: the words for messages ("-r", "PYINIT_REWRITE"), and the text.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Given = dict[str, list[tuple[str, str]]]


def read(words: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """Settings from `sys.argv` without its first word, and `posix.environ`. The command line wins over the environment.

    Raises Fatal with status 2 and a line that names option, value and what would be right.
    """
    try:
        given, program = parse(words)
        complete(given, variables(environment))
        return settings(given, program)
    except ValueError as error:
        raise Fatal(str(error), 2, USAGE) from None


def parse(
    words: "list[str]",
    letters: "dict[str, tuple[str, str]] | None" = None,
    names: "dict[str, tuple[str, str]] | None" = None,
) -> "tuple[Given, list[str]]":
    """The options as they were written, and the words of the program. As getopt_long does, up to the first operand.

    `letters` and `names` say for each option which one of OPTIONS it is, and its value; by default there are all of
    ours. Raises ValueError.
    """
    if letters is None or names is None:
        names = {name: (name, value) for _, name, value in OPTIONS}
        letters = {letter: names[name] for letter, name, _ in OPTIONS if letter}
    given: "Given" = {}
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if word == "-" or not word.startswith("-"):
            break
        at += 1
        if word.startswith("--"):
            written, equals, text = word[2:].partition("=")
            label = "--" + written
            if written not in names:
                raise ValueError(f"unknown option {label}")
            name, value = names[written]
            if value and not equals:
                text = _value_of(label, value, words, at)
                at += 1
            _add(given, name, label, text if value or equals else "yes")
            continue
        cluster = word[1:]
        while cluster:
            label, cluster = "-" + cluster[0], cluster[1:]
            if label[1] not in letters:
                raise ValueError(f"unknown option {label}")
            name, value = letters[label[1]]
            if value and not cluster:
                cluster = _value_of(label, value, words, at)
                at += 1
            _add(given, name, label, cluster if value else "yes")
            if value:
                break
    return given, words[at:]


def _value_of(label: str, value: str, words: "list[str]", at: int) -> str:
    """The word after an option that takes a value."""
    if at == len(words):
        raise ValueError(f"{label}: a value is missing: {value}")
    return words[at]


def _add(given: "Given", name: str, label: str, text: str) -> None:
    given.pop(OPPOSITES.get(name, ""), None)
    given.setdefault(name, []).append((label, text))


def complete(given: "Given", more: "Given") -> None:
    """Add what was given elsewhere, where the command line does not say."""
    for name, texts in more.items():
        if name not in given and OPPOSITES.get(name) not in given:
            given[name] = texts


def variables(environment: "dict[bytes, bytes]") -> "Given":
    """What the environment says: our variables, then tini's where ours do not say."""
    given: "Given" = {}
    ours = {b"PYINIT_" + name.upper().replace("-", "_").encode(): (name, value) for _, name, value in OPTIONS}
    for variable in environment:
        if variable.startswith(b"PYINIT_") and variable in ours:
            name, value = ours[variable]
            text = decode(environment[variable])
            if text and name not in ANSWERS:
                label = variable.decode()
                several = value in REPEATABLE and value != "COMMAND"  # which may have commas in it
                given[name] = [(label, part) for part in (text.split(",") if several else [text])]
    # As tini: these two count as soon as they are set, whatever they say.
    if b"TINI_SUBREAPER" in environment:
        given.setdefault("subreaper", [("TINI_SUBREAPER", "yes")])
    if "single-child" in given:  # of the two, the one that is not the default
        given.pop("kill-process-group", None)
    elif b"TINI_KILL_PROCESS_GROUP" in environment:
        given.setdefault("kill-process-group", [("TINI_KILL_PROCESS_GROUP", "yes")])
    if environment.get(b"TINI_VERBOSITY"):
        given["verbosity"] = [("TINI_VERBOSITY", decode(environment[b"TINI_VERBOSITY"]))]
    return given


def settings(given: "Given", program: "list[str]", **others: "Any") -> Settings:
    """Read every text as its option wants it. Raises ValueError, with the option and the text.

    `others` are settings for which there is no option.
    """
    choices: "dict[str, Any]" = {}
    for _, name, value in OPTIONS:
        if name in given and name not in ANSWERS:
            choices[name.replace("-", "_")] = _choice(name, value, given[name])
    level = _choice("verbosity", "LEVEL", given.get("verbosity", []))
    verbosity = level + choices.pop("verbose", 0) - choices.pop("quiet", 0)
    choices.pop("kill_process_group", False)
    answer = next((name for name in given if name in ANSWERS), "")
    if not answer:
        pause = choices.get("pause")
        if pause and program:
            raise ValueError(f"--pause runs no program, but one was given: {' '.join(program)!r}")
        if not pause and (not program or not program[0]):
            raise ValueError("no program to run")
        if pause and choices.get("exec"):
            raise ValueError("--pause and --exec: there is no program to become")
        if choices.get("exec") and ("before" in given or "after" in given):
            raise ValueError("--exec: nobody is left to run --before and --after")
        for name in NEEDS_USER:
            if name in given and "user" not in given:
                raise ValueError(f"{given[name][0][0]}: only together with --user, which says whose IDs are meant")
    return Settings(answer=answer, program=tuple(program), verbosity=verbosity, **{**choices, **others})


def _choice(name: str, value: str, texts: "list[tuple[str, str]]") -> "Any":
    """The choice that the texts of one option make, or its default if there are none."""
    result: "Any" = getattr(Settings, name.replace("-", "_"), False)
    if isinstance(result, dict):
        result = {}
    if name in COUNTED:
        value, result = "COUNT", 0
    for label, text in texts:
        try:
            read: "Any" = _READERS[value](text)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None
        if isinstance(result, dict):
            result[read[0]] = read[1]
        elif value == "COUNT" or value in REPEATABLE:
            result += read
        else:
            result = read
    return result


def _switch(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise ValueError(f"{text!r} is neither yes nor no")


def _count(text: str) -> int:
    return int(text) if is_number(text) else int(_switch(text))


def _level(text: str) -> int:
    if is_number(text):
        return int(text)
    raise ValueError(f"{text!r} is no number from 0 (errors only) to 3 (everything)")


def _status(text: str) -> int:
    if is_number(text) and int(text) <= 255:
        return int(text)
    raise ValueError(f"{text!r} is no exit status: 0 to 255")


def _remapping(text: str) -> "tuple[int, int]":
    code, _, to = text.partition(":")
    return _status(code), _status(to) if to or text.endswith(":") else 0


def _signal_number(text: str) -> int:
    from pyinit import signal_names

    return signal_names.number(text)


def _rewriting(text: str) -> "tuple[int, int]":
    from pyinit import signal_names

    received, colon, forwarded = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is not of the form FROM:TO, such as TERM:QUIT")
    source = signal_names.number(received)
    if source in (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD):
        raise ValueError(f"{text!r}: {signal_names.name(source)} is never forwarded")
    return source, 0 if forwarded == "0" else signal_names.number(forwarded)


def _path(text: str) -> str:
    if not text:
        raise ValueError("an empty path")
    return text


def _paths(text: str) -> "tuple[str, ...]":
    return (_path(text),)


def _user(text: str) -> str:
    if not text.strip(":") or text.count(":") > 1:
        raise ValueError(f"{text!r} names nobody: USER, USER:GROUP or :GROUP, by name or number")
    return text


def _seconds(text: str) -> float:
    whole, _, part = text.partition(".")
    digits = whole + part
    if digits.isascii() and digits.isdigit() and len(whole) < 10:  # setitimer takes 9223372036 at most
        return float(text)
    raise ValueError(f"{text!r} is no number of seconds, such as 10 or 0.5, below 1000000000")


def _orphans(text: str) -> str:
    if text not in ("keep", "end"):
        raise ValueError(f"{text!r} is neither keep nor end")
    return text


def _command(text: str) -> "tuple[tuple[str, ...], ...]":
    from pyinit import hooks

    return (hooks.split(text),)


def _secret(text: str) -> "tuple[tuple[str, str], ...]":
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise ValueError(f"{text!r} is not of the form NAME=PATH")
    return ((name, path),)


def _ids(text: str) -> str:
    from pyinit.identity.accounts import LARGEST_ID, identifier

    uid, colon, gid = text.partition(":")
    if text != "env" and (identifier(uid) < 0 or (colon and identifier(gid) < 0)):
        raise ValueError(f"{text!r} is neither UID nor UID:GID, each from 0 to {LARGEST_ID}, nor the word env")
    return text


def _capabilities(text: str) -> "tuple[int, ...]":
    from pyinit.identity import capabilities

    return tuple(map(capabilities.number, text.split(",")))


_READERS = {
    "": _switch,
    "COUNT": _count,
    "LEVEL": _level,
    "SIGNAL": _signal_number,
    "CODE[:TO]": _remapping,
    "FROM:TO": _rewriting,
    "PATH": _path,
    "FILE": _paths,
    "TREE": _paths,
    "DIR": _path,
    "SECONDS": _seconds,
    "keep|end": _orphans,
    "COMMAND": _command,
    "NAME=PATH": _secret,
    "USER[:GROUP]": _user,
    "UID[:GID]": _ids,
    "LIST": _capabilities,
}
