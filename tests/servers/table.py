"""docs/servers.md: the table of the trials' results, what it means, and why some rows are not as one would think."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from .programs import PROGRAMS
from .trials import HERE, ORPHANS

if TYPE_CHECKING:
    from .programs import Program
    from .results import Lives, Results
    from .trials import Life

PAGE = HERE.parents[1] / "docs/servers.md"

ABOVE = """\
# Servers behind pyinit

Most programs need nothing but `ENTRYPOINT ["/pyinit", "--"]`. Some want another stop signal than TERM, and a few want
`-c`. This page says which, and every line of its tables is a run, with {engine}: each program, from the packages of
Debian 12, is in a container of its own, is asked something that it has to answer, gets {orphans} orphans, is told to
reload where there is a signal for it, is restarted, is killed and started again, and is asked again after each of
these. Then the engine stops it (`stop --time 10`), with a request in flight where there is one that takes a while. The
same program is then stopped with tini in front, and as PID 1 itself.

- **options**: those of pyinit. `-r TERM:QUIT` lets the engine's TERM arrive as QUIT; `-c` lets signals go to the
  program alone, and not to its whole process group.
- **stop with**: seconds until the container had ended, its exit status, and what became of the request in flight: ✓ the
  client got all of its answer, ✗ it did not. ✓ beside 137 means that the answer was complete before KILL came. tini,
  and the program alone, were stopped with the signal that `-r` names, as the image's `STOPSIGNAL`.
- The seconds are those of one run on a machine of two processors, with the engine's own work in them: they tell 0.5
  from 3 and from 10, and no more. Above 10, with another status than 137, they are the engine's. A stop that waits for
  a client takes as long as that does.
- **zombies**: how many of {orphans} orphans stay zombies where the program is PID 1. With pyinit it is none.
- **reaped**: the orphans that pyinit reaped in three starts, those {orphans} among them.

Killed, each container had the status 137, and each answered again after the next start. squid and rsyslog do so only
because their PID files are dealt with (see below).

"""

OTHERWISE = """
## What the options are for

The same stops with other options: TERM as it is, and with `-c` or without it where the table above has the other.
A request in flight tells whether they matter; so does the signal for a reload, which comes into another request.

"""

BELOW = """
## Where this comes from

These facts are in `pyinit/ctl/servers.py`, too, by which `pyinitctl doctor` knows such a program when it sees one.
`.ci/servers` makes the runs and this page again (half an hour, and 3 GB for the image); what must hold of each row is
in `tests/servers/checks.py`.
"""

MARKS = {True: " ✓", False: " ✗", None: ""}
NO_BREAK = "\u00a0"  # a space at which no line ends


def page(results: Results) -> str:
    """The whole page."""
    tried = [program for program in PROGRAMS if program.name in results.lives]
    parts = [ABOVE.format(engine=results.engine, orphans=ORPHANS)]
    heads = ("program", "options", "why", "stop with pyinit", "tini", "neither", "zombies", "reaped")
    parts.append(table(heads, [row(program, results.lives[program.name]) for program in tried]))
    parts.append(OTHERWISE)
    lines = [line for program in tried for line in otherwise(program, results.lives[program.name])]
    parts.append(table(("program", "options", "stop", "reload"), lines))
    parts.append("\n## Rows that surprise\n")
    parts += [f"\n### {program.name}\n\n{wrapped(program.note)}\n" for program in tried if program.note]
    return "".join([*parts, BELOW])


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """In Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def row(program: Program, lives: Lives) -> tuple[str, ...]:
    ours = lives["pyinit"]
    return (
        program.name,
        code(*program.options),
        program.why,
        *(stopped(lives[init]) for init in ("pyinit", "tini", "neither")),
        str(lives["neither"].zombies),
        str(ours.reaped),
    )


def otherwise(program: Program, lives: Lives) -> list[tuple[str, ...]]:
    """Its lives with the options of its row, and with others."""
    plain = ("-c",) if program.single else ()
    other = program._replace(single=not program.single).options
    compared = [("pyinit", program.options), ("TERM", plain), ("other", other)]
    lines = [(init, options) for init, options in compared if init in lives]
    if len(lines) == 1:
        return []
    return [
        (
            program.name if init == "pyinit" else "",
            code(*options) or "none",
            stopped(lives[init]),
            f"{program.reload}{MARKS[lives[init].reload_answered]}" if lives[init].reload_answered is not None else "",
        )
        for init, options in lines
    ]


def wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def stopped(life: Life) -> str:
    stop = life.stop
    if life.ended:
        return f"ended by the orphans: {stop.status}"
    return f"{stop.seconds:.1f} s, {stop.status}{MARKS[stop.answered]}".replace(" ", NO_BREAK)


def code(*words: str) -> str:
    return f"`{' '.join(words)}`" if words else ""
