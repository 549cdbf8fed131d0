"""A container as its processes show it: which belong to it, who is PID 1, which is the program, what stands between."""

import os
import re
import signal
from dataclasses import dataclass
from functools import cached_property

from pyinit.ctl import proc
from pyinit.ctl.init import Init, is_zipapp, recognise, recognise_pid1
from pyinit.ctl.options import CannotLook, shown
from pyinit.ctl.proc import Process

SHELLS = ("ash", "bash", "dash", "ksh", "mksh", "sh", "yash", "zsh")

LONGEST_NAME = 60  # characters of a command in a message

_COMMAND_OPTION = re.compile(r"-\w*c\w*")  # of a shell, alone or among others: -c, -ec


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
    told_stop: int = 0  # what the engine stops it by, where somebody has told us; otherwise 0

    def number(self, process: Process) -> int:
        """What a process is called inside."""
        return process.at("NSpid", self.level)

    def group(self, process: Process) -> int:
        return process.at("NSpgid", self.level)

    def session(self, process: Process) -> int:
        return process.at("NSsid", self.level)

    def children(self, process: Process) -> "list[Process]":
        """In the order in which they were started."""
        return self._by_parent.get(process.pid, [])

    def below(self, process: Process) -> "list[Process]":
        """All that descends from a process, each behind its parent."""
        found = list(self.children(process))
        for each in found:  # which grows
            found += self.children(each)
        return found

    def named(self, process: Process) -> str:
        """What a message calls a process: its number inside, and its command."""
        return f"{self.number(process)} ({brief(process)})"

    @cached_property
    def _by_parent(self) -> "dict[int, list[Process]]":
        found: "dict[int, list[Process]]" = {}
        for each in sorted(self.processes.values(), key=lambda each: (each.started, each.pid)):
            found.setdefault(each.parent, []).append(each)
        return found

    @cached_property
    def init(self) -> "Init | None":
        """What PID 1 is, if it is an init."""
        return recognise_pid1(self.pid1, bool(self.children(self.pid1)))

    @property
    def expected_stop(self) -> int:
        """What pyinit was told that the engine stops it by; otherwise 0."""
        return self.init.settings.stop_signal if self.init and self.init.settings else 0

    @property
    def stop_signal(self) -> int:
        """What the engine stops it by: TERM where nobody says anything."""
        return self.told_stop or self.expected_stop or signal.SIGTERM

    @cached_property
    def chain(self) -> "list[Link]":
        """PID 1, and what was started from it one after the other up to the program, which is the last.

        PID 1 may itself be the program. A shell is one only for a signal that it has a trap for: what counts is the
        engine's stop, as each init passes it on.
        """
        links, number = [Link(self.pid1, self.init)], self.stop_signal
        while True:
            last = links[-1]
            following = self._started_by(last, number)
            if following is None:
                return links
            links.append(Link(following, recognise(following)))
            number = last.init.forwarded(number) if last.init else number

    def _started_by(self, link: Link, number: int) -> "Process | None":
        """Whom an init, or a shell that has no trap for a signal, has started and waits for: a shell the youngest."""
        living = [each for each in self.children(link.process) if not each.is_zombie]
        if link.init:
            return self._program_of(link, link.init, living) if link.init.runs_one_program else None
        return living[-1] if living and is_shell_between(link.process, number) else None

    def _program_of(self, link: Link, init: Init, living: "list[Process]") -> "Process | None":
        """The oldest child of an init: what came later was adopted.

        What pyinit's --before has left is older. But pyinit's program leads a process group, which an orphan seldom
        does, and a session only if pyinit was asked for that; of several it is what pyinit was told to run.
        """
        if init.name != "pyinit":
            return living[0] if living else None
        found = [each for each in living if self.group(each) == self.number(each)]
        if init.settings is None:
            return found[0] if found else None
        program, session = init.settings.program, self.session(link.process)
        found = [each for each in found if init.settings.session or self.session(each) == session]
        return min(found, key=lambda each: each.command[-len(program) :] != program, default=None)

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

    @cached_property
    def adopted_pids(self) -> "frozenset[int]":
        return frozenset(each.pid for each in self.adopted)


def command_line(process: Process) -> str:
    """A command line for people; pyinit's is without the interpreter and its code, which nobody has written."""
    words = process.command[2:] if is_zipapp(process.command) else process.command
    return shown(words) or shown((process.name,))


def brief(process: Process) -> str:
    """Its start."""
    command = command_line(process)
    return command if len(command) <= LONGEST_NAME else command[: LONGEST_NAME - 1] + "…"


def is_shell(process: Process) -> bool:
    return bool(process.command) and os.path.basename(process.command[0]).lstrip("-") in SHELLS


def is_shell_between(process: Process, number: int) -> bool:
    """A shell that a signal ends (or, as PID 1, does not reach) without a word to what it runs: one without a trap."""
    return is_shell(process) and not (number and has_trap(process, number))


def has_trap(shell: Process, number: int) -> bool:
    """Whether a shell has a trap for a signal. INT it catches without one, too: then its command line has to tell, and
    a script in a file, which does not, may have one."""
    if number == signal.SIGINT and has_command_string(shell):
        return any("trap" in word for word in shell.command)
    return bool(proc.mask_of(number) & (shell.caught | shell.ignored))


def has_command_string(shell: Process) -> bool:
    """Whether what a shell runs is on its command line: sh -c."""
    return any(map(_COMMAND_OPTION.fullmatch, shell.command[1:]))


def look(pid: "int | None", told_stop: int = 0) -> Container:
    """The container that a process is in; without one, the container that we are in. `told_stop`: what the engine stops
    it by, if that is known. Raises CannotLook."""
    try:
        target = proc.read(pid or int(os.readlink("/proc/self")))
    except PermissionError:  # hidepid=1 (man 5 proc)
        raise CannotLook(f"--pid: /proc/{pid} may not be read; {more_rights()}") from None
    except OSError as error:
        raise CannotLook(f"/proc does not tell: {error.strerror}; is it mounted?") from None
    if target is None:
        raise CannotLook(f"--pid: there is no process {pid} here")
    level = len(target.numbers("NSpid")) - 1 if "NSpid" in target.status else 0
    everyone = {each.pid: each for each in proc.readable()}
    everyone.setdefault(target.pid, target)
    processes = everyone if level == 0 else members(everyone, target, level)
    pid1 = next((each for each in processes.values() if each.at("NSpid", level) == 1), None)
    if pid1 is None:
        raise CannotLook(f"PID 1 of the PID namespace of {target.pid} is not to be found; {more_rights()}")
    return Container(level, processes, pid1, told_stop)


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
