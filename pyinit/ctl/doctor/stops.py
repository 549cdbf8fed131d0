"""Checks of the stop: does it reach the program, by the signal that ends it well, and whom else does it reach?"""

import signal
from collections.abc import Iterator

from pyinit.ctl.container import Link, brief, is_shell, more_rights
from pyinit.ctl.doctor import advice, servers
from pyinit.ctl.doctor.advice import USE_PYINIT
from pyinit.ctl.doctor.patient import (
    ERROR,
    FULL_TIME,
    NOTE,
    WARNING,
    Finding,
    Patient,
    cmdline,
    lines,
    short_name,
)
from pyinit.ctl.doctor.shells import is_interactive
from pyinit.ctl.doctor.stopping import may_signal
from pyinit.ctl.proc import Process
from pyinit.kernel.signals import IGNORED_BY_DEFAULT

# By these somebody may ask a program to end, and it may listen.
ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def stop(patient: Patient) -> "Iterator[Finding]":
    """Does the engine's stop get as far as somebody who is no init, and end him?"""
    way = patient.stop
    if way.engines in (signal.SIGKILL, signal.SIGSTOP):
        return
    for link, received, sent in zip(way.inits, way.signals, way.signals[1:]):
        if not sent:
            yield dropped(link, received)
            return
    if any(way.reaches(link.process) for link in patient.now.chain[len(way.inits) + 1 :]):
        process = patient.now.program
    elif way.receiver is patient.now.program:
        process = way.receiver
    else:
        return  # a shell gets it: see `shells.between`
    yield from ends_by(patient, process, way.signal)


def dropped(link: Link, number: int) -> Finding:
    name = short_name(number)
    return Finding(
        ERROR,
        f"{link.init.name if link.init else ''} drops {name}: a stop waits its full time, then everything is killed",
        cmdline(link.process),
        f"leave out the rewriting of {name} to 0",
    )


def ends_by(patient: Patient, process: Process, number: int) -> "Iterator[Finding]":
    """Does a signal do anything to the program? Unless it is PID 1, the default action mostly will do."""
    name, found = short_name(number), patient.disposition(process, number)
    is_pid1 = process is patient.now.pid1
    named = patient.now.named(process)
    who = f"PID 1, {brief(process)}," if is_pid1 else f"the program, {named},"
    if not found:
        patient.unread.append(f"what {named} does about {name}: {more_rights()}")
    elif found == "ignored":
        yield ignoring(patient, process, number, who)
    elif found == "blocked":
        yield Finding(
            WARNING,
            f"{who} blocks {name} in every thread: unless it asks now and then whether that has come (sigpending, "
            f"sigtimedwait), {FULL_TIME}",
            lines(process, "SigBlk"),
            f"unblock {name} in the program; or, where it has inherited that (man 7 signal): pyinit --signal-mask none",
        )
    elif found == "default" and number in IGNORED_BY_DEFAULT:
        yield Finding(
            ERROR,
            f"{who} has no handler for {name}, which does nothing then: {FULL_TIME}",
            lines(process, "SigCgt", "SigIgn"),
            f"handle {name} in the program; or {advice.send_instead(patient, signal.SIGTERM)}",
        )
    elif found == "default" and is_pid1:
        yield Finding(
            ERROR,
            f"PID 1, {brief(process)}, has no handler for {name}, and the kernel gives PID 1 no other: {FULL_TIME}",
            lines(process, "SigCgt", "SigIgn"),
            "let the engine stop it by a signal that it takes: STOPSIGNAL"
            if patient.now.init
            else f"{USE_PYINIT}; or handle {name} in the program",
        )
    elif found == "caught" and is_pid1 and servers.raises_again(process, number):
        yield Finding(
            NOTE,
            f"{who} answers {name} by sending itself the same again, which does nothing to PID 1, unless the program "
            f"has a handler of its own: without one {FULL_TIME}",
            lines(process, "SigCgt"),
            f"{USE_PYINIT}; or handle {name} in the program (process.on)",
        )


