"""What tini, dumb-init and catatonit are compared in, and where pyinit differs on purpose.

`python -m tests.support.parity_scenarios` writes tests/tables/PARITY-INITS.md from this.
"""

import sys
from pathlib import Path

from tests.support.parity import RESIZE, Difference, Scenario

TABLE = Path(__file__).resolve().parent.parent / "tables/PARITY-INITS.md"

# Signals by what they are for. CHLD is the kernel's word to the init; USR2 ends the program of these scenarios.
REQUESTS = (1, 2, 3, 10, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30)
FAULTS = (4, 5, 6, 7, 8, 11, 31)
REAL_TIME = (34, 50, 63)
TERMINAL_STOPS = (20, 21, 22)

PYTHON = (sys.executable, "-IS", "-c")
ORPHAN = """
import os, time
parent, (read, write) = os.getppid(), os.pipe()
if (middle := os.fork()) == 0:
    middle = os.getpid()
    if os.fork() == 0:
        while os.getppid() == middle:
            time.sleep(0.001)
        os.write(write, b"%d %d" % (os.getppid() == parent, os.getpid()))
        os._exit(0)
    os._exit(0)
os.waitpid(middle, 0)
adopted, orphan = os.read(read, 99).split()
print("adopted by the init:", adopted == b"1")
while adopted == b"1" and os.path.exists(f"/proc/{int(orphan)}"):
    time.sleep(0.001)
"""
# A member of the program's group outlives it for a while, and says what it gets.
LEFT_BEHIND = """
import os, select, signal
read, write = os.pipe()
signal.pthread_sigmask(signal.SIG_BLOCK, {10, 12, 15})
if os.fork() == 0:
    os.write(write, b"x")
    got = signal.sigtimedwait({10, 12, 15}, 0.5)
    os.write(1, b"gets %d\\n" % (got.si_signo if got else 0))
    os._exit(0)
os.read(read, 1)
os._exit(3)
"""
PARENT = (
    *PYTHON,
    "import subprocess, sys, os; subprocess.Popen(sys.argv[1:], stdin=-3); sys.stdin.readline(); os._exit(0)",
)
MASKED = (*PYTHON, "import os, signal, sys; signal.pthread_sigmask(0, {10, 15}); os.execvp(sys.argv[1], sys.argv[1:])")
IGNORING = ("sh", "-c", "trap '' HUP USR1 CHLD; exec \"$@\"", "sh")
NO_STDIN = ("sh", "-c", 'exec "$@" <&-', "sh")
SAY_ARGUMENTS = ("printf", "%s|")


