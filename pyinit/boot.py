"""The first thing that runs: collect every signal from now on, and note what the interpreter changed before us."""

import _signal
import posix
import sys

from pyinit import signals

# man 7 environ; PEP 538: in the C locale the interpreter sets LC_CTYPE to the first of these that exists.
_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Inherited(Protocol):
        """What we were started with: the program must find the same, but for the parent."""

        mask: "set[int]"
        child_signal_ignored: bool
        environment: "dict[bytes, bytes]"
        parent: int


# types.SimpleNamespace: a class of our own would take 25 us of each start.
_Namespace = type(sys.implementation)


def take_over() -> "Inherited":
    """Block every signal that can be blocked: what arrives from now on waits until it is collected.

    A blocked signal is kept even if its disposition is to be ignored, and even by PID 1, for which the kernel
    discards signals with the default disposition (man 7 pid_namespaces). SIGCHLD alone needs its default disposition:
    if it were ignored, the kernel would reap the children and keep their status from us (man 2 waitpid).
    """
    mask = _block()
    parent = posix.getppid()
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    child_signal_ignored = _signal.getsignal(_signal.SIGCHLD) is _signal.SIG_IGN
    if child_signal_ignored:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    return _Namespace(  # type: ignore[call-arg]
        mask=mask, child_signal_ignored=child_signal_ignored, environment=_inherited_environment(), parent=parent
    )


def _block() -> "set[int]":
    """Block every signal; returns the mask before. An INT that the interpreter took as Ctrl-C is sent once more."""
    interrupted = False
    while True:
        try:
            mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
            _signal.pthread_sigmask(_signal.SIG_BLOCK, signals.EVERY)
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        posix.kill(posix.getpid(), _signal.SIGINT)
    return mask


def _inherited_environment() -> "dict[bytes, bytes]":
    """The environment as it was before the interpreter coerced the locale."""
    environment = posix.environ
    if environment.get(b"LC_CTYPE") not in _COERCED:
        return environment
    try:
        with open("/proc/self/environ", "rb", 0) as file:
            original = file.read().split(b"\0")
    except OSError:  # no /proc: both are possible, and a UTF-8 locale does less harm than a lost one
        return environment
    environment = dict(environment)
    del environment[b"LC_CTYPE"]
    for variable in original:
        if variable.startswith(b"LC_CTYPE="):
            environment[b"LC_CTYPE"] = variable[9:]
            break
    return environment
