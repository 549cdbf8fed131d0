"""Start-up: from exec to the program's first instruction, and from exec to the end of `true`.

Each command runs as PID 1 of a PID namespace of its own. The ratios are to `python3 -IS -c pass`, from exec to exit, of
the same interpreter and the same round: nothing that is written in Python can take less than that.
"""

import contextlib
import os
import pwd
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.plots import NOTHING, Figure, bars
from benchmarks.runner import ENVIRONMENT, Lab, MeasureError, Result
from benchmarks.stats import ratio, summary
from benchmarks.table import Table, number, times
from pyinit.ctl.zipapp import LINE_1

TITLE = "Start-up"
PROGRAM = "/bin/true"
BARE = "python3 -IS -c pass"

# For each family of options what comes before `--`. {secrets} is a directory with three files, which is the user's. The
# user has the wanted IDs already, as in each start of a container but the first.
FAMILIES = {
    "pyinit": (),
    "pyinit -w": ("-w",),
    "pyinit --grace 5": ("--grace", "5"),
    "pyinit --stop-timeout 5": ("--stop-timeout", "5"),
    "pyinit --session": ("--session",),
    "pyinit --events FILE": ("--events", "/dev/null"),
    "pyinit --user nobody": ("--user", peers.USER),
    "pyinit --match 65534": ("--user", peers.USER, "--match", "65534"),
    "pyinit --match-owner DIR": ("--user", peers.USER, "--match-owner", "{secrets}"),
    "pyinit --secrets DIR": ("--secrets", "{secrets}"),
    "pyinit --exec --user nobody": ("--exec", "--user", peers.USER),
}
NAMES = ("tini", "dumb-init", "catatonit")  # under which it has their command lines


@dataclass(frozen=True)
class Case:
    """What is started. `base`: the name of the case that it is compared with."""

    command: "Callable[[list[str]], list[str]]"
    base: str
    program: bool = True  # whether it starts a program at all
    ends: bool = True  # whether it ends with its program


def families(lab: Lab) -> "dict[str, list[str]]":
    """For each family of options the words before the program's."""
    secrets = lab.directory / "secrets"
    if not secrets.exists():
        secrets.mkdir()
        for name in ("DATABASE_PASSWORD", "SESSION_KEY", "API_TOKEN"):
            (secrets / name).write_text("swordfish\n")
        user = pwd.getpwnam(peers.USER)
        os.chown(secrets, user.pw_uid, user.pw_gid)
    found = {
        name: [str(lab.pyinit), *(word.format(secrets=secrets) for word in options), "--"]
        for name, options in FAMILIES.items()
    }
    for name in NAMES:
        link = secrets.parent / name
        with contextlib.suppress(FileExistsError):
            link.symlink_to(lab.pyinit)
        found[f"pyinit as {name}"] = [str(link), "--"]
    return found


def cases(lab: Lab) -> "dict[str, Case]":
    """By name: the bare interpreter, the peers and pyinit in all its forms."""
    found = {name: Case(peer.command, BARE, ends=peer.ends) for name, peer in lab.peers.items()}
    for version, python in lab.pythons.items():
        first = python == lab.python
        mark = "" if first else f" ({version})"
        bare = BARE + mark
        file = str(lab.built(version))
        found[bare] = Case(lambda _, python=python: [python, "-IS", "-c", "pass"], bare, program=False)  # type: ignore[misc]
        if not first:
            found[f"pyinit{mark}"] = Case(peers.before(file, "--"), bare)
        found[f"python3 FILE{mark}"] = Case(peers.before(python, file, "--"), bare)
    found.update({name: Case(peers.before(*words), BARE) for name, words in families(lab).items()})
    return found


def first_instruction(lab: Lab, case: Case) -> float:
    """Milliseconds from exec to the program's first instruction."""
    with lab.start(case.command([lab.native("clock")])) as init:
        assert init.process.stdout is not None
        line = init.process.stdout.readline()
        if not line.strip().isdigit():
            raise MeasureError(f"{init.command} did not run the program: {init.complaints()}")
        return (int(line) - init.exec_time) / 1e6


def whole_run(lab: Lab, case: Case) -> float:
    """Milliseconds from exec to the end of `true`."""
    with lab.start(case.command([PROGRAM]), stdout=subprocess.DEVNULL) as init:
        end, status, _ = init.finish()
        if status:
            raise MeasureError(f"failed: {' '.join(init.command)}: {init.complaints()}")
        return (end - init.exec_time) / 1e6


def measure(lab: Lab) -> Result:
    """All cases, both times, in each round."""
    every = cases(lab)
    # Of the other interpreters one time is enough.
    kinds = {f"{name}\0first": name for name, case in every.items() if case.program and "(" not in name}
    kinds.update({f"{name}\0exit": name for name, case in every.items() if case.ends})
    result: Result = {name: {"base": case.base, "first_ms": [], "exit_ms": []} for name, case in every.items()}
    for _, kind in lab.rounds(TITLE, list(kinds), lab.runs(full=30, quick=2)):
        name = kinds[kind]
        if kind.endswith("first"):
            result[name]["first_ms"].append(first_instruction(lab, every[name]))
        else:
            result[name]["exit_ms"].append(whole_run(lab, every[name]))
    for entry in result.values():
        base = result[entry["base"]]["exit_ms"]
        for which in ("first", "exit"):
            values = entry[f"{which}_ms"]
            if values:
                entry[f"{which}_summary"] = summary(values)
                entry[f"{which}_ratio"] = ratio(values, base)
    return {"cases": result, "steps": steps(lab), "imports": imports(lab)}


