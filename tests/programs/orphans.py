"""Leave at least COUNT orphans behind: in bursts, nested three deep, some stopped, some ignoring signals.

Prints `left N` when every one of them has been made and has ended or been killed, and waits for a line on standard
input before it ends itself.
"""

import os
import signal
import sys
from pathlib import Path

count = int(sys.argv[1])
made = 0


def orphan(depth: int, ready: int) -> None:
    """Runs in a fresh process whose parent ends at once. Makes `depth` more below itself, each an orphan in turn."""
    if depth and os.fork() == 0:
        orphan(depth - 1, ready)
    kind = os.getpid() % 10
    if kind == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(ready, f"{os.getpid()} {kind}\n".encode())
    if kind == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(kind)


while made < count:
    burst = min(count - made, 300)
    reader, writer = os.pipe()
    for _ in range(-(-burst // 3)):
        if (parent := os.fork()) == 0:
            if os.fork() == 0:
                orphan(2, writer)
            os._exit(0)
        os.waitpid(parent, 0)
    os.close(writer)
    lines = b""
    while data := os.read(reader, 65536):
        lines += data
        # A stopped orphan keeps its end of the pipe open: continue it as soon as it has said that it will stop.
        for line in data.split(b"\n"):
            if line.endswith(b" 1"):
                pid = int(line.split()[0])
                while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
                    pass
                os.kill(pid, signal.SIGKILL)
    os.close(reader)
    made += lines.count(b"\n")
print("left", made, flush=True)
sys.stdin.readline()
