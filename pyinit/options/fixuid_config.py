"""fixuid's configuration: whose account is matched, and which trees follow. Root alone can have written it."""

import posix

from pyinit.identity.launched import CONFIGURATION
from pyinit.kernel.files import FILE_TYPE, REGULAR
from pyinit.kernel.paths import OPEN_DIRECTORY, is_roots_alone
from pyinit.tell import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Config = tuple[str, str, tuple[str, ...]]  # user, group, and absolute paths: none if the file does not say

_NAMES = ("config.json", "config.toml", "config.yaml", "config.yml")  # the first that is there counts, as for fixuid

_LARGEST = 65536
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of an editor's, in UTF-8
_SHOWN = 60  # characters of a value in a message

_INDICATORS = "&*!|>%@`{}[],#-?:"  # YAML 1.2, 7.3.3: a plain value does not begin with these, nearly always


def read() -> "Config":
    """The configuration of this container. Raises Fatal with status 1 and one line that names the file."""
    path = CONFIGURATION
    try:
        directory = posix.open(path, OPEN_DIRECTORY)
        _check_owner(posix.fstat(directory))
        there = posix.listdir(directory)
        name = next((name for name in _NAMES if name in there), "")
        if not name:
            raise ValueError(f"has none of {', '.join(_NAMES)}, which says 'user' and 'group'")
        path = f"{CONFIGURATION}/{name}"
        # O_NONBLOCK: even a FIFO is no reason to wait.
        flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
        descriptor = posix.open(name, flags, dir_fd=directory)
        status = posix.fstat(descriptor)
        _check_owner(status)
        if status.st_mode & FILE_TYPE != REGULAR or status.st_size > _LARGEST:
            raise ValueError("is no file, or too large")
        data = posix.read(descriptor, _LARGEST)
        posix.close(descriptor)
        posix.close(directory)
        return parse(name, data)
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}", 1) from None
    except ValueError as error:
        raise Fatal(f"{path}: {error}", 1) from None


def _check_owner(status: "posix.stat_result") -> None:
    if not is_roots_alone(status):
        raise ValueError("must be root's, and nobody else may write to it (chown root:root, chmod go-w)")


def parse(name: str, data: bytes) -> "Config":
    """What a file of that name says. Raises ValueError with what is wrong with it."""
    loads: "Callable[[str], object]" = yaml
    if name.endswith(".json"):
        from json import loads
    elif name.endswith(".toml"):
        try:
            from tomllib import loads  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            needed = "TOML needs Python 3.11, in the standalone file one with datetime built in"
            raise ValueError(f"{needed}; YAML and JSON do not") from None
    try:
        return _checked(loads(data.removeprefix(_BYTE_ORDER_MARK).decode()))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _checked(content: object) -> "Config":
    if not isinstance(content, dict):
        raise ValueError("has to say 'user' and 'group'")
    for key in ("user", "group", *content):
        value = content.get(key)
        if key == "paths":
            if not (isinstance(value, list) and value and all(map(_is_path, value))):
                raise ValueError(f"'paths' has to be a list of absolute paths, not {_shown(value)}")
        elif key not in ("user", "group"):
            raise ValueError(f"{_shown(key)} is none of the keys 'user', 'group' and 'paths'")
        elif not _is_text(value):
            raise ValueError(f"'{key}' has to be a name, not {_shown(value)}")
    return content["user"], content["group"], tuple(content.get("paths", ()))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_path(value: object) -> bool:
    return _is_text(value) and str(value)[0] == "/"


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN]


def yaml(text: str) -> "dict[str, str | list[str]]":
    """The part of YAML that these files use: `key: value`, comments, quotes, and lists in brackets or line by line.

    Raises ValueError, with the number of the line, for everything else.
    """
    content: "dict[str, str | list[str]]" = {}
    items: "list[str]" = []  # of the list that lines with a dash add to
    indent = -1  # of these lines; -1 before the first, -2 where there is no list
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip()
        words = line.lstrip(" ")
        spaces = len(line) - len(words)
        if not words or words[0] == "#" or (line == "---" and not content):
            continue
        try:
            if not line.isprintable():
                raise ValueError("a tab, or a character that cannot be printed")
            if words[:2] in ("-", "- "):
                if not content or indent not in (-1, spaces):
                    raise ValueError("an item of a list, where none belongs")
                indent = spaces
                value, rest = _value(words[1:].lstrip())
                items.append(value)
            else:
                key, colon, rest = words.partition(":")
                key = key.rstrip()
                if spaces or not colon or rest[:1].strip() or key in content:
                    raise ValueError("not `key: value`, or a key that was there before")
                rest = rest.lstrip()
                indent = -2
                if rest[:1] in ("", "#"):
                    content[key] = items = []
                    indent = -1
                    continue
                content[key], rest = _in_brackets(rest) if rest[0] == "[" else _value(rest)
            if rest and not (rest[0] == " " and rest.lstrip()[0] == "#"):
                raise ValueError(f"{_shown(rest)} is too much")
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return content


def _in_brackets(text: str) -> "tuple[list[str], str]":
    """The list that a text begins with, and what comes after it."""
    items = []
    rest = "," + text[1:]
    while rest[:1] == ",":
        value, rest = _value(rest[1:].lstrip(), ",[]{}")
        rest = rest.lstrip()
        items.append(value)
    if rest[:1] != "]":
        raise ValueError("the list does not end on its line")
    return items, rest[1:]


def _value(text: str, ends: str = "") -> "tuple[str, str]":
    """The value that a text begins with, and what comes after it: one of `ends`, or a comment."""
    if text[:1] in ("'", '"'):
        value, closing, rest = text[1:].partition(text[0])
        if not closing or rest[:1] == text[0] or (closing == '"' and "\\" in value):
            raise ValueError("quotes are not closed, or have quotes or a backslash inside")
        return value, rest
    at = next((at for at, character in enumerate(text) if character in ends or text[at : at + 2] == " #"), len(text))
    value = text[:at].rstrip()
    if not value or value[0] in _INDICATORS or ": " in value or value[-1] == ":":
        raise ValueError(f"{_shown(value)} is no plain value; put it in quotes")
    return value, text[len(value) :].lstrip() if ends else text[len(value) :]
