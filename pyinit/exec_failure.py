"""A program that the kernel did not execute: is it a script for the shell, and if not, why not?"""

import posix

from pyinit.log import Fatal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    Path = str | bytes


def deal_with(
    program: "tuple[str, ...]", environment: "dict[bytes, bytes]", failures: "list[tuple[Path, OSError]]"
) -> "NoReturn":
    """Given each path that was tried and what the kernel said, give a script to the shell, as execvp does.

    That is a text file without a first line that names its interpreter. Raises Fatal with 127 if there is no such
    program, with 126 if there is one that cannot be executed.
    """
    import errno  # built into the interpreter, and needed by a failure alone

    refused = None
    for path, error in failures:
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not _exists(path):
            continue
        if error.errno == errno.ENOEXEC and not _is_binary(path):
            posix.execve("/bin/sh", ("/bin/sh", path, *program[1:]), environment)
        refused = refused or error
    if refused is None:
        reason = posix.strerror(errno.ENOENT)
        raise Fatal(f"cannot run {list(program)}: {program[0]!r} not found", 127, reason=reason)
    reason = said = refused.strerror or ""
    if refused.errno == errno.ENOENT:
        reason = "the interpreter that its first line or its ELF header names does not exist"
    raise Fatal(f"cannot run {list(program)}: {reason}", 126, reason=said)


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
