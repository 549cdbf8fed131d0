"""Processes that have ended, and nobody asks how."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure

ORPHANS = 3

# The shell in brackets starts three and ends: they are orphans, and PID 1's from then on.
START = "(sleep 50 & sleep 50 & sleep 50 &)"


@procedure
def left_with_orphans(lab: Lab, *command: str) -> str:
    """End the orphans, and count those of which an entry in the process table stays."""
    with lab.namespace(*command) as namespace:
        orphans = namespace.find("sleep 50", ORPHANS)
        namespace.find("sleep 60")
        namespace.settle()
        lab.see(orphans[0].facts("State", "PPid"))
        for orphan in orphans:
            namespace.send(signal.SIGTERM, orphan)
        namespace.settle()
        for orphan in orphans:
            lab.see(f"ended: {orphan.facts('State', 'PPid')}")
        return f"{sum(orphan.state == 'Z' for orphan in orphans)} zombies"


EXPERIMENT = Experiment(
    name="zombies",
    title="Who clears away the dead?",
    story="""
        A process that has ended leaves one thing: its exit status, kept in the process table until its parent
        asks for it, which is called waiting, or reaping. Until then it is a zombie: dead, but still listed. If
        the parent ended first, PID 1 is the parent. In the commands below, ( ) is a shell of its own that starts
        three programs in the background (&) and ends at once, so that PID 1 becomes their parent. Then we end
        all three.
    """,
    trials=(
        Trial(
            "no init",
            "3 zombies",
            "`sleep` is PID 1, and it never waits",
            left_with_orphans("sh", "-c", f"{START}; exec sleep 60"),
        ),
        Trial(
            "a shell",
            "0 zombies",
            "`sh` waits for its program, and for others too",
            left_with_orphans("sh", "-c", f"{START}; sleep 60; echo bye"),
        ),
        Trial(
            "pyinit",
            "0 zombies",
            "an init waits for everybody",
            left_with_orphans("pyinit", "--", "sh", "-c", f"{START}; exec sleep 60"),
        ),
    ),
    rule="""
        A process that has ended stays in the table until its parent waits for it, and orphans are PID 1's.
        A PID 1 that does not reap fills the table: each zombie takes a number, and at the limit no process
        can be started. (Then why not a shell? See the experiments `term` and `shells`.)
    """,
    exercise="""
        Try to kill a zombie with `kill -KILL`. Then end its parent instead. What becomes of it, and why?
    """,
    manual=("man 2 wait", "man 7 pid_namespaces", "man 5 proc"),
    reading="""
        A zombie takes no memory and no processor time. It cannot be killed, because it is dead already:
        KILL does nothing to it. What it takes is its number and an entry in the table of processes, and
        both are limited, by the kernel (/proc/sys/kernel/pid_max) and for a container by its pids limit
        (`docker run --pids-limit`).

        That a parent must ask is on purpose: the kernel keeps the number from being given to somebody else
        before the parent knows how its child ended. A program waits for the children it has started itself,
        because it knows of them. Orphans come to PID 1 unasked: a daemon that forks away, a health check
        with a pipeline that timed out, a browser's helpers. Few programs expect children that they have not
        started.

        To see zombies anywhere: ps -eo pid,ppid,stat,comm, and look for a Z.
    """,
)
