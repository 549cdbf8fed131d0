"""What the program gets from pyinit, and can learn of it: the defences of SECURITY.md that no other file tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import NAMESPACE, Pyinit, Terminal, probe, wait_until, waits_for_signals
from tests.support.identity import Etc

# Lists the descriptors that it was started with. The one that listing takes is closed by the time of `print`.
LISTING = """\
import os
found = [int(name) for name in os.listdir("/proc/self/fd")]
print(sorted(fd for fd in found if os.path.exists(f"/proc/self/fd/{fd}")))
"""
LIST_DESCRIPTORS = ["/usr/bin/python3", "-ISc", LISTING]
DESCRIPTORS_OF_A_HOOK = "sh -c 'ls -m /proc/$$/fd'"


@pytest.fixture
def given() -> "Iterator[tuple[int, int]]":
    """A pipe (reader, writer) whose writer is given to pyinit under a number far from those that it takes itself."""
    reader, low = os.pipe()
    writer = os.dup2(low, 77)
    os.close(low)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="by-default"),
        pytest.param(("--events", "{}/journal"), id="events"),
        pytest.param(("--events", "-"), id="events-on-standard-error"),
        pytest.param(("--session",), id="session"),
        pytest.param(("--user", "nobody"), id="user"),
        pytest.param(("--user", "nobody", "--exec"), id="exec"),
        pytest.param(("--no-new-privileges", "--drop-capabilities"), id="limits"),
        pytest.param(("--secrets", "{}/secrets"), id="secrets"),
        pytest.param(("--before", "true", "--after", "true"), id="hooks"),
        pytest.param(("--orphans", "end", "--stop-timeout", "60", "-vvv", "-w"), id="loop"),
        pytest.param(("--events", "{}/journal", "--session", "-vvv", "--before", "true", "-u", "0"), id="together"),
    ],
)
def test_the_program_has_the_descriptors_that_pyinit_was_given_and_no_others(
    pyinit: Pyinit, tmp_path: Path, given: "tuple[int, int]", options: "tuple[str, ...]"
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "TOKEN").write_text("value")
    reader, writer = given
    words = [option.format(tmp_path) for option in options]
    script = f'echo still open >&{writer}; exec "$@"'
    command = ["/bin/bash", "-c", script, "bash", *LIST_DESCRIPTORS]
    status, output, errors = pyinit.run(*words, "--", *command, pass_fds=(writer,))
    assert (status, output) == (0, f"[0, 1, 2, {writer}]\n"), errors
    assert os.read(reader, 100) == b"still open\n"


def test_a_hook_has_the_descriptors_that_pyinit_was_given_and_no_others(
    pyinit: Pyinit, tmp_path: Path, given: "tuple[int, int]"
) -> None:
    hooks = ("--before", DESCRIPTORS_OF_A_HOOK, "--after", DESCRIPTORS_OF_A_HOOK)
    options = ("--events", tmp_path / "journal", "-vv", *hooks)
    status, output, _ = pyinit.run(*options, "--", "true", pass_fds=(given[1],))
    assert (status, output) == (0, f"0, 1, 2, {given[1]}\n" * 2)


@pytest.mark.parametrize("options", [(), ("--session",), ("-v", "--events", "-")])
def test_a_program_on_a_terminal_has_the_same_descriptors_as_without_pyinit(
    pyinit: Pyinit, options: "tuple[str, ...]"
) -> None:
    """Whatever else the tests themselves were started with comes with the terminal."""
    found = []
    for init in ([], [str(pyinit.file), *options, "--"]):
        with Terminal(*NAMESPACE, *init, *LIST_DESCRIPTORS) as terminal:
            found.append(terminal.wait_for(r"\[0, 1, 2[0-9, ]*\]")[0])
            assert terminal.finish() == 0
    assert found[0] == found[1]


def test_pid_1_shows_the_environment_that_the_engine_gave_and_no_directory(
    pyinit: Pyinit, tmp_path: Path, etc: Etc
) -> None:
    """What --user, --secrets and --after add is the program's or the command's: it never reaches PID 1."""
    (tmp_path / "TOKEN").write_text("value")
    environment = {"PATH": os.environ["PATH"], "GIVEN": "by the engine"}
    options = ("-u", "dev", "--secret", f"TOKEN={tmp_path}/TOKEN", "--after", "true")
    command = ("sh", "-c", "echo ready; exec sleep 60")
    with pyinit.start(*options, "--", *command, wrapper=etc.mounted, env=environment, cwd=tmp_path) as run:
        run.wait_for("ready\n")
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        found = Path(f"/proc/{run.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
        directory = Path(f"/proc/{run.pid}/cwd").readlink()
    expected = {f"{name}={value}".encode() for name, value in environment.items()}
    # A shell in front of pyinit, here that of the wrapper, sets PWD and the like.
    assert expected <= set(found)
    assert not [each for each in found if each.startswith((b"TOKEN", b"HOME=/home/dev", b"USER", b"PYINIT_"))]
    assert directory == Path("/")


# umask


@pytest.mark.parametrize("mask", ["000", "022", "077", "777"])
def test_any_umask_is_the_programs_and_the_journal_is_its_owners_alone(
    pyinit: Pyinit, tmp_path: Path, mask: str
) -> None:
    wrapper = ("sh", "-c", f'umask {mask}; exec "$@"', "sh")
    journal = tmp_path / "journal"
    for _ in range(2):  # the second start opens a file that is there
        assert pyinit.run("--events", journal, "--", "sh", "-c", "umask", wrapper=wrapper)[:2] == (0, f"0{mask}\n")
    assert journal.stat().st_mode & 0o177 == 0
    assert journal.read_text().count('"ended"') == 2


@pytest.mark.parametrize("mask", ["000", "077", "777"])
def test_account_files_have_the_modes_they_had_whatever_the_umask(pyinit: Pyinit, etc: Etc, mask: str) -> None:
    (etc.path / "group").chmod(0o640)
    wrapper = (*etc.mounted, "sh", "-c", f'umask {mask}; exec "$@"', "sh")
    status, output, _ = pyinit.run("-u", "dev", "--match", "4242:4243", "--", "sh", "-c", "umask", wrapper=wrapper)
    assert (status, output) == (0, f"0{mask}\n")
    assert "dev:x:4242:4243:" in etc.read("passwd")
    assert "dev:x:4243:" in etc.read("group")
    modes = {path.name: path.stat().st_mode & 0o777 for path in etc.path.iterdir() if path.name in ("passwd", "group")}
    assert modes == {"passwd": 0o644, "group": 0o640}
    others = [path for path in etc.path.iterdir() if path.name not in modes]
    assert all(path.stat().st_mode & 0o077 == 0 for path in others), others


# Secrets

READS_PID_1 = """\
import sys
for name in ("environ", "mem", "maps"):
    try:
        open(f"/proc/1/{name}", "rb").read(1)
        print(name, "can be read")
    except OSError as error:
        print(name, error.strerror)
