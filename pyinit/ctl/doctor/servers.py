"""What is known of the program, and what of that its own options have settled."""

import os
import signal
from collections.abc import Iterator

from pyinit.ctl import proc
from pyinit.ctl.doctor.patient import Patient, directory
from pyinit.ctl.proc import Process
from pyinit.ctl.servers import Server, known

# An option by which a server takes TERM as others do (uWSGI, "Things to know").
SETTLES_TERM = {"uwsgi": "die-on-term"}
OPTION_FILES = (".ini", ".json", ".xml", ".yaml", ".yml")

# What makes a server begin anew instead of ending.
RELOADS = {"uwsgi": (signal.SIGTERM, signal.SIGHUP)}

# Whose own handler cleans up and then raises the signal once more with the default action, which does nothing to PID 1
# (node, src/node.cc, SignalExit). A handler of the program's own looks the same from outside.
RAISES_AGAIN = {"node": (signal.SIGINT, signal.SIGTERM), "nodejs": (signal.SIGINT, signal.SIGTERM)}


def wants(patient: Patient, program: Process) -> "Server | None":
    """What is known of a program, unless its own options change it; None for nothing."""
    found = known(program.command)
    option = SETTLES_TERM.get(found.name) if found else None
    if option and patient.stop.signal == signal.SIGTERM and any(option in each for each in options(patient, program)):
        return None
    return found


def goes_on(server: Server, number: int) -> bool:
    """Whether a server does not end by a signal at all: then the engine kills it."""
    return number in RELOADS.get(server.name, ())


def options(patient: Patient, program: Process) -> "Iterator[str]":
    """Where a program may have its options from: command line, variables, the files named there. What cannot be read is
    noted."""
    yield from program.command
    try:
        variables = {os.fsdecode(name): os.fsdecode(value) for name, value in proc.environment(program).items()}
    except OSError:  # `secrets` says so of PID 1
        variables = {}
    yield from (name.lower().replace("_", "-") for name in variables)
    for word in (*program.command[1:], *variables.values()):
        path = word.rpartition("=")[2]
        if path.endswith(OPTION_FILES):
            try:
                yield os.fsdecode(patient.files.read(os.path.join(directory(program), path)))
            except OSError as error:
                patient.cannot_read(error)


def raises_again(process: Process, number: int) -> bool:
    name = os.path.basename(process.command[0]) if process.command else ""
    return number in RAISES_AGAIN.get(name, ())
