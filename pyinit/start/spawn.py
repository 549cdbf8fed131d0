"""Starting the program, in a process group or a session of its own, with the signals as we found them."""

import _signal
import posix

from pyinit.kernel.signals import EVERY, IGNORED_BY_PYTHON

_ENXIO = 6  # man 3 errno

_MANY = 256  # descriptors that are looked at where /proc does not tell which there are

# man 3 sd_listen_fds, man 3 sd_watchdog_enabled, man 5 systemd.exec; GLib, GDesktopAppInfo.
_NAME_A_PROCESS = b"LISTEN_PID", b"WATCHDOG_PID", b"SYSTEMD_EXEC_PID", b"GIO_LAUNCHED_DESKTOP_FILE_PID"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.start import Start
    from pyinit.start.terminal import Terminal


def controlling_terminal(session: bool) -> "Terminal | None":
    """The controlling terminal, None if there is none.

    /dev/tty and not standard input: that may be redirected while the program still asks for a password on /dev/tty. The
    standard streams are asked where that is not there, or no terminal: in a bare /dev, or a sandbox.
    """
    try:
        descriptor = posix.open("/dev/tty", posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError as error:
        # No controlling terminal. Standard input may be nobody's, which a session of its own can have (as dumb-init).
        if error.errno == _ENXIO and not (session and posix.isatty(0)):
            return None
        descriptor = -1
    from pyinit.start import terminal

    if not posix.isatty(descriptor):
        descriptor = terminal.of_standard_streams(descriptor, session)
    return terminal.Terminal(descriptor, session) if descriptor >= 0 else None


def let_go(keep_descriptors: bool) -> None:
    """Keep nothing busy that is the program's: a mount that somebody wants to be gone, a pipe, a port.

    What we were started with are the descriptors that an exec leaves open. Ours it would close.
    """
    try:
        posix.chdir("/")
        names = [] if keep_descriptors else posix.listdir("/proc/self/fd")
    except OSError:
        names = [] if keep_descriptors else [str(number) for number in range(3, _MANY)]
    for number in map(int, names):
        try:
            if number > 2 and posix.get_inheritable(number):
                posix.close(number)
        except OSError:  # it was of the listing itself, or there is none
            pass


def names_us(environment: "dict[bytes, bytes]") -> "list[bytes]":
    """The variables that say for which process something is, and name us: the program would not take it."""
    return [name for name in _NAME_A_PROCESS if name in environment and environment[name] == b"%d" % posix.getpid()]


def start(start: "Start") -> int:
    """Start the program and return its pid. With --exec, become it.

    Raises Fatal with status 1 if no process can be made. A program that cannot be executed is the child's to report: it
    writes the line and ends with 127 if there is no such program, with 126 for any other reason.

    The usual case takes one call, which copies no memory (man 3 posix_spawn: as vfork): that saves 6 % of a start. What
    the call cannot do is done by hand, and so is a start that fails, which the other way can explain.
    """
    settings, environment = start.settings, start.environment
    named = names_us(environment) if start.words is settings.program else []
    by_hand = (
        start.terminal
        or start.identity
        or settings.session
        or settings.exec
        or start.inherited.child_signal_ignored
        or not start.inherited.is_mapping
        or environment.get(b"PATH") != posix.environ.get(b"PATH")  # the call searches that of ours
        or named
    )
    if not by_hand:
        # Ignored signals stay so (man 2 execve). glibc asks the kernel about each that is not in this list: 30 us.
        not_ignored = [number for number in EVERY if _signal.getsignal(number) is not _signal.SIG_IGN]
        try:
            return posix.posix_spawnp(
                start.words[0],
                start.words,
                environment,
                setpgroup=0,
                setsigdef=(*not_ignored, *IGNORED_BY_PYTHON),
                setsigmask=start.inherited.mask,
            )
        except (OSError, ValueError):  # a script for the shell, no such program; Python takes no empty first word
            pass
    from pyinit.start import fork

    return fork.start(start, named)