def ignoring(patient: Patient, process: Process, number: int, who: str) -> Finding:
    """A program that ignores the stop. What it has started may get it, too, and may be all that it waits for."""
    name, evidence = short_name(number), lines(process, "SigIgn")
    inside = [each for each in patient.now.below(process) if patient.takes(each, number)]
    told = [each for each in inside if patient.stop.reaches(each)]
    if told:
        return Finding(
            NOTE,
            f"{who} ignores {name}: a stop ends it if it ends with {patient.now.named(told[0])}, which gets that, too",
            (*evidence, *lines(told[0], "PPid", "SigIgn")),
            "nothing, if it does (mysqld_safe); if it does not, let it not ignore the signal",
        )
    fixes = [f"do not ignore {name} in the program"]
    others = [each for each in ENDING if patient.disposition(process, each) == "caught"]
    if is_shell(process) and is_interactive(process) and patient.takes(process, signal.SIGHUP):
        fixes = [f"an interactive shell ends by HUP: {advice.send_instead(patient, signal.SIGHUP)}"]
    elif inside:
        group = advice.signal_group(patient.stop.settings) if patient.stop.inits else USE_PYINIT
        fixes.append(f"if it ends with what it has started ({brief(inside[0])}): {group}")
    elif others:
        listened = " or ".join(map(short_name, others))
        fixes.append(f"if it ends well by {listened}, which it catches: {advice.send_instead(patient, others[0])}")
    return Finding(ERROR, f"{who} ignores {name}: {FULL_TIME}", evidence, "; or ".join(fixes))


def rights(patient: Patient) -> "Iterator[Finding]":
    """May each init signal what it has started?"""
    links = patient.now.chain
    for link, after in zip(patient.stop.inits, links[1:]):
        if may_signal(link.process, after.process):
            continue
        yield Finding(
            ERROR,
            f"{patient.now.named(link.process)} may not signal {patient.now.named(after.process)}, which has another "
            f"UID: it has no CAP_KILL. {FULL_TIME}",
            (*lines(link.process, "Uid", "CapEff"), *lines(after.process, "Uid")),
            "leave the init CAP_KILL (no --cap-drop ALL, or --cap-add KILL); or `pyinit --user USER` instead of what "
            "changes the user there, which needs no right to signal it",
        )


def server(patient: Patient) -> "Iterator[Finding]":
    """Is a server that we know sent the signal by which it finishes its work?"""
    way, program = patient.stop, patient.now.program
    found = servers.wants(patient, program)
    if not found or not way.signal or not way.reaches(program):
        return
    wanted = signal.Signals[f"SIG{found.stop_signal}"]
    if way.signal == wanted or patient.disposition(program, way.signal) in ("ignored", "blocked"):
        return
    yield Finding(
        ERROR if servers.goes_on(found, way.signal) else WARNING,
        f"the program, {patient.now.named(program)}, gets {short_name(way.signal)} at a stop, and {found.name} wants "
        f"{found.stop_signal}: {found.why}",
        cmdline(program),
        advice.send_instead(patient, wanted),
    )


def masters(patient: Patient) -> "Iterator[Finding]":
    """Does the program tell its own workers what a signal means, while these get the signal, too?"""
    container, way = patient.now, patient.stop
    program = container.program
    found = servers.wants(patient, program)
    workers = [each for each in container.children(program) if way.reaches(each)]
    if not (found and found.group_harms and workers and way.reaches(program)):
        return
    alone = advice.signal_program_alone(way.settings)
    if way.receiver is not program:
        alone = f"begin the last command of {brief(way.receiver)} with exec, and {alone}"
    yield Finding(
        WARNING,
        f"the program, {container.named(program)}, directs its own workers, and they get each signal as well: "
        f"{found.group_harms}",
        (*cmdline(program), *lines(workers[0], "PPid", "NSpgid")),
        alone,
    )
