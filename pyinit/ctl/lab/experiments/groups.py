"""Process groups: one signal for several processes."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure

# It notes TERM and goes on while it has workers. A wait that a signal interrupts returns early.
MASTER = "trap 'echo told' TERM; sleep 50 & sleep 50 & echo ready; wait; wait"


@procedure
def asked_to_end(lab: Lab, *command: str) -> str:
    """Send TERM to PID 1, and see whom it reached."""
    with lab.namespace(*command) as namespace:
        namespace.wait_for("ready")
        workers = namespace.find("sleep 50", 2)
        namespace.settle()
        master = namespace.parent(workers[0])
        for process in (master, workers[0]):
            lab.see(process.facts("NSpgid"))
        namespace.send(signal.SIGTERM)
        namespace.settle()
        lab.see(f"after TERM: {workers[0].facts('State')}")
        told = ["the workers"] if all(worker.state in ("", "Z") for worker in workers) else []
        namespace.send(signal.SIGKILL)
        namespace.end()
        if "told" in namespace.output:
            told.insert(0, "the master")
        return f"TERM reaches {' and '.join(told) or 'nobody'}"


EXPERIMENT = Experiment(
    name="groups",
    title="One signal for a whole family: what are -g and -c?",
    story="""
        Many servers are a master with workers. Processes that belong together form a process group, whose
        number (NSpgid in /proc) is that of its first member, and a signal can be sent to all of a group at
        once. `master` notes TERM and goes on as long as it has workers; its workers are two `sleep`, which
        end when told.
    """,
    programs={"master": MASTER},
    trials=(
        Trial(
            "no init",
            "TERM reaches the master",
            "a signal goes to one process",
            asked_to_end("master"),
        ),
        Trial(
            "a shell",
            "TERM reaches nobody",
            "`sh` ignores it",
            asked_to_end("sh", "-c", "master; echo bye"),
        ),
        Trial(
            "pyinit -c",
            "TERM reaches the master",
            "with -c to its program alone",
            asked_to_end("pyinit", "-c", "--", "master"),
        ),
        Trial(
            "pyinit",
            "TERM reaches the master and the workers",
            "to all of the group",
            asked_to_end("pyinit", "--", "master"),
        ),
    ),
    rule="""
        kill(PID) reaches one process, kill(-GROUP) all of a group. pyinit starts the program in a group of
        its own and signals the group, so that what the program has started hears of it; use -c for a master
        that tells its workers itself, in its own order.
    """,
    exercise="""
        Let the master end its workers itself (`trap 'kill $(jobs -p)' TERM`). What changes with -c, and what with -g?
    """,
    manual=("man 2 kill", "man 2 setpgid", "man 7 credentials"),
    reading="""
        A child is in its parent's process group until somebody calls setpgid(). A shell in which you type
        does that for each command line, so that Ctrl-C ends all of a pipeline (experiment `terminal`); a
        shell that runs a script does not. That is why the group reaches a server behind `sh -c` and behind
        a start script.

        tini signals its child alone unless it is started with -g; dumb-init and pyinit signal the group
        unless they are started with -c. The group is right for what knows nothing of signals: scripts,
        pipelines, tools that start tools. The program alone is right for servers that stop their workers
        step by step, such as nginx with QUIT or PostgreSQL.

        A process that makes a group or a session of its own (setsid) is not reached by either. It is when
        everything ends: see the experiment `end`.
    """,
)
