"""Anything as a command line, a variable, a secret, a rule or a journal: one clear line and a documented status.

Most examples are read in this process; some start the file itself. What once was wrong, or is odd enough to be kept, is
in the lists here, which every run replays. PYINIT_LONG=1 tries many times as many examples.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from pyinit.ctl.timeline.command import timeline
from pyinit.identity import user
from pyinit.identity.accounts import Accounts
from pyinit.options import answers, choose
from pyinit.options.table import OPTIONS as TABLE
from pyinit.prepare import secrets
from pyinit.settings import ERROR, PERSONALITIES, Settings, without_parser
from pyinit.tell import Fatal, signal_names
from pyinit.tell.log import Log
from pyinit.tell.text import encode, printable
from tests.support import DEADLINE, NAMESPACE, Pyinit
from tests.support.identity import GROUP, PASSWD, Etc

from .support import WATCHDOG, assert_clear, examples

Test = TypeVar("Test", bound="Callable[..., Any]")

pytestmark = WATCHDOG


class Start(NamedTuple):
    """How somebody starts us."""

    name: str
    words: "list[str]"
    environment: "dict[bytes, bytes]"


def start(name: str, *words: str, **variables: str) -> Start:
    return Start(name, list(words), {key.encode(): encode(value) for key, value in variables.items()})


# What once was a traceback, an endless wait or an unclear line, and what is odd.
CORPUS = [
    start("pyinit"),
    start("pyinit", ""),
    start("pyinit", "--", ""),
    start("pyinit", "-"),
    start("pyinit", "--grace", "1" * 400, "true"),
    start("pyinit", "--grace", "10000000000", "true"),
    start("pyinit", "--stop-timeout", "1" * 5000, "true"),
    start("pyinit", "--grace", "0." + "1" * 5000, "true"),
    start("pyinit", "-e", "1" * 5000, "true"),
    start("pyinit", "-e", "1:" + "0" * 5000, "true"),
    start("pyinit", "-r", "1" * 5000 + ":TERM", "true"),
    start("pyinit", "-r", "RTMIN+" + "1" * 5000 + ":TERM", "true"),
    start("pyinit", "-r", "TERM:\udcff", "true"),
    start("pyinit", "-p", "²", "true"),
    start("pyinit", "true", PYINIT_VERBOSE="1" * 5000),
    start("pyinit", "true", TINI_VERBOSITY="1" * 5000),
    start("pyinit", "--match", "1" * 5000, "-u", "dev", "true"),
    start("pyinit", "true", PYINIT_GRACE="٣"),
    start("pyinit", "true", PYINIT_BEFORE="'"),
    start("pyinit", "-u", "dev:\udcff\n", "true"),
    start("pyinit", "-u", "1" * 5000, "true"),
    start("pyinit", "--launched-as=fixuid", "true"),
    start("pyinit", "--launched-as=\udcff", "true"),
    start("tini", "-p", "", "true"),
    start("tini", "-v", "-vvv", "--", "--", "true"),
    start("tini", "--vers"),
    start("tini-static", "-e", "256", "true"),
    start("docker-init", "-e", "256", "true"),
    start("dumb-init", "--r", "TERM:1", "true"),
    start("dumb-init", "--ver"),
    start("dumb-init", "-c", "--rewrite=15:0", "--rewr", "15:99", "true"),
    start("catatonit", "-P", "true", "-x"),
    start("podman-init", "--version=1", "true"),
    start("fixuid", "-q", "-q", "--x"),
    start("gosu"),
    start("gosu", "", "true"),
    start("gosu", ":::", "true"),
    start("gosu", "-x", "true"),
    start("su-exec", "dev:no-such", "true"),
]

NAMES = [*sorted(PERSONALITIES), "pyinit", "pyinit", "pyinit", "tini-static", "dumb-init.py", "-sh", ""]
ODD = ["", "\udcff", "٣", "²", "é", "\n", "\x1b[2J", "9" * 10, "9" * 400, "9" * 5000, ".", "1e9", "-1", "-"]
RIGHT = ["0", "1", "yes", "no", "TERM", "SIGTERM", "TERM:QUIT", "15:0", "RTMIN+1", "64", "1:2", "0.5", "keep", "end"]
RIGHT += ["dev", "dev:staff", "1000", "4294967294", "env", "net_bind_service", "true", "X=y", "journal"]
WRONG = ["RTMAX-99", "CHLD:1", "65", "256", "1:", ":1", "1.", ":", "a:b:c", "4294967295", "net_admin,x", "sh 'x", "X="]
VALUES = st.one_of(
    st.sampled_from(ODD + RIGHT + WRONG),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)
OPTIONS = [f"-{option.letter}" for option in TABLE if option.letter]
OPTIONS += [f"--{option.name}" for option in TABLE]
WORDS = st.one_of(
    st.sampled_from(OPTIONS),
    st.sampled_from(["--", "-", "---", "--=", "-=", "--vers", "--r", "-vv", "-gv", "-L", "-q", "--q", "-?", "true"]),
    st.builds(str.__add__, st.sampled_from([f"{option}=" for option in OPTIONS] + OPTIONS), VALUES),
    VALUES,
)
VARIABLES = st.sampled_from(
    [f"PYINIT_{option.setting.upper()}" for option in TABLE]
    + ["TINI_SUBREAPER", "TINI_KILL_PROCESS_GROUP", "TINI_VERBOSITY", "DUMB_INIT_SETSID", "DUMB_INIT_DEBUG"]
    + ["CATATONIT_DEBUG", "LISTEN_PID", "PUID", "PGID", "X_FILE", "PYINIT_", "LC_CTYPE"]
)
STARTS = st.builds(
    Start,
    st.sampled_from(NAMES),
    st.lists(WORDS, max_size=6),
    st.dictionaries(VARIABLES.map(str.encode), VALUES.map(encode), max_size=3),
)


def each(corpus: "list[Any]") -> "Callable[[Test], Test]":
    """Add every entry of a list to a test's examples."""

    def decorate(test: Test) -> Test:
        for entry in corpus:
            test = example(entry)(test)
        return test

    return decorate


