"""Settings: every choice of one run."""

from pyinit.log import WARNING

DEFAULTS = {
    "answer": "",  # "help", "version" or "license": say that and end; "" for a run
    "events": "",  # path of the journal, "" for none
    "parent_death_signal": 0,  # 0 for none
    "pause": False,
    "personality": "pyinit",  # or the init under whose name we were started
    "program": (),  # the program and its arguments, empty with `pause`
    "remap_exit": {},  # exit status of the program: the status to report
    "rewrite": {},  # signal received: signal to forward, 0 to drop it
    "session": False,
    "single_child": False,  # forward to the program alone, not to its process group
    "subreaper": False,
    "verbosity": WARNING,  # a level of pyinit.log
    "warn_on_reap": False,
}


class Settings:
    """Made once, complete and checked; nothing changes it afterwards."""

    __slots__ = tuple(DEFAULTS)

    answer: "str"
    events: "str"
    parent_death_signal: "int"
    pause: "bool"
    personality: "str"
    program: "tuple[str, ...]"
    remap_exit: "dict[int, int]"
    rewrite: "dict[int, int]"
    session: "bool"
    single_child: "bool"
    subreaper: "bool"
    verbosity: "int"
    warn_on_reap: "bool"

    def __init__(self, **choices: object) -> None:
        """Every choice that is not given is the default. Raises TypeError for one that does not exist."""
        for name, default in DEFAULTS.items():
            object.__setattr__(self, name, choices.pop(name, default))
        if choices:
            raise TypeError(f"no such setting: {', '.join(choices)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings do not change: {name}")


def without_options(arguments: "list[str]", environment: "dict[bytes, bytes]") -> "Settings | None":
    """The settings of `pyinit -- PROGRAM` and `pyinit PROGRAM`, as most containers say it; None for anything else.

    There is nothing to parse then, and the parser need not be loaded: 3 % of a start.
    """
    program = arguments[2:] if arguments[1:2] == ["--"] else arguments[1:]
    if not program or not program[0] or (len(program) == len(arguments) - 1 and program[0].startswith("-")):
        return None
    if not arguments[0].rpartition("/")[2].startswith("pyinit"):
        return None
    if any(name.startswith((b"PYINIT_", b"TINI_")) for name in environment):
        return None
    return Settings(program=tuple(program))
