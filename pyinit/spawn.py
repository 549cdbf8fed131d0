"""Starting the program, in a process group or a session of its own, with the signals as we found them."""

import _signal
import posix

from pyinit.log import Log
from pyinit.settings import Settings
from pyinit.signals import EVERY, IGNORED_BY_PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.boot import Inherited
    from pyinit.identity import Identity
    from pyinit.terminal import Terminal


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
    settings: Settings,
    environment: "dict[bytes, bytes]",
    inherited: "Inherited",
    identity: "Identity | None",
    terminal: "Terminal | None",
    log: Log,
) -> int:
    """Start the program as `identity`, if that is not None, and return its pid. With --exec, become it.

    Raises Fatal with status 1 if no process can be made. A program that cannot be executed is the child's to report: it
    writes the line and ends with 127 if there is no such program, with 126 for any other reason.

    The usual case takes one call, which copies no memory (man 3 posix_spawn: as vfork): that saves 6 % of a start. What
    the call cannot do is done by hand, and so is a start that fails, which the other way can explain.
    """
    by_hand = (
        terminal
        or identity
        or settings.session
        or settings.exec
        or settings.listen_pid
        or inherited.child_signal_ignored
    )
    if not by_hand:
        # Ignored signals stay so (man 2 execve). glibc asks the kernel about each that is not in this list: 30 us.
        not_ignored = [number for number in EVERY if _signal.getsignal(number) is not _signal.SIG_IGN]
        try:
            return posix.posix_spawnp(
                settings.program[0],
                settings.program,
                environment,
                setpgroup=0,
                setsigdef=(*not_ignored, *IGNORED_BY_PYTHON),
                setsigmask=inherited.mask,
            )
        except (OSError, ValueError):  # Python takes neither an empty first word nor a variable without a name
            pass
    from pyinit import fork

    return fork.start(settings, environment, inherited, identity, terminal, log)
