"""What users of inits and of user-switching tools ran into, row by row, and the tests that show how pyinit does there.

`python -m tests.tables.field` writes FIELD.md from this and from the names of the tests, which carry the row.
"""

import re
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent
TABLE = TESTS / "tables/FIELD.md"


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
    54: Row("TERM never arrives with only SETUID and SETGID", "PID 1 takes the program's UID as its real one"),
    55: Row("an account is changed although its files are not", "files first, account last; the lack is named"),
    56: Row("matching root makes another account UID 0", "nobody gets or loses 0, whatever is asked for"),
    57: Row("groups kept from the host make the start fail, or go", "nothing is set where nothing changes"),
    58: Row("an old seccomp filter makes a file look read-only", "it is tried, and not asked"),
    59: Row("a limit on processes ends the start while files are re-owned", "it goes on alone"),
    60: Row("the user cannot write to a new volume", "`--own` gives it an empty mount"),
    61: Row("files that the program makes have the wrong mode", "`--umask`, and UMASK with `--match env`"),
    62: Row("an image wants the socket's group only if there is a socket", "`--match-group FILE?`"),
    63: Row("with `-p --exec -u` the parent's death goes unnoticed", "it is watched again as the user"),
    64: Row("after a drop in root's shell the terminal is the user's", "only a terminal of its own is given"),
    65: Row("a file swapped in while re-owning changes hands", "what was looked at is changed, by descriptor"),
    70: Row("an argument in UTF-8 under another locale is lost, and nothing starts", "words are bytes in every locale"),
    71: Row("entries of the environment vanish, or keep the program from starting", "it gets them all, of any form"),
    72: Row("another program than execvp's is found in PATH", "one search, by execvp's rules, for every start"),
    73: Row("a terminal without /dev/tty: the program stops at its first read", "the standard streams are asked"),
    74: Row("with `--exec` a signal of the init's own making ends the program", "they are taken back"),
    75: Row("`--help` or `--version` does what stands beside it, or fails by it", "it answers, and touches nothing"),
    76: Row("an option has no effect, and nobody says so", "an error; a warning if a variable says it"),
    77: Row("a misspelt variable is ignored", "a warning that names the nearest one"),
    78: Row("a file that is no variable among the secrets ends the start; CR LF stays", "a line; one end of line goes"),
    79: Row("LOG_FILE or SSL_CERT_FILE is taken for a secret", "`--expand-file-vars=NAMES`; known ones are left alone"),
    80: Row("a mount is busy, since PID 1 was started in it", "its directory is `/` once the program runs"),
    81: Row("a pipe has no end, or a port is not free, since PID 1 holds it", "PID 1 closes what it was given"),
    82: Row("a script must do something as root first, and then drop", "`--setup`"),
    83: Row("socket activation does not reach the program", "a variable that named the init's pid names the program's"),
    84: Row("a script or a test looks for another init's own words", "under its name they are the same"),
    90: Row("a thread dump by QUIT, or a dropped INT, gets the program killed", "only what stops it starts the clock"),
    91: Row("a second TERM makes a worker drop its work at the end", "who has had the stop is waited for"),
    92: Row("nginx behind a shell is cut off by TERM although TERM:QUIT was said", "what is left gets QUIT, too"),
    93: Row("a daemon that forked away takes the engine's whole patience", "`--wait-all` hands the stop on"),
    94: Row("what `docker exec` started is cut off", "the end waits for processes, not for children"),
    95: Row("137 although there was a grace: program and left-overs took 10 s together", "it counts from the stop"),
    96: Row("a program that shuts down is said to ignore TERM", "its disposition is looked at before"),
    97: Row("a stop takes long, and nobody says why", "after 5 s one line names who is there, and what it does"),
    98: Row("137 or 139, and no line", "a program that a KILL or SEGV of somebody's ended is one line"),
    99: Row("a program that made itself another group gets no TERM", "it gets its signals by itself, too"),
    100: Row("a process whose first thread has ended survives the end", "only who has no thread left is dead"),
    101: Row("a chain of processes takes minutes to end", "/proc is read once, and each is signalled once"),
    102: Row("some of many orphans are never ended", "files of /proc are read whole"),
    103: Row("a killed orphan is in no journal", "it is, as every other"),
    104: Row("the host's processes are named as ours", "a /proc that is not ours tells nothing"),
    105: Row("the journal gives a process another's name", "the one that was looked at is reaped"),
    106: Row("with a monitoring agent every other stop hangs", "the interpreter runs without what is preloaded"),
    107: Row("a terminal stopped with Ctrl-S stops PID 1, too", "nothing that is written waits for room"),
    108: Row("old kernels, filters or no /proc, and what is left outlives the run", "kill by number, or the group"),
    109: Row("what a hook left, or a stop during one, is forgotten", "it is ended, and the clock runs"),
    110: Row("the end of a log is lost that a shell's filter was to write", "who was there before is no left-over"),
    111: Row("after a full disk the journal has torn lines", "each later line is whole"),
    112: Row("a set-user-ID program cannot be signalled: a flood of errors", "one line a signal"),
    113: Row(
        "a stop is lost that comes while the interpreter starts", "`build --early-signals`: none, once env blocks them"
    ),
    114: Row("137, and nobody knows why", "whether it was the kernel for want of memory, pyinit, or somebody else"),
    115: Row(
        "on an overlay of several file systems, or in a subvolume, no file is re-owned, and the account changes",
        "a mount is told by its ID and not by its device; what cannot be told is counted, and the account stays",
    ),
    116: Row(
        "a full disk cuts off an account file that is a mount", "room is made first; else the old content is back"
    ),
    117: Row(
        "standard error is closed, and messages are written into a file", "its number is taken by what holds nothing"
    ),
    118: Row("a FIFO in a lock's or a mark's place hangs the start", "opened without blocking, and refused"),
    119: Row("the home is `/.` or `/usr/..`, and the whole file system is re-owned", "told by device and inode"),
    120: Row("another user has laid out the journal's file, and reads it", "refused where others can write"),
}


def names_by_row() -> "dict[int, list[str]]":
    """The names of the tests that carry each row's number, as `f07`, sorted."""
    found: "dict[int, set[str]]" = {}
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE):
            for number in re.findall(r"(?<![a-z0-9])f(\d\d+)(?=_)", name):
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

Made by `python -m tests.tables.field`. Each row is something that users of inits and of tools that switch users have
run into, what happens with pyinit, and the tests that show it: those whose names carry the row's number.

| row | what goes wrong | with pyinit | tests |
| --- | --- | --- | --- |
"""

if __name__ == "__main__":
    TABLE.write_text(table())