def table(result: Result) -> "list[Table]":
    rows = []
    for name, entry in sorted(result["cases"].items(), key=lambda item: median(item[1])):
        cells = [name]
        for which in ("first", "exit"):
            values = entry.get(f"{which}_summary", {})
            cells += [number(values.get("p50", float("nan"))), times(entry.get(f"{which}_ratio"))]
        is_ours = name.startswith("pyinit ") and "exit_summary" in entry
        rows.append([*cells, number(median(entry) - median(result["cases"]["pyinit"])) if is_ours else ""])
    note = f"Medians. Ratios are to `{BARE}` of the same interpreter, from exec to exit."
    headers = ["", "first instruction, ms", "ratio", "exit of `true`, ms", "ratio", "over pyinit alone, ms"]
    tables = [Table("Start-up: from exec to the program's first instruction, and to its end", headers, rows, note)]
    if result["steps"]:
        rows = [[step["what"], str(step["calls"]), number(step["ms"])] for step in result["steps"]]
        tables.append(Table("Where a start's time goes, under strace", ["", "system calls", "ms"], rows))
    rows = []
    for name, found in result["imports"].items():
        slowest = sorted(found, key=lambda each: -each[1])[:3]
        total = sum(us for _, us in found) / 1000
        rows.append([name, str(len(found)), number(total), ", ".join(f"{each} {us} µs" for each, us in slowest)])
    tables.append(Table("What is imported beyond what the interpreter has", ["", "modules", "ms", "the slowest"], rows))
    return tables


def median(entry: Result) -> float:
    found = entry.get("exit_summary") or entry["first_summary"]
    return float(found["p50"])


def plot(result: Result) -> "list[Figure]":
    """The cases of the first interpreter, the fastest first."""
    chosen = {name: entry for name, entry in result["cases"].items() if "(" not in name and name != "supervisord"}
    names = sorted(chosen, key=lambda name: median(chosen[name]))
    series = {
        "exec to first instruction": [chosen[name].get("first_summary", {}).get("p50", NOTHING) for name in names],
        "exec to exit of true": [chosen[name].get("exit_summary", {}).get("p50", NOTHING) for name in names],
    }
    return [bars("startup", "Start-up as PID 1 (median)", "milliseconds", names, series)]


# The steps of a start, and the system call that begins each (%s is the file).
STEPS = (
    ("the interpreter starts", r'execve\("%s"'),
    ("pyinit's file runs, up to the start of the program", r'open(at)?\(.*"%s"'),
    ("the program is started and runs, pyinit waits", r"v?fork\(|clone3?\("),
    ("pyinit reaps and ends", r"wait4\(|waitid\("),
)


def steps(lab: Lab) -> "list[Result]":
    """The system calls of one start, and the time between them, by step; strace makes each call slower.

    strace runs outside of the namespace and follows the starter into it.
    """
    trace = lab.directory / "trace"
    command = ["strace", "-f", "-ttt", "-o", str(trace), lab.native("starter"), "1", "-1", ""]
    try:
        done = subprocess.run(
            [*command, str(lab.pyinit), "--", PROGRAM], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True
        )
    except FileNotFoundError:
        return []
    if done.returncode:
        return []
    return by_step(trace.read_text().splitlines(), lab.pyinit)


def by_step(trace: "list[str]", file: Path) -> "list[Result]":
    """Divide the lines of PID 1 at what begins each step."""
    lines = [line.split(None, 2) for line in trace]
    marks = [mark % re.escape(str(file)) if "%s" in mark else mark for _, mark in STEPS]
    pid = next(pid for pid, _, call in lines if re.match(marks[0], call))
    found: "list[Result]" = []
    for _, moment, call in (line for line in lines if line[0] == pid):
        if len(found) < len(STEPS) and re.match(marks[len(found)], call):
            found.append({"what": STEPS[len(found)][0], "calls": 0, "began": float(moment)})
        if found:
            found[-1]["calls"] += bool(re.match(r"\w+\(", call))  # neither a signal nor the rest of a call
            ended = float(moment)
    ends = [*(step["began"] for step in found[1:]), ended]
    return [
        {"what": step["what"], "calls": step["calls"], "ms": (end - step["began"]) * 1000}
        for step, end in zip(found, ends)
    ]


def imports(lab: Lab) -> "dict[str, list[tuple[str, int]]]":
    """For each family of options: the modules that are imported, each with its own microseconds (-X importtime).

    The modules that run at each start are not imported but run by the file's boot code: they do not show here.
    """
    bare = {name for name, _ in imported(lab, ["-c", "pass"])}
    return {
        name: [(module, us) for module, us in imported(lab, ["-c", LINE_1, *words, PROGRAM]) if module not in bare]
        for name, words in families(lab).items()
    }


def imported(lab: Lab, words: "list[str]") -> "list[tuple[str, int]]":
    command = [lab.native("starter"), "1", "-1", "", lab.python, "-IS", "-X", "importtime", *words]
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    return [(name, int(us)) for us, name in found]
