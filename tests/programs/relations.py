"""Say how this process stands to its parent, and then which signals arrive here and in a child of its group.

The first line is `ready` and the relations. USR2 ends it; what the child got is written when it has ended, too.
"""

import os
import signal

EVERY = signal.valid_signals() - {signal.SIGCHLD}
mask = sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, EVERY)))
ignored = [int(number) for number in sorted(EVERY - {9, 19}) if signal.getsignal(number) is signal.SIG_IGN]
parent, program = os.getppid(), os.getpid()


def foreground() -> "bool | None":
    """Whether our group is the terminal's foreground one, None without a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    return os.tcgetpgrp(terminal) == os.getpgrp()


child = os.fork()
if child == 0:
    while (got := signal.sigwaitinfo(EVERY)).si_signo != signal.SIGRTMAX or got.si_pid != program:
        os.write(1, b"child %d\n" % got.si_signo)
    os._exit(0)
relations = {
    "leads its group": os.getpgrp() == program,
    "leads its session": os.getsid(0) == program,
    "in the init's group": os.getpgrp() == os.getpgid(parent),
    "in the init's session": os.getsid(0) == os.getsid(parent),
    "in the foreground": foreground(),
    "blocked": mask,
    "ignored": [number for number in ignored if number not in (signal.SIGPIPE, signal.SIGXFSZ)],
}
os.write(1, b"ready %s\n" % repr(relations).encode())
while (number := signal.sigwait(EVERY)) != signal.SIGUSR2:
    os.write(1, b"program %d\n" % number)
os.kill(child, signal.SIGCONT)
os.kill(child, signal.SIGRTMAX)
os.waitpid(child, 0)
