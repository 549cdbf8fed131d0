"""Root without all of its capabilities: what is not done is said, nothing is half done, TERM arrives."""

import os

import pytest

from tests.support import Pyinit, proc_status
from tests.support.capabilities import SETS, USED
from tests.support.identity import PASSWD, Etc
from tests.tables.capabilities import HEAD, TABLE, rows

HARDENED = ("setpriv", "--bounding-set=-all,+setuid,+setgid", "--inh-caps=-all", "env")
WITHOUT_CHOWN = ("setpriv", "--bounding-set=-chown", "env")

SHOWN = {"--user", "--match", "--own, a new volume", "--drop-capabilities"}


def test_the_table_is_what_happens(shared_pyinit: Pyinit) -> None:
    """A part of it is made anew: python -m tests.tables.capabilities makes all."""
    table = TABLE.read_text()
    assert table.startswith(HEAD)
    made = rows(
        shared_pyinit, lambda which, option: option in SHOWN and which in ("Docker's", *list(SETS)[2:7], "none")
    )
    assert len(made) == 4 * 7
    assert set(made) <= set(table.splitlines(keepends=True))
    assert all(f"without {name.upper()}" in table for name in USED)


def test_f54_with_the_usual_hardened_set_a_stop_reaches_the_program(pyinit: Pyinit, etc: Etc) -> None:
    look = "kill -0 1 && echo may; cat /proc/1/environ >/dev/null || echo closed"
    script = f"trap 'exit 7' TERM; {look}; echo ready; while :; do sleep 0.05; done"
    with pyinit.start("-u", "dev", "--", "sh", "-c", script, wrapper=(*etc.mounted, *HARDENED)) as run:
        run.wait_for("ready")
        assert proc_status(run.pid)["Uid"].split() == ["1000", "0", "0", "0"]
        run.send(15)
        status, output, _ = run.finish()
    assert (status, output) == (7, "may\nclosed\nready\n")


def test_f54_what_ignores_the_stop_is_killed_with_the_hardened_set(pyinit: Pyinit, etc: Etc) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    options = ("--stop-timeout", "0.3", "-u", "dev", "--")
    with pyinit.start(*options, "sh", "-c", script, wrapper=(*etc.mounted, *HARDENED)) as run:
        run.wait_for("ready")
        run.send(15)
        assert run.finish()[0] == 137


@pytest.mark.parametrize("strict", [[], ["--strict"]], ids=["", "strict"])
def test_f54_a_real_uid_that_is_refused_is_said(pyinit: Pyinit, etc: Etc, strict: "list[str]") -> None:
    """A filter may refuse what the capability allows. The program starts all the same, with a line, or not at all."""
    refuse = ("strace", "-D", "-o", "/dev/null", "-e", "trace=setresuid", "-e", "inject=setresuid:error=EPERM")
    wrapper = (*etc.mounted, *HARDENED[:-1], *refuse)
    status, output, errors = pyinit.run(*strict, "-u", "dev", "--", "id", "-u", wrapper=wrapper)
    assert (
        "UID 1000 cannot be signalled, and neither stopped: CAP_KILL is missing, and as real UID it is refused"
        in errors
    )
    assert (status, output) == ((1, "") if strict else (0, "1000\n"))


def test_f55_the_account_stays_where_its_files_cannot_follow(pyinit: Pyinit, etc: Etc) -> None:
    (etc.home / "dev").mkdir()
    os.chown(etc.home / "dev", 1000, 1000)
    options = ("-u", "dev", "--match", "1500:1600")
    status, output, errors = pyinit.run(*options, "--", "id", "-u", wrapper=(*etc.mounted, *WITHOUT_CHOWN))
    assert (status, output, etc.read("passwd")) == (0, "1500\n", PASSWD)
    assert "Operation not permitted; CAP_CHOWN is missing" in errors
    status, output, _ = pyinit.run(*options, "--strict", "--", "id", wrapper=(*etc.mounted, *WITHOUT_CHOWN))
    assert (status, output, etc.read("passwd")) == (1, "", PASSWD)
    assert pyinit.run(*options, "--", "true", wrapper=etc.mounted)[0] == 0
    assert "dev:x:1500:1600:" in etc.read("passwd")


@pytest.mark.parametrize("name", ["setuid", "setgid"])
def test_f55_what_the_program_cannot_become_is_written_nowhere(pyinit: Pyinit, etc: Etc, name: str) -> None:
    limit = ("setpriv", f"--bounding-set=-{name}", "env")
    options = ("-u", "dev", "--match", "1500:1600", "--")
    status, output, errors = pyinit.run(*options, "id", wrapper=(*etc.mounted, *limit))
    assert (status, output, etc.read("passwd")) == (1, "", PASSWD)
    assert f"CAP_{name.upper()} is missing; nothing was changed" in errors


def test_f55_without_chown_a_pipe_can_be_opened_anew(pyinit: Pyinit, etc: Etc) -> None:
    script = "echo out >/dev/stdout; echo err >/dev/stderr"
    found = pyinit.run("-u", "dev", "--", "sh", "-c", script, wrapper=(*etc.mounted, *WITHOUT_CHOWN))
    assert found == (0, "out\n", "err\n")
