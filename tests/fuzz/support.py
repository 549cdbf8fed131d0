"""What the tests here share: how many examples, what a clear line is, and the corpus."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from pyinit.tell import Fatal
from pyinit.tell.text import printable

CORPUS = Path(__file__).resolve().parent / "corpus"
LONG = os.environ.get("TESTS_PYINIT_LONG") == "1"

# The watchdog: pytest-timeout ends a test that hangs, and says where. No test here asserts a time.
WATCHDOG = pytest.mark.timeout(900 if LONG else 120)

# Words of the interpreter and not of ours: nobody can tell from them what to change.
UNCLEAR = (
    "Traceback", "internal error", "Exceeds the limit", "embedded null", "object has no", "codec", "invalid literal",
    "could not convert", "expected str", "NoneType",
)  # fmt: skip

_CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)

LONGEST_LINE = 100_000


def any_texts(longest: int, without: str = "", shortest: int = 0) -> "st.SearchStrategy[str]":
    """What arguments, variables and names of files may be: no NUL, but bytes that are no UTF-8 (PEP 383)."""
    characters = _CHARACTERS.filter(lambda character: character not in without)
    return st.text(characters, min_size=shortest, max_size=longest).map(os.fsencode).map(os.fsdecode)


def examples(short: int, real: bool = False) -> settings:
    """The profile of a test that tries so many examples in its short form; `real` says that each starts processes.

    Looking for the smallest example that fails takes hundreds more, which is too long with processes.
    """
    phases = [phase for phase in Phase if not real or phase not in (Phase.shrink, Phase.explain)]
    return settings(
        deadline=None,
        derandomize=not LONG,
        max_examples=short * (10 if real else 30) if LONG else short,
        phases=phases,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def assert_clear(error: Fatal, statuses: "set[int]") -> None:
    """What ends a run early is one line that a person understands, and a status that the README has."""
    assert error.status in statuses
    for text in (error.message, error.usage):
        shown = printable(text)
        assert shown.isprintable()
        assert len(shown) < LONGEST_LINE
        assert not any(words in shown for words in UNCLEAR), shown
    assert error.message.strip()


def assert_clear_lines(errors: str, unclear: "tuple[str, ...]" = UNCLEAR) -> None:
    """The same for what a process wrote to standard error."""
    assert not any(words in errors for words in unclear), errors
    assert all(line.isprintable() for line in errors.split("\n")), errors


def corpus(name: str) -> "list[dict[str, Any]]":
    """The cases of a file of the corpus, each an object."""
    cases: "list[dict[str, Any]]" = json.loads((CORPUS / name).read_text())
    assert cases
    return cases