"""


def test_the_programs_user_cannot_look_into_pid_1(pyinit: Pyinit, tmp_path: Path, etc: Etc) -> None:
    (tmp_path / "TOKEN").write_text("value")
    command = ["/usr/bin/python3", "-ISc", READS_PID_1]
    options = ("-u", "dev", "--secret", f"TOKEN={tmp_path}/TOKEN")
    status, output, _ = pyinit.run(*options, "--", *command, wrapper=etc.mounted)
    assert (status, output) == (0, "".join(f"{name} Permission denied\n" for name in ("environ", "mem", "maps")))


def test_a_hook_of_the_programs_user_can_read_neither_the_secret_nor_pid_1(
    pyinit: Pyinit, tmp_path: Path, etc: Etc
) -> None:
    """PID 1 holds the values while it runs: they were read before, when it was root."""
    secret = tmp_path / "TOKEN"
    secret.write_text("value")
    secret.chmod(0o600)
    hook = f"sh -c 'cat /proc/1/mem {secret} /proc/1/fd/*; printenv TOKEN; id -u'"
    options = ("-u", "dev", "--secret", f"TOKEN={secret}", "--before", hook)
    status, output, errors = pyinit.run(*options, "--", "sh", "-c", "echo $TOKEN", wrapper=etc.mounted)
    assert (status, output) == (0, "1000\nvalue\n")
    assert errors.count("Permission denied") >= 2


def test_a_fault_signal_that_somebody_sends_ends_the_program_and_dumps_no_core_of_pid_1(
    pyinit: Pyinit, tmp_path: Path
) -> None:
    """Its memory holds secrets. What is sent is forwarded as any other signal: only a real fault dumps."""
    (tmp_path / "TOKEN").write_text("value")
    options = ("--secret", f"TOKEN={tmp_path}/TOKEN")
    wrapper = ("sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh")
    with pyinit.start(*options, "--", *probe("recorder"), wrapper=wrapper, cwd=tmp_path) as run:
        run.wait_for("ready\n")
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS, signal.SIGTRAP):
            run.send(number)
            run.wait_for(f"got {int(number)}\n")
        for _ in range(2):
            run.send(signal.SIGTERM)
            run.wait_for("got 15\n")
            run._output = b""
        assert run.finish()[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["TOKEN"]


# The journal on a volume that others write to.


def test_a_journal_that_is_a_link_to_nothing_to_a_file_or_to_a_device_is_refused(
    pyinit: Pyinit, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("as it was")
    for name, to in (("file", target), ("loop", "loop"), ("device", "/dev/null"), ("stream", "/proc/self/fd/2")):
        (tmp_path / name).symlink_to(to)
        status, output, errors = pyinit.run("--events", tmp_path / name, "--", "echo", "started")
        assert (status, output) == (2, "")
        assert errors == f"pyinit: --events: cannot open '{tmp_path / name}': Too many levels of symbolic links\n"
    assert target.read_text() == "as it was"


def test_a_journal_that_is_a_fifo_without_a_reader_or_a_directory_is_refused(pyinit: Pyinit, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    for name, reason in (("fifo", "No such device or address"), ("directory", "Is a directory")):
        status, output, errors = pyinit.run("--events", tmp_path / name, "--", "echo", "started")
        assert (status, output) == (2, "")
        assert errors == f"pyinit: --events: cannot open '{tmp_path / name}': {reason}\n"


def test_a_journal_that_is_swapped_for_a_link_afterwards_is_not_opened_again(pyinit: Pyinit, tmp_path: Path) -> None:
    journal, moved, target = tmp_path / "journal", tmp_path / "moved", tmp_path / "target"
    target.write_text("")
    with pyinit.start("--events", journal, "--", *probe("recorder")) as run:
        run.wait_for("ready\n")
        journal.rename(moved)
        journal.symlink_to(target)
        for _ in range(2):
            run.send(signal.SIGTERM)
            run.wait_for("got 15\n")
            run._output = b""
        assert run.finish()[0] == 0
    assert target.read_text() == ""
    assert '"ended"' in moved.read_text()
