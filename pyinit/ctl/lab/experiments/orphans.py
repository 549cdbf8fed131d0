"""A process whose parent ends is given to another parent."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure
from pyinit.ctl.lab.namespace import wait_until

# A shell that starts the process that will be the orphan, and waits for it.
PARENT = 'sh -c "sleep 50 & wait"'


@procedure
def without_parent(lab: Lab, *command: str) -> str:
    """Kill the parent of `sleep 50`, and see who is its parent then."""
    with lab.namespace(*command) as namespace:
        (child,) = namespace.find("sleep 50")
        namespace.find("sleep 60")
        namespace.settle()
        parent = namespace.parent(child)
        lab.see(f"{child.facts('PPid')} ({parent.name}), which we kill")
        namespace.send(signal.SIGKILL, parent)
        wait_until(lambda: child.parent != parent.inside, "the orphan gets another parent")
        parent = namespace.parent(child)
        lab.see(f"{child.facts('PPid')} ({parent.name})")
        return f"its parent is {parent.name}, pid {parent.inside}"


EXPERIMENT = Experiment(
    name="orphans",
    title="Who takes care of orphans?",
    story="""
        Each process was started by another, its parent (PPid in /proc). A process whose parent ends is an
        orphan, and lives on. We start `sleep 50` from a shell, kill that shell, and look who is the parent
        then. In the last trial pyinit is not PID 1, but has asked the kernel for the orphans below it: it
        is a subreaper.
    """,
    programs={"service": f"{PARENT} & exec sleep 60"},
    trials=(
        Trial(
            "no init",
            "its parent is sleep, pid 1",
            "orphans go to PID 1, whatever it is",
            without_parent("sh", "-c", f"{PARENT} & exec sleep 60"),
        ),
        Trial(
            "a shell",
            "its parent is sh, pid 1",
            "the same",
            without_parent("sh", "-c", f"{PARENT} & sleep 60; echo bye"),
        ),
        Trial(
            "pyinit",
            "its parent is pyinit, pid 1",
            "the same; this one expects them",
            without_parent("pyinit", "--", "sh", "-c", f"{PARENT} & exec sleep 60"),
        ),
        Trial(
            "a subreaper",
            "its parent is pyinit, pid 2",
            "it is nearer than PID 1",
            without_parent("sh", "-c", "pyinit -- service; echo bye"),
        ),
    ),
    rule="""
        An orphan goes to the nearest subreaper among its ancestors, and to PID 1 if there is none. Whoever
        gets it has to reap it when it ends.
    """,
    exercise="""
        Find the orphans on your own machine: `ps -eo pid,ppid,args`, those with PPid 1. Who started them?
    """,
    manual=("man 2 prctl", "man 2 getppid", "man 7 pid_namespaces"),
    reading="""
        Orphans are common. A shell script ends and leaves something in the background; a server is
        restarted and its helpers are not; a daemon makes itself an orphan on purpose, so that nobody waits
        for it.

        Nothing happens to a process when its parent ends, and nobody tells it: no signal, no error. Its
        PPid is another number from then on. To the new parent it is a child like any other: when it ends
        SIGCHLD comes, and somebody must wait for it. A program that waits for its own children alone never
        does (experiment `zombies`).

        A subreaper is a process that has called prctl(PR_SET_CHILD_SUBREAPER). Service managers that are
        not PID 1 use it. pyinit does by itself where it is not PID 1, for instance in a pod whose
        containers share one PID namespace. Only ancestors count: a process that pyinit did not start,
        directly or through others, is never given to it.
    """,
)
