"""Settings: every choice of one run."""

import _signal
import posix

from pyinit.kernel.signals import TERMINAL_STOPS

ERROR, WARNING, INFO = range(3)  # tini's levels: -v shows one more, -q one less

# Names that our file may have, and whose command line it takes then; see pyinit.options.
PERSONALITIES = {
    "catatonit": "catatonit",
    "docker-init": "tini",
    "dumb-init": "dumb-init",
    "fixuid": "fixuid",
    "gosu": "gosu",
    "podman-init": "catatonit",
    "su-exec": "su-exec",
    "tini": "tini",
}

# So the launcher's first word begins (docker/launcher), with the name that it was started under. No variable says it:
# those may be anybody's, whereas who chooses our first word chooses all options.
LAUNCHED_AS = "--launched-as="


def personality(path: str) -> str:
    """The one of PERSONALITIES that a file's name stands for, with or without `-static` and `.py`; "" for ours."""
    return PERSONALITIES.get(path.rpartition("/")[2].removesuffix(".py").removesuffix("-static"), "")


class Settings:
    """Made once, complete and checked; nothing changes it afterwards. Here are the defaults."""

    adopt_orphans = True  # where we are not PID 1; without it only with `subreaper`
    after: "tuple[tuple[str, ...], ...]" = ()  # commands to run when the program has ended
    answer = ""  # "help", "version", "license", "home": say that and end; "" for a run
    as_gosu = False  # a number without an account keeps the GID; only HOME is set
    before: "tuple[tuple[str, ...], ...]" = ()  # commands to run to success before the program
    dotted = False  # the caller's variables stand behind a dot each
    doubts: "tuple[str, ...]" = ()  # what to warn of: choices that say nothing, variables that there are not
    drop_capabilities = False
    end_group = False  # the program's process group gets TERM when the program has ended
    events = ""  # path of the journal, "" for none
    exec = False  # become the program, with no init around it
    expand_file_vars: "tuple[str, ...]" = ()  # names of variables, "*" for all of them
    failure_status = 0  # what every failure to start is reported as; 0 to tell them apart
    grace = 8.0  # seconds for what is left when the program has ended, 0 to leave it to the kernel
    keep_capabilities: "tuple[int, ...]" = ()  # their numbers
    keep_home = False
    match = ""  # "UID", "UID:GID", "env" for PUID and PGID, "" for none
    match_group: "tuple[str, ...]" = ()  # paths, with "?" behind one that need not be there
    match_owner = ""  # path
    no_new_privileges = False
    orphans = "keep"  # or "end": what becomes of a process whose parent died
    own: "tuple[str, ...]" = ()  # paths of trees
    own_index = ""  # path
    parent_death_signal = 0  # 0 for none
    pause = False
    personality = "pyinit"  # or the init under whose name we were started
    program: "tuple[str, ...]" = ()  # the program and its arguments, empty with `pause`
    remap_exit: "dict[int, int]" = {}  # exit status of the program: the status to report
    rewrite: "dict[int, int]" = {}  # signal received: signal to forward, 0 to drop it
    secret: "tuple[tuple[str, str], ...]" = ()  # variables of the program, and the files that hold their values
    secrets = ""  # path of a directory of such files
    session = False
    setup: "tuple[tuple[str, ...], ...]" = ()  # commands to run to success as who we are, before the others
    set_user_id = False  # started by the set-user-ID launcher, by whom we must not trust
    signal_mask = "inherit"  # what the program starts with: the mask that we were started with, or "none"
    single_child = False  # forward to the program alone, not to its process group
    stop_signal = 0  # what the engine sends to stop, 0 for TERM, and Ctrl-C's INT counts, too
    stop_timeout = 0.0  # seconds from the first request to end until the program is killed, 0 for never
    stops_too = False  # at a stop that the terminal sends; so it is with `session`
    strict = False  # what would be a warning is an error
    subreaper = False
    umask = -1  # the program's, -1 for the one that we have
    user = ""  # "USER", "USER:GROUP" or ":GROUP", "" to stay who we are
    verbosity = WARNING  # a level of pyinit.tell.log
    wait_all = False  # end when no process is left, and not with the program
    warn_on_reap = False
    without_orphans = ""  # what to warn of where orphans are not adopted, "" for nothing

    def __init__(self, **choices: object) -> None:
        """Every choice that is not given is the default. Raises TypeError for one that does not exist."""
        for name in choices:
            if not hasattr(Settings, name):
                raise TypeError(f"no such setting: {name}")
        self.__dict__.update(choices)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings do not change: {name}")

    def forwarded(self, signal: int) -> int:
        """What the program is sent for a signal that we get, 0 for nothing.

        In a session of its own the program's group is orphaned, and the kernel discards the terminal's stops (POSIX
        2.4.3, as dumb-init has it). STOP it does not.
        """
        if self.session and signal in TERMINAL_STOPS:
            return self.rewrite.get(signal, _signal.SIGSTOP)
        return self.rewrite.get(signal, signal)

    def stops(self, signal: int) -> bool:
        """Whether by this signal somebody asks the program to end, which starts the clocks.

        That is the stop signal, or TERM and INT if none was said. QUIT is for many a program no stop but a dump, and
        what the program never gets is none.
        """
        asks = signal == self.stop_signal if self.stop_signal else signal in (_signal.SIGTERM, _signal.SIGINT)
        return asks and self.forwarded(signal) != 0

    @property
    def stop_sent(self) -> int:
        """What the program gets when the engine stops it, 0 for nothing."""
        return self.forwarded(self.stop_signal or _signal.SIGTERM)

    @property
    def ends_start(self) -> "tuple[int, ...]":
        """By which signals somebody asks to end before the program runs."""
        asks = {_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT, self.stop_signal} - {0}
        return tuple(signal for signal in asks if self.forwarded(signal))


def without_parser(arguments: "list[str]", environment: "dict[bytes, bytes]") -> "Settings | None":
    """The settings of `pyinit [-u USER] [--] PROGRAM`, as most containers say it; None for anything else.

    There is next to nothing to parse then, and pyinit.options need not be loaded: 10 % of a start.
    """
    if personality(arguments[0]) or posix.geteuid() != posix.getuid():
        return None
    user, words = "", arguments[1:]
    if words[:1] in (["-u"], ["--user"]) and words[1:2] and ":" not in words[1]:
        user, words = words[1], words[2:]
        if not user:
            return None
    program = words[1:] if words[:1] == ["--"] else words
    if not program or not program[0] or (program is words and program[0].startswith("-")):
        return None
    names = b"\0" + b"\0".join(environment)
    if b"\0PYINIT_" in names or b"\0TINI_" in names:
        return None
    return Settings(program=tuple(program), user=user)
