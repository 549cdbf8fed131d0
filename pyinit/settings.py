"""Settings: every choice of one run."""

from pyinit.log import WARNING

# Names that our file may have, and whose command line it takes then; see pyinit.personalities.
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

# The launcher sets it (docker/launcher): the name that it was started under. The caller's variables then stand behind
# a dot each, so that this one cannot be theirs.
LAUNCHED_AS = b"PYINIT_LAUNCHED_AS"


def personality(path: str) -> str:
    """The one of PERSONALITIES that a file's name stands for, with or without `-static` and `.py`; "" for ours."""
    return PERSONALITIES.get(path.rpartition("/")[2].removesuffix(".py").removesuffix("-static"), "")


class Settings:
    """Made once, complete and checked; nothing changes it afterwards. Here are the defaults."""

    after: tuple[tuple[str, ...], ...] = ()  # commands to run when the program has ended
    answer: str = ""  # "help", "version", "license", "home": say that and end; "" for a run
    as_gosu: bool = False  # a number without an account keeps the GID; only HOME is set
    before: tuple[tuple[str, ...], ...] = ()  # commands to run to success before the program
    drop_capabilities: bool = False
    end_group: bool = False  # the program's process group gets TERM when the program has ended
    events: str = ""  # path of the journal, "" for none
    exec: bool = False  # become the program, with no init around it
    expand_file_vars: bool = False
    failure_status: int = 0  # what every failure to start is reported as; 0 to tell them apart
    grace: float = 10.0  # seconds for what is left when the program has ended, 0 to leave it to the kernel
    keep_capabilities: tuple[int, ...] = ()  # their numbers
    keep_home: bool = False
    listen_pid: bool = False  # LISTEN_PID, which named us, is to name the program
    match: str = ""  # "UID", "UID:GID", "env" for PUID and PGID, "" for none
    match_group: tuple[str, ...] = ()  # paths
    match_owner: str = ""  # path
    no_new_privileges: bool = False
    orphans: str = "keep"  # or "end": what becomes of a process whose parent died
    own: tuple[str, ...] = ()  # paths of trees
    own_index: str = ""  # path
    parent_death_signal: int = 0  # 0 for none
    pause: bool = False
    personality: str = "pyinit"  # or the init under whose name we were started
    program: tuple[str, ...] = ()  # the program and its arguments, empty with `pause`
    remap_exit: dict[int, int] = {}  # exit status of the program: the status to report
    rewrite: dict[int, int] = {}  # signal received: signal to forward, 0 to drop it
    secret: tuple[tuple[str, str], ...] = ()  # variables of the program, and the files that hold their values
    secrets: str = ""  # path of a directory of such files
    session: bool = False
    set_user_id: bool = False  # started by the set-user-ID launcher, by whom we must not trust
    single_child: bool = False  # forward to the program alone, not to its process group
    stop_timeout: float = 0.0  # seconds from the first request to end until the program is killed, 0 for never
    strict: bool = False  # what would be a warning is an error
    subreaper: bool = False
    user: str = ""  # "USER", "USER:GROUP" or ":GROUP", "" to stay who we are
    verbosity: int = WARNING  # a level of pyinit.log
    wait_all: bool = False  # end when no process is left, and not with the program
    warn_on_reap: bool = False

    def __init__(self, **choices: object) -> None:
        """Every choice that is not given is the default. Raises TypeError for one that does not exist."""
        for name in choices:
            if not hasattr(Settings, name):
                raise TypeError(f"no such setting: {name}")
        self.__dict__.update(choices)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings do not change: {name}")


def without_parser(words: "list[str]", environment: "dict[bytes, bytes]") -> "Settings | None":
    """The settings of `pyinit [-u USER] [--] PROGRAM`, as most containers say it; None for anything else.

    There is next to nothing to parse then, and the parser need not be loaded: 10 % of a start.
    """
    user = ""
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
