"""The names of capabilities (man 7 capabilities; linux/capability.h)."""

import posix

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


def permitted() -> "frozenset[int]":
    """Our own permitted set (man 5 proc, CapPrm), empty if /proc does not tell."""
    try:
        descriptor = posix.open("/proc/self/status", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return frozenset()
    status = posix.read(descriptor, 65536)
    posix.close(descriptor)
    mask = next((int(line[7:], 16) for line in status.split(b"\n") if line.startswith(b"CapPrm:")), 0)
    return frozenset(number for number in range(64) if mask >> number & 1)
