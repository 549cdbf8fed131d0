"""Once the program runs, a resident PID 1 keeps nothing busy that was given to the program."""

import os
import select
import subprocess
from pathlib import Path

import pytest

from tests.support import DEADLINE, NAMESPACE, Pyinit, wait_until, waits_for_signals
from tests.support.identity import Etc

SLEEP = ["sh", "-c", "echo ready; exec sleep 60"]


@pytest.fixture
def mounted(tmp_path: Path) -> "tuple[Path, tuple[str, ...]]":
    """A directory, and a wrapper that mounts something there and goes into it."""
    place = tmp_path / "mount"
    place.mkdir()
    return place, ("sh", "-c", f'mount -t tmpfs none {place} && cd {place} && exec "$@"', "sh")


@pytest.mark.parametrize("options", [(), ("--session",), ("-u", "0"), ("-v",), ("--before", "true"), ("-s", "-w")])
def test_f80_a_mount_can_be_unmounted_although_pyinit_was_started_in_it(
    every_pyinit: Pyinit, mounted: "tuple[Path, tuple[str, ...]]", options: "tuple[str, ...]"
) -> None:
    place, wrapper = mounted
    program = ["sh", "-c", f"pwd; cd /; until [ / = $(readlink /proc/1/cwd) ]; do :; done; umount {place} && echo gone"]
    status, output, _ = every_pyinit.run(*options, "--", *program, wrapper=wrapper)
    assert (status, output) == (0, f"{place}\ngone\n")


@pytest.mark.parametrize("name", ["tini", "dumb-init", "catatonit"])
def test_f80_under_other_names_too(pyinit: Pyinit, mounted: "tuple[Path, tuple[str, ...]]", name: str) -> None:
    place, wrapper = mounted
    program = ["sh", "-c", f"cd /; until [ / = $(readlink /proc/1/cwd) ]; do :; done; umount {place} && echo gone"]
    status, output, _ = pyinit.named(name).run("--", *program, wrapper=wrapper)
    assert (status, output) == (0, "gone\n")


def test_f80_a_pause_does_too(pyinit: Pyinit, tmp_path: Path) -> None:
    read, write = os.pipe()
    with pyinit.start("--pause", cwd=tmp_path, pass_fds=(write,)) as run:
        os.close(write)
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert Path(f"/proc/{run.pid}/cwd").readlink() == Path("/")
        run.process.stdout.close() if run.process.stdout else None
        assert {path.name for path in Path(f"/proc/{run.pid}/fd").iterdir()} <= {"0", "1", "2"}
    os.close(read)


def test_f80_every_command_has_the_directory_that_pyinit_was_started_in(pyinit: Pyinit, tmp_path: Path) -> None:
    hooks = ("--setup", "pwd", "--before", "pwd", "--after", "pwd")
    assert pyinit.run(*hooks, "--", "pwd", cwd=tmp_path) == (0, f"{tmp_path}\n" * 4, "")


def test_f80_a_directory_that_is_gone_harms_nothing(pyinit: Pyinit, tmp_path: Path) -> None:
    script = f'mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec "$@"'
    options = ("--before", "true", "--after", "echo after")
    assert pyinit.run(*options, "--", "echo", "x", wrapper=("sh", "-c", script, "sh"))[:2] == (0, "x\nafter\n")


def test_f80_a_user_who_may_not_see_the_directory_is_no_obstacle(
    shared_pyinit: Pyinit, tmp_path: Path, etc: Etc
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    options = ("-u", "dev", "--after", "echo after")
    done = shared_pyinit.run(*options, "--", "echo", "x", wrapper=etc.mounted, cwd=tmp_path / "closed")
    assert done[:2] == (0, "x\nafter\n")


GIVE = """\
import os, sys
given, number = map(int, sys.argv[1:3])
os.dup2(given, number)
if given != number:
    os.close(given)
os.execvp(sys.argv[3], sys.argv[3:])
"""


@pytest.mark.parametrize("options", [(), ("--session",), ("-u", "0"), ("-v", "--events", "journal")])
@pytest.mark.parametrize("number", [9, 200, 1000])
@pytest.mark.parametrize("proc", [True, False])
def test_f81_a_pipe_that_the_program_closes_has_its_end(
    pyinit: Pyinit, tmp_path: Path, options: "tuple[str, ...]", number: int, proc: bool
) -> None:
    """Without unshare as PID 1's parent, which would hold it, too. Without /proc as far as is looked."""
    read, write = os.pipe()
    hide = () if proc else ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    wrapper = (*hide, "python3", "-ISc", GIVE, str(write), str(number))
    program = ["python3", "-ISc", f"import os; os.write({number}, b'given'); os.close({number}); input()"]
    keywords = {"wrapper": wrapper, "pass_fds": (write,), "stdin": subprocess.PIPE, "cwd": tmp_path}
    with pyinit.start(*options, "--", *program, namespace=False, **keywords) as run:  # type: ignore[arg-type]
        os.close(write)
        assert read_all(read) == b"given" if proc or number < 256 else True
        assert run.process.stdin is not None
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        assert run.finish()[0] == 0


def read_all(descriptor: int) -> bytes:
    """What comes until nobody has the other end."""
    data = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], DEADLINE)
        assert ready, f"no end after {data!r}"
        more = os.read(descriptor, 100)
        if not more:
            os.close(descriptor)
            return data
        data += more


def test_f81_the_journal_the_log_and_the_terminal_are_pyinits_own(pyinit: Pyinit, tmp_path: Path) -> None:
    """They are written and used to the end."""
    command = [*NAMESPACE, "setsid", "--ctty", str(pyinit.file), "-vv", "--events", str(tmp_path / "journal")]
    command += ["--", "sh", "-c", "sleep 0.1; kill -USR1 1; exec sleep 0.2"]
    master, slave = os.openpty()
    try:
        done = subprocess.run(command, stdin=slave, capture_output=True, text=True, timeout=DEADLINE)
    finally:
        os.close(master)
        os.close(slave)
    assert "forwarded SIGUSR1" in done.stderr
    assert '"event": "ended"' in (tmp_path / "journal").read_text()
