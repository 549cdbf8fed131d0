"""Becoming the program, wherever it is: the search of PATH, as execvp does it, and why it failed (man 3 exec)."""

import posix
import sys

from pyinit.tell import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    Path = str | bytes

_PATH_MAX = 4096  # linux/limits.h: what is longer execvp leaves out

# Without PATH each C library has its own. Only glibc has this name for confstr(3).
_GLIBC = "CS_GNU_LIBC_VERSION"
_DEFAULT_PATH = {True: b"/bin:/usr/bin", False: b"/usr/local/bin:/bin:/usr/bin"}


def execute(
    words: "tuple[str, ...]", environment: "dict[bytes, bytes]", become: "Callable[[Path, tuple[Path, ...]], None]"
) -> "NoReturn":
    """Become the program, by a call that is given a path and the words. Raises Fatal.

    With 127 if there is no such program, with 126 if there is one that cannot be executed. One that is not there, or on
    a file system that does not answer, is looked for further on; so is one that may not be executed, which is
    remembered. Any other failure ends the search. A script without a first line is given to the shell.
    """
    failures = []
    for path in (words[0],) if "/" in words[0] else _candidates(words[0], environment):
        try:
            become(path, words)
        except OSError as error:
            failures.append((path, error))
            if not _goes_on(error):
                break
    found, failure = failures[-1]
    if _is("ENOEXEC", failure) and not _is_binary(found):
        _give_to_shell(found, words, become)
    _explain(words, failures)


def _candidates(name: str, environment: "dict[bytes, bytes]") -> "list[bytes]":
    """The paths to try: one for each directory of PATH, of which an empty one means here."""
    file = name.encode(sys.getfilesystemencoding(), "surrogateescape")
    search = environment.get(b"PATH", _DEFAULT_PATH[_GLIBC in posix.confstr_names])
    paths = [(directory or b".") + b"/" + file for directory in search.split(b":")]
    return [path for path in paths if len(path) < _PATH_MAX] or paths


def _goes_on(error: OSError) -> bool:
    """Whether execvp looks further."""
    return _is("ENOENT ESTALE ENOTDIR ENODEV ETIMEDOUT EACCES", error)


def _is(names: str, error: OSError) -> bool:
    import errno  # built into the interpreter, and needed by a failure alone

    return errno.errorcode.get(error.errno or 0) in names.split()


def _give_to_shell(
    path: "Path", words: "tuple[str, ...]", become: "Callable[[Path, tuple[Path, ...]], None]"
) -> "NoReturn":
    try:
        become("/bin/sh", ("/bin/sh", path, *words[1:]))
    except OSError as error:
        reason = f"it has no first line that names its interpreter, and /bin/sh: {error.strerror}"
        raise Fatal(f"cannot run {list(words)}: {reason}", 126, reason=error.strerror or "") from None
    raise AssertionError("never here")


def _explain(words: "tuple[str, ...]", failures: "list[tuple[Path, OSError]]") -> "NoReturn":
    """Raise Fatal: what ended the search counts, else what was refused, else what is there and still not found."""
    refused = [error for _, error in failures if not _is("ENOENT ENOTDIR", error)]
    missing = [error for path, error in failures if _is("ENOENT", error) and _exists(path)]
    if not refused and not missing:
        reason = failures[0][1].strerror or ""
        raise Fatal(f"cannot run {list(words)}: {words[0]!r} not found", 127, reason=reason)
    error = failures[-1][1] if not _goes_on(failures[-1][1]) else [*refused, *missing][0]
    reason = said = error.strerror or ""
    if _is("ENOENT", error):
        reason = "the interpreter that its first line or its ELF header names does not exist"
    raise Fatal(f"cannot run {list(words)}: {reason}", 126, reason=said)


def _is_binary(path: "Path") -> bool:
    """Whether a file is no script, as bash tells it: a shell would run a broken binary's bytes as commands."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:  # executable but not readable: the shell could not read it either
        return True
    return b"\0" in posix.read(descriptor, 128)


def _exists(path: "Path") -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True
