"""What a process takes of the machine. psutil knows, where it is installed; /proc/PID/status says a little."""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyinit.ctl import proc
from pyinit.ctl.container import Container
from pyinit.ctl.proc import Process

try:
    import psutil
except ImportError:  # in an image that has pyinitctl.pyz alone
    HAS_PSUTIL = False
else:
    HAS_PSUTIL = True

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")  # of Process.started, in a second

WITHOUT_PSUTIL = "psutil is not installed: no processor times, and of memory only what shared pages count in, too"
SHARED = "~ memory with shared pages (RSS), where that of the process alone (USS) may not be read"


@dataclass(frozen=True)
class Usage:
    """Of one process at one moment."""

    processor: "float | None"  # percent of one processor since the look before; at first, over its life. None: unknown
    memory: "int | None"  # bytes; None for a zombie and for the kernel's own
    is_unique: bool  # whether memory is what it alone has (USS); otherwise shared pages count, too (RSS)
    threads: int
    age: float  # seconds


class Meter:
    """Looks at the processes of a container again and again."""

    def __init__(self) -> None:
        self._watched: "dict[tuple[int, int], psutil.Process]" = {}

    def look(self, container: Container) -> "dict[int, Usage]":
        """By the numbers in /proc. One that has ended since then has no processor and no memory."""
        processes = list(container.processes.values())
        seen = frozenset(self._watched)
        if HAS_PSUTIL:
            self._watched = dict(self._watch(processes))
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        return {
            each.pid: self._usage(each, max(0.0, now - each.started / TICKS), each.identity in seen)
            for each in processes
        }

    def _watch(self, processes: "list[Process]") -> "Iterator[tuple[tuple[int, int], psutil.Process]]":
        """psutil remembers in its object of a process when that was looked at last."""
        for each in processes:
            try:
                yield each.identity, self._watched.get(each.identity) or psutil.Process(each.pid)
            except psutil.Error:
                pass

    def _usage(self, process: Process, age: float, is_seen: bool) -> Usage:
        resident = process.number("VmRSS") * 1024
        watched = self._watched.get(process.identity)
        unique = unique_memory(watched, process) if watched and resident else None
        return Usage(
            processor=processor(watched, age, is_seen) if watched else None,
            memory=unique or resident or None,
            is_unique=bool(unique),
            threads=process.number("Threads"),
            age=age,
        )


def processor(watched: "psutil.Process", age: float, is_seen: bool) -> "float | None":
    """Percent of one processor since it was seen last; the first time over its whole life, as ps has it."""
    try:
        percent = watched.cpu_percent()
        if is_seen:
            return percent
        times = watched.cpu_times()
    except (psutil.Error, OSError):
        return None
    return 100 * (times.user + times.system) / age if age else 0.0


def unique_memory(watched: "psutil.Process", process: Process) -> "int | None":
    """The bytes that would be free if the process ended (USS), None where we may not know."""
    with proc.as_owner(process.pid, process.uid, process.gid):
        try:
            return int(watched.memory_full_info().uss)
        except (psutil.Error, OSError):
            return None
