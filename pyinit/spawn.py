"""Starting the program: process group or session, terminal, dispositions, mask, exec."""

import _signal
import posix
import sys

from pyinit.boot import Inherited
from pyinit.log import Fatal, Log
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

# glibc's and musl's execvp search these when PATH is not set (man 3 exec).
_DEFAULT_PATH = b"/bin:/usr/bin"

# man 3 errno; the same on every architecture. Importing `errno` takes as long as importing a module of ours.
_ENOEXEC = 8

# CPython ignores these two for itself; the program must find them at their default.
_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)


def controlling_terminal() -> int:
    """A descriptor of the controlling terminal, -1 if there is none.

    /dev/tty and not standard input: that may be redirected while the program still asks for a password on /dev/tty.
    """
    try:
        terminal = posix.open("/dev/tty", posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError:  # ENXIO: no controlling terminal
        return -1
    _terminal_module()
    from pyinit.message import above_stdio

    return above_stdio(terminal)


def start(settings: Settings, inherited: Inherited, terminal: int, log: Log) -> int:
    """Start the program and return its pid.

    Raises Fatal with status 1 if no process can be made. A program that cannot be executed is the child's to report: it
    writes the line and ends with 127 if there is no such program, with 126 for any other reason.

    Not posix_spawn, although it would save some 6 % of a start: it can neither hand over the terminal nor restore an
    ignored SIGCHLD, and glibc's leaves the program with signals 32 and 33 ignored.
    """
    try:
        if settings.session and terminal >= 0 and posix.getsid(0) == posix.getpid():
            _terminal_module().give_up(terminal)
        program_pid = posix.fork()
    except OSError as error:
        raise Fatal(f"cannot start a process for {list(settings.program)}: {error.strerror}", 1) from None
    if program_pid == 0:
        _become_program(settings, inherited, terminal, log)
    return program_pid


def _become_program(settings: Settings, inherited: Inherited, terminal: int, log: Log) -> "NoReturn":
    """The child's side of a fork: never returns. Signals stay blocked until everything else is in place."""
    status = 1
    try:
        own_pid = posix.getpid()
        if settings.session:
            posix.setsid()
            if terminal >= 0:
                _terminal_module().take(terminal)
        else:
            parent_group = posix.getpgrp()
            posix.setpgid(0, 0)
            if terminal >= 0:
                _terminal_module().hand_over(terminal, parent_group, own_pid)
        for signal in _IGNORED_BY_PYTHON:
            _signal.signal(signal, _signal.SIG_DFL)
        if inherited.child_signal_ignored:
            _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, inherited.mask)

        _execute(settings.program, inherited.environment)
    except Fatal as error:
        log.error(error.message)
        status = error.status
    except OSError as error:
        log.error(f"cannot start {list(settings.program)}: {error.strerror}")
    finally:
        posix._exit(status)


def _terminal_module() -> "ModuleType":
    """Loaded when there is a terminal, and before the fork: after it importing is slow, and both sides need it."""
    from pyinit import terminal

    return terminal


def _execute(program: "tuple[str, ...]", environment: "dict[bytes, bytes]") -> "NoReturn":
    """Become the program, trying each place where it may be, as execvp does (man 3 exec).

    A text file without a first line that names its interpreter is given to the shell. Raises Fatal with 127 if there is
    no such program, with 126 if there is one that cannot be executed.
    """
    refused: "OSError | None" = None
    for path in _candidates(program[0], environment):
        try:
            try:
                posix.execve(path, program, environment)
            except OSError as error:
                if error.errno != _ENOEXEC or _is_binary(path):
                    raise
                posix.execve("/bin/sh", ("/bin/sh", path, *program[1:]), environment)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)) and not _exists(path):
                continue
            refused = refused or error
    if refused is None:
        raise Fatal(f"cannot run {list(program)}: {program[0]!r} not found", 127)
    reason = refused.strerror
    if isinstance(refused, FileNotFoundError):
        reason = "the interpreter that its first line or its ELF header names does not exist"
    raise Fatal(f"cannot run {list(program)}: {reason}", 126)


def _candidates(name: str, environment: "dict[bytes, bytes]") -> "list[str | bytes]":
    """The paths to try: the name itself if it has a slash, else one for each directory of PATH, empty meaning here."""
    if "/" in name:
        return [name]
    file = name.encode(sys.getfilesystemencoding(), "surrogateescape")
    return [(directory or b".") + b"/" + file for directory in environment.get(b"PATH", _DEFAULT_PATH).split(b":")]


def _is_binary(path: "str | bytes") -> bool:
    """Whether a file is no script, as bash tells it: a shell would run a broken binary's bytes as commands."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    return b"\0" in posix.read(descriptor, 128)


def _exists(path: "str | bytes") -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True
