"""Text for people, and text as the bytes that it came from."""

import sys


def printable(text: str) -> str:
    """`text` with every character that is not printable escaped as in a Python string, so that it stays on one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def is_number(text: str) -> bool:
    """Whether a text is a whole number of a size that makes sense: the interpreter reads no more than 4300 digits."""
    return text.isascii() and text.isdigit() and len(text) < 10


def mode(text: str) -> int:
    """A umask (man 2 umask). Raises ValueError, with what would be right."""
    if text and len(text) <= 4 and not text.strip("01234567") and int(text, 8) <= 0o777:
        return int(text, 8)
    raise ValueError(f"{text!r} is no umask: octal digits from 000 to 777, such as 022")


def encode(text: str) -> bytes:
    """`text` as the bytes it came from: the reverse of how the interpreter decodes arguments (PEP 383).

    A process's name from /proc may be another locale's, which is UTF-8 by now.
    """
    try:
        return text.encode(sys.getfilesystemencoding(), "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """`data` as text, the way the interpreter decodes arguments (PEP 383)."""
    return data.decode(sys.getfilesystemencoding(), "surrogateescape")
