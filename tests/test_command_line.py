"""Options, their variables, and what bad input gets."""

import os
import re
import signal
import sys

import pytest

from pyinit import __version__, command_line, help
from pyinit.__main__ import choose
from pyinit.log import INFO, WARNING, Fatal, Log
from pyinit.settings import Settings, without_parser
from tests.support import (
    REPOSITORY,
    Pyinit,
    children,
    collects_signals,
    proc_status,
    state,
    wait_until,
    waits_for_signals,
)


def read(*words: str, name: str = "/pyinit", **environment: str) -> Settings:
    arguments = [name, *words]
    return choose(arguments, {key.encode(): value.encode() for key, value in environment.items()}, Log())


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
    ("text", "expected"),
    [("TERM", 15), ("sigterm", 15), ("15", 15), ("RTMIN", 34), ("SIGRTMIN+2", 36), ("rtmax-1", 63), ("64", 64)],
)
def test_signals_have_names_and_numbers(text: str, expected: int) -> None:
    assert read("-p", text, "p").parent_death_signal == expected


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
        (["-u", "dev", "--own", "/a,b", "--own=/c"], {}, "own", ("/a,b", "/c")),
        ([], {"PYINIT_USER": "dev", "PYINIT_OWN": "/a,/b"}, "own", ("/a", "/b")),
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


@pytest.mark.parametrize(("words", "single"), [([], True), (["-g"], False), (["--", "-g"], True)])
def test_under_tinis_name_the_program_alone_gets_signals(words: "list[str]", single: bool) -> None:
    for name in ("tini", "/sbin/docker-init", "/usr/bin/tini-static"):
        assert read(*words, "p", name=name).single_child is single
    assert read("p", name="tini", TINI_KILL_PROCESS_GROUP="").single_child is False


WRONG = [
    ([], "no program to run"),
    (["--"], "no program to run"),
    ([""], "no program to run"),
    (["-x", "p"], "unknown option -x"),
    (["--nonsense=1", "p"], "unknown option --nonsense"),
    (["-p"], "-p: a value is missing: SIGNAL"),
    (["--remap-exit"], "--remap-exit: a value is missing: CODE[:TO]"),
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
    (["-P", "p"], "--pause runs no program"),
    (["--exec", "--before", "true", "p"], "--exec: nobody is left to run --before and --after"),
    (["--grace", "1.x", "p"], "--grace: '1.x' is no number of seconds"),
    (["--orphans", "leave", "p"], "--orphans: 'leave' is neither keep nor end"),
    (["-P", "--exec"], "--pause and --exec: there is no program to become"),
    (["--match", "1:2:3", "-u", "dev", "p"], "--match: '1:2:3' is neither UID nor UID:GID"),
    (["--match", "1:", "-u", "dev", "p"], "--match: '1:' is neither UID nor UID:GID"),
    (["--match", "4294967295", "-u", "dev", "p"], "--match: '4294967295' is neither UID nor UID:GID"),
    (["--match", "dev", "-u", "dev", "p"], "--match: 'dev' is neither UID nor UID:GID"),
    (["--match-owner", "/work", "p"], "--match-owner: only together with --user"),
    (["--own", "/work", "p"], "--own: only together with --user"),
    (["--own-index", "", "-u", "dev", "p"], "--own-index: an empty path"),
    (["--keep-capabilities", "chown,", "p"], "--keep-capabilities: '' is no capability"),
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
    assert errors.splitlines()[1] == f"pyinit: {command_line.USAGE}"


def test_wrong_usage_under_tinis_name_ends_with_1(pyinit: Pyinit) -> None:
    assert pyinit.named("tini").run("-x")[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        *(["program", "-x"], ["--", "program"], ["--", "-program"], ["program"], ["--", "--", "x"], ["p", "--", "q"]),
        *(["-u", "dev", "program"], ["--user", "www-data", "--", "program", "-u", "x"], ["-u", "-u", "--", "-u"]),
    ],
)
def test_the_short_cut_gives_what_the_parser_gives(words: "list[str]") -> None:
    quick = without_parser(words, {b"PATH": b"/bin"})
    assert quick is not None
    parsed = read(*words)
    assert all(getattr(quick, name) == getattr(parsed, name) for name in vars(Settings) if not name.startswith("_"))


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        *((["-u"], {}), (["-u", ""], {}), (["-u", "", "p"], {}), (["-u", "dev"], {}), (["-u", "dev", "--"], {})),
        *((["-u", "dev", "-v", "p"], {}), (["-u", "dev:", "p"], {}), (["-u", "dev", "-u", "x", "p"], {})),
        *((["-u", "dev", "p"], {b"PYINIT_USER": b"x"}), (["-udev", "p"], {}), (["--user=dev", "p"], {})),
        *((["-v", "p"], {}), ([], {}), (["--"], {}), ([""], {}), (["p"], {b"PYINIT_VERBOSE": b"1"}), (["-"], {})),
    ],
)
def test_the_short_cut_leaves_everything_else_to_the_parser(
    words: "list[str]", environment: "dict[bytes, bytes]"
) -> None:
    assert without_parser(words, environment) is None


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings().program = ("other",)
    with pytest.raises(TypeError):
        Settings(nonsense=1)


