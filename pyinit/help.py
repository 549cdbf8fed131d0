"""What --help, --version and --license show. Imported only to show it."""

import posix

from pyinit import __version__
from pyinit.command_line import OPTIONS, USAGE

# What each option does, and where it comes from.
TEXTS = {
    "subreaper": ("fail if orphans cannot be adopted; adopting is tried anyway", "tini"),
    "parent-death-signal": ("get SIGNAL when the parent dies", "tini"),
    "kill-process-group": ("forward signals to the program's process group: the default", "tini"),
    "single-child": ("forward signals to the program alone", "dumb-init"),
    "remap-exit": ("report the exit status CODE as TO, or as 0; repeatable", "tini, more"),
    "warn-on-reap": ("say which orphan was reaped", "tini"),
    "rewrite": ("forward the signal TO instead of FROM, 0 drops it; repeatable", "dumb-init"),
    "session": ("the program leads its own session and gets the terminal", "dumb-init"),
    "pause": ("run no program: reap until INT or TERM", "catatonit"),
    "grace": ("time for what the program leaves, from TERM to KILL; 10; 0: none", "pyinit"),
    "stop-timeout": ("kill the program so long after TERM, INT or QUIT; 0: never", "my_init"),
    "wait-all": ("end when no process is left, and not with the program", "pyinit"),
    "orphans": ("end: a process whose parent died gets TERM, then KILL", "pyinit"),
    "before": ("run COMMAND to success before the program; repeatable", "my_init"),
    "after": ("run COMMAND after the program; repeatable", "my_init"),
    "user": ("run the program as USER, its groups and HOME included", "gosu"),
    "match": ("first give USER these IDs, or those of PUID and PGID: env", "fixuid"),
    "match-owner": ("first give USER the IDs that own PATH: a bind mount", "pyinit"),
    "match-group": ("add the group of FILE, such as docker.sock; repeatable", "pyinit"),
    "own": ("a tree that follows the new IDs; repeatable; default: home", "fixuid"),
    "own-index": ("re-own what the index at PATH lists, instead of searching", "pyinit"),
    "no-new-privileges": ("the program gains nothing by set-user-ID files", "setpriv"),
    "drop-capabilities": ("the program and what it starts never have a capability", "setpriv"),
    "keep-capabilities": ("but these, although USER is not root; commas between them", "setpriv"),
    "keep-home": ("leave HOME as it is", "gosu"),
    "strict": ("what would be a warning about users and IDs is an error", "pyinit"),
    "exec": ("set everything up, then become the program: no init stays", "gosu"),
    "secrets": ("each file in DIR becomes a variable of the program", "pyinit"),
    "secret": ("the content of PATH becomes the variable NAME; repeatable", "pyinit"),
    "expand-file-vars": ("the content of the file that X_FILE names becomes X", "docker-library"),
    "events": ("append the journal, JSON lines, to PATH; - is standard error", "pyinit"),
    "verbose": ("say more; repeatable", "tini"),
    "quiet": ("say less; repeatable", "pyinit"),
    "license": ("show the license", "tini"),
    "help": ("show this help", "tini"),
    "version": ("show the version", "tini"),
}

_CLOSING = """
Options end at the first word that is not one. Each has a variable, such as
PYINIT_REWRITE=TERM:QUIT (yes or no for a switch, a number for -v and -q, commas
between repeated values); the command line wins. TINI_SUBREAPER,
TINI_KILL_PROCESS_GROUP and TINI_VERBOSITY work too.

Exit status: the program's, or 128 + the signal that killed it; 127 not found, 126
cannot be executed, 2 wrong usage, 1 anything else that keeps it from starting.
"""


def help_text() -> str:
    """The whole of --help."""
    heads = [
        (f"  -{letter}, " if letter else "      ") + f"--{name} {value}".rstrip() for letter, name, value in OPTIONS
    ]
    width = max(map(len, heads)) + 2
    rows = [head.ljust(width) + TEXTS[name][0] for head, (_, name, _) in zip(heads, OPTIONS)]
    purpose = "Run PROGRAM: forward signals to it, reap orphans, and end with its status."
    return "\n".join([USAGE, "", purpose, "", *rows, _CLOSING])


def show(answer: str, personality: str) -> int:
    """Write what was asked for to standard output. Returns the exit status: 1 if it cannot be written.

    Under the name of an init that writes it to standard error, there.
    """
    descriptor = 1
    if answer == "license":
        from pyinit.license import TEXT as text
    elif personality == "pyinit":
        text = help_text() if answer == "help" else f"pyinit {__version__}\n"
    else:
        from pyinit import personalities

        descriptor, text = personalities.answer(answer, personality)
    return write_out(text.encode(), descriptor)


def write_out(data: bytes, descriptor: int = 1) -> int:
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    except OSError:
        return 1
    return 0


def show_home(environment: "dict[bytes, bytes]") -> int:
    """Write what a shell evaluates to get the new HOME, if there is one. Returns the exit status."""
    if b"HOME" not in environment:
        return 0
    return write_out(b"export HOME='" + environment[b"HOME"].replace(b"'", b"'\\''") + b"'\n")
