"""Look twice, run every check, say what they found."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rich.padding import Padding
from rich.text import Text

from pyinit.ctl import container
from pyinit.ctl.console import is_terminal, output
from pyinit.ctl.doctor import mounts, processes, security, shells, stops
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.doctor.patient import ERROR, NOTE, WARNING, Finding, Patient, short_name
from pyinit.tell import signal_names
from pyinit.tell.text import printable

CHECKS: "dict[str, Callable[[Patient], Iterator[Finding]]]" = {
    "stop": stops.stop,
    "rights": stops.rights,
    "shell": shells.between,
    "trap": shells.trap,
    "server": stops.server,
    "masters": stops.masters,
    "zombies": processes.zombies,
    "reaping": processes.reaping,
    "blocked": processes.blocked,
    "pending": processes.pending,
    "cut-off": processes.cut_off,
    "owner": mounts.owners,
    "unwritable": mounts.unwritable,
    "socket": mounts.sockets,
    "libraries": security.libraries,
    "secrets": security.secrets,
    "capabilities": security.capabilities,
}

# What these find hangs on the signal that the engine sends.
OF_THE_STOP = ("stop", "shell", "trap", "server")

STYLES = {ERROR: "bold red", WARNING: "bold yellow", NOTE: "bold cyan"}

# A zombie is reaped, and a signal taken, long before; what stays that long stays.
SECONDS_BETWEEN = 0.5


# Where lines are for programs, and none is broken.
UNBROKEN = 1 << 20  # columns


def look_twice(pid: "int | None", stop_signal: "int | None") -> Patient:
    """Look twice. Without a stop signal it is the one that PID 1 was told of, or TERM. Raises CannotLook."""
    before = container.look(pid)
    time.sleep(SECONDS_BETWEEN)
    now = container.look(pid, stop_signal or 0)
    return Patient(before, now, Files(now.pid1.pid, is_ours=now.level == 0))


def findings(patient: Patient) -> "list[tuple[str, Finding]]":
    """What all checks found, by their names; the worst first."""
    found = [(name, hedged(patient, name, each)) for name, check in CHECKS.items() for each in check(patient)]
    return sorted(found, key=lambda each: list(STYLES).index(each[1].severity))


def hedged(patient: Patient, check: str, finding: Finding) -> Finding:
    """What hangs on a stop signal that nobody has told us says so."""
    if check not in OF_THE_STOP or is_stop_known(patient):
        return finding
    name = short_name(patient.now.stop_signal)
    return replace(finding, message=f"{finding.message}, if it is stopped by {name} (see --stop-signal)")


def is_stop_known(patient: Patient) -> bool:
    return bool(patient.now.told_stop or patient.now.expected_stop)


def number_wrong(found: "list[tuple[str, Finding]]") -> int:
    return sum(finding.severity != NOTE for _, finding in found)


def summary(patient: Patient) -> "dict[str, str]":
    """Who is PID 1, which is the program, and what stops them."""
    now = patient.now
    init = f"the init {now.init.name}" if now.init else "no init"
    stop = short_name(now.stop_signal)
    return {
        "PID 1": f"{container.brief(now.pid1)}: {init}",
        "program": "PID 1" if now.program is now.pid1 else now.named(now.program),
        "stop": stop if is_stop_known(patient) else f"{stop}, if the image has no other STOPSIGNAL (--stop-signal)",
    }


def show(patient: Patient, found: "list[tuple[str, Finding]]") -> None:
    """For people: broken at words, what belongs to a finding indented."""
    page = output(without_styles=bool(os.environ.get("NO_COLOR")))
    if not is_terminal(page):
        page.width = UNBROKEN
    for name, text in summary(patient).items():
        page.print(Text(f"{name + ':':9}{text}"))
    for check, finding in found:
        title = Text.assemble((finding.severity, STYLES[finding.severity]), f" ({check}): {printable(finding.message)}")
        page.print()
        page.print(title)
        for line in finding.evidence:
            page.print(indented(Text(plain(line), style="dim")))
        page.print(indented(Text(f"fix: {printable(finding.fix)}")))
    for text in patient.unread:
        page.print()
        page.print(Text(f"not looked at: {printable(text)}"))
    page.print()
    page.print(Text(verdict(found)))


def indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 4), expand=False)


def plain(line: str) -> str:
    """A line of /proc with spaces for its tabs. Who named a process or a file cannot write on the terminal by it."""
    return printable(line.replace("\t", " "))


def verdict(found: "list[tuple[str, Finding]]") -> str:
    wrong = number_wrong(found)
    return "nothing is wrong" if not wrong else f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong"


def as_object(patient: Patient, found: "list[tuple[str, Finding]]") -> "dict[str, object]":
    now = patient.now
    return {
        "pid1": {
            "pid": now.pid1.pid,
            "command": now.pid1.command,
            "init": now.init.name if now.init else None,
        },
        "program": {"pid": now.program.pid, "number": now.number(now.program), "command": now.program.command},
        "stop_signal": {"name": signal_names.name(now.stop_signal), "is_known": is_stop_known(patient)},
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
