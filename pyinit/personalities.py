"""Started under another tool's name: its command line, our Settings. Imported only under such a name.

A symbolic link or a copy with the name is enough, so that an image switches by replacing one file.
"""

import posix

from pyinit import __version__
from pyinit.log import Fatal, Log
from pyinit.settings import LAUNCHED_AS, Settings, personality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyinit.command_line import Given

# The inits: their letters, and which of our options each is (pyinit.command_line.OPTIONS).
LETTERS = {
    "tini": {
        "h": "help",
        "s": "subreaper",
        "p": "parent-death-signal",
        "v": "verbose",
        "w": "warn-on-reap",
        "g": "kill-process-group",
        "e": "remap-exit",
        "l": "license",
    },
    "dumb-init": {"c": "single-child", "r": "rewrite", "v": "verbose", "h": "help", "V": "version"},
    "catatonit": {"g": "kill-process-group", "h": "help", "L": "license", "P": "pause", "V": "version"},
}

# What holds under these names without being said: our options, as if they were in the environment.
PRESET = {
    "tini": {"single-child": "yes", "grace": "0"},
    "dumb-init": {"session": "yes", "verbosity": "0", "grace": "0"},
    "catatonit": {"single-child": "yes", "grace": "0"},
}

# Settings for which there is no option. What all three have goes to `init`.
OTHERS: "dict[str, dict[str, Any]]" = {
    "tini": {},
    "dumb-init": {"failure_status": 2, "end_group": True},
    "catatonit": {"failure_status": 1},
}

# How a message begins, by level; how a program that cannot be executed is reported; the version. Docker reads
# `tini version NUMBER - git.COMMIT` (moby, daemon/info_unix.go), and catatonit says that it is a tini for its sake.
FORMS = {
    "tini": tuple(f"[{level} tini ({{}})] " for level in ("FATAL", "WARN ", "INFO ", "DEBUG", "TRACE")),
    "dumb-init": ("[dumb-init] ",),
    "catatonit": tuple(f"{level} (catatonit:{{}}): " for level in ("ERROR", "WARN", "INFO", "DEBUG")),
}
CANNOT_RUN = {"tini": "exec {} failed: {}", "dumb-init": "{}: {}", "catatonit": "failed to exec pid1: {1}"}
_COMMIT = f" - git.pyinit-{__version__.replace('.', '-')}"
VERSIONS = {
    "tini": f"tini version 0.19.0{_COMMIT}",
    "dumb-init": f"dumb-init v1.2.5 (pyinit {__version__})",
    "catatonit": f"tini version 0.1.7_catatonit{_COMMIT}",
    "gosu": f"pyinit {__version__}",
}
ON_STANDARD_ERROR = (("help", "dumb-init"), ("version", "dumb-init"), ("help", "catatonit"))


def read(arguments: "list[str]", environment: "dict[bytes, bytes]", log: Log) -> Settings:
    """The settings of a run under the name `argv[0]`, one of PERSONALITIES, or of a set-user-ID one. Raises Fatal.

    From now on `log` speaks as an init of that name does.
    """
    name = personality(arguments[0])
    if name == "fixuid" or LAUNCHED_AS in environment or posix.geteuid() != posix.getuid():
        from pyinit.identity import fixuid

        return fixuid.read(arguments, environment)
    if name in LETTERS:
        log.forms = FORMS[name]
        log.cannot_run = CANNOT_RUN[name]
        log.reaped = "Reaped zombie process with pid={}"
        return init(name, arguments[1:], environment)
    return READERS[name](arguments[1:])


