"""Starting the program: process group or session, terminal, dispositions, mask, exec."""

import _signal
import posix
import sys

from pyinit.boot import Inherited
from pyinit.log import Fatal, Log
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pyinit.identity import Identity
    from pyinit.terminal import Terminal

# glibc's and musl's execvp search these when PATH is not set (man 3 exec).
_DEFAULT_PATH = b"/bin:/usr/bin"

# CPython ignores these two for itself; the program must find them at their default.
_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)


def controlling_terminal(session: bool) -> "Terminal | None":
    """The controlling terminal, None if there is none.

    /dev/tty and not standard input: that may be redirected while the program still asks for a password on /dev/tty.
    """
    try:
        descriptor = posix.open("/dev/tty", posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError:  # ENXIO: no controlling terminal
        return None
    from pyinit.terminal import Terminal

    return Terminal(descriptor, session)


def start(
    settings: Settings, inherited: Inherited, identity: "Identity | None", terminal: "Terminal | None", log: Log
) -> int:
    """Start the program, as `identity` if that is not None, and return its pid. With --exec, become it.

    Raises Fatal with status 1 if no process can be made. A program that cannot be executed is the child's to report: it
    writes the line and ends with 127 if there is no such program, with 126 for any other reason.

    Not posix_spawn, although it would save some 6 % of a start: it can neither hand over the terminal nor restore an
    ignored SIGCHLD, and glibc's leaves the program with signals 32 and 33 ignored.
    """
    if settings.exec:
        _become_program(settings, inherited, identity, None, log)
    if terminal:
        terminal.before_fork()
    try:
        program_pid = posix.fork()
    except OSError as error:
        raise Fatal(f"cannot start a process for {list(settings.program)}: {error.strerror}", 1) from None
    if program_pid == 0:
        _become_program(settings, inherited, identity, terminal, log)
    return program_pid


def _become_program(
    settings: Settings, inherited: Inherited, identity: "Identity | None", terminal: "Terminal | None", log: Log
) -> "NoReturn":
    """The child's side of a fork: never returns. Signals stay blocked until everything else is in place."""
    status = 1
    try:
        environment = inherited.environment
        if not settings.exec:  # group, session and terminal stay as they are then, as with gosu
            posix.setsid() if settings.session else posix.setpgid(0, 0)
        if terminal:
            terminal.take()
        if identity:
            identity.assume()
            environment = identity.environment
        for signal in _IGNORED_BY_PYTHON:
            _signal.signal(signal, _signal.SIG_DFL)
        if inherited.child_signal_ignored:
            _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, inherited.mask)
        _execute(settings.program, environment)
    except Fatal as error:
        log.error(error.message)
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
    from pyinit import exec_failure

    exec_failure.deal_with(program, environment, failures)


def _candidates(name: str, environment: "dict[bytes, bytes]") -> "list[bytes]":
    """The paths to try: one for each directory of PATH, of which an empty one means here."""
    file = name.encode(sys.getfilesystemencoding(), "surrogateescape")
    return [(directory or b".") + b"/" + file for directory in environment.get(b"PATH", _DEFAULT_PATH).split(b":")]
