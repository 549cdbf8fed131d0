"""The journal: one JSON object a line, of what happened and when."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pyinit.tell.journal import json_text
from tests.support import Pyinit, probe, wait_until


def events(path: Path) -> "list[dict[str, Any]]":
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_journal_tells_a_whole_life(every_pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    before, before_monotonic = time.time(), time.monotonic()
    script = "(sh -c 'exit 3' &); trap 'exit 5' QUIT; echo ready; while :; do sleep 0.1; done"
    with every_pyinit.start("--events", journal, "-r", "TERM:QUIT", "-c", "--", "sh", "-c", script) as run:
        run.wait_for("ready")
        wait_until(lambda: '"orphan": true' in journal.read_text(), "the orphan is reaped")
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 5
    found = events(journal)
    kinds = [event["event"] for event in found]
    assert kinds[:2] == ["start", "spawn"]
    assert kinds[-2:] == ["reaped", "ended"]
    assert found[0]["pid"] == 1
    assert found[1]["program"] == ["sh", "-c", script]
    (received,) = (event for event in found if event["event"] == "signal")
    assert (received["signal"], received["sender_pid"], received["sender_uid"]) == ("SIGTERM", 0, 0)
    (forwarded,) = (event for event in found if event["event"] == "forwarded")
    assert (forwarded["signal"], forwarded["target"]) == ("SIGQUIT", found[1]["pid"])
    reaped = [event for event in found if event["event"] == "reaped"]
    assert {"status": 3, "orphan": True, "signal": None, "command": "sh"}.items() <= reaped[0].items()
    assert {"pid": found[1]["pid"], "status": 5, "orphan": False}.items() <= reaped[-1].items()
    assert found[-1]["status"] == 5
    started = [event["monotonic"] - event["age"] for event in (reaped[-1], reaped[0])]
    tick = 0.02  # seconds: the kernel counts starts in 10 ms
    assert found[0]["monotonic"] - tick <= started[0] <= found[1]["monotonic"] + tick, "between the two events"
    assert started[0] <= started[1] + tick <= reaped[0]["monotonic"] + 2 * tick
    for clock, start, now in (("time", before, time.time()), ("monotonic", before_monotonic, time.monotonic())):
        times = [event[clock] for event in found]
        assert times == sorted(times)
        assert start - 1 <= times[0] <= times[-1] <= now + 1


def test_the_sender_of_a_signal_is_named(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = "trap 'exit 0' USR1; echo $$; kill -USR1 1; while :; do sleep 0.1; done"
    status, output, _ = pyinit.run("--events", journal, "--", "sh", "-c", script)
    (received,) = (event for event in events(journal) if event["event"] == "signal")
    assert status == 0
    assert (received["sender_pid"], received["sender_uid"]) == (int(output), 0)


def test_a_program_killed_by_a_signal_is_told_so(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert pyinit.run("--events", journal, "--", "sh", "-c", "kill -KILL $$")[0] == 137
    (reaped,) = (event for event in events(journal) if event["event"] == "reaped")
    assert (reaped["signal"], reaped["status"]) == ("SIGKILL", 137)


def test_a_program_that_does_not_start_is_in_the_journal(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert pyinit.run("--events", journal, "--", "no-such-program")[0] == 127
    assert events(journal)[-1]["status"] == 127


def test_the_journal_is_appended_to_and_its_owners_alone(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    for _ in range(2):
        pyinit.run("--events", journal, "--", "true")
    assert [event["event"] for event in events(journal)].count("start") == 2
    assert journal.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("stream", ["-", "/dev/stderr", "/dev/stdout"])
def test_the_journal_can_go_to_a_standard_stream(pyinit: Pyinit, stream: str) -> None:
    _, output, errors = pyinit.run("--events", stream, "--", "true")
    lines = (output if stream == "/dev/stdout" else errors).splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "spawn", "reaped", "ended"]


def test_a_journal_that_cannot_be_opened_is_an_error_before_the_start(pyinit: Pyinit, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    status, _, errors = pyinit.run("--events", tmp_path / "none" / "journal", "--", "touch", marker)
    assert status == 2
    assert errors.startswith("pyinit: --events: cannot open ")
    assert not marker.exists()


def test_the_journal_follows_no_symbolic_link(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert pyinit.run("--events", tmp_path / "link", "--", "true")[0] == 2
    assert not (tmp_path / "target").exists()


ANOTHER = 7001


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A directory that others can write to."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume").chmod(0o777)
    return tmp_path / "volume"


def lay_out(journal: Path, owner: int, mode: int) -> None:
    journal.touch()
    journal.chmod(mode)
    os.chown(journal, owner, owner)


def is_refused(pyinit: Pyinit, journal: Path) -> bool:
    """Whether pyinit does not start, and writes nothing."""
    before = journal.read_bytes() if journal.is_file() else b""
    status, output, errors = pyinit.run("--events", journal, "--", "echo", "started")
    if status:
        assert (status, output) == (2, "")
        assert errors.startswith(f"pyinit: --events: cannot open '{journal}': others can write to its directory")
        assert before == (journal.read_bytes() if journal.is_file() else b"")
    return status != 0


def test_f120_a_journal_that_another_user_has_laid_out_is_refused(pyinit: Pyinit, volume: Path) -> None:
    journal = volume / "journal"
    for mode in (0o666, 0o644, 0o600):
        lay_out(journal, ANOTHER, mode)
        assert is_refused(pyinit, journal)
        journal.unlink()
    assert not is_refused(pyinit, journal)  # made by us
    assert not is_refused(pyinit, journal)


def test_f120_a_file_of_roots_that_others_read_or_that_has_two_names_is_no_journal(
    pyinit: Pyinit, volume: Path
) -> None:
    """Who may write to a directory may rename what is there, and link to it."""
    journal = volume / "journal"
    lay_out(journal, 0, 0o644)
    assert is_refused(pyinit, journal)
    journal.chmod(0o660)  # as the kubelet leaves it, for fsGroup
    assert not is_refused(pyinit, journal)
    os.link(journal, volume / "another")
    assert is_refused(pyinit, journal)


def test_f120_a_fifo_that_another_user_reads_is_no_journal(pyinit: Pyinit, volume: Path) -> None:
    os.mkfifo(volume / "journal")
    os.chown(volume / "journal", ANOTHER, ANOTHER)
    reader = os.open(volume / "journal", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert is_refused(pyinit, volume / "journal")
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


@pytest.mark.parametrize(("owner", "mode", "refused"), [(0, 0o755, False), (ANOTHER, 0o755, True), (0, 0o775, True)])
def test_f120_whose_the_directory_is_decides(
    pyinit: Pyinit, volume: Path, owner: int, mode: int, refused: bool
) -> None:
    """Where root alone writes, the file is what somebody chose: it may be shipped by another user, say."""
    os.chown(volume, owner, owner)
    volume.chmod(mode)
    lay_out(volume / "journal", ANOTHER, 0o644)
    assert is_refused(pyinit, volume / "journal") == refused


@pytest.mark.parametrize("where", ["root's", "volume"])
def test_f120_a_developers_file_that_an_engine_mounts_is_a_journal(
    pyinit: Pyinit, volume: Path, tmp_path: Path, where: str
) -> None:
    """`docker run -v ./journal:/journal`: the file is the developer's, and where it is mounted, the engine's choice."""
    lay_out(tmp_path / "journal", ANOTHER, 0o644)
    directory = volume if where == "volume" else tmp_path
    script = f'touch {directory}/j; mount --bind {tmp_path}/journal {directory}/j; exec "$@"'
    status, output, errors = pyinit.run(
        "--events", directory / "j", "--", "echo", "started", wrapper=("sh", "-ec", script, "sh")
    )
    assert (status, output) == (0, "started\n"), errors
    assert [event["event"] for event in events(tmp_path / "journal")][-1] == "ended"


def test_f120_a_user_has_a_journal_among_its_own_files(shared_pyinit: Pyinit, volume: Path) -> None:
    os.chown(volume, ANOTHER, ANOTHER)
    volume.chmod(0o700)
    lay_out(volume / "journal", ANOTHER, 0o644)
    wrapper = ("setpriv", "--reuid", str(ANOTHER), "--regid", str(ANOTHER), "--clear-groups")
    status, _, errors = shared_pyinit.run("--events", "journal", "--", "true", wrapper=wrapper, cwd=volume)
    assert (status, errors) == (0, "")


def test_a_journal_nobody_reads_delays_nothing(pyinit: Pyinit, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pyinit.start("--events", fifo, "--", *probe("recorder")) as run:
            run.wait_for("ready\n")
            for _ in range(600):
                run.send(signal.SIGUSR1)
                run.wait_for("got 10\n")
                run._output = b""
            run.send(signal.SIGTERM)
            run.wait_for("got 15\n")
            run.send(signal.SIGTERM)
            assert run.finish()[0] == 0
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -5,
        1.5,
        "",
        'é\n\t\x00\x1f"\\/',
        "\x7f\x9b31m\x85\u2028\u2029",
        "\udcff",
        "\U0001f600",
        [],
        ["a", 1],
        {"k": [None, {"x": "y"}]},
    ],
)
def test_json_text_is_read_back_as_it_was(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text)  # a terminal would obey some
