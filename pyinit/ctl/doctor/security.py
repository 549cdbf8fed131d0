"""Checks of what the container may do and gives away."""

import re
from collections.abc import Iterator

from pyinit.ctl import proc
from pyinit.ctl.container import more_rights
from pyinit.ctl.doctor.patient import NOTE, WARNING, Finding, Patient
from pyinit.ctl.doctor.user_namespace import is_nested
from pyinit.identity.capabilities import NAMES
from pyinit.message import decode, printable

# The end of a variable's name that holds something secret, and values that are none.
SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|(ACCESS|SECRET|PRIVATE)_KEY|CREDENTIALS?)$"
)
NO_SECRET = re.compile(r"(|yes|no|true|false|none|null|[01]|/.*)$", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@", re.IGNORECASE)

# What engines leave to root (moby, profiles; containers.conf(5), default_capabilities).
DEFAULT_CAPABILITIES = {
    "audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "net_raw",
    "setfcap", "setgid", "setpcap", "setuid", "sys_chroot",
}  # fmt: skip

FEWER_RIGHTS = "pyinit --user USER --no-new-privileges --drop-capabilities"


def secrets(patient: Patient) -> "Iterator[Finding]":
    """Which secrets can everybody read who may read PID 1's environment? Values are not shown."""
    pid1 = patient.now.pid1
    try:
        variables = {decode(name): decode(value) for name, value in proc.environment(pid1).items()}
    except OSError as error:
        patient.unread.append(f"/proc/{pid1.pid}/environ: {error.strerror}; {more_rights()}")
        return
    found = [name for name, value in variables.items() if is_secret(name, value)]
    if found:
        yield Finding(
            WARNING,
            f"PID 1's environment, which others have and can read, holds {printable(', '.join(found))}",
            tuple(f"/proc/{pid1.pid}/environ: {printable(name)}=…" for name in found),
            "mount the values as files (secrets) and give them to the program alone: pyinit --secrets /run/secrets",
        )


def is_secret(name: str, value: str) -> bool:
    if PASSWORD_IN_URL.match(value):
        return True
    return bool(SECRET_NAME.search(name.upper()) and not NO_SECRET.match(value))


def capabilities(patient: Patient) -> "Iterator[Finding]":
    """May the program do more than a container should, and could it gain more?"""
    program = patient.now.program
    held = capabilities_of(program)
    more = sorted(held - DEFAULT_CAPABILITIES)
    named = patient.now.named(program)
    if more:
        shown = ", ".join(more) if len(more) <= 6 else f"{', '.join(more[:6])} and {len(more) - 6} more"
        # In a user namespace they count for what belongs to it alone.
        yield Finding(
            NOTE if is_nested(program) else WARNING,
            f"the program, {named}, may do what no container may by default: {shown}",
            tuple(program.evidence("Uid", "CapEff")),
            f"no --privileged, no --cap-add that is not needed; {FEWER_RIGHTS}",
        )
    elif held:
        message = f"the program, {named}, has {len(held)} capabilities"
        yield Finding(NOTE, message, tuple(program.evidence("Uid", "CapEff")), FEWER_RIGHTS)
    if program.number("NoNewPrivs") == 0:
        message = f"the program, {named}, could gain rights by a set-user-ID file"
        fix = "pyinit --no-new-privileges, or `docker run --security-opt no-new-privileges`"
        yield Finding(NOTE, message, tuple(program.evidence("NoNewPrivs", "CapBnd")), fix)


def capabilities_of(process: proc.Process) -> "set[str]":
    """The effective ones by name, those without a name by number."""
    mask = process.mask("CapEff")
    return {NAMES[bit] if bit < len(NAMES) else str(bit) for bit in range(64) if mask >> bit & 1}