def arguments(given: Start) -> "list[str]":
    return [f"/sbin/{given.name}", *given.words]


def read(given: Start) -> "Settings | Fatal":
    try:
        return choose(arguments(given), dict(given.environment))
    except Fatal as error:
        return error


# In this process.


@examples(600)
@each(CORPUS)
@given(given=STARTS)
def test_any_command_line_is_settings_or_one_clear_line(given: Start) -> None:
    found = read(given)
    if isinstance(found, Fatal):
        assert_clear(found, {1, 2})
        return
    if found.answer:
        assert found.personality in {"pyinit", *PERSONALITIES.values()}
        assert answers.text_of(found.answer, found.personality)[1].strip()
        return
    assert found.pause or (found.program and found.program[0]) or found.personality in ("gosu", "su-exec")
    assert all(0 <= seconds < 1 << 32 for seconds in (found.grace, found.stop_timeout))
    assert all(1 <= source <= 64 and 0 <= to <= 64 for source, to in found.rewrite.items())
    assert all(0 <= status <= 255 for status in (*found.remap_exit, *found.remap_exit.values()))
    assert 0 <= found.parent_death_signal <= 64
    if found.user:
        try:
            chosen = user.find(found.user, Accounts(PASSWD.encode(), GROUP.encode()))
        except Fatal as error:
            assert_clear(error, {1, 2})
        else:
            assert 0 <= min(chosen.uid, chosen.gid) <= max(chosen.uid, chosen.gid) < (1 << 32) - 1


@examples(200)
@given(
    given=st.builds(Start, st.just("pyinit"), st.lists(st.one_of(st.sampled_from(["-u", "--"]), VALUES)), st.just({}))
)
def test_the_short_cut_gives_what_the_parser_gives(given: Start) -> None:
    quick = without_parser(arguments(given), given.environment)
    if quick:
        parsed = read(given)
        choices = [name for name, value in vars(Settings).items() if name[0] != "_" and not callable(value)]
        assert all(getattr(quick, name) == getattr(parsed, name) for name in choices)


RULES = ["TERM:QUIT", "TERM:0", "0:TERM", "KILL:1", "STOP:", "CHLD:TERM", ":", "TERM", "SIGTERM:sigquit", "RTMIN+99:1"]


