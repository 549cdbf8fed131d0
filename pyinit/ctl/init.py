"""Which init a process is: by its name, which says how it forwards; PID 1 also by what it does."""

import os
import signal
from dataclasses import dataclass

from pyinit.ctl import proc
from pyinit.ctl.zipapp import EARLY, LINE_1, OPTIONS
from pyinit.settings import Settings, personality
from pyinit.tell import Fatal

# Inits that run several services, each in its own way: there is no one program then.
SERVICE_MANAGERS = ("init", "my_init", "openrc-init", "runit", "runsvdir", "s6-svscan", "supervisord", "systemd")

# As which pyinit stays PID 1; under its other names it becomes the program.
RESIDENT = ("catatonit", "dumb-init", "tini")


@dataclass(frozen=True)
class Init:
    """An init. `settings` are what it was told, in pyinit's terms: also tini's, dumb-init's and catatonit's."""

    name: str
    settings: "Settings | None" = None  # None where we cannot read its command line

    @property
    def runs_one_program(self) -> bool:
        return self.name not in SERVICE_MANAGERS and not (self.settings and self.settings.pause)

    @property
    def drains(self) -> bool:
        """Whether it asks what is left to end when the program has ended, and waits."""
        return self.name in SERVICE_MANAGERS or bool(self.settings and (self.settings.grace or self.settings.wait_all))

    def forwarded(self, number: int) -> int:
        """What becomes of a signal; 0 for nothing."""
        return self.settings.forwarded(number) if self.settings else number


def recognise(process: proc.Process) -> "Init | None":
    """The init that a process is by its name; None if it is none that we know."""
    words = own_words(process.command)
    name = os.path.basename(words[0]) if words else ""
    if personality(name) in RESIDENT:
        return Init(personality(name), settings(process, personality(name), words[1:]))
    if name == "pyinit":
        return Init(name, settings(process, "", words[1:]))
    return Init(name) if name in SERVICE_MANAGERS else None


def recognise_pid1(process: proc.Process, has_children: bool) -> "Init | None":
    """The same for PID 1: one that we do not know is an init if it collects TERM as inits do, with sigwaitinfo or a
    signalfd instead of a handler, and has children."""
    collects = has_children and process.collected & proc.mask_of(signal.SIGTERM)
    return recognise(process) or (Init(process.name) if collects else None)


def own_words(command: "tuple[str, ...]") -> "list[str]":
    """A command line as the program itself sees it: of a Python program, without the interpreter."""
    words = list(command)
    if not words or not os.path.basename(words[0]).startswith("python"):
        return words
    while words[1:2] == ["-X"]:  # pyinit.kernel.again
        del words[1:3]
    if words[1:2] == [EARLY]:
        del words[1]
    if is_zipapp(tuple(words)):
        name = os.path.basename(words[2])
        return [name if personality(name) in RESIDENT else "pyinit", *words[3:]]
    if words[1:3] == ["-m", "pyinit"]:
        return words[2:]
    return [words[1].removesuffix(".pyz"), *words[2:]] if words[1:] else words


def is_zipapp(command: "tuple[str, ...]") -> bool:
    """Whether a command line is what the kernel makes of the first line of pyinit's file (pyinit.ctl.zipapp)."""
    return len(command) > 2 and command[1] == OPTIONS + LINE_1


def settings(process: proc.Process, other: str, words: "list[str]") -> "Settings | None":
    """What an init was told by its command line, and by its environment where that may be read."""
    from pyinit.options import inits, parser

    try:
        environment = proc.environment(process)
    except OSError:
        environment = {}
    try:
        return inits.read(other, words, environment) if other else parser.read(words, environment)
    except Fatal:  # it is of a version that knows other options
        return None
