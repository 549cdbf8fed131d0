"""--before and --after."""

import os
import signal
from pathlib import Path

import pytest

from tests.support import Pyinit
from tests.support.identity import Etc


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


WHO = "sh -c 'echo $0 $(id -u) ${HOME-none} ${TOKEN-none}'"


@pytest.mark.parametrize("options", [(), ("--exec",)])
def test_f82_setup_runs_as_who_we_are_before_the_user_is_taken_on(
    pyinit: Pyinit, etc: Etc, tmp_path: Path, options: "tuple[str, ...]"
) -> None:
    """With the environment as it was, and without secrets: what a script does that then calls gosu."""
    (tmp_path / "token").write_text("value")
    before = () if options else ("--before", WHO.replace("$0", "before"))
    command = ("--setup", WHO.replace("$0", "one"), "--setup", WHO.replace("$0", "two"), *before, "-u", "dev")
    command += ("--secret", f"TOKEN={tmp_path}/token", *options)
    environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
    program = ["sh", "-c", "echo program $(id -u) $HOME $TOKEN"]
    status, output, errors = pyinit.run(*command, "--", *program, wrapper=etc.mounted, env=environment)
    assert (status, errors) == (0, "")
    expected = ["one 0 /root none", "two 0 /root none"]
    expected += [] if options else ["before 1000 /home/dev none"]
    assert output.splitlines() == [*expected, "program 1000 /home/dev value"]


def test_f82_setup_can_give_a_volume_to_the_user_that_was_matched(pyinit: Pyinit, etc: Etc, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    command = ("-u", "dev", "--match", "4242:4343", "--setup", f"chown dev:dev {tmp_path}/volume")
    assert pyinit.run(*command, "--", "true", wrapper=etc.mounted)[0] == 0
    status = (tmp_path / "volume").stat()
    assert (status.st_uid, status.st_gid) == (4242, 4343)


@pytest.mark.parametrize("options", [(), ("--exec",)])
def test_f82_a_setup_that_fails_ends_the_start(pyinit: Pyinit, options: "tuple[str, ...]") -> None:
    command = ("--setup", "sh -c 'exit 9'", *options, "--", "echo", "program")
    errors = "pyinit: --setup ['sh', '-c', 'exit 9']: status 9, so the program is not started\n"
    assert pyinit.run(*command) == (9, "", errors)
    assert pyinit.run("--setup", "no-such-hook", *options, "--", "echo", "program")[:2] == (127, "")


@pytest.mark.parametrize("options", [(), ("--exec",)])
def test_f82_a_stop_goes_to_setup_and_ends_the_start(pyinit: Pyinit, options: "tuple[str, ...]") -> None:
    hook = "sh -c 'trap \"echo hook got it; exit 0\" TERM; echo ready; while :; do sleep 0.05; done'"
    with pyinit.start("--setup", hook, *options, "-u", "0", "--", "echo", "program") as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, output) == (143, "ready\nhook got it\n")
    assert "pyinit: --setup [" in errors and "ended by SIGTERM, so the program is not started" in errors


def test_f82_a_caller_of_the_launcher_sets_nothing_up(pyinit: Pyinit) -> None:
    environment = {"PATH": os.environ["PATH"], "PYINIT_SETUP": "echo never", ".PYINIT_SETUP": "echo never"}
    _, output, _ = pyinit.run("--launched-as=/pyinit", "--setup", "echo never", "--", "true", env=environment)
    assert output == ""


def test_f82_without_cap_kill_setup_is_root_and_the_program_gets_the_stop(pyinit: Pyinit, etc: Etc) -> None:
    """PID 1 takes the program's UID as its real one for the signals, and shells give up an effective one beside it."""
    without_kill = ("setpriv", "--bounding-set=-kill", "--inh-caps=-kill", "env")
    show = "sh -c 'echo $0 $(id -ru) $(id -u)'"
    hooks = ("--setup", show.replace("$0", "setup"), "--before", show.replace("$0", "before"), "-u", "dev")
    script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    with pyinit.start(*hooks, "--", "sh", "-c", script, wrapper=(*etc.mounted, *without_kill)) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, output) == (7, "setup 0 0\nbefore 1000 1000\nready\n")
    assert "pyinit" not in errors
