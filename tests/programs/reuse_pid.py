"""End with 7, and have a process that outlives this one start another with the same pid, which then reads a line and
prints the signals that it was sent meanwhile. For a PID namespace of its own, as root."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

own_pid = os.getpid()
CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
for number in CATCHABLE:
    signal.signal(number, signal.SIG_IGN)
if os.fork():
    os._exit(7)
os.setsid()
end = time.monotonic() + 60
while time.monotonic() < end:
    with contextlib.suppress(ProcessLookupError):
        os.kill(own_pid, 0)
        continue  # not reaped yet
    break
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
Path("/proc/sys/kernel/ns_last_pid").write_text(str(own_pid - 1))
reused = os.fork()
if reused:
    print("as it was" if reused == own_pid else f"{reused} and not {own_pid}", flush=True)
    os.waitpid(reused, 0)
    os._exit(0)
for number in CATCHABLE:
    signal.signal(number, signal.SIG_DFL)
print("ready", flush=True)
sys.stdin.readline()
print("pending", *sorted(map(int, signal.sigpending())), flush=True)