def common() -> "list[Scenario]":
    """What every init is asked."""
    dashes = ("--",)

    def shell(title: str, script: str, **more: object) -> Scenario:
        return Scenario(title, dashes, ("sh", "-c", script), **more)  # type: ignore[arg-type]

    return [
        shell("status 0", "exit 0"),
        shell("status 3", "exit 3"),
        shell("status 255", "exit 255"),
        shell("killed by KILL", "kill -KILL $$"),
        shell("killed by TERM", "kill -TERM $$"),
        shell("killed by SEGV", "ulimit -c 0; kill -SEGV $$"),
        shell("closed standard input", "test -e /proc/self/fd/0; echo $?", wrapper=NO_STDIN),
        shell("environment", "env | sort | grep -v ^PWD=", environment={"A": "1", "LC_ALL": "C", "X_Y": "a b"}),
        shell("directory and umask", "pwd; umask", wrapper=("env", "-C", "/usr")),
        shell("standard streams", "echo out; echo err >&2", errors="exact"),
        Scenario("arguments", dashes, (*SAY_ARGUMENTS, "a b", "", "-x", "--", "*")),
        Scenario("no dashes", (), ("echo", "hello")),
        Scenario("options after the program", (), ("echo", "-n", "-x")),
        Scenario("two dashes after the program", (), (*SAY_ARGUMENTS, "--", "-x")),
        Scenario("two dashes after dashes", dashes, (*SAY_ARGUMENTS, "--", "-x")),
        Scenario("program not found", dashes, ("no-such-program",), errors="exact"),
        Scenario("path not found", dashes, ("/no/such/program",), errors="exact"),
        Scenario("directory as the program", dashes, ("/etc",), errors="exact"),
        Scenario("file that is not executable", dashes, ("/etc/passwd",), errors="exact"),
        Scenario("no PATH", dashes, ("echo", "found"), wrapper=("env", "-u", "PATH")),
        Scenario("empty program name", dashes, ("",)),
        Scenario("no program", (), ()),
        Scenario("dashes and no program", dashes, ()),
        Scenario("unknown letter", ("-x",), ("true",)),
        Scenario("unknown name", ("--no-such-option",), ("true",)),
        Scenario("-h", ("-h",), (), own_words=True),
        Scenario("--help", ("--help",), (), own_words=True),
        Scenario("--version", ("--version",), (), own_words=True),
        Scenario("-V", ("-V",), (), own_words=True),
        Scenario("relations of the program", dashes, relations=True),
        Scenario("relations, not PID 1", dashes, relations=True, namespace=False),
        Scenario("mask and dispositions that were there", dashes, relations=True, wrapper=(*MASKED, *IGNORING)),
        Scenario("signals that ask for something", dashes, does=REQUESTS),
        Scenario("signals that ask for something, not PID 1", dashes, does=REQUESTS, namespace=False),
        Scenario("real-time signals", dashes, does=REAL_TIME),
        Scenario("fault signals sent by someone", dashes, does=FAULTS),
        Scenario("fault signal sent by someone, not PID 1", dashes, does=(11,), namespace=False),
        Scenario("TSTP", dashes, does=(20, 10)),
        Scenario("TTIN and TTOU", dashes, does=(21, 22, 10)),
        Scenario("TSTP, not PID 1", dashes, does=(20, 10), namespace=False),
        Scenario(
            "TERM that the program ignores",
            dashes,
            does=(15,),
            wrapper=("sh", "-c", "trap '' TERM; exec \"$@\"", "sh"),
            errors="exact",
        ),
        Scenario("orphan", dashes, (*PYTHON, ORPHAN)),
        Scenario("orphan, not PID 1", dashes, (*PYTHON, ORPHAN), namespace=False),
        Scenario("what is left when the program ends", dashes, (*PYTHON, LEFT_BEHIND), namespace=False),
        Scenario("not PID 1", dashes, ("true",), namespace=False),
        Scenario("terminal: relations", dashes, relations=True, terminal=True),
        Scenario("terminal: Ctrl-C and Ctrl-\\", dashes, does=("\x03", "\x1c"), terminal=True),
        Scenario("terminal: another size", dashes, does=(RESIZE,), terminal=True),
        Scenario("terminal: signals", dashes, does=(15, 10, 28), terminal=True),
    ]


