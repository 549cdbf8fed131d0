"""What becomes of a stop: who gets which signal, and who cannot be sent one."""

from dataclasses import dataclass
from functools import cached_property

from pyinit.ctl.container import Container, Link
from pyinit.ctl.proc import Process
from pyinit.settings import Settings

_CAP_KILL = 5  # linux/capability.h


@dataclass(frozen=True)
class Stop:
    """The way of the engine's stop signal, from PID 1 through every init to who gets it and is none."""

    container: Container

    @property
    def engines(self) -> int:
        """The signal that the engine sends."""
        return self.container.stop_signal

    @cached_property
    def inits(self) -> "list[Link]":
        """The inits that pass it on, PID 1 first: each but the last to the next."""
        links = self.container.chain
        passing = next((at for at, link in enumerate(links[:-1]) if not link.init), len(links) - 1)
        return links[:passing]

    @property
    def receiver(self) -> Process:
        """Who gets it and passes none on: the program, a shell in front of it, PID 1."""
        return self.container.chain[len(self.inits)].process

    @cached_property
    def signals(self) -> "list[int]":
        """What is sent from link to link: first by the engine, then by each init. 0 is nothing."""
        sent = [self.engines]
        for link in self.inits:
            sent.append(link.init.forwarded(sent[-1]) if link.init and sent[-1] else 0)
        return sent

    @property
    def signal(self) -> int:
        """What the receiver gets."""
        return self.signals[-1]

    @property
    def is_groups(self) -> "bool | None":
        """Whether the receiver's whole process group gets it; None where the init does not show its settings."""
        last = self.inits[-1].init if self.inits else None
        if last is None:
            return False  # the engine signals PID 1 alone
        return None if last.settings is None else not last.settings.single_child

    @cached_property
    def everybody(self) -> "list[Process]":
        """Who is known to get it: the receiver, then the others of its process group if that is signalled."""
        group = self.container.group(self.receiver)
        others = self.container.processes.values() if self.is_groups else ()
        return [self.receiver, *(each for each in others if each is not self.receiver and self.is_in(each, group))]

    def is_in(self, process: Process, group: int) -> bool:
        return self.container.group(process) == group and not process.is_zombie

    def reaches(self, process: Process) -> bool:
        return process in self.everybody

    @property
    def settings(self) -> "Settings | None":
        """What the last init was told: the one whose options decide what the receiver gets."""
        last = self.inits[-1].init if self.inits else None
        return last.settings if last else None

    @property
    def drains(self) -> bool:
        """Whether who is left when the receiver has ended is asked to end, and waited for."""
        return any(link.init.drains for link in self.inits if link.init)


def may_signal(sender: Process, target: Process) -> bool:
    """Whether the kernel lets a process signal another: by CAP_KILL, or by its real or effective UID, which is the
    target's real or saved one (man 2 kill)."""
    if sender.mask("CapEff") >> _CAP_KILL & 1:
        return True
    real, effective = sender.numbers("Uid")[:2]
    targets_real, _, targets_saved = target.numbers("Uid")[:3]
    return bool({real, effective} & {targets_real, targets_saved})