def init(name: str, words: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings under the name of tini, dumb-init or catatonit. Our own variables hold, too. Raises Fatal."""
    from pyinit import command_line

    options = {option: (option, value) for _, option, value in command_line.OPTIONS}
    letters = {letter: options[option] for letter, option in LETTERS[name].items()}
    # getopt_long takes any beginning of a name that no other name has.
    longs = LETTERS[name].values() if name == "dumb-init" else ["version"]
    starts = [option[:size] for option in longs for size in range(1, len(option) + 1)]
    names = {start: options[option] for option in longs for start in starts if option.startswith(start)}
    names = {start: names[start] for start in names if starts.count(start) == 1}
    others: "dict[str, Any]" = {"personality": name, **OTHERS[name]}
    try:
        given, program = command_line.parse(words, letters, names)
        if name == "dumb-init" and "verbose" in given:
            given["verbose"] = [("-v", "2")]
        command_line.complete(given, _variables(name, environment))
        command_line.complete(given, {key: [("", text)] for key, text in PRESET[name].items()})
        if name == "tini" and program[1:2] == ["--"] and words[: -len(program)][-1:] != ["--"]:
            del program[1]  # as its usage has it: tini [OPTIONS] PROGRAM -- [ARGS]
        if name == "dumb-init" and "single-child" in given:
            del given["session"]
            others["end_group"] = False
        if name == "catatonit":
            # man 3 sd_listen_fds: the descriptors are for the process that LISTEN_PID names.
            others["listen_pid"] = environment.get(b"LISTEN_PID") == b"%d" % posix.getpid()
            if "pause" in given:
                program = []
        return command_line.settings(given, program, **others)
    except ValueError as error:
        raise Fatal(str(error), 1, USAGES[name]) from None


def _variables(name: str, environment: "dict[bytes, bytes]") -> "Given":
    """What the environment says: ours, and that init's own variables."""
    from pyinit import command_line

    ours = environment if name == "tini" else {k: v for k, v in environment.items() if not k.startswith(b"TINI_")}
    given = command_line.variables(ours)
    if name == "dumb-init" and environment.get(b"DUMB_INIT_DEBUG") == b"1":
        given["verbose"] = [("DUMB_INIT_DEBUG", "3")]
    if name == "dumb-init" and environment.get(b"DUMB_INIT_SETSID") == b"0":
        given["single-child"] = [("DUMB_INIT_SETSID", "yes")]
    if name == "catatonit" and b"CATATONIT_DEBUG" in environment:
        given["verbose"] = [("CATATONIT_DEBUG", "3")]
    return given


def answer(asked: str, name: str) -> "tuple[int, str]":
    """What `--help` and `--version` show under another name: the descriptor, and the text."""
    text = VERSIONS.get(name, "") if asked == "version" else USAGES[name]
    if asked == "help" and name in LETTERS:
        from pyinit.help import TEXTS

        rows = [f"  -{letter}  {TEXTS[option][0]}" for letter, option in LETTERS[name].items()]
        text = "\n".join([f"{name} ({VERSIONS[name]})", text, *rows])
    return (2 if (asked, name) in ON_STANDARD_ERROR else 1), text + "\n"


def gosu(words: "list[str]") -> Settings:
    """gosu USER-SPEC COMMAND [ARGUMENT...]: become the command as that user; every failure is status 1."""
    if words[:1] in (["--help"], ["-h"], ["-?"]):
        return Settings(personality="gosu", answer="help")
    if words[:1] in (["--version"], ["-v"]):
        return Settings(personality="gosu", answer="version")
    if len(words) < 2:
        raise Fatal("a user and a command are needed", 1, USAGES["gosu"])
    return _become("gosu", words[0], words[1:])


def su_exec(words: "list[str]") -> Settings:
    """su-exec USER-SPEC COMMAND [ARGUMENT...]: the same; without both it shows its usage and ends with 0."""
    if len(words) < 2:
        return Settings(personality="su-exec", answer="help")
    return _become("su-exec", words[0], words[1:])


def _become(name: str, user: str, program: "list[str]") -> Settings:
    if user.count(":") > 1:
        raise Fatal(f"{user!r} names nobody: USER, USER:GROUP or :GROUP, by name or number", 1)
    return Settings(
        personality=name,
        user=user if user.strip(":") else "0",  # as both have it
        program=tuple(program),
        exec=True,
        as_gosu=True,
        failure_status=1,
    )


READERS: "dict[str, Callable[[list[str]], Settings]]" = {
    "gosu": gosu,
    "su-exec": su_exec,
}

USAGES = {
    "tini": "Usage: tini [OPTIONS] PROGRAM -- [ARGS] | --version",
    "dumb-init": "Usage: dumb-init [option] program [args]",
    "catatonit": "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]",
    "fixuid": "usage: fixuid [-q] [COMMAND [ARGUMENT...]]; the rest is said in /etc/fixuid/config.yml",
    "gosu": "usage: gosu USER-SPEC COMMAND [ARGUMENT...], such as: gosu nobody:root id",
    "su-exec": "usage: su-exec USER-SPEC COMMAND [ARGUMENT...], such as: su-exec nobody:root id",
}