def test_help_is_made_from_the_table(pyinit: Pyinit) -> None:
    status, output, errors = pyinit.run("--help")
    assert (status, errors) == (0, "")
    assert output == help.help_text()
    for letter, name, value in command_line.OPTIONS:
        assert re.search(rf"^  {f'-{letter},' if letter else '   '} --{name}( {re.escape(value)})? ", output, re.M)
    assert list(help.TEXTS) == [name for _, name, _ in command_line.OPTIONS]
    assert max(map(len, output.splitlines())) <= 100


def test_the_readme_has_the_table_of_options() -> None:
    rows = [
        "| "
        + f"`{f'-{letter}, ' if letter else ''}--{name}{f' {value}' if value else ''}`".replace("|", r"\|")
        + f" | {help.TEXTS[name][0]} "
        f"| {help.TEXTS[name][1]} |"
        for letter, name, value in command_line.OPTIONS
    ]
    assert "\n".join(rows) in (REPOSITORY / "README.md").read_text()


def test_version_and_license(pyinit: Pyinit) -> None:
    assert pyinit.run("-V") == (0, f"pyinit {__version__}\n", "")
    assert pyinit.run("-l") == (0, (REPOSITORY / "LICENSE").read_text(), "")


def test_help_that_cannot_be_written_is_an_error(pyinit: Pyinit) -> None:
    with open("/dev/full", "wb") as full:
        assert pyinit.run("--help", stdout=full)[0] == 1


def test_f22_not_being_pid_1_is_said_with_v_only(pyinit: Pyinit) -> None:
    assert pyinit.run("--", "true", namespace=False) == (0, "", "")
    status, _, errors = pyinit.run("-v", "--", "true", namespace=False)
    assert (status, len(errors.splitlines())) == (0, 1)
    assert "became a subreaper" in errors


def test_f22_tini_warns_that_it_is_not_pid_1(pyinit: Pyinit) -> None:
    tini = pyinit.named("tini")
    assert "Tini is not running as PID 1" in tini.run("true", namespace=False)[2]
    assert tini.run("-s", "true", namespace=False)[2] == ""


@pytest.mark.parametrize("options", [[], ["-s"]])
def test_f21_not_pid_1_it_becomes_a_subreaper(every_pyinit: Pyinit, options: "list[str]") -> None:
    script = "(sh -c 'echo orphan $$; exec sleep 60' &) ; while :; do sleep 1; done"
    with every_pyinit.start(*options, "--", "sh", "-c", script, namespace=False) as run:
        orphan = int(run.wait_for(r"orphan (\d+)\n").group(1))
        wait_until(lambda: orphan in children(run.pid), "the orphan is adopted")
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: orphan not in children(run.pid), "the orphan is reaped")


def test_the_parent_death_signal_reaches_the_program(every_pyinit: Pyinit) -> None:
    parent = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    trap = "trap 'echo got usr1; exit' USR1; echo ready; while :; do sleep 0.1; done"
    command = (sys.executable, "-c", parent)
    with every_pyinit.start("-p", "USR1", "--", "sh", "-c", trap, namespace=False, wrapper=command) as run:
        run.wait_for("ready")
        run.process.kill()
        run.wait_for("got usr1")


def test_f28_a_parent_that_died_before_the_signal_was_set_counts(pyinit: Pyinit) -> None:
    """strace holds pyinit back before prctl, and the parent is killed meanwhile."""
    parent = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    trace = ("strace", "-D", "-o", "/dev/null", "-e", "trace=prctl", "-e", "inject=prctl:delay_enter=1000000")
    command = (sys.executable, "-c", parent, *trace)
    with pyinit.start("-p", "USR1", "--", "sleep", "60", namespace=False, wrapper=command) as run:
        wait_until(lambda: children(run.process.pid), "strace starts")
        (init,) = children(run.process.pid)
        # strace becomes pyinit, and blocks signals for a moment before it does.
        wait_until(lambda: proc_status(init).get("Name") == "pyinit" and collects_signals(init), "pyinit is held back")
        run.process.kill()
        wait_until(lambda: not state(init), "pyinit ends with its program")


def test_pause_runs_nothing(pyinit: Pyinit) -> None:
    with pyinit.start("-P") as run:
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert children(run.pid) == []
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 0
