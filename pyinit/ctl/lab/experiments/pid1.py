"""One process, two numbers."""

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure
from pyinit.ctl.lab.process import numbers


@procedure
def started(lab: Lab, *command: str) -> str:
    """Show each process' numbers: out here, and in there."""
    with lab.namespace(*command) as namespace:
        namespace.find("sleep 60")
        for process in namespace.processes():
            outside = numbers(process.status(), "NSpid")[0]
            lab.see(f"{process.name:<8} out here it is pid {outside}, in there it is pid {process.inside}")
        return f"PID 1 is {namespace.pid1.name}"


EXPERIMENT = Experiment(
    name="pid1",
    title="What is PID 1?",
    story="""
        Each process has a number, its PID. A container has a numbering of its own, a PID namespace, in
        which the first process is number 1. The kernel shows both numbers (NSpid in /proc/PID/status). We
        start `sleep 60`, a program that does nothing for a minute, in a fresh namespace, in three ways.
    """,
    trials=(
        Trial("no init", "PID 1 is sleep", "the first process is the program itself", started("sleep", "60")),
        Trial(
            "a shell",
            "PID 1 is sh",
            "`sh` starts the program as its child, number 2",
            started("sh", "-c", "sleep 60; echo bye"),
        ),
        Trial(
            "pyinit",
            "PID 1 is pyinit",
            "an init is a program made to be number 1",
            started("pyinit", "--", "sleep", "60"),
        ),
    ),
    rule="""
        Whatever a container starts first is its PID 1. The kernel expects three things of that process and
        of no other: it gets only the signals it is prepared for, it becomes the parent of orphans, and when
        it ends all ends.
    """,
    exercise="""
        Run `ps -e` in a container of yours, or `docker run --rm IMAGE ps -e`. Who is PID 1 there, and does it know?
    """,
    manual=("man 7 pid_namespaces", "man 5 proc"),
    reading="""
        A container is an ordinary process that the kernel shows less to: other processes, other files,
        another network. What hides the processes is a PID namespace. `unshare --pid --fork --mount-proc`
        makes one without any container engine, and that is all this lab uses; /proc in it lists only what
        is inside. From outside all of it can be seen, with other numbers, and that is how the lab looks: it
        reads /proc/PID/status while the program runs. The numbers that it shows are those inside, as you
        would see them in the container.

        On a machine PID 1 is systemd or another init, a program made for it. In a container it is whatever
        ENTRYPOINT and CMD say, which is usually a program that nobody made for it. The other experiments
        show what this leads to.
    """,
)