TINI = [
    Scenario("PROGRAM -- ARGS, as in its usage", (), ("echo", "--", "-x")),
    Scenario("-g: to the group", ("-g", "--"), does=(10, 15, 34)),
    Scenario("TINI_KILL_PROCESS_GROUP", ("--",), does=(10, 15), environment={"TINI_KILL_PROCESS_GROUP": ""}),
    Scenario("-s, not PID 1: orphan", ("-s", "--"), (*PYTHON, ORPHAN), namespace=False),
    Scenario("-s as PID 1", ("-s", "--"), ("true",)),
    Scenario(
        "TINI_SUBREAPER: orphan",
        ("--",),
        (*PYTHON, ORPHAN),
        namespace=False,
        environment={"TINI_SUBREAPER": ""},
    ),
    Scenario(
        "-p SIGUSR1: the parent dies", ("-s", "-p", "SIGUSR1", "--"), namespace=False, parent_dies=True, wrapper=PARENT
    ),
    Scenario("the parent dies", ("-s", "--"), namespace=False, parent_dies=True, wrapper=PARENT),
    Scenario("-p as PID 1", ("-p", "SIGKILL", "--"), ("true",)),
    Scenario("-p TERM", ("-p", "TERM", "--"), ("true",)),
    Scenario("-p nonsense", ("-p", "SIGNONE", "--"), ("true",)),
    Scenario("-p without a value", ("-p",), ()),
    Scenario("-e 3", ("-e", "3", "--"), ("sh", "-c", "exit 3")),
    Scenario("-e 3, another status", ("-e", "3", "--"), ("sh", "-c", "exit 4")),
    Scenario("-e twice", ("-e", "3", "-e143", "--"), ("sh", "-c", "kill -TERM $$")),
    Scenario("-e 256", ("-e", "256", "--"), ("true",)),
    Scenario("-e -1", ("-e", "-1", "--"), ("true",)),
    Scenario("-e nonsense", ("-e", "3x", "--"), ("true",)),
    Scenario("-e with nothing", ("-e", "", "--"), ("true",)),
    Scenario("-w", ("-w", "--"), (*PYTHON, ORPHAN), errors="exact"),
    Scenario("-l", ("-l",), (), own_words=True),
    Scenario("clustered letters", ("-sgwe3", "--"), ("sh", "-c", "exit 3")),
    Scenario("-h before -l", ("-hl",), (), own_words=True),
    Scenario("-v", ("-v", "--"), ("true",), errors="told"),
    Scenario("-v: stream", ("-v", "--"), ("true",)),
    Scenario("-vvv", ("-vvv", "--"), does=(10, 15), errors="told"),
    Scenario("-vvv: killed", ("-vvv", "--"), ("sh", "-c", "kill -KILL $$"), errors="told"),
    Scenario("TINI_VERBOSITY=3", ("--",), ("true",), errors="told", environment={"TINI_VERBOSITY": "3"}),
    Scenario("TINI_VERBOSITY=0, not PID 1", ("--",), ("true",), namespace=False, environment={"TINI_VERBOSITY": "0"}),
    Scenario("TINI_VERBOSITY, empty", ("--",), ("true",), environment={"TINI_VERBOSITY": ""}),
    Scenario("TINI_VERBOSITY=nonsense", ("--",), ("true",), environment={"TINI_VERBOSITY": "x"}),
]
REWRITE = ("-r", "15:3")
DUMB_INIT = [
    Scenario("-c: relations", ("-c", "--"), relations=True),
    Scenario("-c: to the program alone", ("-c", "--"), does=(10, 15)),
    Scenario("--single-child", ("--single-child",), ("echo", "hello")),
    Scenario("-c: TSTP", ("-c", "--"), does=(20, 10)),
    Scenario("-c: TSTP, not PID 1", ("-c", "--"), does=(20, 10), namespace=False),
    Scenario("DUMB_INIT_SETSID=0", ("--",), does=(10,), environment={"DUMB_INIT_SETSID": "0"}),
    Scenario("DUMB_INIT_SETSID=1", ("--",), does=(10,), environment={"DUMB_INIT_SETSID": "1"}),
    Scenario("DUMB_INIT_SETSID=no", ("--",), relations=True, environment={"DUMB_INIT_SETSID": "no"}),
    Scenario("-r 15:3", (*REWRITE, "--"), does=(15, 3)),
    Scenario("-r 15:0", ("-r", "15:0", "--"), does=(15, 10)),
    Scenario("-r twice", (*REWRITE, "-r", "1:15", "--"), does=(1, 15)),
    Scenario("-r, the last one holds", (*REWRITE, "-r", "15:1", "--"), does=(15,)),
    Scenario("--rewrite=15:3", ("--rewrite=15:3",), ("true",)),
    Scenario("--rew, abbreviated", ("--rew", "15:3"), ("true",)),
    Scenario("--ver, ambiguous", ("--ver",), ("true",)),
    Scenario("-r 20:20", ("-r", "20:20", "--"), does=(20, 10)),
    Scenario("-r 20:0", ("-r", "20:0", "--"), does=(20, 10)),
    Scenario("-r of a real-time signal", ("-r", "34:15"), ("true",)),
    Scenario("-r with names", ("-r", "TERM:QUIT"), ("true",)),
    Scenario("-r with nonsense behind", ("-r", "15:3x"), ("true",)),
    Scenario("-r of KILL", ("-r", "9:15"), ("true",)),
    Scenario("-r 15", ("-r", "15"), ("true",)),
    Scenario("-r 15:99", ("-r", "15:99"), ("true",)),
    Scenario("-r 0:15", ("-r", "0:15"), ("true",)),
    Scenario("-r without a value", ("-r",), ()),
    Scenario("what is left, rewritten", ("-r", "15:12", "--"), (*PYTHON, LEFT_BEHIND), namespace=False),
    Scenario("what is left with -c", ("-c", "--"), (*PYTHON, LEFT_BEHIND), namespace=False),
    Scenario("-v", ("-v", "--"), ("true",), errors="told"),
    Scenario("-v: signals", ("-v", "-r", "15:3", "-r", "10:0", "--"), does=(15, 10, 1), errors="told"),
    Scenario("-v: killed", ("-v", "--"), ("sh", "-c", "kill -KILL $$"), errors="told"),
    Scenario("-cv", ("-cv", "--"), ("true",), errors="told"),
    Scenario(
        "DUMB_INIT_DEBUG=1",
        ("--",),
        ("true",),
        errors="told",
        environment={"DUMB_INIT_DEBUG": "1", "DUMB_INIT_SETSID": "0"},
    ),
    Scenario("DUMB_INIT_DEBUG=0", ("--",), ("true",), environment={"DUMB_INIT_DEBUG": "0"}),
    Scenario("terminal: -c, signals", ("-c", "--"), does=(15, 28), terminal=True),
]
CATATONIT = [
    Scenario("-g: to the group", ("-g", "--"), does=(10, 15, 34)),
    Scenario("-L", ("-L",), (), own_words=True),
    Scenario("-g -V", ("-g", "-V"), (), own_words=True),
    Scenario("-ghL", ("-ghL",), (), own_words=True),
    Scenario("--vers, abbreviated", ("--vers",), (), own_words=True),
    Scenario(
        "LISTEN_PID names the init",
        ("--",),
        ("sh", "-c", "echo $$ $LISTEN_PID $LISTEN_FDS"),
        environment={"LISTEN_PID": "1", "LISTEN_FDS": "2"},
    ),
    Scenario(
        "LISTEN_PID names another",
        ("--",),
        ("sh", "-c", "echo $LISTEN_PID $LISTEN_FDS"),
        environment={"LISTEN_PID": "77", "LISTEN_FDS": "2"},
    ),
    Scenario("LISTEN_PID is nonsense", ("--",), ("sh", "-c", "echo $LISTEN_PID"), environment={"LISTEN_PID": "x"}),
    Scenario(
        "LISTEN_PID alone is not there",
        ("--",),
        ("sh", "-c", "echo ${LISTEN_PID-unset} $LISTEN_FDS"),
        environment={"LISTEN_FDS": "1"},
    ),
    Scenario("CATATONIT_DEBUG", ("--",), ("true",), errors="told", environment={"CATATONIT_DEBUG": ""}),
    Scenario(
        "CATATONIT_DEBUG: orphan", ("--",), (*PYTHON, ORPHAN), errors="told", environment={"CATATONIT_DEBUG": "1"}
    ),
]
SCENARIOS = {
    "tini": [*common(), *TINI],
    "dumb-init": [*common(), *DUMB_INIT],
    "catatonit": [*common(), *CATATONIT],
}

