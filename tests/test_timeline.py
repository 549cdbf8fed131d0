"""`pyinitctl timeline`: the life of a container, drawn from journals that real runs have written."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyinit.ctl.__main__ import main
from tests.support import Pyinit, wait_until

# Leaves a process that handles TERM and one that ignores it.
LEAVES = """
mkfifo "$0.1" "$0.2"
sh -c 'trap "exit 4" TERM; : >"$0.1"; while :; do sleep 0.05; done' "$0" &
: <"$0.1"
sh -c 'trap "" TERM; : >"$0.2"; exec sleep 1000' "$0" &
: <"$0.2"
(sh -c 'exit 3' &)
trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done
"""


def timeline(*arguments: "str | Path", **environment: str) -> Result:
    """Run the command, 80 columns wide and not on a terminal, unless the environment says otherwise."""
    return CliRunner().invoke(main, ["timeline", *map(str, arguments)], env={"COLUMNS": "80", **environment})


def model(*arguments: "str | Path") -> "dict[str, Any]":
    done = timeline("--json", *arguments)
    assert done.exit_code == 0, done.output
    parsed: "dict[str, Any]" = json.loads(done.stdout)
    return parsed


@pytest.fixture(scope="module")
def stop(pyinit: Pyinit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a stop: the program handles TERM and leaves two, of which one must be killed."""
    directory = tmp_path_factory.mktemp("stop")
    journal = directory / "journal"
    options = ("-c", "--grace", "0.5", "--events", journal)
    with pyinit.start(*options, "--", "sh", "-c", LEAVES, directory / "fifo") as run:
        run.wait_for("ready")
        wait_until(lambda: '"status": 3' in journal.read_text(), "the orphan is reaped")
        run.send(15)
        assert run.finish()[0] == 5
    return journal


def test_the_model_has_what_became_of_every_process(stop: Path) -> None:
    found = model(stop)
    by_role = {process["role"]: process for process in found["processes"]}
    assert (by_role["pyinit"]["pid"], by_role["program"]["words"][:2]) == (1, ["sh", "-c"])
    assert by_role["program"]["status"] == 5
    assert by_role["program"]["started"] is not None
    (orphan,) = (each for each in found["processes"] if each["status"] == 3)
    assert (orphan["role"], orphan["started"], orphan["left"]) == ("orphan", None, False)
    (handler,) = (each for each in found["processes"] if each["status"] == 4)
    assert (handler["left"], handler["killed"]) == (True, None)
    (killed,) = (each for each in found["processes"] if each["killed"] is not None)
    assert (killed["name"], killed["signal"], killed["ignores"], killed["left"]) == ("sleep", "SIGKILL", True, True)
    assert handler["seen"] == killed["seen"] == found["drains"][0]["time"]
    (signal,) = found["signals"]
    assert (signal["signal"], signal["sender_pid"], signal["target"]) == ("SIGTERM", 0, by_role["program"]["pid"])
    assert 0 < signal["time"] <= signal["forwarded"] <= by_role["program"]["reaped"] <= killed["killed"]
    assert found["ended"] == found["duration"] >= killed["reaped"]


def test_a_picture_is_xml_and_names_every_process(stop: Path, tmp_path: Path) -> None:
    done = timeline(stop, "-o", tmp_path / "life.svg")
    assert done.exit_code == 0, done.output
    texts = [element.text for element in ElementTree.parse(tmp_path / "life.svg").iter() if element.text]
    for process in model(stop)["processes"]:
        assert any(text.startswith(f"{process['pid']} ") for text in texts)
    assert "TERM from outside" in texts
    assert "KILL" in texts
