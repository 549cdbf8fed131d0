"""The text of a value, and what is read from it."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinit.options.readers import split
from pyinit.tell import Fatal

from .support import read


@pytest.mark.parametrize(
    ("text", "expected"),
    [("TERM", 15), ("sigterm", 15), ("15", 15), ("RTMIN", 34), ("SIGRTMIN+2", 36), ("rtmax-1", 63), ("64", 64)],
)
def test_signals_have_names_and_numbers(text: str, expected: int) -> None:
    assert read("-p", text, "p").parent_death_signal == expected


WRONG = [
    (["-e", "256", "p"], "-e: '256' is no exit status: 0 to 255"),
    (["-e", "-1", "p"], "-e: '-1' is no exit status: 0 to 255"),
    (["-e", "1:", "p"], "-e: '' is no exit status: 0 to 255"),
    (["-e", "1" * 5000, "p"], "-e: '1111"),
    (["-e", "²", "p"], "-e: '²' is no exit status: 0 to 255"),
    (["-p", "FOO", "p"], "-p: 'FOO' is no signal"),
    (["-p", "0", "p"], "-p: '0' is no signal"),
    (["-p", "65", "p"], "-p: '65' is no signal"),
    (["-p", "_BLOCK", "p"], "-p: '_BLOCK' is no signal"),
    (["-p", "1" * 5000, "p"], "-p: '1111"),
    (["-p", "RTMIN+" + "1" * 5000, "p"], "-p: 'RTMIN+1111"),
    (["-p", "RTMIN+99", "p"], "-p: 'RTMIN+99' is no signal"),
    (["-r", "TERM", "p"], "-r: 'TERM' is not of the form FROM:TO"),
    (["-r", "KILL:TERM", "p"], "-r: 'KILL:TERM': SIGKILL is never forwarded"),
    (["--grace", "1e3", "p"], "--grace: '1e3' is no number of seconds, such as 10 or 0.5"),
    (["--stop-timeout", "1000000000", "p"], "--stop-timeout: '1000000000' is no number of seconds"),
    (["--subreaper=maybe", "p"], "--subreaper: 'maybe' is neither yes nor no"),
    (["--events=", "p"], "--events: an empty path"),
    (["--grace", "1.x", "p"], "--grace: '1.x' is no number of seconds"),
    (["--orphans", "leave", "p"], "--orphans: 'leave' is neither keep nor end"),
    (["--match", "1:2:3", "-u", "dev", "p"], "--match: '1:2:3' is neither UID nor UID:GID"),
    (["--match", "1:", "-u", "dev", "p"], "--match: '1:' is neither UID nor UID:GID"),
    (["--match", "4294967295", "-u", "dev", "p"], "--match: '4294967295' is neither UID nor UID:GID"),
    (["--match", "dev", "-u", "dev", "p"], "--match: 'dev' is neither UID nor UID:GID"),
    (["--own-index", "", "-u", "dev", "p"], "--own-index: an empty path"),
    (["--keep-capabilities", "chown,", "p"], "--keep-capabilities: '' is no capability"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_a_wrong_value_is_one_clear_line(words: "list[str]", message: str) -> None:
    with pytest.raises(Fatal) as caught:
        read(*words)
    assert caught.value.status == 2
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1))
def test_what_shlex_joins_is_split_into_the_same_words(words: "list[str]") -> None:
    assert split(shlex.join(words)) == tuple(words)


@given(st.text("ab \t\n'\"\\"))
def test_any_text_is_split_as_shlex_does(text: str) -> None:
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = []
    if expected and expected[0]:
        assert split(text) == tuple(expected)
    else:
        with pytest.raises(ValueError, match=r"names no command|is not closed|ends with a backslash"):
            split(text)
