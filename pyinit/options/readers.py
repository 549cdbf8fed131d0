"""From the text of a value to the value itself. Of an option that repeats it is what this text adds.

Each raises ValueError with one line: the text, and what would be right.
"""

import _signal

from pyinit.tell.text import is_number, mode

_YES = ("1", "yes", "true", "on")
_NO = ("", "0", "no", "false", "off")
_SPACE = " \t\r\n"
_NEVER_FORWARDED = (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD)


def switch(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise ValueError(f"{text!r} is neither yes nor no")


def count(text: str) -> int:
    return int(text) if is_number(text) else int(switch(text))


def level(text: str) -> int:
    if is_number(text):
        return int(text)
    raise ValueError(f"{text!r} is no number from 0 (errors only) to 3 (everything)")


def status(text: str) -> int:
    if is_number(text) and int(text) <= 255:
        return int(text)
    raise ValueError(f"{text!r} is no exit status: 0 to 255")


def remapping(text: str) -> "tuple[int, int]":
    code, _, to = text.partition(":")
    return status(code), status(to) if to or text.endswith(":") else 0


def signal_number(text: str) -> int:
    from pyinit.tell import signal_names

    return signal_names.number(text)


def stop_signal(text: str) -> int:
    number = signal_number(text)
    if number in _NEVER_FORWARDED:
        raise ValueError(f"{text!r} never comes, or asks for nothing: TERM, INT, QUIT and others do")
    return number


def rewriting(text: str) -> "tuple[int, int]":
    from pyinit.tell import signal_names

    received, colon, forwarded = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is not of the form FROM:TO, such as TERM:QUIT")
    source = signal_names.number(received)
    if source in _NEVER_FORWARDED:
        raise ValueError(f"{text!r}: {signal_names.name(source)} is never forwarded")
    return source, 0 if forwarded == "0" else signal_names.number(forwarded)


def path(text: str) -> str:
    if not text:
        raise ValueError("an empty path")
    return text


def paths(text: str) -> "tuple[str, ...]":
    return (path(text),)


def user(text: str) -> str:
    if not text.strip(":") or text.count(":") > 1:
        raise ValueError(f"{text!r} names nobody: USER, USER:GROUP or :GROUP, by name or number")
    return text


def seconds(text: str) -> float:
    whole, _, part = text.partition(".")
    digits = whole + part
    if digits.isascii() and digits.isdigit() and len(whole) < 10:  # setitimer takes 9223372036 at most
        return float(text)
    raise ValueError(f"{text!r} is no number of seconds, such as 10 or 0.5, below 1000000000")


def keep_or_end(text: str) -> str:
    if text not in ("keep", "end"):
        raise ValueError(f"{text!r} is neither keep nor end")
    return text


def none_or_inherit(text: str) -> str:
    if text not in ("none", "inherit"):
        raise ValueError(f"{text!r} is neither none nor inherit")
    return text


def commands(text: str) -> "tuple[tuple[str, ...], ...]":
    return (split(text),)


def variables(text: str) -> "tuple[str, ...]":
    """Their names, or for an option that stands alone the word that means all of them."""
    try:
        return ("*",) if switch(text) else ()
    except ValueError:
        names = tuple(text.split(","))
    for name in names:
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"{name!r} is neither a variable nor yes or no")
        if name.endswith("_FILE"):
            raise ValueError(f"{name!r}: the variable itself is named, {name[:-5] or 'X'}, and not what names its file")
    return names


def secrets(text: str) -> "tuple[tuple[str, str], ...]":
    name, equals, file = text.partition("=")
    if not name or not equals or not file:
        raise ValueError(f"{text!r} is not of the form NAME=PATH")
    return ((name, file),)


def ids(text: str) -> str:
    from pyinit.identity.accounts import LARGEST_ID, identifier

    uid, colon, gid = text.partition(":")
    if text != "env" and (identifier(uid) < 0 or (colon and identifier(gid) < 0)):
        raise ValueError(f"{text!r} is neither UID nor UID:GID, each from 0 to {LARGEST_ID}, nor the word env")
    return text


def capability_numbers(text: str) -> "tuple[int, ...]":
    from pyinit.identity import capabilities

    return tuple(map(capabilities.number, text.split(",")))


def split(text: str) -> "tuple[str, ...]":
    """The words of a command, as shlex.split finds them (POSIX, 2.2); nothing is expanded and no shell is started.

    Raises ValueError for an open quote, and for no words at all.
    """
    words = []
    word: "str | None" = None  # None between words, since '' is one too
    quote = ""
    characters = iter(text)
    for character in characters:
        if character == quote:
            quote = ""
        elif character == "\\" and quote != "'":
            following = next(characters, "")
            if not following:
                raise ValueError(f"{text!r} ends with a backslash")
            # Within double quotes it stands for itself, except before these two.
            literal = quote == '"' and following not in '"\\'
            word = (word or "") + ("\\" if literal else "") + following
        elif quote:
            word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character not in _SPACE:
            word = (word or "") + character
        elif word is not None:
            words.append(word)
            word = None
    if quote:
        raise ValueError(f"{text!r}: a quotation mark is not closed")
    if word is not None:
        words.append(word)
    if not words or not words[0]:
        raise ValueError(f"{text!r} names no command")
    return tuple(words)


# By what a value looks like in the table; two kinds are not there.
READERS = {
    "": switch,
    "COUNT": count,  # the variables of options that count
    "LEVEL": level,  # TINI_VERBOSITY
    "SIGNAL": signal_number,
    "STOPSIGNAL": stop_signal,
    "CODE[:TO]": remapping,
    "FROM:TO": rewriting,
    "PATH": path,
    "FILE": paths,
    "TREE": paths,
    "DIR": path,
    "SECONDS": seconds,
    "keep|end": keep_or_end,
    "none|inherit": none_or_inherit,
    "COMMAND": commands,
    "NAME=PATH": secrets,
    "[=NAMES]": variables,
    "USER[:GROUP]": user,
    "UID[:GID]": ids,
    "LIST": capability_numbers,
    "MODE": mode,
}
