"""Sessions and the terminal: whom Ctrl-C reaches."""

import contextlib
import os
import pty
from collections.abc import Iterator

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure

CTRL_C = b"\x03"


@contextlib.contextmanager
def open_terminal() -> "Iterator[tuple[int, int]]":
    """A pseudo-terminal, as a terminal window has one: the side of the keyboard, and that of the programs."""
    keyboard, programs = pty.openpty()
    try:
        yield keyboard, programs
    finally:
        os.close(programs)
        os.close(keyboard)


@procedure
def interrupted(lab: Lab, *command: str) -> str:
    """Type Ctrl-C, and see what it did to `sleep 60`."""
    with open_terminal() as (keyboard, programs), lab.namespace(*command, terminal=programs) as namespace:
        (program,) = namespace.find("sleep 60")
        namespace.settle()
        lab.see(f"{program.facts('NSpgid', 'NSsid')}   foreground group: {program.foreground}")
        os.write(keyboard, CTRL_C)
        namespace.settle()
        lab.see(f"after Ctrl-C: {program.facts('State')}")
        return "it ends the program" if program.state in ("", "Z") else "it does nothing"


EXPERIMENT = Experiment(
    name="terminal",
    title="Whom does Ctrl-C reach?",
    story="""
        With `docker run -it` a container has a terminal. The processes that share it are a session (NSsid in
        /proc), which has process groups (NSpgid), one of them in the foreground. Ctrl-C makes the terminal
        send INT, a request to end like TERM, to all of the foreground group, and to no other. `sleep` is
        started in a terminal, and Ctrl-C typed.
    """,
    trials=(
        Trial(
            "no init",
            "it does nothing",
            "PID 1 gets INT, has no handler, and goes on",
            interrupted("sleep", "60"),
        ),
        Trial(
            "a shell",
            "it ends the program",
            "`sleep` is in the same group, and not PID 1",
            interrupted("sh", "-c", "sleep 60; echo bye"),
        ),
        Trial(
            "pyinit",
            "it ends the program",
            "the program's group is in the foreground",
            interrupted("pyinit", "--", "sleep", "60"),
        ),
        Trial(
            "--session",
            "it ends the program",
            "it has a session of its own, and the terminal",
            interrupted("pyinit", "--session", "--", "sleep", "60"),
        ),
    ),
    rule="""
        A terminal belongs to one session and sends its signals (INT for Ctrl-C, QUIT, TSTP for Ctrl-Z) to
        the foreground group of it. An init must put its program there: then Ctrl-C reaches the program,
        once.
    """,
    exercise="""
        Run `docker run -it IMAGE sleep 60` and press Ctrl-C. Then the same with `docker run --init`.
    """,
    manual=("man 7 credentials", "man 3 tcsetpgrp", "man 3 termios"),
    reading="""
        Nobody types signals. The terminal's driver in the kernel sees the character Ctrl-C, looks which
        group is in the foreground, and sends INT to it. A shell at which you type changes the foreground
        group for each command; that is job control.

        If an init left its program in its own group, both would get INT, and the init would forward it: the
        program would get it twice. If it put the program in another group without giving that group the
        foreground, the program would not get it at all, and would be stopped as soon as it reads from the
        terminal (TTIN). pyinit makes the group and gives it the foreground before the program starts.

        With --session the program leads a session of its own. It can then not push input into the terminal
        of whoever started the container, as programs of the same session can on older kernels (TIOCSTI). A
        session leader that ends sends HUP to the foreground group: that is how closing a window ends what
        runs in it.
    """,
)
