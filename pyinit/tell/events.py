"""What happens in a run, told to whoever wants to know: people by the log, tools by the journal, and under another
init's name people in its words. Nothing that is told comes before what it is about.
"""

import _signal
import posix
import sys
from time import CLOCK_BOOTTIME, clock_gettime

from pyinit.kernel import memory, proc
from pyinit.kernel.signals import FATAL
from pyinit.tell import signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _signal import struct_siginfo
    from collections.abc import Sequence
    from typing import Any

    from pyinit.kernel.costs import Costs, Waiting
    from pyinit.kernel.proc import Process
    from pyinit.settings import Settings
    from pyinit.tell.log import Log

_NAMED = 20  # processes in one line of the log

# Of the journal: pyinit/ctl/timeline/journal.schema.json describes it.
_VERSION = 1


class Events:
    """One method for each thing that can happen. None of them blocks or raises once it is made."""

    def __init__(self, settings: "Settings", log: "Log") -> None:
        """Raises Fatal with status 2 if the journal cannot be opened."""
        self.log = log
        self._warns_of_orphans = settings.warn_on_reap
        self._killed: "set[int]" = set()  # by us, and not reaped yet
        self._killed_groups = False  # with all who are in them
        self._kernel_kills = 0  # for want of memory, that we know of
        self._end_of_program: "dict[str, Any]" = {}  # what is known of a KILL
        self.waiting: "Waiting | None" = None  # where it is told what processes have cost
        self._sinks: "list[Any]" = []  # the journal, and who tells the same in another init's words
        if settings.events:
            from pyinit.tell.journal import Journal, waiting

            self._sinks.append(Journal(settings.events))
            self.waiting = waiting()
        elif self.log.has_own_words and settings.verbosity > 1:
            from pyinit.tell.narration import Narrator

            self._sinks.append(Narrator(settings, self.log))

    def begin(self) -> None:
        """The run begins."""
        self.write("start", version=_VERSION, pid=posix.getpid(), arguments=sys.argv)

    def has_threads(self) -> None:
        self.log.warning("another thread runs in this process (/etc/ld.so.preload?): it may take signals, stops too")

    def write(self, event: str, **details: object) -> None:
        """For the journal alone."""
        for sink in self._sinks:
            sink.write(event, **details)

    def received(self, info: "struct_siginfo", sent: int, target: int) -> None:
        """A signal came, and `sent` was sent to the program for it, 0 for none."""
        name = signal_names.name(info.si_signo)
        self.write("signal", signal=name, sender_pid=info.si_pid, sender_uid=info.si_uid)
        if sent:
            self.write("forwarded", signal=signal_names.name(sent), target=target)
            self.log.info(f"forwarded {name} as {signal_names.name(sent)} to {target}")

    def not_sent(self, signal: int, target: int, error: OSError) -> None:
        self.log.warning(f"cannot send {signal_names.name(signal)} to {target}: {error.strerror}")

    def spared(self, processes: "Sequence[Process]", signal: int) -> None:
        """These could not be signalled."""
        if processes:
            why = "not permitted (CAP_KILL; the engine adds it: --cap-add KILL)"
            self.log.warning(f"cannot send {signal_names.name(signal)} to {named(processes)}: {why}")

    def survived(self, processes: "Sequence[Process]", seconds: float) -> None:
        self.log.error(f"still there {seconds:g} s after KILL: {named(processes)}")

    def died(self, signal: int, dumped: bool) -> None:
        """A signal has ended the program that we did not send. Of one that is no way to stop a program that is said."""
        if signal not in FATAL or self.log.has_own_words:
            return
        core = ", core dumped" if dumped else ""
        why = ", which pyinit did not send"
        if signal == _signal.SIGKILL:
            cause = self._end_of_program or self._who_killed()
            if cause["killed_by"] == "memory":
                why = f": {_for_want_of_memory(cause)}"
            elif cause["killed_by"] == "other":
                why += ", nor the kernel for want of memory"
        self.log.warning(f"the program was ended by {signal_names.name(signal)}{core}{why}")

    def ended_as_if_killed(self) -> None:
        """The program has the status of one that KILL ended, as a shell has where that happened to its own child."""
        if self.log.has_own_words:
            return
        cause = self._who_killed()
        if cause["killed_by"] == "memory":
            self.log.warning(_for_want_of_memory(cause))

    def _who_killed(self, pid: int = 0) -> "dict[str, Any]":
        """Who sent KILL to somebody who has ended: `pyinit`, `memory` for the kernel, `other` who is neither; or
        `unknown`. Outside PID 1 the cgroup is others', too."""
        if pid in self._killed:
            self._killed.discard(pid)
            return {"killed_by": "pyinit"}
        found = memory.look() if posix.getpid() == 1 else None
        if not found:
            return {"killed_by": "unknown"}
        if found.kills > self._kernel_kills:
            self._kernel_kills += 1
            return {"killed_by": "memory", "memory_limit": found.limit, "memory_peak": found.peak}
        return {"killed_by": "pyinit" if self._killed_groups else "other"}

    def ignores(self, pid: int, signal: int) -> None:
        self.log.warning(f"the program (pid {pid}) ignores {signal_names.name(signal)}")

    def reaped(self, pid: int, wait_status: int, zombie: "Process | None", is_orphan: bool, costs: "Costs") -> None:
        signal = posix.WTERMSIG(wait_status) if posix.WIFSIGNALED(wait_status) else 0
        status = 128 + signal if signal else posix.WEXITSTATUS(wait_status)
        command = zombie.name if zombie else ""
        age = None
        if zombie:
            age = clock_gettime(CLOCK_BOOTTIME) - zombie.started / posix.sysconf("SC_CLK_TCK")
        name = signal_names.name(signal) if signal else None
        cause = self._who_killed(pid) if signal == _signal.SIGKILL else {}
        if not is_orphan:
            self._end_of_program = cause
        told = {"status": status, "signal": name, "orphan": is_orphan, "command": command, "age": age}
        self.write("reaped", pid=pid, **told, **cause, **costs)
        if is_orphan and self._warns_of_orphans:
            self.log.warning(self.log.words.reaped.format(pid, command, status))

    def ended(self, status: int, **error: str) -> None:
        """The run is over; nothing is left to be told."""
        self.write("ended", status=status, **error, **(self.waiting.costs() if self.waiting else {}))

    def still_running(self, seconds: float, processes: "Sequence[Process]", signal: int) -> None:
        """A stop takes long: who is still there, and what it does about the signal."""
        self.log.warning(f"still running after {seconds:g} s: {named(processes, signal)}")

    def left_behind(self, processes: "Sequence[Process]", signal: int, seconds: float) -> None:
        """The program has left these. `signal` is what they were sent now, 0 if they have had it before."""
        name = signal_names.name(signal) if signal else None
        self.write("drain", left=[each.pid for each in processes], signal=name, grace=seconds)
        number = f"{len(processes)} process{'es' if len(processes) > 1 else ''}: {named(processes)}"
        asked = f"{name[3:]} now, " if name else ""
        if processes:
            self.log.warning(f"the program has left {number}; {asked}KILL in {max(0, seconds):.1f} s")

    def orphan_asked(self, pid: int, signal: int) -> None:
        self.log.info(f"the parent of {pid} has died: it gets {signal_names.name(signal)[3:]}")

    def killed(self, processes: "Sequence[Process]", signal: int, what: str = "") -> None:
        """These were sent KILL, since another signal had not ended them. If it is not said `what` they are, so were all
        who are in their group or were forked meanwhile."""
        described = [describe(each, signal) for each in processes]
        self._killed.update([each.pid for each in processes])
        self._killed_groups = self._killed_groups or not what
        self.write("killed", pids=[each.pid for each in processes], processes=described)
        if processes:
            asked = signal_names.name(signal) if signal else "waiting"
            self.log.warning(f"{asked} did not end {what}{named(processes, signal)}: killed")


def _for_want_of_memory(cause: "dict[str, Any]") -> str:
    """Not which process: the kernel counts them, and the program may have waited for one of its own."""
    known = [
        f"{word} {round(cause[name] / 1048576):,} MiB"
        for word, name in (("limit", "memory_limit"), ("peak", "memory_peak"))
        if cause[name] is not None
    ]
    figures = f" ({', '.join(known)})" if known else ""
    return f"the kernel has killed a process of the container for want of memory{figures}"


def named(processes: "Sequence[Process]", signal: int = 0) -> str:
    """Who these are, in one line: `17 (sleep), 18 (java, ignores SIGTERM)`."""
    more = f" and {len(processes) - _NAMED} more" if len(processes) > _NAMED else ""
    return ", ".join(describe(each, signal) for each in processes[:_NAMED]) + more


def describe(process: "Process", signal: int) -> str:
    does = proc.disposition(process.pid, signal) if signal else ""
    words = {"ignores": ", ignores it", "catches": ", catches it"}
    return f"{process.pid} ({process.name}{words.get(does, '')})"
