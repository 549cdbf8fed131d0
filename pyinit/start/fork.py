"""Starting the program by hand, step by step: fork, process group or session, terminal, credentials, exec."""

import _signal
import posix

from pyinit.kernel.signals import IGNORED_BY_PYTHON
from pyinit.start import search  # now: the program's user may not be allowed to read our file
from pyinit.tell import Fatal
from pyinit.tell.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from pyinit.start import Start
    from pyinit.start.terminal import Terminal

    Path = str | bytes


def start(start: "Start", named: "list[bytes]") -> int:
    """See `spawn.start`. `named` are variables that are to name the program's pid."""
    if start.settings.exec:
        from pyinit.kernel import own_signals

        own_signals.take_back()
        _become_program(start, None, [])
    if start.terminal:
        start.terminal.before_fork()
    try:
        program_pid = posix.fork()
    except OSError as error:
        raise Fatal(f"cannot start a process for {list(start.words)}: {error.strerror}", 1) from None
    if program_pid == 0:
        _become_program(start, start.terminal, named)
    return program_pid


def _become_program(start: "Start", terminal: "Terminal | None", named: "list[bytes]") -> "NoReturn":
    """The child's side of a fork: never returns. Signals stay blocked until everything else is in place."""
    settings, environment = start.settings, start.environment
    log = Log(settings.verbosity, settings.personality)
    status = 1
    try:
        if not settings.exec:  # group, session and terminal stay as they are then, as with gosu
            posix.setsid() if settings.session else posix.setpgid(0, 0)
        if terminal:
            terminal.take()
        if start.identity:
            start.identity.assume()
        if named:
            environment = {**environment, **dict.fromkeys(named, b"%d" % posix.getpid())}
            if b"LISTEN_PID" in named:
                environment.pop(b"LISTEN_PIDFDID", None)  # it would say the same of us, and need not be there
        for signal in IGNORED_BY_PYTHON:
            _signal.signal(signal, _signal.SIG_DFL)
        if start.inherited.child_signal_ignored:
            _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, start.inherited.mask)
        search.execute(start.words, environment, _exec_with(start, environment))
    except Fatal as error:
        words_of_peer = log.words.cannot_run if error.reason else ""
        log.error(words_of_peer.format(start.words[0], error.reason) or error.message)
        status = settings.failure_status or error.status
    except OSError as error:
        log.error(f"cannot start {list(start.words)}: {error.strerror}")
    except ValueError as error:  # what Python's execve does not take: an empty first word, a NUL
        log.error(f"cannot start {list(start.words)}: {error}")
    finally:
        posix._exit(status)


def _exec_with(start: "Start", environment: "dict[bytes, bytes]") -> "Callable[[Path, tuple[Path, ...]], None]":
    """A call that executes a file with these words, and with this environment.

    Where the environment that we were given has entries that a mapping cannot hold, it is changed in place, and the
    rest stays (man 7 environ). A caller of the launcher gets no such: all of its entries have another name here.
    """
    if start.inherited.is_mapping or start.settings.set_user_id:
        return lambda path, words: posix.execve(path, words, environment)
    for name in posix.environ:
        if name and environment.get(name) != posix.environ[name]:
            posix.unsetenv(name)  # all of that name
    for name, value in environment.items():
        if posix.environ.get(name) != value:
            posix.putenv(name, value)
    return posix.execv
