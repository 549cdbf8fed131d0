"""What users of inits and of user-switching tools ran into, row by row, and the tests that show how pyinit does there.

`python -m tests.field_rows` writes tests/FIELD.md from this and from the names of the tests, which carry the row.
"""

import re
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent
TABLE = TESTS / "FIELD.md"


class Row(NamedTuple):
    """One thing that users ran into."""

    trouble: str
    outcome: str  # what happens with pyinit
    reason: str = ""  # why no test shows it


ROWS = {
    1: Row("handing over the terminal sends HUP, and the program dies of it", "exactly that HUP and CONT are dropped"),
    2: Row("a signal between fork and exec is lost", "it is blocked until the program has its dispositions"),
    3: Row("a stop during the work before the program waits for KILL", "TERM and INT end every stage: 143 or 130"),
    4: Row("the program inherits the interpreter's ignored SIGPIPE", "the program has the default"),
    5: Row("a shell under an init ends with 137, and nobody knows why", "who is killed is named, with what it ignored"),
    6: Row("a server wants QUIT or INT where the engine sends TERM", "`--rewrite`, or its variable"),
    7: Row("TSTP is swallowed and CONT arrives", "both are forwarded as they came"),
    8: Row("TSTP does nothing in an orphaned process group", "with `--session` it is forwarded as STOP"),
    9: Row("Ctrl-C reaches the program twice", "once: the terminal sends it to the program's own group"),
    10: Row("no job control, and password prompts fail", "the program's group is in the foreground from the start"),
    11: Row("the init ends while a grandchild still ends its work", "what is left gets TERM and time"),
    12: Row("a service that forks away ends the container", "`--wait-all`"),
    13: Row("waiting for what is left never ends", "TERM, the grace, KILL: bounded"),
    14: Row("a hidden time limit ends what should end by itself", "documented, said, and can be turned off"),
    15: Row("adopted orphans live on for ever", "`--orphans end`"),
    16: Row("zombies fill the process limit", "they are reaped at every stage, before the program too"),
    17: Row("a parent and its child end together, one stays a zombie", "reaping goes on until nothing is left"),
    18: Row("the init waits for one process that cannot end", "it never waits for one"),
    19: Row("a clean stop reads as a failure, 143", "`--remap-exit`"),
    20: Row("126 and 127 are wrong or do not say what was run", "as a shell has them, with the whole command"),
    21: Row("the init refuses to run where it is not PID 1", "it adopts orphans there and carries on"),
    22: Row("a warning at each start where it is not PID 1", "said with `-v` only"),
    23: Row("the start as a user that is not root fails", "one warning, and the program runs"),
    24: Row("in a rootless engine the mount belongs to root", "root is the host's user there, and is kept"),
    25: Row("a read-only root ends the start", "nothing is written unless it was asked for; then a line"),
    26: Row("set-user-ID does not work under no-new-privileges", "a start as root needs none; the launcher says why"),
    27: Row("the UID has no account", "it gets one where matching may write it"),
    28: Row("the parent died before its death could be watched", "it is looked at again after that"),
    29: Row("the GID belongs to a group already", "that group is used"),
    30: Row("the UID is not matched since the GID cannot be", "each is decided on its own"),
    31: Row("two accounts have one UID, and the home is the wrong one", "an ordinary account makes room"),
    32: Row("re-owning takes minutes", "only what differs, by workers; nothing where all matches"),
    33: Row("the search takes long although the build knew the files", "`--own-index`"),
    34: Row("re-owning goes into mounts of the host", "it stays on the mount; refusals are counted"),
    35: Row("a volume is never re-owned, since it is a mount", "`--own` names it"),
    36: Row("killed in the middle, half is done for good", "the account last; the next start makes up for it"),
    37: Row("a mark keeps a changed UID from being followed", "there is no mark, but for fixuid's under its name"),
    38: Row("re-owning follows a symbolic link", "it works in open directories and follows none"),
    39: Row("an account file is a bind mount and cannot be replaced", "written in place, or the numbers are used"),
    40: Row("there is no usermod in the image", "no tool is called"),
    41: Row("supplementary groups are lost", "the account's and the engine's are merged"),
    42: Row("root's groups stay", "they never do"),
    43: Row("the socket's group has another number on each host", "`--match-group`"),
    44: Row("HOME stays that of root", "it is the account's, as are USER, LOGNAME and SHELL; `--keep-home`"),
    45: Row("/dev/stdout cannot be opened any more", "pipes and terminals are given to the user"),
    46: Row("an added capability does not reach the user", "`--keep-capabilities`"),
    47: Row("the user pushes input into root's terminal", "`--session`"),
    48: Row("a newline stands at the end of a secret", "one is removed"),
    49: Row("X and X_FILE are both set", "an error"),
    50: Row("a variable is taken for another's file, or evaluated", "the suffix is exact, and there is no shell"),
    51: Row("secrets can be read in the environment of PID 1", "they are in the program's alone"),
    52: Row("the resident wrapper takes much memory", "less than 3 MB of its own; `--exec` leaves none"),
    53: Row("scanners complain about what is bundled", "nothing is bundled"),
}


def names_by_row() -> "dict[int, list[str]]":
    """The names of the tests that carry each row's number, as `f07`, sorted."""
    found: "dict[int, set[str]]" = {}
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE):
            for number in re.findall(r"(?<![a-z0-9])f(\d\d)(?=_)", name):
                found.setdefault(int(number), set()).add(name)
    return {number: sorted(names) for number, names in sorted(found.items())}


def table() -> str:
    """The whole of FIELD.md."""
    tests = names_by_row()
    rows = []
    for number, row in ROWS.items():
        shown = ", ".join(f"`{name}`" for name in tests.get(number, [])) or f"none: {row.reason}"
        rows.append(f"| F{number:02} | {row.trouble} | {row.outcome} | {shown} |\n")
    return HEAD + "".join(rows)


HEAD = """\
# What users ran into

Made by `python -m tests.field_rows`. Each row is something that users of inits and of tools that switch users have run
into, what happens with pyinit, and the tests that show it: those whose names carry the row's number.

| row | what goes wrong | with pyinit | tests |
| --- | --- | --- | --- |
"""

if __name__ == "__main__":
    TABLE.write_text(table())
