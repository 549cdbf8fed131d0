"""Starting the program by hand, step by step: fork, process group or session, terminal, credentials, exec."""

import _signal
import posix
import sys

from pyinit import exec_failure  # now: the program's user may not be allowed to read our file
from pyinit.log import Fatal, Log
from pyinit.settings import Settings
from pyinit.signals import IGNORED_BY_PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pyinit.boot import Inherited
    from pyinit.identity import Identity
    from pyinit.terminal import Terminal

# glibc's and musl's execvp search these when PATH is not set (man 3 exec).
_DEFAULT_PATH = b"/bin:/usr/bin"


def start(
    settings: Settings,
    environment: "dict[bytes, bytes]",
    inherited: "Inherited",
    identity: "Identity | None",
    terminal: "Terminal | None",
    log: Log,
) -> int:
    """See `spawn.start`."""
    if settings.exec:
        _become_program(settings, environment, inherited, identity, None, log)
    if terminal:
        terminal.before_fork()
    try:
        program_pid = posix.fork()
    except OSError as error:
        raise Fatal(f"cannot start a process for {list(settings.program)}: {error.strerror}", 1) from None
    if program_pid == 0:
        _become_program(settings, environment, inherited, identity, terminal, log)
    return program_pid


def _become_program(
    settings: Settings,
    environment: "dict[bytes, bytes]",
    inherited: "Inherited",
    identity: "Identity | None",
    terminal: "Terminal | None",
    log: Log,
) -> "NoReturn":
    """The child's side of a fork: never returns. Signals stay blocked until everything else is in place."""
    status = 1
    try:
        if not settings.exec:  # group, session and terminal stay as they are then, as with gosu
            posix.setsid() if settings.session else posix.setpgid(0, 0)
        if terminal:
            terminal.take()
        if identity:
            identity.assume()
        if settings.listen_pid:
            environment = {**environment, b"LISTEN_PID": b"%d" % posix.getpid()}
        for signal in IGNORED_BY_PYTHON:
            _signal.signal(signal, _signal.SIG_DFL)
        if inherited.child_signal_ignored:
            _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, inherited.mask)
        _execute(settings.program, environment)
    except Fatal as error:
        words_of_peer = log.cannot_run if error.reason else ""
        log.error(words_of_peer.format(settings.program[0], error.reason) or error.message)
        status = settings.failure_status or error.status
    except OSError as error:
        log.error(f"cannot start {list(settings.program)}: {error.strerror}")
    except ValueError as error:  # what Python's execve does not take: an empty first word, a variable without a name
        log.error(f"cannot start {list(settings.program)}: {error}")
    finally:
        posix._exit(status)


def _execute(program: "tuple[str, ...]", environment: "dict[bytes, bytes]") -> "NoReturn":
    """Become the program, trying each place where it may be, as execvp does (man 3 exec). Raises Fatal."""
    name = program[0]
    failures = []
    for path in (name,) if "/" in name else _candidates(name, environment):
        try:
            posix.execve(path, program, environment)
        except OSError as error:
            failures.append((path, error))
    exec_failure.deal_with(program, environment, failures)


def _candidates(name: str, environment: "dict[bytes, bytes]") -> "list[bytes]":
    """The paths to try: one for each directory of PATH, of which an empty one means here."""
    file = name.encode(sys.getfilesystemencoding(), "surrogateescape")
    return [(directory or b".") + b"/" + file for directory in environment.get(b"PATH", _DEFAULT_PATH).split(b":")]
