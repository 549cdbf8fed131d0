"""When PID 1 ends, all ends."""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure

PROGRAMS = {
    "main": "trap 'exit 3' TERM; \"$1\" & wait",
    "helper": "trap 'echo saved; exit 0' TERM; echo ready; sleep 50 & wait",
    "stubborn": "trap '' TERM; echo ready; sleep 50",
}


@procedure
def main_ended(lab: Lab, *command: str) -> str:
    """End the main program, with a helper of its own still at work; see what becomes of the helper."""
    with lab.namespace(*command) as namespace:
        namespace.wait_for("ready")
        namespace.settle()
        (main,) = namespace.find("main")
        helping = namespace.child(main)
        lab.see(f"{main.facts('State')}, which we end")
        namespace.send(signal.SIGTERM, main)
        status = namespace.end()
        for line in namespace.output.splitlines()[1:]:
            lab.see(f"> {line}")
        lab.see(helping.facts("State"))
        saved = "saved" in namespace.output
        return f"the helper {'saves its work' if saved else 'is cut off'}, status {status}"


EXPERIMENT = Experiment(
    name="end",
    title="What happens to the rest when PID 1 ends?",
    story="""
        `main` starts `helper`, which works in the background and saves its work when TERM comes. We end `main`
        (we send TERM to it alone; it ends with status 3) and look what becomes of `helper`. `stubborn` is a
        helper that ignores TERM; there pyinit is told to be patient for one second.
    """,
    programs=PROGRAMS,
    trials=(
        Trial(
            "no init",
            "the helper is cut off, status 3",
            "PID 1 ended",
            main_ended("main", "helper"),
        ),
        Trial(
            "a shell",
            "the helper is cut off, status 3",
            "`sh` ends after `main`",
            main_ended("sh", "-c", "main helper; exit $?"),
        ),
        Trial(
            "pyinit",
            "the helper saves its work, status 3",
            "TERM, then waiting",
            main_ended("pyinit", "--", "main", "helper"),
        ),
        Trial(
            "stubborn",
            "the helper is cut off, status 3",
            "KILL, after its time",
            main_ended("pyinit", "--grace", "1", "--", "main", "stubborn"),
        ),
    ),
    rule="""
        When PID 1 ends, the kernel kills all that is left in the namespace, at once and with KILL. So PID 1
        must not end before the others had their chance: pyinit sends them TERM, waits (--grace, eight
        seconds), and ends then.
    """,
    exercise="""
        Let the helper take three seconds to save its work. What does `--grace 1` do, and what `--wait-all`?
    """,
    manual=("man 7 pid_namespaces", "man 2 kill"),
    reading="""
        A container ends when its PID 1 ends, whatever else runs in it. Databases' background writers, log
        shippers, the browsers of a test runner, jobs that a shell script has left behind: KILL comes
        without warning, and a file that was being written stays half written.

        Most small inits end as soon as their program does, and so leave the rest to the kernel. pyinit does
        what an init of a whole machine does: TERM to everybody (and CONT, so that those who are stopped see
        it), a bounded time, then KILL, and a line in the log about who ignored what. The status was decided
        before: it is the program's.

        --grace 0 turns it off. --wait-all waits without end until nobody is left, for services that fork
        into the background.
    """,
)
