"""Under the name of tini, dumb-init or catatonit: its command line, our Settings. Imported only under such a name.

A symbolic link or a copy with the name is enough, so that an image switches by replacing one file.
"""

import posix

from pyinit import __version__
from pyinit.options import parser
from pyinit.options.table import OPTIONS, Option
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.text import is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyinit.options.parser import Given


class Init:
    """What is an init's own."""

    def __init__(
        self,
        letters: "dict[str, str]",  # its options, and which of ours each is (pyinit.options.table)
        names: "tuple[str, ...]",  # those that have a name, too
        preset: "dict[str, str]",  # what holds without being said: our options, as if from the environment
        others: "dict[str, Any]",  # settings for which there is no option
        version: str,
        usage: str,
        on_standard_error: "tuple[str, ...]" = (),  # answers
    ) -> None:
        self.letters = letters
        self.names = names
        self.preset = preset
        self.others = others
        self.version = version
        self.usage = usage
        self.on_standard_error = on_standard_error


# Docker reads `tini version NUMBER - git.COMMIT` (moby, daemon/info_unix.go), and catatonit says that it is a tini for
# its sake.
_COMMIT = f" - git.pyinit-{__version__.replace('.', '-')}"

INITS = {
    "tini": Init(
        letters={
            "h": "help",
            "s": "subreaper",
            "p": "parent-death-signal",
            "v": "verbose",
            "w": "warn-on-reap",
            "g": "kill-process-group",
            "e": "remap-exit",
            "l": "license",
        },
        names=("version",),
        preset={"single-child": "yes", "grace": "0"},
        others={
            "adopt_orphans": False,
            "without_orphans": "Tini is not running as PID 1 and isn't registered as a child subreaper: "
            "orphans are not re-parented to it, so zombie reaping won't work (use -s or TINI_SUBREAPER)",
        },
        version=f"tini version 0.19.0{_COMMIT}",
        usage="Usage: tini [OPTIONS] PROGRAM -- [ARGS] | --version",
    ),
    "dumb-init": Init(
        letters={"c": "single-child", "r": "rewrite", "v": "verbose", "h": "help", "V": "version"},
        names=("single-child", "rewrite", "verbose", "help", "version"),
        preset={"session": "yes", "verbosity": "0", "grace": "0"},
        others={"adopt_orphans": False, "stops_too": True, "end_group": True, "failure_status": 2},
        version=f"dumb-init v1.2.5 (pyinit {__version__})",
        usage="Usage: dumb-init [option] program [args]",
        on_standard_error=("help", "version"),
    ),
    "catatonit": Init(
        letters={"g": "kill-process-group", "h": "help", "L": "license", "P": "pause", "V": "version"},
        names=("version",),
        preset={"single-child": "yes", "grace": "0"},
        others={"failure_status": 1},
        version=f"tini version 0.1.7_catatonit{_COMMIT}",
        usage="usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]",
        on_standard_error=("help",),
    ),
}