@examples(200)
@each(RULES)
@given(rule=st.one_of(st.text(max_size=20), st.builds("{}:{}".format, VALUES, VALUES)))
def test_any_rewriting_rule_is_two_signals_or_one_clear_line(rule: str) -> None:
    found = read(Start("pyinit", ["-r", rule, "true"], {}))
    as_dumb_init = read(Start("dumb-init", [f"--rewrite={rule}", "true"], {}))
    if isinstance(found, Fatal):
        assert_clear(found, {1, 2})
        assert found.message.startswith("-r: ")
        assert isinstance(as_dumb_init, Fatal)
        assert (found.status, as_dumb_init.status) == (2, 1)
    else:
        ((source, to),) = found.rewrite.items()
        assert 1 <= source <= 64 and 0 <= to <= 64
        if any(part.isdigit() and int(part) > 31 for part in rule.split(":")):  # dumb-init's signals end there
            assert isinstance(as_dumb_init, Fatal)
        else:
            assert isinstance(as_dumb_init, Settings) and as_dumb_init.rewrite == found.rewrite


@given(number=st.integers(1, 64))
def test_the_name_of_a_signal_is_read_as_that_signal(number: int) -> None:
    name = signal_names.name(number)
    if number in (32, 33):  # the C library's own: they have no name
        assert name == f"SIG{number}"
    else:
        assert signal_names.number(name) == signal_names.number(name[3:].lower()) == number


FILE_NAMES = st.one_of(
    st.sampled_from([b"TOKEN", b"X", b"1X", b"A B", b".hidden", b"..data", b"\xff", "é".encode(), b"PATH", b"A=B"]),
    st.binary(min_size=1, max_size=20).filter(lambda name: name not in (b".", b"..") and not set(name) & set(b"/\0")),
)
SECRETS = st.dictionaries(FILE_NAMES, st.binary(max_size=60).map(lambda data: b"secret value " + data), max_size=4)


