"""The names of capabilities (man 7 capabilities; linux/capability.h)."""

import posix

_REFUSALS = (1, 13)  # man 3 errno: EPERM, EACCES

NAMES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip


def number(text: str) -> int:
    """The number of a capability given as `net_bind_service` or `CAP_NET_BIND_SERVICE`.

    Raises ValueError, with what is wrong.
    """
    name = text.strip().lower()
    name = name[4:] if name.startswith("cap_") else name
    if name not in NAMES:
        raise ValueError(f"{text!r} is no capability: names such as net_bind_service, with commas between them")
    return NAMES.index(name)


def name(number: int) -> str:
    return "cap_" + NAMES[number] if number < len(NAMES) else f"capability {number}"


def permitted() -> "frozenset[int] | None":
    """Our own permitted set (man 5 proc, CapPrm), None if /proc does not tell."""
    mask = _mask("CapPrm")
    return None if mask is None else _numbers(mask)


def bounding() -> "frozenset[int]":
    """What a program may ever get here, empty if /proc does not tell."""
    return _numbers(_mask("CapBnd") or 0)


def are_privileges_fixed() -> bool:
    """Whether no-new-privileges is set, or /proc does not tell (since Linux 4.10)."""
    return _mask("NoNewPrivs") != 0


def has(*names: str) -> bool:
    """Whether we have one of these now, or /proc does not tell: then trying does."""
    mask = _mask("CapEff")
    return mask is None or any(mask >> NAMES.index(each) & 1 for each in names)


def lacking(error: "Exception | int", *names: str) -> str:
    """For a message: that this error, or its number, comes from a lack of capabilities; "" if it does not."""
    number = error.errno if isinstance(error, OSError) else error
    if number not in _REFUSALS or has(*names):
        return ""
    return f"; {' or '.join('CAP_' + each.upper() for each in names)} is missing"


def lacking_for(error: OSError) -> str:
    """The same, for a file that could not be given to somebody: it may not be changed, or not be reached."""
    names = ("chown",) if error.errno == _REFUSALS[0] else ("dac_read_search", "dac_override")
    return lacking(error, *names)


def _numbers(mask: int) -> "frozenset[int]":
    return frozenset(number for number in range(64) if mask >> number & 1)


def _mask(field: str) -> "int | None":
    """A set of ours as /proc/self/status has it, None if that does not tell."""
    try:
        descriptor = posix.open("/proc/self/status", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return None
    status = posix.read(descriptor, 65536)
    posix.close(descriptor)
    _, found, rest = status.partition(b"\n%s:\t" % field.encode())
    return int(rest.split(b"\n", 1)[0], 16) if found else None
