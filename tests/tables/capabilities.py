"""What comes of each option about users and IDs where root lacks capabilities: CAPABILITIES.md.

`python -m tests.tables.capabilities` makes all the runs with /usr/bin/python3, and writes the table.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support import CTL, Pyinit
from tests.support.capabilities import OPTIONS, SETS, Outcome, run

TABLE = Path(__file__).with_name("CAPABILITIES.md")
HEAD = """\
# Root without all of its capabilities

Made by `python -m tests.tables.capabilities` from real runs: a PID 1 with each set of capabilities, and each option
about users and IDs. `as with all`: the program has the same IDs and groups, TERM reaches it, the same files and
accounts have changed. Anything else is said in the line that is shown, and is an error with `--strict`, which changes
no account. `without KILL` needs SETUID: PID 1 takes the program's UID as its real one.

| capabilities | option | what happens |
| --- | --- | --- |
"""


def cell(plain: Outcome, outcome: Outcome, strict: Outcome) -> str:
    """What came of one set and one option, compared with all capabilities. Raises ValueError for what must not be."""
    lines = [re.sub(r"^pyinit: ", "", line) for line in outcome.errors.splitlines() if line not in plain.errors]
    if outcome.facts == plain.facts and not lines:
        return "as with all"
    said = [line for line in lines if "CAP_" in line.upper()]
    if not said:
        raise ValueError(f"nothing says which capability is missing: {outcome}")
    if strict.status == plain.status or strict.disk["/etc/passwd"] != "old":
        raise ValueError(f"--strict goes on: {strict}")
    started = "" if "ready" in outcome.output else f"not started, status {outcome.status}: "
    return started + "; ".join(f"`{line}`" for line in lines)


def rows(pyinit: Pyinit, wanted: "Callable[[str, str], bool]" = lambda *_: True) -> "list[str]":
    """The rows of these sets and options."""
    pairs = [(which, option) for which in SETS for option in OPTIONS if which != "all" and wanted(which, option)]
    with ThreadPoolExecutor(2) as pool:
        plain = {option: pool.submit(run, pyinit, option, "all") for option in {option for _, option in pairs}}
        found = {pair: pool.submit(run, pyinit, pair[1], pair[0]) for pair in pairs}
        strict = {pair: pool.submit(run, pyinit, pair[1], pair[0], True) for pair in pairs}
    made = []
    for which, option in pairs:
        outcomes = plain[option], found[which, option], strict[which, option]
        made.append(f"| {which} | `{option}` | {cell(*[each.result() for each in outcomes])} |\n")
    return made


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pyinit-table-") as directory:
        Path(directory).chmod(0o755)
        file = Path(directory) / "pyinit"
        subprocess.run([*CTL, "build", "-o", str(file), "--python", "/usr/bin/python3"], check=True)
        TABLE.write_text(HEAD + "".join(rows(Pyinit(file, "/usr/bin/python3"))))


if __name__ == "__main__":
    main()
