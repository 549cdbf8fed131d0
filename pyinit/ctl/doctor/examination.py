"""Look twice, run every check, say what they found."""

import time
from collections.abc import Callable, Iterator

import click

from pyinit.ctl import container
from pyinit.ctl.doctor import mounts, processes, security
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.doctor.patient import ERROR, NOTE, WARNING, Finding, Patient

CHECKS: "dict[str, Callable[[Patient], Iterator[Finding]]]" = {
    "stop": processes.stop,
    "shell": processes.shells,
    "zombies": processes.zombies,
    "reaping": processes.reaping,
    "blocked": processes.blocked,
    "pending": processes.pending,
    "cut-off": processes.cut_off,
    "owner": mounts.owners,
    "unwritable": mounts.unwritable,
    "socket": mounts.sockets,
    "secrets": security.secrets,
    "capabilities": security.capabilities,
}

COLOURS = {ERROR: "red", WARNING: "yellow", NOTE: "cyan"}

# A zombie is reaped, and a signal taken, long before; what stays that long stays.
SECONDS_BETWEEN = 0.5


def look_twice(pid: "int | None", stop_signal: int) -> Patient:
    """Look twice. Raises CannotLook."""
    before = container.look(pid)
    time.sleep(SECONDS_BETWEEN)
    now = container.look(pid)
    return Patient(before, now, Files(now.pid1.pid, is_ours=now.level == 0), stop_signal)


def findings(patient: Patient) -> "list[tuple[str, Finding]]":
    """What all checks found, by their names; the worst first."""
    found = [(name, finding) for name, check in CHECKS.items() for finding in check(patient)]
    return sorted(found, key=lambda each: list(COLOURS).index(each[1].severity))


def number_wrong(found: "list[tuple[str, Finding]]") -> int:
    return sum(finding.severity != NOTE for _, finding in found)


def summary(patient: Patient) -> "dict[str, str]":
    """Who is PID 1, and which is the program."""
    now = patient.now
    init = f"the init {now.init.name}" if now.init else "no init"
    return {
        "PID 1": f"{container.brief(now.pid1)}: {init}",
        "program": "PID 1" if now.program is now.pid1 else now.named(now.program),
    }


def show(patient: Patient, found: "list[tuple[str, Finding]]") -> None:
    for name, text in summary(patient).items():
        click.echo(f"{name + ':':9}{text}")
    for check, finding in found:
        severity = click.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
        click.echo(f"\n{severity} ({check}): {finding.message}")
        for line in finding.evidence:
            click.echo(click.style(f"    {line}", dim=True))
        click.echo(f"    fix: {finding.fix}")
    for text in patient.unread:
        click.echo(f"\nnot looked at: {text}")
    wrong = number_wrong(found)
    click.echo(
        "\n" + ("nothing is wrong" if not wrong else f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong")
    )


def as_object(patient: Patient, found: "list[tuple[str, Finding]]") -> "dict[str, object]":
    now = patient.now
    return {
        "pid1": {
            "pid": now.pid1.pid,
            "command": now.pid1.command,
            "init": now.init.name if now.init else None,
        },
        "program": {"pid": now.program.pid, "number": now.number(now.program), "command": now.program.command},
        "findings": [
            {
                "check": check,
                "severity": finding.severity,
                "message": finding.message,
                "evidence": finding.evidence,
                "fix": finding.fix,
            }
            for check, finding in found
        ],
        "unread": patient.unread,
    }
