"""What the kernel says of our container's memory: whom it has killed for want of it, the limit, the peak.

A container has a cgroup of its own, whose counts begin with it (Linux, admin-guide/cgroup-v2.rst, memory.events;
cgroup-v1/memory.rst, memory.oom_control). Whether it is seen as the root or by its path depends on the engine.
"""

import posix

from pyinit.kernel import proc

_ROOT = b"/sys/fs/cgroup"
_UNLIMITED = 1 << 60  # version 1 says so by a number of about the size of the address space

# Of each version: where the kills are counted, the limit, the peak (version 2 has that since Linux 5.19).
_FILES = {
    1: (b"memory.oom_control", b"memory.limit_in_bytes", b"memory.max_usage_in_bytes"),
    2: (b"memory.events", b"memory.max", b"memory.peak"),
}


class Memory:
    """What is known; numbers are bytes, None for what is not known or not limited."""

    def __init__(self, kills: int, limit: "int | None", peak: "int | None") -> None:
        self.kills = kills  # of the container so far
        self.limit = limit
        self.peak = peak


def look() -> "Memory | None":
    """None where the kernel does not tell, or not of our container alone."""
    for directory, version in _directories():
        events, limit, peak = [_read(directory + b"/" + name) for name in _FILES[version]]
        for line in events.splitlines():
            name, _, count = line.partition(b" ")
            if name == b"oom_kill" and count.isdigit():
                return Memory(int(count), _number(limit), _number(peak))
    return None


def _directories() -> "list[tuple[bytes, int]]":
    """Where our cgroup may be mounted, and of which version it is (man 7 cgroups, /proc/PID/cgroup)."""
    found = []
    try:
        lines = proc.lines("/proc/self/cgroup")
    except OSError:
        return []
    for line in lines:
        number, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        if b"memory" in controllers.split(b","):
            found += [(_ROOT + b"/memory" + path, 1), (_ROOT + b"/memory", 1)]
        elif number == b"0":
            found += [(_ROOT + path, 2), (_ROOT, 2)]
    return found


def _read(path: bytes) -> bytes:
    """A small file; nothing where there is none. What an image has put there instead must not make us wait."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return posix.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        posix.close(descriptor)


def _number(text: bytes) -> "int | None":
    text = text.strip()
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None
