"""The journal: one JSON object a line, of what happened and when."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pyinit.journal import json_text
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
    spawned, lived = found[1]["monotonic"], reaped[-1]["monotonic"] - found[1]["monotonic"]
    assert abs(reaped[-1]["age"] - lived) < 0.1, "it was started when the journal said so: the kernel counts 10 ms"
    assert spawned - 0.1 < reaped[0]["monotonic"] - reaped[0]["age"] < reaped[0]["monotonic"]
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
        "\udcff",
        "\U0001f600",
        [],
        ["a", 1],
        {"k": [None, {"x": "y"}]},
    ],
)
def test_json_text_is_read_back_as_it_was(value: object) -> None:
    assert json.loads(json_text(value)) == value