def read(name: str, words: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings under one of these names. Our own variables hold, too. Raises Fatal with status 1."""
    init = INITS[name]
    others = {"personality": name, **init.others}
    try:
        given, program = parser.parse(words, *_options(init))
        if name == "dumb-init":
            _check_numbers(given.get("rewrite", []))
        if name == "dumb-init" and "verbose" in given:
            given["verbose"] = [("-v", "2")]
        parser.complete(given, _variables(name, environment))
        parser.complete(given, {option: [("", text)] for option, text in init.preset.items()})
        if name == "tini" and program[1:2] == ["--"] and words[: -len(program)][-1:] != ["--"]:
            del program[1]  # as its usage has it: tini [OPTIONS] PROGRAM -- [ARGS]
        if name == "dumb-init" and "single-child" in given:
            del given["session"]
            others["end_group"] = False
        if name == "catatonit" and "pause" in given:
            program = []
        return parser.settings(given, program, environment, **others)
    except ValueError as error:
        raise Fatal(str(error), 1, init.usage, others_words=_in_its_words(name, error)) from None


def _in_its_words(name: str, error: ValueError) -> "tuple[str, ...]":
    """What an init writes about a command line: getopt's words or its own, and usage; () where ours say more."""
    usage = {
        "tini": tuple(answer("help", "tini")[1].splitlines()),
        "catatonit": (INITS["catatonit"].usage,),
    }
    if isinstance(error, (parser.UnknownOption, parser.MissingValue)):
        return (f"{name}: {_as_getopt(error, has_names=name != 'tini')}", *usage.get(name, ()))
    if str(error) == parser.NO_PROGRAM:
        return {
            "dumb-init": ("Usage: dumb-init [option] program [args]", "Try dumb-init --help for full usage."),
            "catatonit": (f"ERROR (catatonit:{posix.getpid()}): missing program name", *usage["catatonit"]),
        }.get(name, usage["tini"])
    if name == "dumb-init" and str(error).startswith(("-r: ", "--r")):
        return (
            "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.",
            "This option can be specified multiple times.",
            "Use --help for full usage.",
        )
    return ()


def _as_getopt(error: "parser.UnknownOption | parser.MissingValue", has_names: bool) -> str:
    """What is wrong with an option, as the C library says it (man 3 getopt); `has_names` for getopt_long."""
    is_name, label = (
        error.label.startswith("--") and has_names,
        error.label.lstrip("-") if has_names else error.label[1],
    )
    if isinstance(error, parser.UnknownOption):
        return f"unrecognized option '--{label}'" if is_name else f"invalid option -- '{label}'"
    return f"option '--{label}' requires an argument" if is_name else f"option requires an argument -- '{label}'"


def _check_numbers(rewriting: "list[tuple[str, str]]") -> None:
    """dumb-init's signals end with 31, and a 0 drops one. Raises ValueError."""
    for label, text in rewriting:
        for number in text.split(":") if label.startswith("-") else ():
            if is_number(number) and int(number) > 31:
                raise ValueError(f"{label}: {number} is none of the signals from 1 to 31")


def _options(init: Init) -> "tuple[dict[str, Option], dict[str, Option]]":
    """Which option each of an init's letters is, and each of its names.

    As getopt_long takes them, a name is also any beginning of it that no other name has.
    """
    ours = {option.name: option for option in OPTIONS}
    starts = [name[:size] for name in init.names for size in range(1, len(name) + 1)]
    names = {start: ours[name] for name in init.names for start in starts if name.startswith(start)}
    return (
        {letter: ours[name] for letter, name in init.letters.items()},
        {start: option for start, option in names.items() if starts.count(start) == 1},
    )


def _variables(name: str, environment: "dict[bytes, bytes]") -> "Given":
    """What the environment says: ours, and that init's own variables."""
    ours = environment if name == "tini" else {k: v for k, v in environment.items() if not k.startswith(b"TINI_")}
    given = parser.variables(ours)
    if name == "dumb-init" and environment.get(b"DUMB_INIT_DEBUG") == b"1":
        given["verbose"] = [("DUMB_INIT_DEBUG", "3")]
    if name == "dumb-init" and environment.get(b"DUMB_INIT_SETSID") == b"0":
        given["single-child"] = [("DUMB_INIT_SETSID", "yes")]
    if name == "catatonit" and b"CATATONIT_DEBUG" in environment:
        given["verbose"] = [("CATATONIT_DEBUG", "3")]
    return given


def answer(asked: str, name: str) -> "tuple[int, str]":
    """What `--help` and `--version` show under one of these names: the descriptor, and the text."""
    init = INITS[name]
    text = init.version
    if asked == "help":
        texts = {option.name: option.text for option in OPTIONS}
        rows = [f"  -{letter}  {texts[option]}" for letter, option in init.letters.items()]
        text = "\n".join([f"{name} ({init.version})", init.usage, *rows])
    return (2 if asked in init.on_standard_error else 1), text + "\n"
