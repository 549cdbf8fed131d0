"""Leave thirty orphans behind every tenth of a second, and write the number of each signal that arrives, as a byte.

A zero is written at the start and after each thirty. Ends with status 5 on TERM; with 9 if what makes the orphans has
ended.
"""

import os
import signal
import time


def orphan(depth: int) -> None:
    """Runs in a process whose parent ends at once, or soon. Makes `depth` more below itself; each ends in its way."""
    if depth and os.fork() == 0:
        orphan(depth - 1)
    kind = os.getpid() % 5
    if kind == 0:
        time.sleep(0.2)
    elif kind == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == 2:
        os.setsid()
    elif kind == 3:  # killed while it is stopped, by a child of its own
        stopped = os.getpid()
        if os.fork() == 0:
            time.sleep(0.05)
            os.kill(stopped, signal.SIGKILL)
            os._exit(0)
        os.kill(stopped, signal.SIGSTOP)
    os._exit(kind)


def make_orphans() -> None:
    while True:
        for _ in range(10):
            if (parent := os.fork()) == 0:
                if os.fork() == 0:
                    orphan(2)
                os._exit(0)
            os.waitpid(parent, 0)
        os.write(1, b"\0")
        time.sleep(0.1)


before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
if os.fork() == 0:
    os.setsid()  # signals are for the parent's process group
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.write(1, b"\0")  # now and not before: a signal would reach this process, too
    make_orphans()
while (number := signal.sigwaitinfo(signal.valid_signals()).si_signo) not in (signal.SIGTERM, signal.SIGCHLD):
    os.write(1, bytes([number]))
os._exit(5 if number == signal.SIGTERM else 9)
