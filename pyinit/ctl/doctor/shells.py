"""Checks of shells: what one passes on, and when it comes to that."""

import signal
from collections.abc import Iterator

from pyinit.ctl.container import Link, brief, has_command_string, is_shell
from pyinit.ctl.doctor import advice
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
from pyinit.ctl.proc import Process
from pyinit.kernel.signals import IGNORED_BY_DEFAULT

FULL_SECONDS = 10  # of `docker stop`

# Options of shells whose argument is the next word.
_TAKE_A_WORD = ("-o", "+o", "-O", "+O", "--rcfile", "--init-file")


def between(patient: Patient) -> "Iterator[Finding]":
    """Is there a shell in between that gets the stop and does not pass it on? One is enough to say."""
    container, way = patient.now, patient.stop
    shell, links = way.receiver, container.chain[len(way.inits) :]
    if not way.signal or len(links) < 2 or way.reaches(links[1].process):
        return
    name, program = short_name(way.signal), container.named(container.program)
    evidence = (*cmdline(shell), *lines(shell, "SigCgt"), *lines(links[1].process, "PPid", "NSpgid"))
    if not way.inits:
        yield Finding(
            ERROR,
            f"PID 1 is a shell that does not pass {name} on to the program, {program}",
            evidence,
            f'write ENTRYPOINT and CMD as JSON, ["program", "argument"]; or begin the shell\'s last command with '
            f"exec; or {USE_PYINIT}, which signals the shell's whole process group",
        )
    elif way.is_groups is None:
        init = way.inits[-1].init
        patient.unread.append(f"whether {init.name if init else ''} signals the process group of {brief(shell)}")
    else:
        said = f"a shell, {container.named(shell)}, gets {name} and does not pass it on to the program, {program}"
        severity, result = what_becomes_of_the_program(patient, links[1])
        fix = "begin the shell's last command with exec"
        fix += "" if way.is_groups else f"; or {advice.signal_group(way.settings)}"
        yield Finding(severity, said + result, evidence, fix)


def what_becomes_of_the_program(patient: Patient, behind: Link) -> "tuple[str, str]":
    """Where a shell alone gets the stop, and what is behind it does not: how bad that is, and how it goes on."""
    way = patient.stop
    is_caught = patient.disposition(way.receiver, way.signal) == "caught"  # INT, for which it has no trap
    if is_caught and not patient.is_of_the_background(behind.process):
        return ERROR, f", for which it waits: {FULL_TIME}"
    if way.signal in IGNORED_BY_DEFAULT:
        return ERROR, f", and goes on: {FULL_TIME}"
    if not way.drains:
        return ERROR, ": a stop ends the shell, and the program is killed"
    number = way.settings.stop_sent if way.settings else way.signal
    if patient.takes(patient.now.program, number):
        return NOTE, ", which is asked to end when the shell has ended, and gets no other signal"
    name = short_name(number)
    return WARNING, f", which gets {name} when the shell has ended, and ignores or blocks it: it is killed in the end"


def trap(patient: Patient) -> "Iterator[Finding]":
    """Does a shell with a trap have to wait for something before it comes to that?

    "... while the shell is waiting for the completion of a utility executing a foreground command, the trap shall not
    be executed until after the foreground command has completed" (POSIX, 2.11 Signals). `wait` is interrupted.
    """
    container, way = patient.now, patient.stop
    shell, number = way.receiver, way.signal
    is_program = shell is container.program  # otherwise see `between`
    if not number or not is_program or not is_shell(shell) or way.is_groups is None:
        return
    if patient.disposition(shell, number) != "caught":
        return
    child = next((each for each in reversed(container.children(shell)) if may_hold_up(patient, each)), None)
    if child is None:
        if number == signal.SIGINT and not has_command_string(shell):
            patient.unread.append(f"whether {container.named(shell)} has a trap for INT: shells catch it without one")
        return
    is_in_foreground = "default" in [patient.disposition(child, each) for each in (signal.SIGINT, signal.SIGQUIT)]
    who = f"PID 1, {brief(shell)}," if shell is container.pid1 else f"the program, {container.named(shell)},"
    said = f"{who} answers {short_name(number)} only when what it waits for, {container.named(child)}, has ended"
    fix = "begin that with & and let the shell `wait` for it, which a trap interrupts"
    if not way.is_groups:
        fix += f"; or {advice.signal_group(way.settings) if way.inits else USE_PYINIT}, so that both get it"
    evidence = (*lines(shell, "SigCgt"), *lines(child, "PPid", "SigIgn", "SigCgt"))
    if is_in_foreground and patient.age(child) > FULL_SECONDS:
        yield Finding(ERROR, f"{said}, and that runs for longer than a stop takes: {FULL_TIME}", evidence, fix)
    else:
        hedge = "" if is_in_foreground else ", unless that runs in the background"
        yield Finding(NOTE, f"{said}{hedge}: if that lasts, {FULL_TIME}", evidence, fix)


def may_hold_up(patient: Patient, child: Process) -> bool:
    """Whether a child of the shell that gets the stop may be one that it waits for in the foreground, and does not end
    by that signal itself."""
    way = patient.stop
    is_beside = patient.now.group(child) == patient.now.group(way.receiver)
    ends = way.reaches(child) and patient.takes(child, way.signal)
    is_left = not child.is_zombie and patient.stayed(child) and not ends
    return is_left and is_beside and not patient.is_of_the_background(child)


def is_interactive(shell: Process) -> bool:
    """Whether a shell talks with somebody, and so ignores TERM and ends by HUP: by -i, or at a terminal without a
    script (POSIX, sh)."""
    words, options = list(shell.command[1:]), ""
    while words and words[0].startswith(("-", "+")):
        word = words.pop(0)
        options += "" if word.startswith("--") else word
        if word in _TAKE_A_WORD:
            del words[:1]
    has_script = bool(words) or "c" in options
    return "i" in options or (shell.tty != 0 and not has_script)
