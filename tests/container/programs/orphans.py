"""Make N orphans and say whether somebody reaped them: `orphans.py sequence N`, `orphans.py burst N`.

Two forks make an orphan: the process in the middle ends, and the kernel gives its child to the nearest reaper.
In a sequence each orphan ends at once; in a burst all of them end at the same moment.
"""

import os
import sys
import time
from pathlib import Path


def orphan(gate: int) -> int:
    """Make one orphan that ends when it has read from `gate`; return its process ID."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        child = os.fork()
        if child == 0:
            os.read(gate, 1)
        else:
            os.write(writer, str(child).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    pid = int(os.read(reader, 20))
    os.close(reader)
    os.close(writer)
    return pid


def parent_of(pid: int) -> int:
    """The parent's process ID (man 5 proc: the second field after the name in parentheses)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def left_after_a_while(pids: list[int]) -> list[int]:
    """Those of `pids` that are still in the process table, alive or as zombies, after ten seconds."""
    deadline = time.monotonic() + 10
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


kind, count = sys.argv[1], int(sys.argv[2])
if kind == "sequence":
    always_open = os.open("/dev/null", os.O_RDONLY)
    orphans = [orphan(always_open) for _ in range(count)]
else:
    gate, key = os.pipe()
    orphans = [orphan(gate) for _ in range(count)]
    print("adopted by the init:", {parent_of(pid) for pid in orphans} == {os.getppid()})
    os.write(key, b"." * count)
print("left:", len(left_after_a_while(orphans)))
