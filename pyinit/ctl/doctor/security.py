"""Checks of what the container may do and gives away."""

import os
import re
from collections.abc import Iterator

from pyinit.ctl import proc
from pyinit.ctl.container import more_rights
from pyinit.ctl.doctor.patient import NOTE, WARNING, Finding, Patient
from pyinit.ctl.doctor.user_namespace import is_nested
from pyinit.identity.capabilities import NAMES
from pyinit.tell.text import decode, printable

# The end of a variable's name that holds something secret. A token may be one of a language, and then a number of them
# or a word. And values that are none.
SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|(ACCESS|SECRET|PRIVATE)_KEY|CREDENTIALS?)$"
)
WORD_TOKEN = re.compile(r"(^|_)(BOS|EOS|PAD|UNK|SEP|CLS|MASK|STOP|MAX|MIN|NUM)_TOKEN$")
NUMBER = re.compile(r"\d+$")
NO_SECRET = re.compile(r"(|yes|no|on|off|true|false|enabled?|disabled?|none|null|[01]|/.*)$", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@", re.IGNORECASE)

# What engines leave to root (moby, profiles; containers.conf(5), default_capabilities).
DEFAULT_CAPABILITIES = {
    "audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "net_raw",
    "setfcap", "setgid", "setpcap", "setuid", "sys_chroot",
}  # fmt: skip


def libraries(patient: Patient) -> "Iterator[Finding]":
    """Do the image's libraries reach the interpreter that pyinit runs in?"""
    pid1, init = patient.now.pid1, patient.now.init
    if not (init and init.settings and pid1.command and "python" in os.path.basename(pid1.command[0])):
        return
    try:
        path = decode(proc.environment(pid1).get(b"LD_LIBRARY_PATH", b""))
    except OSError:  # `secrets` says so
        return
    if path:
        yield Finding(
            NOTE,
            "pyinit's interpreter takes the libraries in LD_LIBRARY_PATH, too: with a libz of another version there "
            "nothing would start",
            (f"/proc/{pid1.pid}/environ: LD_LIBRARY_PATH={printable(path)}",),
            f'give it to the program alone: ENTRYPOINT ["/pyinit", "--", "env", "LD_LIBRARY_PATH={printable(path)}"]',
        )


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
    name = name.upper()
    if WORD_TOKEN.search(name) or (name.endswith("TOKEN") and NUMBER.match(value)):
        return False
    return bool(SECRET_NAME.search(name) and not NO_SECRET.match(value))


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
            f"no --privileged, no --cap-add that is not needed; {fewer_rights(patient)}",
        )
    elif held:
        message = f"the program, {named}, has {len(held)} capabilities"
        yield Finding(NOTE, message, tuple(program.evidence("Uid", "CapEff")), fewer_rights(patient))
    if program.number("NoNewPrivs") == 0:
        message = f"the program, {named}, could gain rights by a set-user-ID file"
        fix = "pyinit --no-new-privileges, or `docker run --security-opt no-new-privileges`"
        yield Finding(NOTE, message, tuple(program.evidence("NoNewPrivs", "CapBnd")), fix)


def fewer_rights(patient: Patient) -> str:
    """The options that leave the program less, but for those that pyinit has been told."""
    told = patient.told
    options = {
        "--user USER": bool(told and told.user),
        "--no-new-privileges": bool(told and told.no_new_privileges),
        "--drop-capabilities": bool(told and told.drop_capabilities),
    }
    missing = [option for option, is_said in options.items() if not is_said]
    if missing:
        return f"pyinit {' '.join(missing)}"
    return (
        "fewer --keep-capabilities" if told and told.keep_capabilities else "a user other than root: pyinit --user USER"
    )


def capabilities_of(process: proc.Process) -> "set[str]":
    """The effective ones by name, those without a name by number."""
    mask = process.mask("CapEff")
    return {NAMES[bit] if bit < len(NAMES) else str(bit) for bit in range(64) if mask >> bit & 1}
