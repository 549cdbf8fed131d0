"""What came of each fault, in words: FAULTS.md, which the tests compare runs with.

`python -m tests.tables.faults [SCENARIO...]` makes every fault with /usr/bin/python3, which takes ten minutes, and
writes the table anew, or its part about these scenarios.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import errorcode
from pathlib import Path
from typing import NamedTuple

from tests.support import CTL, Pyinit
from tests.support.faults import (
    ALWAYS,
    ERRORS_OF,
    INITIAL,
    NEVER_FAIL,
    SCENARIOS,
    Fault,
    Outcome,
    Scenario,
    broken_promise,
    errors_of,
    faults,
    run,
)

TABLE = Path(__file__).with_name("FAULTS.md")
ANY = "any"
AS_EVER = "as without the fault"

_STRERRORS = {os.strerror(number) for number, name in errorcode.items() if name in errors_of("")}
_REASON = re.compile(rf"(\w+: \[Errno \d+\] )?({'|'.join(map(re.escape, _STRERRORS))})(: .*)?$")


class Row(NamedTuple):
    """One line of the table, for one error."""

    scenario: str
    phase: str
    call: str
    often: str
    error: str
    outcome: str


def words(plain: Outcome, outcome: Outcome) -> str:
    """What came of a fault, compared with the run without one."""
    said, usual = lines(outcome.errors), lines(plain.errors)
    if outcome.status < 0:
        how = "does not end"
    elif "ready" not in outcome.output and "ready" in plain.output:
        how = f"not started, status {outcome.status}"
    elif (outcome.status, outcome.output) == (plain.status, plain.output):
        how = AS_EVER
    elif outcome.status == 8:
        how = "TERM does not reach the program; its own status in the end"
    else:
        how = f"status {outcome.status}"
    new = [f"`{line}`" for line in said if line not in usual]
    missing = [f"without `{line}`" for line in usual if line not in said] if "not" not in how else []
    disk = [name for name in sorted({*plain.disk, *outcome.disk}) if plain.disk.get(name) != outcome.disk.get(name)]
    same = [name for name in disk if outcome.disk.get(name) == INITIAL.get(name)]
    changed = [name for name in disk if name not in same]
    unchanged = [f"unchanged on disk: {', '.join(same)}"] if same else []
    left = [f"left on disk: {', '.join(changed)}"] if changed else []
    return "; ".join([how, *new, *missing, *unchanged, *left])


def lines(errors: str) -> "list[str]":
    """The lines of standard error without what differs from run to run, each once."""
    found: "list[str]" = []
    for line in errors.splitlines():
        line = re.sub(r"^pyinit: ([\"'])(.*)\1$", r"pyinit: \2", line)  # said without any module
        line = re.sub(r"(internal error before the program started: ).*", r"\1...", line)
        line = re.sub(r"\[(['\"]).*\]", "PROGRAM", _REASON.sub("ERROR", line))
        line = re.sub(r"'/\S+/(\S+)'", r"'.../\1'", line)
        line = re.sub(r"\b\d+\b", "N", line)
        if line not in found:
            found.append(line)
    return found


def row(scenario: Scenario, fault: Fault, plain: Outcome, outcome: Outcome) -> Row:
    return Row(scenario.name, fault.call.phase, fault.call.name, fault.often, fault.error, words(plain, outcome))


def render(rows: "Iterable[Row]", version: str) -> str:
    """The whole of FAULTS.md, which was made with this version of the interpreter."""
    order = [scenario.name for scenario in SCENARIOS]
    grouped: "dict[tuple[str, str, str, str, str], set[str]]" = {}
    for each in rows:
        grouped.setdefault((each.scenario, each.phase, each.call, each.often, each.outcome), set()).add(each.error)
    text = ""
    for key in sorted(grouped, key=lambda key: (order.index(key[0]), _PHASES.index(key[1]), *key[2:])):
        scenario, phase, call, often, outcome = key
        named = ANY if grouped[key] == _all_errors(call, often) else ", ".join(sorted(grouped[key]))
        text += f"| {scenario} | {phase} | {call} | {often} | {named} | {outcome.replace('|', '')} |\n"
    return HEAD.replace("VERSION", version) + text


def version(python: str) -> str:
    return subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()


def version_of(text: str) -> str:
    """The version of the interpreter that a table is about."""
    match = re.search(r"\((Python \S+)\)", text)
    assert match
    return match[1]


def _all_errors(call: str, often: str) -> "set[str]":
    return set(errors_of(call)) - ({"EINTR"} if often == ALWAYS else set())


def read(text: str) -> "set[Row]":
    """The rows of a table."""
    found = set()
    for line in text.splitlines():
        fields = [field.strip() for field in line.strip("|").split(" | ")]
        if len(fields) == 6 and fields[0] in {scenario.name for scenario in SCENARIOS}:
            scenario, phase, call, often, named, outcome = fields
            for error in _all_errors(call, often) if named == ANY else named.split(", "):
                found.add(Row(scenario, phase, call, often, error, outcome))
    return found


def every_outcome(
    pyinit: Pyinit, workers: int, names: "Collection[str]" = ()
) -> "Iterator[tuple[Scenario, Fault, Outcome, Outcome]]":
    """Make every fault of these scenarios, or of all: what was done, what comes of it without the fault and with it."""
    known: "set[str]" = set()
    cases = []
    for scenario in SCENARIOS:
        plain = run(pyinit, scenario)
        found = list(faults(plain.calls, known))
        if not names or scenario.name in names:
            cases += [(scenario, fault, plain) for fault in found]

    def outcome(case: "tuple[Scenario, Fault, Outcome]") -> Outcome:
        return run(pyinit, case[0], case[1].inject)

    with ThreadPoolExecutor(workers) as pool:
        for case, came in zip(cases, pool.map(outcome, cases)):
            if came.hits:  # how often a running pyinit makes a call depends on how it is scheduled
                yield (*case, came)


def write(pyinit: Pyinit, names: "Collection[str]") -> None:
    """Make every fault, say which promises are broken, and write the table, or its part about these scenarios."""
    rows = {each for each in read(TABLE.read_text()) if names and each.scenario not in names}
    try:
        for scenario, fault, plain, outcome in every_outcome(pyinit, 3 * (os.cpu_count() or 1), names):
            rows.add(row(scenario, fault, plain, outcome))
            problem = broken_promise(fault, plain, outcome)
            if problem:
                shown = outcome._replace(calls=(), hits=outcome.hits[:1])  # there may be 100,000 of each
                print(f"{scenario.name}: {problem}: {fault}: {shown}", file=sys.stderr)
    finally:
        TABLE.write_text(render(rows, version(pyinit.python)))


_PHASES = ("start", "spawn", "run", "end")

HEAD = f"""\
# What pyinit does when a system call fails

Made by `python -m tests.tables.faults` (VERSION); tests/test_faults.py makes such faults again and compares. Each call
that pyinit makes once its modules are loaded was made to fail by strace, in pyinit alone, with each of these errors:
{", ".join(errors_of(""))}; a few calls with those that they can have: \
{"; ".join(f"{name} {', '.join(errors)}" for name, errors in ERRORS_OF.items())}. \
Left out are calls that cannot fail: {", ".join(NEVER_FAIL)}.

The program says that it is ready, is then sent TERM through pyinit, and ends with 7 (with 8 if that does not reach it).
The phases: `start` is before the program, `spawn` makes it, `run` lasts until it was reaped, `end` follows.
A call that another scenario above makes in the same way gets one of the errors only. `once` is done at each place
where such a call is made, so that there may be several outcomes; `always` and `10 times` begin at the first. EINTR
never comes always, since the interpreter repeats what it interrupts (PEP 475).

| scenario | phase | call | how often | error | outcome |
| --- | --- | --- | --- | --- | --- |
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        file, python = Path(directory, "pyinit"), "/usr/bin/python3"
        subprocess.run([*CTL, "build", "-o", str(file), "--python", python], check=True)
        write(Pyinit(file, python), sys.argv[1:])
