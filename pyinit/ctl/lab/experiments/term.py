"""TERM, sent to a program that is PID 1 and has no handler for it."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial
from pyinit.ctl.lab.namespace import Namespace

IGNORED = "TERM does nothing"


def outcome(lab: Lab, namespace: Namespace) -> str:
    """Send TERM to PID 1 and look at what it did: it is pending, or it was thrown away, or somebody has ended."""
    namespace.send(signal.SIGTERM)
    namespace.settle()
    if namespace.has_ended():
        status = namespace.end()
        lab.see(f"the namespace has ended with status {status}")
        return f"it ends, status {status}"
    lab.see(namespace.pid1.facts("State", "ShdPnd"))
    return IGNORED if not namespace.pid1.is_pending(signal.SIGTERM) else "TERM waits"


def no_init(lab: Lab) -> str:
    with lab.namespace("sleep", "60") as namespace:
        lab.see(namespace.pid1.facts("SigCgt"))
        return outcome(lab, namespace)


def handler(lab: Lab) -> str:
    with lab.namespace("sh", "-c", 'trap "exit 0" TERM; sleep 60 & echo ready; wait') as namespace:
        namespace.wait_for("ready")
        lab.see(namespace.pid1.facts("SigCgt"))
        return outcome(lab, namespace)


def shell(lab: Lab) -> str:
    with lab.namespace("sh", "-c", "sleep 60; echo bye") as namespace:
        namespace.find("sleep 60")
        return outcome(lab, namespace)


def pyinit(lab: Lab) -> str:
    with lab.namespace("pyinit", "--", "sleep", "60") as namespace:
        (program,) = namespace.find("sleep 60")
        lab.see(program.facts("PPid", "SigCgt"))
        return outcome(lab, namespace)


EXPERIMENT = Experiment(
    name="term",
    title="Why does PID 1 ignore TERM?",
    story="A signal is a short message to a process. TERM is the polite request to end: `docker stop` sends it to "
    "PID 1, and ten seconds later KILL, which nobody can refuse. We send TERM to PID 1. In /proc, SigCgt is the set of "
    "signals that a program has a handler for, and ShdPnd the set of those that were sent and still wait.",
    trials=(
        Trial("no init", IGNORED, "`sleep` has no handler, and it is PID 1", no_init),
        Trial("a handler", "it ends, status 0", "PID 1 gets what it has a handler for", handler),
        Trial("a shell", IGNORED, "`sh` has no handler either, and it is PID 1", shell),
        Trial("pyinit", "it ends, status 143", "`sleep` is pid 2; 128 + 15, TERM's number", pyinit),
    ),
    rule="The kernel throws away every signal to PID 1 that PID 1 has no handler for: ending by default, as other "
    "processes do, does not apply to it. So a program that knows nothing of this must not be PID 1.",
    manual=("man 7 pid_namespaces", "man 7 signal", "man 5 proc"),
    reading="""\
A signal is a number that one process sends to another. For each number a process has a disposition: a handler of its \
own (a function that runs), to ignore it, or the default, which for TERM is to end.

PID 1 of a machine must never end by accident, so the kernel drops a signal to it for which it has no handler. A \
container's PID 1 is the first process of a PID namespace, and the kernel treats it the same way. The signal is not \
kept for later: ShdPnd shows nothing right after it was sent. Two signals get through from outside, since nothing can \
catch them: KILL and STOP. From inside not even these do.

Under pyinit the program is an ordinary process, for which the default holds again. pyinit itself is PID 1, needs no \
handlers because it blocks all signals and collects them one by one with sigwaitinfo, and sends each on.\
""",
)
