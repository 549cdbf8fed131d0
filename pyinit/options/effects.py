"""Options that cannot take effect, and variables that name none. Imported only where there may be such.

What was written on the command line is an error then. A variable may be an image's, and meant for another start: it is
a warning, and an error with --strict.
"""

from pyinit.options.table import OPTIONS
from pyinit.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Given = dict[str, list[tuple[str, str]]]  # as the parser's

# Option, and those of which it needs one.
_NEEDS = {
    "own-index": ("match", "match-owner"),
}
# Option, why, and what then says nothing.
_LEAVES_NOTHING_TO_DO = (
    (
        "exec",
        "no init stays",
        (
            "subreaper kill-process-group single-child remap-exit warn-on-reap rewrite session grace stop-timeout "
            "wait-all orphans before after"
        ),
    ),
    (
        "pause",
        "there is no program",
        (
            "kill-process-group single-child remap-exit rewrite signal-mask session grace stop-timeout secrets secret "
            "expand-file-vars"
        ),
    ),
)

# Variables of ours that are no options: of commands after the program. A version is what images call the one that they
# have.
_NO_OPTIONS = (b"PYINIT_STATUS", b"PYINIT_VERSION")
_TINIS = ("TINI_SUBREAPER", "TINI_KILL_PROCESS_GROUP", "TINI_VERBOSITY")
_NEAR = 2  # letters


def without_effect(choices: "dict[str, Any]", given: "Given") -> "list[tuple[str, str]]":
    """The options that say nothing beside the others, as they were written, each behind the reason."""
    settings = {option.name: option.setting for option in OPTIONS}
    found = []
    for name, needed in _NEEDS.items():
        if name in given and not any(other in given for other in needed):
            reason = f"says nothing without {' or '.join([f'--{other}' for other in needed])}"
            found.append((given[name][0][0], reason))
    for name, reason, silenced in _LEAVES_NOTHING_TO_DO:
        for other in silenced.split() if choices.get(settings[name]) else ():
            # What is off asks for nothing.
            if other in given and choices.get(settings[other], True) not in (False, 0, "keep", "inherit", ()):
                found.append((given[other][0][0], f"says nothing with --{name}: {reason}"))
    return [(label, f"{label}: {reason}") for label, reason in found]


def unknown_variables(environment: "dict[bytes, bytes]") -> "list[str]":
    """Variables that look like ours or tini's and are none, each with the nearest that is one."""
    ours = [option.variable for option in OPTIONS if option.variable]
    found = []
    for variable in environment:
        name = variable.decode("ascii", "replace")
        if name.startswith("PYINIT_") and name not in ours and variable not in _NO_OPTIONS:
            nearest = min(ours, key=lambda known: _distance(name, known))
            meant = f"; is {nearest} meant?" if _distance(name, nearest) <= _NEAR else "; --help lists the options"
            found.append(f"{name}: there is no such variable{meant}")
        elif name.startswith("TINI_") and name not in _TINIS:
            near = [known for known in _TINIS if _distance(name, known) <= _NEAR]
            found += [f"{name}: there is no such variable; is {known} meant?" for known in near]
    return found


def _distance(one: str, other: str) -> int:
    """How many letters have to be put in, left out or changed (Levenshtein)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for at, wanted in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != wanted))
    return row[-1]


def check(
    choices: "dict[str, Any]", given: "Given", environment: "dict[bytes, bytes]", words_are_ours: bool
) -> "tuple[str, ...]":
    """What to warn of. Raises ValueError for what was written on the command line, and with --strict for anything.

    Another init's command line may say what that init makes nothing of.
    """
    doubts = unknown_variables(environment)
    for label, message in without_effect(choices, given):
        if label.startswith("-") and words_are_ours:
            raise ValueError(message)
        if label.startswith("PYINIT_"):  # and not what another init's name says without words
            doubts.append(message)
    if doubts and choices.get("strict", Settings.strict):
        raise ValueError(doubts[0])
    return tuple(doubts)
