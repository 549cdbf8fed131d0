"""Say `job-42`, wait until the file named by the first argument exists, and say `done-42`; with `read` as the second
argument read a line first and say `got:LINE`. No shell: one that waits for vfork cannot be stopped (man 2 vfork)."""

import sys
import time
from pathlib import Path

print("job-42", flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
if "read" in sys.argv[2:]:
    print("got:" + sys.stdin.readline().rstrip("\n"), flush=True)
print("done-42", flush=True)
