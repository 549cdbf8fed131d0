"""Options, their variables, and what bad input gets."""

import signal

import pytest

from pyinit.options.table import USAGE
from pyinit.settings import INFO, WARNING
from pyinit.tell import Fatal
from tests.support import Pyinit, children, wait_until, waits_for_signals

from .support import read


def test_options_end_at_the_first_word_that_is_not_one() -> None:
    assert read("-v", "program", "-v", "--", "-x").program == ("program", "-v", "--", "-x")
    assert read("--", "-program", "--").program == ("-program", "--")
    assert read("-", "x").program == ("-", "x")


def test_short_options_cluster_and_take_values_as_getopt_has_it() -> None:
    settings = read("-vwe143", "-p", "TERM", "-rINT:QUIT", "program")
    assert settings.verbosity == INFO
    assert settings.warn_on_reap
    assert settings.remap_exit == {143: 0}
    assert settings.parent_death_signal == signal.SIGTERM
    assert settings.rewrite == {signal.SIGINT: signal.SIGQUIT}


def test_long_options_take_their_value_after_an_equals_sign_or_as_the_next_word() -> None:
    assert read("--remap-exit=1", "--remap-exit", "2:3", "p").remap_exit == {1: 0, 2: 3}


@pytest.mark.parametrize(
    ("words", "environment", "field", "expected"),
    [
        ([], {"PYINIT_SUBREAPER": "yes"}, "subreaper", True),
        ([], {"PYINIT_SUBREAPER": "0"}, "subreaper", False),
        ([], {"TINI_SUBREAPER": ""}, "subreaper", True),
        (["--subreaper=no"], {"TINI_SUBREAPER": ""}, "subreaper", False),
        ([], {"PYINIT_SINGLE_CHILD": "true"}, "single_child", True),
        (["-g"], {"PYINIT_SINGLE_CHILD": "true"}, "single_child", False),
        ([], {"PYINIT_SINGLE_CHILD": "1", "PYINIT_KILL_PROCESS_GROUP": "1"}, "single_child", True),
        ([], {"PYINIT_KILL_PROCESS_GROUP": "1", "PYINIT_SINGLE_CHILD": "1"}, "single_child", True),
        (["-g", "-c"], {}, "single_child", True),
        (["-c", "-g"], {}, "single_child", False),
        ([], {"PYINIT_REMAP_EXIT": "1,2:3"}, "remap_exit", {1: 0, 2: 3}),
        (["-e", "9"], {"PYINIT_REMAP_EXIT": "1"}, "remap_exit", {9: 0}),
        ([], {"PYINIT_REWRITE": "HUP:0"}, "rewrite", {1: 0}),
        ([], {"PYINIT_PARENT_DEATH_SIGNAL": "INT"}, "parent_death_signal", 2),
        ([], {"PYINIT_VERBOSE": "2"}, "verbosity", WARNING + 2),
        ([], {"TINI_VERBOSITY": "3"}, "verbosity", 3),
        (["-v"], {"TINI_VERBOSITY": "0"}, "verbosity", 1),
        (["-q"], {}, "verbosity", WARNING - 1),
        (["-u", "dev:staff"], {"PYINIT_USER": "other"}, "user", "dev:staff"),
        (["-u", "dev", "--match=1001"], {}, "match", "1001"),
        ([], {"PYINIT_USER": "dev", "PYINIT_MATCH": "1000055:1000001"}, "match", "1000055:1000001"),
        ([], {"PYINIT_USER": "dev", "PYINIT_MATCH": "env"}, "match", "env"),
        (["-u", "dev", "--match=1", "--own", "/a,b", "--own=/c"], {}, "own", ("/a,b", "/c")),
        (["--match=1"], {"PYINIT_USER": "dev", "PYINIT_OWN": "/a,/b"}, "own", ("/a", "/b")),
        ([], {"PYINIT_USER": "dev", "PYINIT_MATCH_OWNER": "/work"}, "match_owner", "/work"),
        (["--keep-capabilities", "chown,CAP_KILL", "--keep-capabilities=bpf"], {}, "keep_capabilities", (0, 5, 39)),
        ([], {"PYINIT_EVENTS": "/a,b"}, "events", "/a,b"),
        ([], {"PYINIT_WARN_ON_REAP": ""}, "warn_on_reap", False),
        ([], {"PYINIT_UNKNOWN": "1"}, "single_child", False),
    ],
)
def test_each_option_has_a_variable_and_the_command_line_wins(
    words: "list[str]", environment: "dict[str, str]", field: str, expected: object
) -> None:
    assert getattr(read(*words, "program", **environment), field) == expected


WRONG = [
    ([], "no program to run"),
    (["--"], "no program to run"),
    ([""], "no program to run"),
    (["-x", "p"], "unknown option -x"),
    (["--nonsense=1", "p"], "unknown option --nonsense"),
    (["-p"], "-p: a value is missing: SIGNAL"),
    (["--remap-exit"], "--remap-exit: a value is missing: CODE[:TO]"),
    (["-P", "p"], "--pause runs no program"),
    (["--exec", "--before", "true", "p"], "--before: says nothing with --exec: no init stays"),
    (["-P", "--exec"], "--pause and --exec: there is no program to become"),
    (["--match-owner", "/work", "p"], "--match-owner: only together with --user"),
    (["--own", "/work", "p"], "--own: only together with --user"),
    *((["--stop-signal", name, "p"], f"--stop-signal: {name!r} never comes") for name in ("KILL", "STOP", "CHLD", "9")),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_usage_is_one_clear_line(words: "list[str]", message: str) -> None:
    with pytest.raises(Fatal) as caught:
        read(*words)
    assert caught.value.status == 2
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(Fatal, match=r"^PYINIT_REWRITE: 'x' is not of the form FROM:TO"):
        read("p", PYINIT_REWRITE="x")


@pytest.mark.parametrize("words", [["-x"], [], ["-e", "300", "true"]])
def test_wrong_usage_ends_with_2_and_shows_the_usage(pyinit: Pyinit, words: "list[str]") -> None:
    status, output, errors = pyinit.run(*words)
    assert (status, output) == (2, "")
    assert [line.partition(" ")[0] for line in errors.splitlines()] == ["pyinit:", "pyinit:"]
    assert errors.splitlines()[1] == f"pyinit: {USAGE}"


def test_pause_runs_nothing(pyinit: Pyinit) -> None:
    with pyinit.start("-P") as run:
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert children(run.pid) == []
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 0
