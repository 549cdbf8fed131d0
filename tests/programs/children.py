"""A parent and a child in one process group; both print the signals USR1 and TERM. TERM ends both."""

import os
import signal

WATCHED = {signal.SIGUSR1, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
child = os.fork()
name = "parent" if child else "child"
if child:
    print("child", child, flush=True)
while (number := signal.sigwait(WATCHED)) != signal.SIGTERM:
    print(name, "got", int(number), flush=True)
if child:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
