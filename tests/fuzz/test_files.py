"""Secret files, fixuid's configuration as a start reads it, and journals from the writer to the reader."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinit.ctl.timeline import journal as timeline
from pyinit.prepare import secrets
from pyinit.settings import ERROR, Settings
from pyinit.tell import Fatal
from pyinit.tell.journal import Journal
from pyinit.tell.log import Log
from tests.support import DEADLINE, Pyinit
from tests.support.identity import Etc

from .support import CORPUS, UNCLEAR, WATCHDOG, any_texts, assert_clear, assert_clear_lines, examples

pytestmark = WATCHDOG

# ---- Secrets

MARK = b"s3cr3t"  # in each value, and in no name
FILE_NAMES = st.one_of(
    st.sampled_from(["TOKEN", "PASSWORD", "_", "a1", "1a", "db-password", ".hidden", "A=B", "A B", "ä", "TOKEN_FILE"]),
    any_texts(20, without="/", shortest=1),
).filter(lambda name: name not in (".", ".."))

# A file is some bytes, so many times: a large one is not shown whole where a test fails.
Files = dict[str, tuple[bytes, int]]
CONTENTS = st.tuples(
    st.binary(max_size=60) | st.sampled_from([b"", b"\n", b"\n\n", b"a\r\n", b"\0"]), st.sampled_from([1, 1, 1, 3000])
)
FILES = st.dictionaries(FILE_NAMES, CONTENTS, max_size=4)


@contextlib.contextmanager
def directory_of(files: Files) -> "Iterator[Path]":
    with tempfile.TemporaryDirectory() as name:
        for file, (data, times) in files.items():
            (Path(name) / file).write_bytes(MARK + data * times)
        yield Path(name)


def expected(files: Files) -> "dict[bytes, bytes]":
    """The variables, each with its content but for one end of line at the end."""
    names = [name for name in files if name.isascii() and name.isidentifier()]
    contents = {os.fsencode(name): MARK + files[name][0] * files[name][1] for name in names}
    return {name: data[:-1].removesuffix(b"\r") if data.endswith(b"\n") else data for name, data in contents.items()}


@examples(150)
@given(FILES)
@example({"TOKEN": (b"", 1), "db-password": (b"", 1)})
@example({"_" * 199: (b"x", 131072 - 199 - 2 - len(MARK))})
def test_any_secret_files_are_their_values_or_one_clear_line(files: Files) -> None:
    with directory_of(files) as directory:
        try:
            found = secrets.read(Settings(secrets=str(directory)), {}, Log(ERROR))
        except Fatal as error:
            assert_clear(error, {2})
            assert MARK.decode() not in error.message
        else:
            assert found == expected(files)


@examples(12, real=True)
@given(FILES, st.sampled_from([[], ["-vvv"], ["--strict", "-u", "1000"]]))
def test_the_real_file_gives_exactly_these_values(pyinit: Pyinit, files: Files, options: "list[str]") -> None:
    with directory_of(files) as directory:
        status, output, errors = pyinit.run("--secrets", directory, *options, "--", "env", "-0", cwd="/")
        assert_clear_lines(errors)
        assert MARK.decode() not in errors
        # 126: too long for all of it, or for one. 1: passed over, with --strict
        assert status in (0, 2, 126) or (status == 1 and options[:1] == ["--strict"]), errors
        if status == 0:
            lines = output.split("\0")
            for name, value in expected(files).items():
                assert f"{os.fsdecode(name)}={value.decode(errors='replace')}" in lines
        else:
            assert output == ""


VARIABLES = st.dictionaries(
    st.sampled_from(
        [b"X_FILE", b"X", b"_FILE", b"1_FILE", b"a-b_FILE", b"X_FILE_FILE", b"SSL_CERT_FILE", b"\xff_FILE"]
    ),
    st.sampled_from([b"", b"/", b"/no/such", b"/dev/null", b"/dev/zero", b"/proc/self/mem", b"\xff", b"/etc/hostname"]),
)


@examples(100)
@given(VARIABLES)
def test_any_variable_that_names_a_file_is_replaced_or_one_clear_line(environment: "dict[bytes, bytes]") -> None:
    try:
        changes = secrets.read(Settings(expand_file_vars=("*",)), environment, Log(ERROR))
    except Fatal as error:
        assert_clear(error, {2})
        return
    after = secrets.applied(changes, environment)
    gone = environment.keys() - after.keys()
    assert after.keys() - environment.keys() <= {name[:-5] for name in gone}
    assert not gone & {b"SSL_CERT_FILE", b"_FILE", b"1_FILE", b"a-b_FILE", b"\xff_FILE"}


# ---- fixuid's configuration: the parser has its tests in options/test_fixuid_config.py; here a start reads it.

CONFIGS = st.one_of(
    st.binary(max_size=80),
    st.lists(
        st.sampled_from(
            [
                *(
                    "user: dev",
                    "group: dev",
                    "group: 'node'",
                    "paths:",
                    "  - /home/dev",
                    "paths: [/home/dev]",
                    "user: root",
                ),
                *("user: é", "- x", "{", '"', "user: &a", "\t", "# x", "---", "group: \x1b[2J", "user: none"),
            ]
        ),
        max_size=5,
    ).map(lambda lines: "\n".join(lines).encode()),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Etc:
    etc = Etc(tmp_path_factory.mktemp("place"))
    (etc.path / "fixuid").mkdir(mode=0o755)
    return etc


def assert_starts_or_says_why(pyinit: Pyinit, place: Etc, name: str, data: bytes) -> None:
    """Started by root, it reads the configuration and changes nothing."""
    directory = place.path / "fixuid"
    shutil.rmtree(directory)
    directory.mkdir(mode=0o755)
    (directory / name).write_bytes(data)
    (directory / name).chmod(0o644)
    before = place.read("passwd"), place.read("group")
    status, output, errors = pyinit.named("fixuid").run("-q", "echo", "started", wrapper=place.mounted, cwd="/")
    assert_clear_lines(errors, UNCLEAR[:2])  # json and tomllib say in their own words what is wrong in a file
    assert (place.read("passwd"), place.read("group")) == before
    if status == 0:
        assert (output, errors) == ("started\n", "")
    else:
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert "/etc/fixuid" in errors


@examples(12, real=True)
@given(st.sampled_from(["config.yml", "config.json", "config.toml", "config.txt"]), CONFIGS)
def test_any_configuration_starts_the_program_or_is_one_clear_line(
    pyinit: Pyinit, place: Etc, name: str, data: bytes
) -> None:
    assert_starts_or_says_why(pyinit, place, name, data)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("config*")), ids=lambda path: path.name)
def test_the_corpus_of_configurations(pyinit: Pyinit, place: Etc, file: Path) -> None:
    assert_starts_or_says_why(pyinit, place, "config" + file.suffix, file.read_bytes())


# ---- Journals

TEXTS = st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace").decode()) | st.binary(max_size=6).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
PIDS = st.integers(-(2**31), 2**31)
EVENTS = st.one_of(
    st.tuples(st.just("start"), st.fixed_dictionaries({"pid": PIDS, "arguments": st.lists(TEXTS, max_size=3)})),
    st.tuples(st.just("spawn"), st.fixed_dictionaries({"pid": PIDS, "program": st.lists(TEXTS, max_size=3)})),
    st.tuples(st.just("signal"), st.fixed_dictionaries({"signal": TEXTS, "sender_pid": PIDS, "sender_uid": PIDS})),
    st.tuples(st.just("drain"), st.fixed_dictionaries({"left": st.lists(PIDS, max_size=3), "grace": st.just(0.5)})),
    st.tuples(st.just("ended"), st.fixed_dictionaries({"status": PIDS, "error": st.none() | TEXTS})),
)


@examples(100)
@given(st.lists(EVENTS, max_size=5))
def test_what_is_written_to_a_journal_is_read_back(events: "list[tuple[str, dict[str, object]]]") -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal"
        journal = Journal(str(path))
        try:
            for kind, details in events:
                journal.write(kind, **details)
        finally:
            os.close(journal._descriptor)
        data = path.read_bytes()
    assert data.count(b"\n") == len(events)
    read = timeline.read(io.BytesIO(data))
    assert (read.broken, read.unknown, read.incomplete) == ([], {}, False)
    found = [event for run in read.runs for event in run]
    assert [event.kind for event in found] == [kind for kind, _ in events]
    for event, (_, details) in zip(found, events):
        assert details.items() <= event.details.items() or has_stray_bytes(details)


def has_stray_bytes(details: object) -> bool:
    """Bytes that are no UTF-8 become escapes, which may join to another character: they are not compared."""
    return any("\udc80" <= character <= "\udcff" for character in ascii_free(details))


def ascii_free(value: object) -> str:
    if isinstance(value, dict):
        return "".join(map(ascii_free, value.values()))
    return "".join(map(ascii_free, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("journal*")), ids=lambda path: path.name)
def test_the_corpus_of_journals_is_drawn_or_one_clear_line(file: Path, tmp_path: Path) -> None:
    for options in ([], ["--json"], ["-o", str(tmp_path / "picture.svg")]):
        command = [sys.executable, "-m", "pyinit.ctl", "timeline", str(file), *options]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE)
        assert done.returncode in (0, 1, 2)
        assert not any(words in done.stderr for words in UNCLEAR)
        assert bool(done.returncode) == ("Error: " in done.stderr)
