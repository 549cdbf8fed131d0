"""The options, a row each. The parser, --help, the reference and the manual page are made from them.

To add one: its row here, and its setting in pyinit.settings. Only a value of a new kind needs a reader besides, in
pyinit.options.readers. The tests of this table tell what is missing.
"""

USAGE = "usage: pyinit [OPTIONS] [--] PROGRAM [ARGUMENT...]"

# What more there is to say of an option. Of one that is none of the first three, the last value counts.
REPEATS = "repeats"  # all its values count; in its variable they have commas between them, except for commands
COUNTS = "counts"  # how often it is there counts; its variable is a number
ANSWERS = "answers"  # it is answered instead of a run, and has no variable
WITH_USER = "with user"  # it says nothing without --user

# Letter, name, what its value looks like, what it does, the tool that has it, and more. What a value looks like decides
# how it is read; an option without one is a switch.
_ROWS = (
    ("s", "subreaper", "", "fail if orphans cannot be adopted; adopting is tried anyway", "tini"),
    ("p", "parent-death-signal", "SIGNAL", "get SIGNAL when the parent dies", "tini"),
    ("g", "kill-process-group", "", "forward signals to the program's process group: the default", "tini"),
    ("c", "single-child", "", "forward signals to the program alone", "dumb-init"),
    ("e", "remap-exit", "CODE[:TO]", "report the exit status CODE as TO, or as 0; repeatable", "tini, more", REPEATS),
    ("w", "warn-on-reap", "", "say which orphan was reaped", "tini"),
    ("r", "rewrite", "FROM:TO", "forward the signal TO instead of FROM, 0 drops it; repeatable", "dumb-init", REPEATS),
    ("", "signal-mask", "none|inherit", "signals blocked for the program: none, or as ours (the default)", "pyinit"),
    ("", "session", "", "the program leads its own session and gets the terminal", "dumb-init"),
    ("P", "pause", "", "run no program: reap until INT or TERM", "catatonit"),
    ("", "grace", "SECONDS", "KILL what is left this long after the stop; default 8, 0: never", "pyinit"),
    ("", "stop-signal", "STOPSIGNAL", "the signal that is a stop; default TERM and INT", "pyinit"),
    ("", "stop-timeout", "SECONDS", "KILL the program this long after the stop; default 0: never", "my_init"),
    ("", "wait-all", "", "end when no process is left, and not with the program", "pyinit"),
    ("", "orphans", "keep|end", "end: TERM and KILL for processes whose parent died; default keep", "pyinit"),
    ("", "setup", "COMMAND", "run COMMAND before USER is taken on; repeatable", "gosu", REPEATS),
    ("", "before", "COMMAND", "run COMMAND to success before the program; repeatable", "my_init", REPEATS),
    ("", "after", "COMMAND", "run COMMAND after the program; repeatable", "my_init", REPEATS),
    ("u", "user", "USER[:GROUP]", "run the program as USER, its groups and HOME included", "gosu"),
    ("", "match", "UID[:GID]", "first give USER these IDs; env: those in PUID and PGID", "fixuid", WITH_USER),
    ("", "match-owner", "PATH", "first give USER the IDs of the owner of PATH, a bind mount", "pyinit", WITH_USER),
    (
        "",
        "match-group",
        "FILE",
        "add the group of FILE (docker.sock); FILE?: if it is there",
        "pyinit",
        REPEATS,
        WITH_USER,
    ),
    ("", "own", "TREE", "re-own TREE instead of the home, or give USER an empty mount", "fixuid", REPEATS, WITH_USER),
    ("", "own-index", "PATH", "re-own what the index at PATH lists, instead of searching", "pyinit", WITH_USER),
    ("", "no-new-privileges", "", "the program gains nothing by set-user-ID files", "setpriv"),
    ("", "drop-capabilities", "", "the program and what it starts never have a capability", "setpriv"),
    (
        "",
        "keep-capabilities",
        "LIST",
        "capabilities that the program keeps as USER, such as chown,kill",
        "setpriv",
        REPEATS,
    ),
    ("", "keep-home", "", "leave HOME as it is", "gosu", WITH_USER),
    ("", "umask", "MODE", "the program's umask, such as 027; --match env takes UMASK", "PUID images"),
    ("", "strict", "", "what would be a warning at the start is an error", "pyinit"),
    ("", "exec", "", "set everything up, then become the program: no init stays", "gosu"),
    ("", "secrets", "DIR", "each file in DIR becomes a variable of the program", "pyinit"),
    ("", "secret", "NAME=PATH", "the content of PATH becomes the variable NAME; repeatable", "pyinit", REPEATS),
    (
        "",
        "expand-file-vars",
        "[=NAMES]",
        "X has the content of the file that X_FILE names, for X of NAMES",
        "docker-library",
        REPEATS,
    ),
    ("", "events", "PATH", "append the journal, JSON lines, to PATH; - is standard error", "pyinit"),
    ("v", "verbose", "", "say more; repeatable", "tini", COUNTS),
    ("q", "quiet", "", "say less; repeatable", "pyinit", COUNTS),
    ("l", "license", "", "show the license", "tini", ANSWERS),
    ("h", "help", "", "show this help", "tini", ANSWERS),
    ("V", "version", "", "show the version", "tini", ANSWERS),
)

# Of these two, the one that comes last counts.
OPPOSITES = {"kill-process-group": "single-child", "single-child": "kill-process-group"}


class Option:
    """One row."""

    def __init__(self, letter: str, name: str, value: str, text: str, origin: str, *more: str) -> None:
        self.letter = letter
        self.name = name
        self.value = value
        self.text = text
        self.origin = origin
        self.repeats = REPEATS in more
        self.counts = COUNTS in more
        self.answers = ANSWERS in more
        self.with_user = WITH_USER in more

    @property
    def is_optional(self) -> bool:
        """Whether it may stand without its value."""
        return self.value.startswith("[=")

    @property
    def words(self) -> "tuple[str, ...]":
        """How it is written."""
        return (f"--{self.name}", *([f"-{self.letter}"] if self.letter else []))

    @property
    def head(self) -> str:
        """How it is written, with its value."""
        return f"{self.words[0]}{'' if self.is_optional else ' '}{self.value}".rstrip()

    @property
    def setting(self) -> str:
        """Its name in Settings."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return "" if self.answers else f"PYINIT_{self.setting.upper()}"


OPTIONS = tuple([Option(*row) for row in _ROWS])
