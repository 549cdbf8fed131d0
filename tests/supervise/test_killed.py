"""Why did it end with 137? The kernel for want of memory, pyinit, or somebody else."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Pyinit, wait_until

MEMORY = Path("/sys/fs/cgroup/memory")
TAKES_100_MIB = (sys.executable, "-ISc", "x = bytearray(100 << 20)")
WANT_OF_MEMORY = "the kernel has killed a process of the container for want of memory"
BY_KERNEL = WANT_OF_MEMORY + r" \(limit 40 MiB, peak (39|40) MiB\)\n"
NOT_BY_US = "pyinit: the program was ended by SIGKILL, which pyinit did not send, nor the kernel for want of memory\n"


@pytest.fixture
def limited() -> "Iterator[tuple[str, ...]]":
    """What puts a command into a cgroup that may have 40 MiB."""
    own = next((line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line), "")
    path = MEMORY / own.rpartition(":")[2].strip("/") / f"pyinit-tests-{uuid.uuid4().hex[:8]}"
    try:
        path.mkdir()
    except OSError as error:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1" and own:
            pytest.fail(f"no cgroup of version 1 for memory: {error}")
        pytest.skip(f"no cgroup of version 1 for memory: {error}")
    (path / "memory.limit_in_bytes").write_text(str(40 << 20))
    yield "sh", "-c", f'echo 0 > {path}/cgroup.procs; exec "$@"', "sh"
    wait_until(lambda: not (path / "cgroup.procs").read_text(), "nobody is left")
    path.rmdir()


def test_f114_a_program_that_the_kernel_killed_for_want_of_memory(
    every_pyinit: Pyinit, limited: "tuple[str, ...]"
) -> None:
    status, _, errors = every_pyinit.run("--", *TAKES_100_MIB, wrapper=limited)
    assert status == 137
    assert re.fullmatch("pyinit: the program was ended by SIGKILL: " + BY_KERNEL, errors)


def test_f114_a_shell_whose_child_was_killed_so(pyinit: Pyinit, limited: "tuple[str, ...]") -> None:
    script = '"$@"; exit $?'
    status, _, errors = pyinit.run("--", "sh", "-c", script, "sh", *TAKES_100_MIB, wrapper=limited)
    assert status == 137
    assert re.fullmatch("(Killed\n)?pyinit: " + BY_KERNEL, errors)


@pytest.mark.parametrize("exit_status", [0, 1, 137])
def test_f114_nothing_is_said_where_nobody_was_killed(
    pyinit: Pyinit, limited: "tuple[str, ...]", exit_status: int
) -> None:
    assert pyinit.run("--", "sh", "-c", f"exit {exit_status}", wrapper=limited) == (exit_status, "", "")


def test_f114_a_kill_of_somebody_else(pyinit: Pyinit, limited: "tuple[str, ...]") -> None:
    """Also where the kernel has killed another before, and who that was is in the journal."""
    assert pyinit.run("--", "sh", "-c", "kill -9 $$", wrapper=limited) == (137, "", NOT_BY_US)
    script = '("$@" &); sleep 1; while pgrep -x python3 >/dev/null; do sleep 0.1; done; kill -9 $$'
    command = ("sh", "-c", script, "sh", *TAKES_100_MIB)
    _, _, errors = pyinit.run("-w", "-v", "--events", "-", "--", *command, wrapper=limited)
    events = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    killed = [event for event in events if event["event"] == "reaped" and event["signal"] == "SIGKILL"]
    assert [event["killed_by"] for event in killed] == ["memory", "other"]
    assert (killed[0]["orphan"], killed[0]["memory_limit"]) == (True, 40 << 20)
    assert NOT_BY_US in errors


@pytest.mark.parametrize("background", [" &", ""], ids=["orphan", "child"])
def test_f114_without_a_journal_nobody_says_that_it_was_the_program(
    pyinit: Pyinit, limited: "tuple[str, ...]", background: str
) -> None:
    """The kernel killed another, and somebody else the program: the line is true of both."""
    script = f'("$@"{background}); sleep 1; while pgrep -x python3 >/dev/null; do sleep 0.1; done; kill -9 $$'
    status, _, errors = pyinit.run("--", "sh", "-c", script, "sh", *TAKES_100_MIB, wrapper=limited)
    assert status == 137
    assert re.fullmatch("(Killed\n)?pyinit: the program was ended by SIGKILL: " + BY_KERNEL, errors)


def test_f114_a_kill_of_ours_is_told_as_ours(pyinit: Pyinit, limited: "tuple[str, ...]") -> None:
    options = ("--events", "-", "--stop-timeout", "0.2", "--grace", "0.2")
    script = "trap '' TERM; sh -c 'while :; do sleep 0.05; done' & echo ready; while :; do sleep 0.05; done"
    with pyinit.start(*options, "--", "sh", "-c", script, wrapper=limited) as run:
        run.wait_for("ready")
        run.send(15)
        status, _, errors = run.finish()
    events = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    killed = [event["killed_by"] for event in events if event["event"] == "reaped" and event["signal"] == "SIGKILL"]
    assert status == 137
    assert len(killed) >= 2 and set(killed) == {"pyinit"}
    assert "did not send" not in errors


def test_f114_outside_pid_1_the_kernels_kills_are_others_too(pyinit: Pyinit, limited: "tuple[str, ...]") -> None:
    status, _, errors = pyinit.run("--", *TAKES_100_MIB, wrapper=limited, namespace=False)
    assert (status, errors) == (137, "pyinit: the program was ended by SIGKILL, which pyinit did not send\n")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"events": "low 0\noom 1\noom_kill 1\n", "max": "67108864", "peak": "67108864"},
            " (limit 64 MiB, peak 64 MiB)",
        ),
        ({"events": "oom_kill 1\n", "max": "max"}, ""),
    ],
    ids=["", "no limit, no peak"],
)
def test_f114_the_files_of_version_2_are_read(
    pyinit: Pyinit, tmp_path: Path, files: "dict[str, str]", said: str
) -> None:
    """As an engine shows them to a container that has a cgroup namespace: its own cgroup is the root."""
    for name, text in files.items():
        (tmp_path / f"memory.{name}").write_text(text)
    (tmp_path / "cgroup").write_text("0::/\n")
    errors = killed_with(pyinit, tmp_path)
    assert errors == f"pyinit: the program was ended by SIGKILL: {WANT_OF_MEMORY}{said}\n"


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill x\n", "oom_kill -1\n", "\0", "a" * 9000])
def test_f114_files_that_say_nothing_end_nothing(pyinit: Pyinit, tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.events").write_text(text)
    (tmp_path / "cgroup").write_text("0::/\n")
    assert killed_with(pyinit, tmp_path) == "pyinit: the program was ended by SIGKILL, which pyinit did not send\n"


def test_f114_a_fifo_in_its_place_keeps_nobody_waiting(pyinit: Pyinit, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "memory.events")
    (tmp_path / "cgroup").write_text("nonsense\n::\n0::/\n")
    assert "which pyinit did not send" in killed_with(pyinit, tmp_path)


def killed_with(pyinit: Pyinit, directory: Path) -> str:
    """What a program that is killed leaves on standard error where this directory is what is in /sys/fs/cgroup."""
    script = (
        f"mount --bind {directory} /sys/fs/cgroup && exec unshare --pid --fork --mount-proc sh -c "
        f"'mount --bind {directory}/cgroup /proc/1/cgroup; exec {pyinit.file} -- sh -c \"kill -9 \\$\\$\"'"
    )
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 137, done.stderr
    return done.stderr
