"""What the exit status of a container tells."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure


@procedure
def ended(lab: Lab, *command: str) -> str:
    """The status of a command that ends by itself."""
    with lab.namespace(*command) as namespace:
        status = namespace.end()
        for line in namespace.output.splitlines():
            lab.see(line)
        return f"status {status}"


@procedure
def stopped(lab: Lab, *command: str) -> str:
    """The status of a command that is stopped as an engine does: TERM, and KILL if it is still there then."""
    with lab.namespace(*command) as namespace:
        namespace.find("sleep 60")
        namespace.settle()
        namespace.send(signal.SIGTERM)
        namespace.settle()
        if namespace.has_ended():
            lab.see("TERM: it has ended")
        else:
            lab.see(f"TERM: {namespace.pid1.facts('State')}; so KILL")
            namespace.send(signal.SIGKILL)
        return f"status {namespace.end()}"


@procedure
def killed(lab: Lab, *command: str) -> str:
    """The status if not PID 1 but the program is killed, as the kernel does when memory runs out."""
    with lab.namespace(*command) as namespace:
        (program,) = namespace.find("sleep 60")
        lab.see(f"KILL to {program.facts('PPid')}")
        namespace.send(signal.SIGKILL, program)
        return f"status {namespace.end()}"


EXPERIMENT = Experiment(
    name="statuses",
    title="What do 137 and 143 mean?",
    story="""
        A program that ends by itself gives a number, its exit status: 0 for success, anything else as it
        likes. One that a signal has ended has none; the world then says 128 + the signal's number: 143 for
        TERM (15), 137 for KILL (9). A container has the status of its PID 1. `stop` below is TERM, and KILL
        if that does nothing.
    """,
    trials=(
        Trial("no init, stop", "status 137", "TERM is ignored, KILL is not", stopped("sleep", "60")),
        Trial(
            "a shell, stop",
            "status 137",
            "the same",
            stopped("sh", "-c", "sleep 60; echo bye"),
        ),
        Trial(
            "pyinit, stop",
            "status 143",
            "TERM has ended the program",
            stopped("pyinit", "--", "sleep", "60"),
        ),
        Trial("pyinit, kill", "status 137", "KILL has ended the program", killed("pyinit", "--", "sleep", "60")),
        Trial(
            "pyinit, exit 3",
            "status 3",
            "the program's own",
            ended("pyinit", "--", "sh", "-c", "exit 3"),
        ),
        Trial(
            "pyinit, typo",
            "status 127",
            "there is no such program",
            ended("pyinit", "--", "slepp", "60"),
        ),
    ),
    rule="""
        143: ended when asked to. 137: killed, by a stop that nobody heard or since memory ran out. 127: no
        such program; 126: it cannot be executed. An init hands on its program's status; `-e 143` makes it
        0.
    """,
    exercise="""
        What has `docker inspect --format '{{.State.ExitCode}}'` for your services after a stop? Explain each.
    """,
    manual=("man 2 wait", "man 3 exit", "man 7 signal"),
    reading="""
        wait() tells a parent one of two things: the program has called exit(), with which status; or a
        signal has ended it, and which. A shell has one number for both ($?), so it adds 128 to signals, and
        container engines do the same.

        137 after every stop means that each stop takes the engine's ten seconds and ends the hard way: look
        at the experiments `term` and `shells`. 137 without a stop is usually the kernel's out-of-memory
        killer; the engine tells (docker inspect: OOMKilled).

        143 is what an orderly stop gives for a program without a handler for TERM. A program with a handler
        decides for itself, and many end with 0. Java ends with 143 although all went well, which monitoring
        takes for a failure: that is what --remap-exit (-e) is for.
    """,
)
