"""A container as its processes show it: which belong to it, who is PID 1, which is the program, what stands between."""

import os
import signal
from dataclasses import dataclass
from functools import cached_property

from pyinit.ctl import proc
from pyinit.ctl.init import Init, is_zipapp, recognise, recognise_pid1
from pyinit.ctl.options import CannotLook, shown
from pyinit.ctl.proc import Process

SHELLS = ("ash", "bash", "dash", "ksh", "mksh", "sh", "yash", "zsh")

LONGEST_NAME = 60  # characters of a command in a message


@dataclass(frozen=True)
class Link:
    """A process in the chain from PID 1 to the program. `init` is what it is if it is an init."""

    process: Process
    init: "Init | None"


@dataclass
class Container:
    """The processes of one PID namespace and of those below it, at one moment."""

    level: int  # how many PID namespaces it is below that of /proc
    processes: "dict[int, Process]"  # by their numbers in /proc
    pid1: Process

    def number(self, process: Process) -> int:
        """What a process is called inside."""
        return process.at("NSpid", self.level)

    def group(self, process: Process) -> int:
        return process.at("NSpgid", self.level)

    def session(self, process: Process) -> int:
        return process.at("NSsid", self.level)

    def children(self, process: Process) -> "list[Process]":
        """In the order in which they were started."""
        below = [each for each in self.processes.values() if each.parent == process.pid]
        return sorted(below, key=lambda each: (each.started, each.pid))

    def named(self, process: Process) -> str:
        """What a message calls a process: its number inside, and its command."""
        return f"{self.number(process)} ({brief(process)})"

    @cached_property
    def chain(self) -> "list[Link]":
        """PID 1, and what was started from it one after the other up to the program, which is the last.

        PID 1 may itself be the program. An init has started the oldest of its children; what came later was adopted. A
        shell has started, and waits for, the youngest.
        """
        links = [Link(self.pid1, recognise_pid1(self.pid1, bool(self.children(self.pid1))))]
        while True:
            last = links[-1]
            living = [each for each in self.children(last.process) if not each.is_zombie]
            if living and last.init and last.init.runs_one_program:
                links.append(Link(living[0], recognise(living[0])))
            elif living and not last.init and is_shell_between(last.process):
                links.append(Link(living[-1], recognise(living[-1])))
            else:
                return links

    @property
    def init(self) -> "Init | None":
        """What PID 1 is, if it is an init."""
        return self.chain[0].init

    @property
    def program(self) -> Process:
        return self.chain[-1].process

    @cached_property
    def adopted(self) -> "list[Process]":
        """The children of PID 1 that it has not started: orphans.

        The kernel keeps no record of it. An init that runs one program has started that alone. Of any other PID 1 those
        count that are in a process group which is neither PID 1's nor their own: somebody who is gone put them there.
        """
        below = self.children(self.pid1)
        if self.init and self.init.runs_one_program:
            return [each for each in below if each is not self.chain[1:][0].process] if self.chain[1:] else below
        own_group = self.group(self.pid1)
        return [each for each in below if self.group(each) not in (own_group, self.number(each))]


def command_line(process: Process) -> str:
    """A command line for people; pyinit's is without the interpreter and its code, which nobody has written."""
    words = process.command[2:] if is_zipapp(process.command) else process.command
    return shown(words) or process.name


def brief(process: Process) -> str:
    """Its start."""
    command = command_line(process)
    return command if len(command) <= LONGEST_NAME else command[: LONGEST_NAME - 1] + "…"


def is_shell_between(process: Process) -> bool:
    """A shell that TERM ends (or, as PID 1, does not reach) without a word to what it runs: one without a trap."""
    name = os.path.basename(process.command[0]).lstrip("-") if process.command else ""
    return name in SHELLS and not proc.mask_of(signal.SIGTERM) & (process.caught | process.ignored)


def look(pid: "int | None") -> Container:
    """The container that a process is in; without one, the container that we are in. Raises CannotLook."""
    try:
        target = proc.read(pid or int(os.readlink("/proc/self")))
    except OSError as error:
        raise CannotLook(f"/proc does not tell: {error.strerror}; is it mounted?") from None
    if target is None:
        raise CannotLook(f"--pid: there is no process {pid} here")
    level = len(target.numbers("NSpid")) - 1 if "NSpid" in target.status else 0
    everyone = {each.pid: each for number in proc.pids() if (each := proc.read(number))}
    everyone.setdefault(target.pid, target)
    processes = everyone if level == 0 else members(everyone, target, level)
    pid1 = next((each for each in processes.values() if each.at("NSpid", level) == 1), None)
    if pid1 is None:
        raise CannotLook(f"--pid: PID 1 of the PID namespace of {target.pid} is not to be found; {more_rights()}")
    return Container(level, processes, pid1)


def members(everyone: "dict[int, Process]", target: Process, level: int) -> "dict[int, Process]":
    """The processes of the target's PID namespace, and of those below it.

    /proc/PID/ns/pid tells where it may be read. Otherwise: who is in this namespace has all children in it or below it.
    """
    namespace = namespace_of(target)
    found = {target.pid: target}
    for each in ancestors(everyone, target):
        if len(each.numbers("NSpid")) == level + 1:
            found[each.pid] = each
    for each in everyone.values():
        if namespace and namespace_of(each) == namespace:
            found[each.pid] = each
    size = 0
    while len(found) > size:
        size = len(found)
        found.update({each.pid: each for each in everyone.values() if each.parent in found})
    return found


def ancestors(everyone: "dict[int, Process]", process: Process) -> "list[Process]":
    found: "list[Process]" = []
    while (parent := everyone.get(process.parent)) and parent not in found:
        found.append(parent)
        process = parent
    return found


def namespace_of(process: Process) -> str:
    """Which PID namespace a process is in, "" if we may not know."""
    try:
        return os.readlink(f"/proc/{process.pid}/ns/pid")
    except OSError:
        return ""


def more_rights() -> str:
    """What to do about something that may not be read."""
    if os.geteuid() == 0:
        return "even root may not read it here"
    return "root may know more, or who started a rootless container: podman unshare pyinitctl …"
