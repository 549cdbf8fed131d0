"""What we were started with, and what the interpreter changed of it before us."""

import _signal
import posix
import sys

from pyinit.kernel import IS_STANDALONE

# man 7 environ; PEP 538: in the C locale the interpreter sets LC_CTYPE to the first of these that exists.
_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")

# In these text holds every byte; in others words have to be asked for anew. See pyinit.kernel.again.
_LOSSLESS = ("utf-8", "ascii", "iso8859-1")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Inherited(Protocol):
        """What we were started with: the program must find the same, but for the parent."""

        mask: "set[int]"
        child_signal_ignored: bool
        environment: "dict[bytes, bytes]"  # the first of each name, as getenv has it
        is_mapping: bool  # whether that is all: no entry without `=`, without a name, or there twice
        parent: int
        has_threads: bool


# types.SimpleNamespace: a class of our own would take 25 us of each start.
_Namespace = type(sys.implementation)


def take_over(mask: "set[int]") -> "Inherited":
    """Note what the program is to find again. Every signal is blocked since the loader's first act; `mask` was before.

    A blocked signal is kept even if its disposition is to be ignored, and even by PID 1, for which the kernel
    discards signals with the default disposition (man 7 pid_namespaces). SIGCHLD alone needs its default disposition:
    if it were ignored, the kernel would reap the children and keep their status from us (man 2 waitpid).
    """
    parent = posix.getppid()
    environment, is_mapping = _inherited_environment()
    if not IS_STANDALONE:  # in the standalone file all is as it was found
        environment, mask = _as_found(environment, mask)
    child_signal_ignored = _signal.getsignal(_signal.SIGCHLD) is _signal.SIG_IGN
    if child_signal_ignored:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    return _Namespace(  # type: ignore[call-arg]
        mask=mask,
        child_signal_ignored=child_signal_ignored,
        environment=environment,
        is_mapping=is_mapping,
        parent=parent,
        has_threads=_has_threads(),
    )


def _as_found(environment: "dict[bytes, bytes]", mask: "set[int]") -> "tuple[dict[bytes, bytes], set[int]]":
    """What has to be made up for where somebody else has started the interpreter, or has changed what it does."""
    if "pyinit_early" in sys._xoptions:  # env has blocked every signal (build --early-signals)
        mask = set()
    if (
        sys.getfilesystemencoding() not in _LOSSLESS
        or b"LD_PRELOAD" in environment
        or b"LD_AUDIT" in environment
        or "pyinit_mask" in sys._xoptions
    ):
        from pyinit.kernel import again

        environment, mask = again.start_again(environment, mask)
    if sys._xoptions:
        _take_own_name()
    return environment, mask


def _take_own_name() -> None:
    """The one that ps shows: our file's, which the kernel takes where it starts that, and not env or ourselves the
    interpreter (man 5 proc_pid_comm)."""
    try:
        descriptor = posix.open("/proc/self/comm", posix.O_WRONLY | posix.O_CLOEXEC)
        posix.write(descriptor, sys.argv[0].rpartition("/")[2].encode(errors="replace"))
        posix.close(descriptor)
    except OSError:
        pass


def _has_threads() -> bool:
    """Whether there is another thread than this one, which would take signals away from it (man 5 proc_pid_task)."""
    try:
        return posix.stat("/proc/self/task").st_nlink > 3
    except OSError:
        return False


def _inherited_environment() -> "tuple[dict[bytes, bytes], bool]":
    """The environment as it was before the interpreter coerced the locale, and whether a mapping can hold all of it.

    What the interpreter's leaves out shows by the size of what the kernel has (man 5 proc_pid_environ).
    """
    environment = posix.environ
    if IS_STANDALONE:
        from _pyinit import set_user_id

        if set_user_id:  # the kernel has the caller's, and main.c has made ours of it
            return environment, True
    size = _size(environment)
    try:
        descriptor = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
        given = posix.read(descriptor, size + 1)
        if len(given) != size or environment.get(b"LC_CTYPE") in _COERCED:
            from pyinit.kernel import proc

            given = proc.read("/proc/self/environ")
            environment = _mapping(given)
        posix.close(descriptor)
        if descriptor <= 2:  # the lowest that is free (man 2 open): seen here, it costs a start nothing
            _hold_standard_streams()
    except OSError:  # no /proc: both are possible, and a UTF-8 locale does less harm than a lost one
        _hold_standard_streams()
        return environment, b"" not in environment
    return environment, b"" not in environment and len(given) == _size(environment)


def _hold_standard_streams() -> None:
    """Take the numbers of standard streams that are closed, or a file that we open would be one, and messages would be
    written into it. As with closed ones nothing can be read or written (man 2 open, O_PATH); the program finds them so.
    """
    descriptor = 0
    try:
        while descriptor <= 2:
            descriptor = posix.open("/", posix.O_PATH | posix.O_CLOEXEC)
        posix.close(descriptor)
    except OSError:  # EMFILE: no other file can be opened either
        pass


def _size(environment: "dict[bytes, bytes]") -> int:
    """How many bytes its entries are, each `NAME=VALUE` and a NUL."""
    return sum(map(len, environment)) + sum(map(len, environment.values())) + 2 * len(environment)


def _mapping(given: bytes) -> "dict[bytes, bytes]":
    """The entries of an environment that have a name and a value: the first of each name, as getenv finds it."""
    found: "dict[bytes, bytes]" = {}
    for entry in given.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(name, value)
    return found