_OPTIONS_END = (
    "options end at the first word that is not one, as where the C library is musl: the rest is the program's"
)
_ITS_OWN_WORDS = "what follows the program is the program's"
_EVERY_SIGNAL = "what someone sends is the program's to have; the kernel's own faults are left alone"
_EMPTY = "an empty name is taken for wrong usage, and the message says so"
_HANDED_ON = "the program finds the mask and the dispositions that were there"
_UNBLOCKED = "the program finds no signal blocked that was not: Ctrl-Z works in it"
_ALL_FAULTS = "".join(f"program {number}\n" for number in FAULTS)
_MISTAKE = "a mistake is an error, and not taken for another value"
_MORE = "more forms of a signal are taken"
_OWN_GROUP = "the program always has a group of its own, so that Ctrl-C reaches it once"

DIFFERENCES = {
    ("tini", "closed standard input"): Difference(
        "the terminal is looked for in /dev/tty, and a closed standard input keeps no program from starting",
        (1, 0),
        ("", "1\n"),
        ("some", ""),
    ),
    ("tini", "options after the program"): Difference(_OPTIONS_END, (1, 0), ("", "-x"), ("some", "")),
    ("tini", "two dashes after the program"): Difference(
        "`--` is dropped right behind the program alone, as in tini's usage; elsewhere " + _ITS_OWN_WORDS,
        output=("", "--|-x|"),
    ),
    ("tini", "empty program name"): Difference(_EMPTY, (127, 1)),
    ("tini", "fault signals sent by someone"): Difference(_EVERY_SIGNAL, output=("", _ALL_FAULTS)),
    ("tini", "fault signal sent by someone, not PID 1"): Difference(
        _EVERY_SIGNAL, (-11, 0), ("signal 11 ends the init", "program 11\n")
    ),
    ("tini", "TTIN and TTOU"): Difference(_EVERY_SIGNAL, output=("", "program 21\nprogram 22\n")),
    ("tini", "-p TERM"): Difference(_MORE, (1, 0), errors=("some", "")),
    ("tini", "-e with nothing"): Difference(_MISTAKE, (0, 1), errors=("", "some")),
    ("tini", "-v: stream"): Difference(
        "messages go to standard error, so that the program's output stays its own",
        output=("[INFO  tini (1)] Main child exited normally (with status '0')", ""),
        errors=("", "some"),
    ),
    ("tini", "TINI_VERBOSITY=nonsense"): Difference(_MISTAKE, (0, 1), errors=("", "some")),
    ("tini", "TERM that the program ignores"): Difference(
        "a warning says why stopping takes long", errors=("", "[WARN  tini (N)] the program (pid N) ignores SIGTERM")
    ),
    ("dumb-init", "empty program name"): Difference(_EMPTY, (2, 1)),
    ("dumb-init", "mask and dispositions that were there"): Difference(
        _HANDED_ON, output=("'blocked': [], 'ignored': []", "'blocked': [10, 15], 'ignored': [1, 10]")
    ),
    ("dumb-init", "-c: relations"): Difference(
        _OWN_GROUP, output=("'leads its group': False", "'leads its group': True")
    ),
    ("dumb-init", "-r with names"): Difference(_MORE, (1, 0), errors=("some", "")),
    ("dumb-init", "-r with nonsense behind"): Difference(_MISTAKE, (0, 1), errors=("", "some")),
    ("dumb-init", "-r of KILL"): Difference(
        "a rewriting that can never happen is an error", (0, 1), errors=("", "some")
    ),
    ("catatonit", "options after the program"): Difference(_OPTIONS_END, (1, 0), ("", "-x"), ("some", "")),
    ("catatonit", "two dashes after the program"): Difference(_ITS_OWN_WORDS, output=("", "--|-x|")),
    ("catatonit", "mask and dispositions that were there"): Difference(
        _UNBLOCKED, output=("'blocked': [10, 15, 20, 21, 22]", "'blocked': [10, 15]")
    ),
    ("catatonit", "fault signals sent by someone"): Difference(_EVERY_SIGNAL, output=("", _ALL_FAULTS)),
    ("catatonit", "fault signal sent by someone, not PID 1"): Difference(
        _EVERY_SIGNAL, (-11, 0), ("signal 11 ends the init", "program 11\n")
    ),
    ("catatonit", "TSTP"): Difference(_EVERY_SIGNAL, output=("", "program 20\n")),
    ("catatonit", "TSTP, not PID 1"): Difference(_EVERY_SIGNAL, output=("", "program 20\n")),
    ("catatonit", "TTIN and TTOU"): Difference(_EVERY_SIGNAL, output=("", "program 21\nprogram 22\n")),
    ("catatonit", "TERM that the program ignores"): Difference(
        "a warning says why stopping takes long", errors=("", "WARN (catatonit:N): the program (pid N) ignores SIGTERM")
    ),
    **{
        ("catatonit", name): Difference(_UNBLOCKED, output=("'blocked': [20, 21, 22]", "'blocked': []"))
        for name in ("relations of the program", "relations, not PID 1", "terminal: relations")
    },
}


def table() -> str:
    """The whole of PARITY-INITS.md."""
    rows = []
    for peer, scenarios in SCENARIOS.items():
        for scenario in scenarios:
            difference = DIFFERENCES.get((peer, scenario.name))
            outcome = f"differs: {difference.why}" if difference else "same"
            rows.append(f"| {peer} | {scenario.name} | {outcome} |\n")
    return HEAD.format(count=len(rows), same=len(rows) - len(DIFFERENCES)) + "".join(rows)


HEAD = """\
# pyinit under the names of other inits

Made by `python -m tests.support.parity_scenarios`. tests/options/test_parity.py does each of {count} scenarios with the
init's own binary and with pyinit under its name, and compares the exit status, what the program saw and wrote, and the
messages: {same} have the same outcome. Where pyinit differs on purpose the reason stands here, and the test holds the
difference, too.

| init | scenario | outcome |
| --- | --- | --- |
"""

if __name__ == "__main__":
    TABLE.write_text(table())
