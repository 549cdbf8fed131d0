"""TERM, sent to a program that is PID 1 and has no handler for it."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure
from pyinit.ctl.lab.experiments.shells import SERVER


@procedure
def asked_to_end(lab: Lab, *command: str) -> str:
    """Send TERM to PID 1. It ends by it, or the signal waits, or it was thrown away."""
    with lab.namespace(*command) as namespace:
        if "server" in command:
            namespace.wait_for("ready")
        (program,) = namespace.find("server" if "server" in command else "sleep")
        namespace.settle()
        lab.see(program.facts("SigCgt"))
        namespace.send(signal.SIGTERM)
        namespace.settle()
        if namespace.has_ended():
            return f"it ends, status {namespace.end()}"
        lab.see(f"after TERM: {namespace.pid1.facts('ShdPnd')}")
        return "TERM waits" if namespace.pid1.is_pending(signal.SIGTERM) else "TERM does nothing"


EXPERIMENT = Experiment(
    name="term",
    title="Why does PID 1 ignore TERM?",
    story="""
        A signal is a short message to a process. TERM is the polite request to end: `docker stop` sends it
        to PID 1, and ten seconds later KILL, which nobody can refuse. We send TERM to PID 1. In /proc, SigCgt
        is the set of signals that a program has a handler for (a script gets one by `trap`), and ShdPnd the
        set of those that were sent and still wait.
    """,
    programs={"server": SERVER},
    trials=(
        Trial("no init", "TERM does nothing", "`sleep` is PID 1 and has no handler", asked_to_end("sleep", "60")),
        Trial("a handler", "it ends, status 0", "`server` is PID 1 and has one", asked_to_end("server")),
        Trial(
            "a shell", "TERM does nothing", "`sh` is PID 1 and has none", asked_to_end("sh", "-c", "sleep 60; echo bye")
        ),
        Trial(
            "pyinit",
            "it ends, status 143",
            "`sleep` is an ordinary process",
            asked_to_end("pyinit", "--", "sleep", "60"),
        ),
    ),
    rule="""
        The kernel throws away every signal to PID 1 that PID 1 has no handler for: ending by default, as
        other processes do, does not apply to it. So a program that knows nothing of this must not be PID 1.
    """,
    exercise="""
        Which of your services have a handler? Look at SigCgt in /proc/PID/status: TERM is the bit 4000.
    """,
    manual=("man 7 pid_namespaces", "man 7 signal", "man 5 proc"),
    reading="""
        A signal is a number that one process sends to another. For each number a process has a disposition:
        a handler of its own (a function that runs), to ignore it, or the default, which for TERM is to end.

        PID 1 of a machine must never end by accident, so the kernel drops a signal to it for which it has
        no handler. A container's PID 1 is the first process of a PID namespace, and the kernel treats it
        the same way. The signal is not kept for later: ShdPnd shows nothing right after it was sent. Two
        signals get through from outside, since nothing can catch them: KILL and STOP. From inside not even
        these do.

        Under pyinit the program is an ordinary process, for which the default holds again. pyinit itself is
        PID 1, needs no handlers because it blocks all signals and collects them one by one with
        sigwaitinfo, and sends each on.
    """,
)
