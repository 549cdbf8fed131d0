"""Swap entries of the tree argv[1] for links that lead out of it, without end, and count that in the file argv[2]."""

import ctypes
import os
import sys

AT_FDCWD = -100
RENAME_EXCHANGE = 2

tree = os.fsencode(sys.argv[1])
counter = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
exchange = ctypes.CDLL(None).renameat2
print("swapping", flush=True)
swaps = 0
while True:
    for name in (b"/directory", b"/deep/below", b"/file"):
        exchange(AT_FDCWD, tree + name, AT_FDCWD, tree + name + b".link", RENAME_EXCHANGE)
    swaps += 1
    os.pwrite(counter, b"%012d\n" % swaps, 0)
