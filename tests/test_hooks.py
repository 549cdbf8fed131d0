"""--before and --after, and how their commands are written."""

import os
import shlex
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinit.hooks import split
from tests.identity_support import Etc
from tests.support import Pyinit


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


def test_they_run_in_order_around_the_program(every_pyinit: Pyinit) -> None:
    hooks = ["--before", "echo 'first one'", "--before", "echo second"]
    hooks += ["--after", "sh -c 'echo after $PYINIT_STATUS'", "--after", "echo last"]
    status, output, errors = every_pyinit.run(*hooks, "--", "sh", "-c", "echo program; exit 7")
    assert (status, errors) == (7, "")
    assert output.splitlines() == ["first one", "second", "program", "after 7", "last"]


def test_variables_name_them_too(pyinit: Pyinit) -> None:
    environment = {**os.environ, "PYINIT_BEFORE": "echo one,two", "PYINIT_AFTER": "echo three"}
    assert pyinit.run("--", "echo", "program", env=environment) == (0, "one,two\nprogram\nthree\n", "")


def test_one_that_fails_ends_the_start_with_its_status(pyinit: Pyinit) -> None:
    options = ["--before", "sh -c 'exit 9'", "--before", "echo second", "--after", "echo after"]
    status, output, errors = pyinit.run(*options, "--", "echo", "program")
    assert (status, output) == (9, "")
    assert errors == "pyinit: --before ['sh', '-c', 'exit 9']: status 9, so the program is not started\n"


def test_one_that_is_not_there_ends_the_start_with_127(pyinit: Pyinit) -> None:
    status, output, errors = pyinit.run("--before", "no-such-hook", "--", "echo", "program")
    assert (status, output) == (127, "")
    assert "cannot run ['no-such-hook']" in errors


def test_a_failure_afterwards_is_said_and_the_status_is_the_programs(pyinit: Pyinit) -> None:
    status, output, errors = pyinit.run("--after", "sh -c 'exit 9'", "--after", "echo last", "--", "sh", "-c", "exit 4")
    assert (status, output) == (4, "last\n")
    assert errors == "pyinit: --after ['sh', '-c', 'exit 9']: status 9\n"


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_f03_a_stop_goes_to_the_command_that_runs_and_ends_the_start(
    every_pyinit: Pyinit, number: signal.Signals, expected: int
) -> None:
    """Even if the command then says that all is well."""
    hook = "sh -c 'trap \"echo hook got it; exit 0\" TERM INT; echo ready; while :; do sleep 0.05; done'"
    with every_pyinit.start("--before", hook, "--before", "echo second", "--", "echo", "program") as run:
        run.wait_for("ready\n")
        run.send(number)
        status, output, errors = run.finish()
    assert (status, output) == (expected, "ready\nhook got it\n")
    assert f"ended by {number.name}, so the program is not started" in errors


def test_f16_orphans_are_reaped_while_a_command_runs(pyinit: Pyinit) -> None:
    hook = "sh -c '(sleep 0.1 &); sleep 0.3; ps -o stat= --ppid 1 | grep -c Z'"
    assert pyinit.run("--before", f"{hook[:-1]} || :'", "--", "true")[:2] == (0, "0\n")


def test_they_run_as_the_programs_user(pyinit: Pyinit, etc: Etc) -> None:
    options = ["-u", "dev", "--before", "id -u", "--after", "sh -c 'id -un; echo $HOME'"]
    status, output, _ = pyinit.run(*options, "--", "id", "-g", wrapper=etc.mounted)
    assert (status, output) == (0, "1000\n1000\ndev\n/home/dev\n")


def test_what_a_command_leaves_is_drained_in_the_end(pyinit: Pyinit) -> None:
    hook = "sh -c '(sleep 1000 &)'"
    status, _, errors = pyinit.run("--after", hook, "--", "true")
    assert status == 0
    assert "has left 1 process" in errors


@pytest.mark.parametrize(
    ("option", "message"),
    [("'", "a quotation mark is not closed"), ("", "names no command"), ("a\\", "ends with a backslash")],
)
def test_a_command_that_cannot_be_read_is_wrong_usage(pyinit: Pyinit, option: str, message: str) -> None:
    status, _, errors = pyinit.run("--before", option, "--", "true")
    assert status == 2
    assert message in errors.splitlines()[0]
