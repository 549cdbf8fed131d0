"""Work that is cut off nowhere: at TERM the job at hand is finished, and then this ends with status 0.

A job is a process in a session of its own, as `setsid` makes it: no signal for the program's group reaches it.
"""

import signal
import subprocess

JOB = "trap '' TERM; sleep 2; echo job done"

ended = False


def end(*_: object) -> None:
    global ended
    ended = True


signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
done = 0
while not ended:
    subprocess.run(["setsid", "sh", "-c", JOB], check=True)
    done += 1
print(f"ended after {done} jobs", flush=True)
