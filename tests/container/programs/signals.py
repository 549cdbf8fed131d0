"""Say `ready`, then name each signal that arrives. TERM ends with status 7, QUIT with 3, INT with 4.

Before it ends it listens for half a second more, so that a signal which came twice is seen twice.
"""

import signal
import sys

ENDS_WITH = {signal.SIGTERM: 7, signal.SIGQUIT: 3, signal.SIGINT: 4}
HEARD = {*ENDS_WITH, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH}

signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
print("ready", flush=True)
status = None
while True:
    arrived = signal.sigtimedwait(HEARD, 600 if status is None else 0.5)
    if arrived is None:
        sys.exit(1 if status is None else status)
    name = signal.Signals(arrived.si_signo).name
    print(name, flush=True)
    status = ENDS_WITH.get(signal.Signals(arrived.si_signo), status)
