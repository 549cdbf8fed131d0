"""Checks of the processes: is everybody reaped, is every signal taken, who is cut off in the end."""

import signal
from collections.abc import Iterator

from pyinit.ctl.container import brief, is_shell
from pyinit.ctl.doctor.advice import USE_PYINIT
from pyinit.ctl.doctor.patient import ERROR, NOTE, WARNING, Finding, Patient, lines, short_name
from pyinit.ctl.doctor.stopping import may_signal
from pyinit.ctl.proc import Process, mask_of, numbers_in
from pyinit.settings import Settings

MOST_SHOWN = 3  # processes of which one finding shows the evidence

# By these somebody asks for something. Others wait without harm (CHLD, CONT, WINCH).
_ASKING = mask_of(*(getattr(signal, "SIG" + name) for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM")))

WAITS_BECAUSE = {
    "T": ", which is stopped",
    "D": ", which is in a call that cannot be interrupted, or paused by the engine",
}


def zombies(patient: Patient) -> "Iterator[Finding]":
    """Who has ended and is not waited for? A moment of it is normal."""
    container = patient.now
    by_parent: "dict[int, list[Process]]" = {}
    for each in container.processes.values():
        if each.is_zombie and patient.stayed(each) and patient.earlier(each).is_zombie:
            by_parent.setdefault(each.parent, []).append(each)
    for pid, found in by_parent.items():
        evidence = tuple(line for each in found[:MOST_SHOWN] for line in each.evidence("State", "PPid"))
        several = f"{len(found)} zombies" if len(found) > 1 else "a zombie"
        parent = container.processes.get(pid)
        if parent is container.pid1 and container.init:
            message = f"{several}: PID 1, {brief(parent)}, is an init and does not reap: stopped, paused, or it hangs"
            yield Finding(
                ERROR, message, (*lines(parent, "State"), *evidence), "kill -CONT it; or begin the container anew"
            )
        elif parent is container.pid1:
            message = f"{several}: PID 1, {brief(parent)}, does not reap"
            yield Finding(ERROR, message, evidence, f"{USE_PYINIT}, which reaps every orphan")
        elif parent:
            yield Finding(
                WARNING,
                f"{several} of {container.named(parent)}, which does not wait for its children; no init can do it",
                evidence,
                "let that program wait for them (man 2 wait), or ignore CHLD; they go when it ends",
            )
        else:  # of a process of another PID namespace, as `podman exec` makes them
            message = f"{several} that an engine's exec has left"
            yield Finding(WARNING, message, evidence, "end the exec session on the host")


def reaping(patient: Patient) -> "Iterator[Finding]":
    """Does PID 1 look after children at all? What it has not done yet it may still do, so this is a note."""
    pid1 = patient.now.pid1
    if patient.now.init or is_shell(pid1) or patient.disposition(pid1, signal.SIGCHLD) != "default":
        return
    yield Finding(
        NOTE,
        f"PID 1, {brief(pid1)}, is no init and does nothing about CHLD: an orphan would stay as a zombie",
        lines(pid1, "SigCgt", "SigIgn"),
        f"{USE_PYINIT} if the program starts others",
    )


def blocked(patient: Patient) -> "Iterator[Finding]":
    """Which signals other than the stop can the program not get? Its workers are its own affair."""
    program = patient.now.program
    waiting = patient.blocked(program) & ~program.ignored & _ASKING & ~mask_of(patient.stop.signal or signal.SIGKILL)
    if program.is_zombie or not program.is_open or not patient.stayed(program) or not waiting:
        return
    yield Finding(
        NOTE,
        f"the program, {patient.now.named(program)}, blocks {names(waiting)} in every thread",
        lines(program, "SigBlk"),
        "nothing, if it is meant so; else unblock them in the program; or, where it has inherited that (man 7 signal): "
        "pyinit --signal-mask none",
    )


def pending(patient: Patient) -> "Iterator[Finding]":
    """Which signals were sent and are not taken?"""
    for each in patient.now.processes.values():
        signals = each.pending & patient.earlier(each).pending & _ASKING
        if each.is_zombie or not patient.stayed(each) or not signals:
            continue
        yield Finding(
            WARNING,
            f"{names(signals)} was sent to {patient.now.named(each)}{WAITS_BECAUSE.get(each.state, '')} and waits",
            lines(each, "State", "SigPnd", "ShdPnd", "SigBlk"),
            "kill -CONT it"
            if each.state == "T"
            else "see what the program does instead: it blocks the signal, or hangs",
        )


def cut_off(patient: Patient) -> "Iterator[Finding]":
    """Who is killed without having been asked, or although he was, when PID 1 ends?"""
    container, init = patient.now, patient.now.init
    if init and not init.runs_one_program:
        return
    if patient.stop.drains:
        yield from left_in_vain(patient)
    living = [each for each in container.adopted if not each.is_zombie and patient.stayed(each)]
    if not living:
        return
    if init and init.settings is None:
        patient.unread.append(f"whether {init.name} asks {container.named(living[0])} to end after the program")
    elif init and init.drains:
        yield from asked_in_vain(patient, living)
    else:
        yield from not_asked(patient, living)


def asked_in_vain(patient: Patient, living: "list[Process]") -> "Iterator[Finding]":
    """Who is sent the stop when the program has ended, and does not end by it?"""
    settings = patient.told
    number = settings.stop_sent if settings else 0
    if not settings or not number:
        return
    name = short_name(number)
    end = end_of_waiting(settings)
    stubborn = [each for each in living if patient.disposition(each, number) in ("ignored", "blocked")]
    if stubborn:
        yield Finding(
            WARNING,
            f"{several(patient, stubborn)} ignores or blocks {name}, which it gets when the program has ended: unless "
            f"it ends by itself, it is waited for in vain, then {end}",
            evidence(stubborn, "SigIgn", "SigBlk"),
            f"let it not ignore or block {name}; a shell lets what it starts with & ignore INT and QUIT",
        )
    unreachable = [each for each in living if not may_signal(patient.now.pid1, each)]
    if unreachable:
        yield Finding(
            WARNING,
            f"{several(patient, unreachable)} may not be signalled by PID 1, which has another UID and no CAP_KILL: "
            "it is waited for in vain when the program has ended, then killed",
            (*lines(patient.now.pid1, "Uid", "CapEff"), *evidence(unreachable, "Uid")),
            "leave the init CAP_KILL (no --cap-drop ALL, or --cap-add KILL)",
        )


def left_in_vain(patient: Patient) -> "Iterator[Finding]":
    """Who below the program would not end by the signal that is sent to what is left? The program may see to it."""
    settings, program = patient.stop.settings, patient.now.program
    number = settings.stop_sent if settings else 0
    if not settings or not number or not patient.takes(program, number):
        return  # for the program itself see the other checks
    below = [each for each in patient.now.below(program) if not each.is_zombie and patient.stayed(each)]
    stubborn = [each for each in below if patient.disposition(each, number) in ("ignored", "blocked")]
    if stubborn:
        name = short_name(number)
        yield Finding(
            NOTE,
            f"{several(patient, stubborn)} ignores or blocks {name}: if it is left when the program has ended, it is "
            f"waited for in vain, then {end_of_waiting(settings)}",
            evidence(stubborn, "PPid", "SigIgn", "SigBlk"),
            f"nothing, if the program ends it; otherwise let it not ignore or block {name}",
        )


def end_of_waiting(settings: Settings) -> str:
    """What becomes of what is left and does not end."""
    return "everything is killed by the engine" if settings.wait_all and not settings.stop_timeout else "killed"


def not_asked(patient: Patient, living: "list[Process]") -> "Iterator[Finding]":
    """Who ends with PID 1, which does not look back?"""
    way = patient.stop
    told = [each for each in living if way.reaches(each) and way.receiver is not each]
    rest = [each for each in living if each not in told]
    fix = f"{USE_PYINIT}, which asks what is left to end (--grace), or waits for it (--wait-all)"
    if patient.told and patient.told.personality == "pyinit":
        fix = "pyinit without --grace 0, which asks what is left to end; or --wait-all, which waits for it"
    if rest:
        message = f"{several(patient, rest)} is not the program's: when that ends, the kernel kills it without asking"
        yield Finding(WARNING, message, evidence(rest, "Name", "PPid"), fix)
    if told:
        message = f"{several(patient, told)} gets the stop with the program, and is killed when that has ended"
        yield Finding(NOTE, message, evidence(told, "Name", "PPid", "NSpgid"), fix)


def several(patient: Patient, found: "list[Process]") -> str:
    more = f", and {len(found) - 1} more," if len(found) > 1 else ""
    return f"{patient.now.named(found[0])}{more}"


def evidence(found: "list[Process]", *fields: str) -> "tuple[str, ...]":
    return tuple(line for each in found[:MOST_SHOWN] for line in each.evidence(*fields))


def names(mask: int) -> str:
    return ", ".join(map(short_name, numbers_in(mask)))