@examples(100)
@given(
    files=SECRETS,
    variables=st.dictionaries(
        st.sampled_from([b"TOKEN", b"TOKEN_FILE", b"X_FILE", b"_FILE", b"\xff_FILE"]), FILE_NAMES
    ),
    directory=st.booleans(),
)
def test_any_secrets_are_variables_or_one_clear_line_without_a_value(
    files: "dict[bytes, bytes]", variables: "dict[bytes, bytes]", directory: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            Path(place, os.fsdecode(name)).write_bytes(content)
        paths = {name: os.fsencode(place) + b"/" + file for name, file in variables.items()}
        chosen = Settings(secrets=place if directory else "", expand_file_vars=("*",))
        try:
            changes = secrets.read(chosen, paths, Log(ERROR))
        except Fatal as error:
            assert_clear(error, {1, 2})
            assert error.status == 2
            assert "secret value" not in error.message
            return
    environment = secrets.applied(changes, paths)
    for name, value in environment.items():
        assert b"\0" not in value and b"=" not in name
        if value.startswith(b"secret value"):
            assert value in {content.removesuffix(b"\n").removesuffix(b"\r") for content in files.values()}
            assert name.isdigit() is False and re.fullmatch(rb"[A-Za-z_][A-Za-z0-9_]*", name)
    # One that was expanded has gone, any other has stayed as it was.
    for name in paths.keys() - environment.keys():
        assert name.removesuffix(b"_FILE") in environment
    assert all(environment[name] == paths[name] for name in paths.keys() & environment.keys() - changes.keys())


JOURNALS = [
    b"",
    b"\n\n",
    b'{"event": "start"}',
    b'{"event": "ended", "time": 1, "monotonic": 1, "status": 1' + b"0" * 5000 + b"}\n",
    b'{"event": "ended", "time": NaN, "monotonic": 1, "status": 0}\n',
    b'{"event": "ended", "time": 1, "monotonic": 1e400, "status": 0}\n',
    b'{"event": "spawn", "time": 1, "monotonic": 1, "pid": 2, "program": ["\\ud800\\u001b[2J"]}\n',
    b"[" * 100000,
    b"\xff\xfe\x00",
]
EVENT = st.fixed_dictionaries(
    {
        "event": st.sampled_from(
            ["start", "spawn", "signal", "forwarded", "reaped", "drain", "killed", "ended", "new"]
        ),
        "time": st.one_of(st.just(1.0), st.floats(), st.none()),
        "monotonic": st.one_of(st.floats(0, 1e9), st.floats(), st.integers()),
        "pid": st.one_of(st.integers(1, 5), st.integers()),
        "pids": st.lists(st.integers(1, 9), max_size=3),
        "processes": st.lists(st.one_of(st.text(max_size=9), st.just("5 (sh, ignores it)")), max_size=2),
        "left": st.lists(st.integers(1, 9), max_size=3),
        "grace": st.one_of(st.just(10), st.floats()),
        "arguments": st.lists(st.text(max_size=9), max_size=3),
        "program": st.lists(st.text(max_size=9), max_size=3),
        "signal": st.one_of(st.just("SIGTERM"), st.text(max_size=9), st.none()),
        "sender_pid": st.integers(-1, 9),
        "sender_uid": st.integers(-1, 9),
        "target": st.integers(-9, 9),
        "status": st.one_of(st.integers(0, 255), st.integers()),
        "orphan": st.booleans(),
        "command": st.text(max_size=9),
        "error": st.one_of(st.none(), st.text(max_size=9)),
    }
)
LINES = st.one_of(EVENT.map(lambda event: json.dumps(event).encode()), st.binary(max_size=30))


@examples(60)
@each(JOURNALS)
@given(journal=st.lists(LINES, max_size=12).map(b"\n".join))
def test_any_journal_is_drawn_or_one_clear_line(journal: bytes) -> None:
    for options in ([], ["--json"], ["--run", "1", "--last", "0.5", "--rows", "1"]):
        done = CliRunner().invoke(timeline, ["-", *options], input=journal)
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        assert done.exit_code in (0, 1), done.output
        if done.exit_code:
            assert "Error: " in done.output
        assert "\x1b" not in done.output


# The file itself.

PROGRAM = ["sh", "-c", "echo started"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[Etc, Path]]":
    """Account files, and a working directory, in which a start may do what it likes."""
    directory = tmp_path_factory.mktemp("fuzz")
    work = directory / "work"
    work.mkdir()
    yield Etc(directory), work
    shutil.rmtree(directory)


def harmless(chosen: Settings, given: Start) -> bool:
    """Whether a start can be tried here: it ends by itself, and names no path but those below its directory."""
    named = [*given.words, *(value.decode(errors="replace") for value in given.environment.values())]
    return not chosen.pause and not any("/" in text or ".." in text for text in named)


@examples(25, real=True)
@each(CORPUS)
@given(given=STARTS)
def test_any_start_of_the_file_ends_without_a_traceback(
    pyinit: Pyinit, place: "tuple[Etc, Path]", given: Start
) -> None:
    """What cannot be read does not start the program, and ends with the status that the reader says.

    Paths are relative to a directory of the test's own, so that nothing else can be changed.
    """
    expected = read(given)
    if isinstance(expected, Settings) and not harmless(expected, given):
        return
    etc, work = place
    for name in ("passwd", "group"):
        (etc.path / name).unlink()
    etc.write("passwd", PASSWD)
    etc.write("group", GROUP)
    name = given.name.lstrip("-") or "pyinit"
    words = [os.fsencode(word) for word in given.words] + ([] if isinstance(expected, Fatal) else PROGRAM)
    command = [*NAMESPACE, *etc.mounted, pyinit.named(name).file, *words]
    environment = {b"PATH": b"/usr/bin:/bin", **given.environment}
    done = subprocess.run(
        command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE
    )
    errors = done.stderr.decode(errors="surrogateescape")
    assert "Traceback" not in errors and "internal error" not in errors, errors
    assert "\x1b" not in errors
    if isinstance(expected, Fatal):
        assert done.returncode == expected.status, errors
        assert done.stdout == b""
        pid = re.compile(r"(?<=catatonit:)\d+")  # of whoever speaks
        said = pid.sub("", errors)
        assert all(pid.sub("", printable(line)) in said for line in expected.others_words or (expected.message,))
        lines = len(expected.others_words) or (2 if expected.usage else 1)
        assert len(errors.splitlines()) <= lines, errors


def test_the_longest_times_can_be_waited_for(pyinit: Pyinit) -> None:
    """One more digit is wrong usage: the kernel's clock could not hold it."""
    options = ("--grace", "999999999.9", "--stop-timeout", "999999999.9")
    status, _, errors = pyinit.run(*options, "--", "sh", "-c", "sleep 60 & kill -TERM 1; trap '' TERM; exit 3")
    assert status in (3, 143)  # TERM may come before the trap
    assert "internal error" not in errors
