"""Block every signal, say `ready`, then print the name of each one that arrives. Ends on the second SIGTERM."""

import signal
import sys

EVERY = signal.valid_signals() - {signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, EVERY)
print("ready", flush=True)
terminated = 0
while terminated < 2:
    number = signal.sigwait(EVERY)
    print("got", int(number), flush=True)
    terminated += number == signal.SIGTERM
sys.exit(0)
