"""Checks of PID 1 and the processes: does a stop arrive, is everybody reaped, who is cut off in the end."""

import signal
from collections.abc import Iterator

from pyinit.ctl.container import SHELLS, Link, brief, more_rights
from pyinit.ctl.doctor.patient import ERROR, NOTE, WARNING, Finding, Patient, short_name
from pyinit.ctl.options import shown
from pyinit.ctl.proc import Process, mask_of, numbers_in

USE_PYINIT = 'make pyinit PID 1: ENTRYPOINT ["/pyinit", "--"]'

MOST_SHOWN = 3  # processes of which one finding shows the evidence

# By these somebody asks for something. Others are blocked in passing (shells: CHLD) or do no harm (job control).
_ASKING = mask_of(*(getattr(signal, "SIG" + name) for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM")))


def stop(patient: Patient) -> "Iterator[Finding]":
    """Does the engine's stop reach the program, and end it? Where a shell is in between, `shells` says so."""
    number = patient.stop_signal
    if number in (signal.SIGKILL, signal.SIGSTOP):
        return
    links = patient.now.chain
    for link in links[:-1]:
        if not link.init:
            return
        if not link.init.forwarded(number):
            yield dropped(link, number)
            return
        number = link.init.forwarded(number)
    if not links[-1].init:
        yield from ends_by(patient, links[-1].process, number)


def dropped(link: Link, number: int) -> Finding:
    name = short_name(number)
    return Finding(
        ERROR,
        f"{link.init.name if link.init else ''} drops {name}: a stop waits its full time, then everything is killed",
        cmdline(link.process),
        f"leave out the rewriting of {name} to 0",
    )


def ends_by(patient: Patient, process: Process, number: int) -> "Iterator[Finding]":
    """Does a signal do anything to the program? Unless it is PID 1, the default action will do."""
    name = short_name(number)
    is_pid1 = process is patient.now.pid1
    who = "PID 1" if is_pid1 else "the program"
    found = patient.disposition(process, number)
    full_time = "`docker stop` waits its full ten seconds, then kills (status 137)"
    named = patient.now.named(process)
    if not found:
        patient.unread.append(f"what {named} does about {name}: {more_rights()}")
    elif found == "ignored":
        is_shell = process.command and process.command[0].lstrip("-").rpartition("/")[2] in SHELLS
        fix = (
            f"an interactive shell ends by HUP: pyinit -r {name}:HUP"
            if is_shell
            else f"do not ignore {name}; if another signal ends it well: pyinit -r {name}:QUIT, or STOPSIGNAL"
        )
        yield Finding(ERROR, f"{who}, {named}, ignores {name}: {full_time}", lines(process, "SigIgn"), fix)
    elif found == "blocked":
        yield Finding(
            ERROR,
            f"{who}, {named}, blocks {name} in every thread: {full_time}",
            lines(process, "SigBlk"),
            f"unblock {name} in the program, or in what starts it: the mask is inherited (man 7 signal)",
        )
    elif found == "default" and is_pid1:
        yield Finding(
            ERROR,
            f"PID 1, {brief(process)}, has no handler for {name}, and the kernel gives PID 1 no other: {full_time}",
            lines(process, "SigCgt", "SigIgn"),
            f"{USE_PYINIT}; or handle {name} in the program",
        )


def shells(patient: Patient) -> "Iterator[Finding]":
    """Is there a shell in between that gets the signals and passes none on? One is enough to say."""
    container = patient.now
    links = container.chain
    for before, link, after in zip([None, *links], links, links[1:]):
        if link.init:
            continue
        evidence = (*cmdline(link.process), *lines(link.process, "SigCgt"), *lines(after.process, "PPid"))
        program = container.named(container.program)
        if before is None:
            yield Finding(
                ERROR,
                f"PID 1 is a shell that passes no signal on to the program, {program}",
                evidence,
                f'write ENTRYPOINT and CMD as JSON, ["program", "argument"]; or begin the shell\'s last command with '
                f"exec; or {USE_PYINIT}, which signals the shell's whole process group",
            )
        elif reaches_group(before) and container.group(after.process) == container.group(link.process):
            continue
        elif before.init and before.init.settings is None:
            patient.unread.append(f"whether {before.init.name} signals the process group of {brief(link.process)}")
            continue
        else:
            yield Finding(
                ERROR,
                f"a shell, {container.named(link.process)}, gets the signals and passes none on to the program, "
                f"{program}: a stop ends the shell, and the program is killed",
                evidence,
                "begin the shell's last command with exec; or let the init signal the process group: pyinit does so "
                "without -c, tini and catatonit with -g",
            )
        return


def reaches_group(link: Link) -> bool:
    return bool(link.init and link.init.settings and not link.init.settings.single_child)


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
        if parent is container.pid1:
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
    command = pid1.command[0].rpartition("/")[2].lstrip("-") if pid1.command else ""
    if patient.now.init or command in SHELLS or patient.disposition(pid1, signal.SIGCHLD) != "default":
        return
    yield Finding(
        NOTE,
        f"PID 1, {brief(pid1)}, is no init and does nothing about CHLD: an orphan would stay as a zombie",
        lines(pid1, "SigCgt", "SigIgn"),
        f"{USE_PYINIT} if the program starts others",
    )


def blocked(patient: Patient) -> "Iterator[Finding]":
    """Which other signals can nobody get?"""
    for each in patient.now.processes.values():
        signals = patient.blocked(each) & _ASKING
        if each is patient.now.program:
            signals &= ~mask_of(patient.stop_signal)  # `stop` looks at it
        if each.is_zombie or not each.is_open or not patient.stayed(each) or not signals:
            continue
        yield Finding(
            WARNING,
            f"{patient.now.named(each)} blocks {names(signals)} in every thread",
            lines(each, "SigBlk"),
            "unblock them in the program, or in what starts it: the mask is inherited (man 7 signal)",
        )


def pending(patient: Patient) -> "Iterator[Finding]":
    """Which signals were sent and are not taken?"""
    for each in patient.now.processes.values():
        signals = each.pending & patient.earlier(each).pending
        if each.is_zombie or not patient.stayed(each) or not signals:
            continue
        why = {"T": ", which is stopped", "D": ", which is in a call that cannot be interrupted"}.get(each.state, "")
        yield Finding(
            WARNING,
            f"{names(signals)} was sent to {patient.now.named(each)}{why} and waits",
            lines(each, "State", "SigPnd", "ShdPnd", "SigBlk"),
            "kill -CONT it"
            if each.state == "T"
            else "see what the program does instead: it blocks the signal, or hangs",
        )


def cut_off(patient: Patient) -> "Iterator[Finding]":
    """Who is killed without having been asked, when PID 1 ends?"""
    container = patient.now
    init = container.init
    if init and not init.runs_one_program:
        return
    living = [each for each in container.adopted if not each.is_zombie and patient.stayed(each)]
    if init and init.drains:
        living = [each for each in living if patient.disposition(each, signal.SIGTERM) in ("ignored", "blocked")]
        message = "ignores TERM: when the program has ended it is waited for in vain, then killed"
        fix = "do not ignore TERM there; or a shorter pyinit --grace"
    else:
        message = "is not the program's: when that ends, the kernel kills it without a TERM"
        fix = f"{USE_PYINIT}, which asks what is left to end (--grace), or waits for it (--wait-all)"
    if living:
        evidence = tuple(line for each in living[:MOST_SHOWN] for line in each.evidence("Name", "PPid"))
        if init and init.drains:
            evidence = tuple(line for each in living[:MOST_SHOWN] for line in each.evidence("SigIgn", "SigBlk"))
        more = f", and {len(living) - 1} more," if len(living) > 1 else ""
        yield Finding(WARNING, f"{container.named(living[0])}{more} {message}", evidence, fix)


def lines(process: Process, *fields: str) -> "tuple[str, ...]":
    return tuple(process.evidence(*fields))


def cmdline(process: Process) -> "tuple[str, ...]":
    return (f"/proc/{process.pid}/cmdline: {shown(process.command)}",)


def names(mask: int) -> str:
    return ", ".join(map(short_name, numbers_in(mask)))
