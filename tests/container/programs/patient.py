"""What a doctor is to find in a container, a function for each: the first argument names it. Then it says `ready`."""

import contextlib
import os
import signal
import subprocess
import sys
import time

children: "list[subprocess.Popen[bytes]]" = []  # kept: subprocess waits for those that nobody refers to


def good() -> None:
    """Ends by TERM, as a server does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def ignores_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def blocks_term() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def blocks_hup() -> None:
    good()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])


def hup_waits() -> None:
    blocks_hup()
    os.kill(os.getpid(), signal.SIGHUP)


def child_is_stopped() -> None:
    good()
    child = subprocess.Popen(["sleep", "1000"])
    children.append(child)
    child.send_signal(signal.SIGSTOP)
    wait_for_state(child.pid, "T")
    child.send_signal(signal.SIGHUP)


def has_zombies() -> None:
    good()
    children.extend(subprocess.Popen(["true"]) for _ in range(3))
    for child in children:
        wait_for_state(child.pid, "Z")


def ignores_chld() -> None:
    """Does not wait for its children, as before, but says so: the kernel reaps them."""
    good()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children.append(subprocess.Popen(["true"]))
    wait_for_state(children[0].pid, "gone")


def waits_for_its_server() -> None:
    """Ignores TERM, as mysqld_safe does, and ends with the server that it has started."""
    server = subprocess.Popen([sys.executable, __file__, "good"], stdout=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_catching(server.pid)
    print("ready", flush=True)
    sys.exit(server.wait())


def is_left_orphans() -> None:
    """Three children of shells that are gone; as PID 1 we should wait for them."""
    good()
    for _ in range(3):
        script = "sleep 0.2 >/dev/null & echo $!"
        orphan = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout
        wait_for_state(int(orphan), "Z")


def leaves_daemon() -> None:
    """A child of a shell that is gone, in a process group of its own: PID 1 adopts it."""
    good()
    subprocess.run(["bash", "-c", "set -m; sleep 1000 >/dev/null &"], check=True)


def leaves_stubborn_daemon() -> None:
    good()
    subprocess.run(["sh", "-c", "trap '' TERM; sleep 1000 >/dev/null &"], check=True)


def waits_for_term() -> None:
    """In a call instead of a handler."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])


def wait_for_state(pid: int, letter: str) -> None:
    """Until a process is in that state, or there is none."""
    while os.path.exists(f"/proc/{pid}"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == letter:
                return
        time.sleep(0.01)


def wait_for_catching(pid: int) -> None:
    """Until a process has a handler for TERM."""
    caught = 0
    while not caught >> (signal.SIGTERM - 1) & 1:
        time.sleep(0.01)
        with open(f"/proc/{pid}/status") as file:
            caught = int(next(line for line in file if line.startswith("SigCgt:")).split()[1], 16)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    if sys.argv[1] != "waits_for_term":
        print("ready", flush=True)
        while True:
            signal.pause()
