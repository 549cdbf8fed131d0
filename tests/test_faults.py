"""Each system call of pyinit fails in turn: FAULTS.md says what becomes of that, and this holds it."""

import os
import re
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults_support import (
    LOADING,
    MATRIX,
    PATIENCE,
    PREPARING,
    REFUSED,
    SETTINGS,
    TABLE,
    WITH_EINTR,
    Ended,
    Fault,
    Step,
    injection,
    run,
    steps,
    table,
)
from tests.identity_support import GROUP, PASSWD
from tests.support import DEADLINE, NAMESPACE, Pyinit, proc_status, wait_until, waits_for_signals

LONG = os.environ.get("PYINIT_LONG") == "1"

# The last error of each row always, all others in the long form.
CASES = [
    pytest.param(
        fault,
        error,
        id=f"{fault.setting}-{fault.phase}-{fault.call}-{fault.how}-{error}",
        marks=[] if error == fault.errors[-1] else pytest.mark.long,
    )
    for fault in MATRIX
    for error in (fault.errors if LONG else fault.errors[-1:])
]

_found: "dict[str, dict[tuple[str, str], Step]]" = {}


def first_step(pyinit: Pyinit, directory: Path, fault: Fault) -> Step:
    """Where the call is made for the first time in its phase, from a run in which nothing fails."""
    if fault.setting not in _found:
        directory = directory / "calibration"
        run(pyinit, directory, SETTINGS[fault.setting])
        of_setting: "dict[tuple[str, str], Step]" = {}
        for step in steps(pyinit, directory / "trace"):
            of_setting.setdefault((step.phase, step.call), step)
        _found[fault.setting] = of_setting
    call = fault.call
    for name in (call, *{"clone3": ("clone", "vfork", "fork")}.get(call, ())):
        if (fault.phase, name) in _found[fault.setting]:
            return _found[fault.setting][fault.phase, name]
    pytest.fail(f"{fault.setting}: no {call} while {fault.phase}, but {sorted(_found[fault.setting])}")


@pytest.mark.parametrize(("fault", "error"), CASES)
def test_a_call_that_fails_has_the_outcome_of_the_table(
    shared_pyinit: Pyinit, tmp_path: Path, fault: Fault, error: str
) -> None:
    expected = fault.outcome
    patience = PATIENCE if (expected.heard and expected.in_time) or not expected.started else 4.0
    step = first_step(shared_pyinit, tmp_path, fault)
    ended = run(
        shared_pyinit, tmp_path / "run", SETTINGS[fault.setting], *injection(fault, error, step), patience=patience
    )
    assert ended.injected >= 1, ended
    assert (ended.status, ended.started, ended.heard, ended.in_time) == expected[1:5], ended
    if expected.said:
        assert any(re.search(expected.said, line) for line in ended.errors), ended
    if fault.phase != "loading":
        assert not any("Traceback" in line for line in ended.errors), ended
    if not ended.started and fault.phase != "loading":
        assert len(ended.errors) == 1, ended
    assert files_are_whole(ended), ended


def test_without_a_descriptor_for_the_library_it_still_says_a_line(pyinit: Pyinit, tmp_path: Path) -> None:
    """Where zlib is a file, the code for messages cannot be unpacked then."""
    fault = Fault("plain", PREPARING, "openat", ("EMFILE",), "always", REFUSED)
    directory = tmp_path / "calibration"
    run(pyinit, directory, SETTINGS["plain"])
    step = next(each for each in steps(pyinit, directory / "trace") if each[::2] == ("openat", PREPARING))
    ended = run(pyinit, tmp_path / "run", SETTINGS["plain"], *injection(fault, "EMFILE", step))
    assert (ended.status, ended.started) == (1, False), ended
    assert len(ended.errors) == 1, ended
    assert "internal error before the program started" in ended.errors[0]


# The errors of calls that do not have them all; FAULTS.md says more.
POSSIBLE = {"mmap": ("ENOMEM",), "mprotect": ("ENOMEM",), "munmap": (), "rt_sigprocmask": (), "lseek": ("EIO",)}


if LONG:

    @pytest.mark.long
    @pytest.mark.timeout(1200)
    @pytest.mark.parametrize("setting", SETTINGS)
    @pytest.mark.parametrize("error", WITH_EINTR)
    def test_one_failure_at_any_step_is_a_line_or_no_matter(
        shared_pyinit: Pyinit, tmp_path: Path, setting: str, error: str
    ) -> None:
        run(shared_pyinit, tmp_path / "calibration", SETTINGS[setting])
        wrong = []
        for at, step in enumerate(steps(shared_pyinit, tmp_path / "calibration" / "trace")):
            if step.phase == LOADING or error not in POSSIBLE.get(step.call, WITH_EINTR):
                continue
            fault = Fault(setting, step.phase, step.call, (error,), "once", REFUSED)
            ended = run(shared_pyinit, tmp_path / str(at), SETTINGS[setting], *injection(fault, error, step))
            if not (goes_on(ended) or refuses(ended)) or not files_are_whole(ended):
                wrong.append((step, ended._replace(files={})))
        assert wrong == []


def goes_on(ended: Ended) -> bool:
    return ended.started and ended.status == 7 and ended.in_time and "Traceback" not in "".join(ended.errors)


def refuses(ended: Ended) -> bool:
    return not ended.started and ended.status in (1, 2) and len(ended.errors) == 1


def files_are_whole(ended: Ended) -> bool:
    """Every account file is the old or the new one, and nothing is left beside them."""
    if not ended.files:
        return True
    numbers = {line.split(":")[2] for line in ended.files["passwd"].splitlines() if line.startswith("dev:")}
    lines = [len(ended.files[name].splitlines()) for name in ("passwd", "group")]
    whole = lines == [len(PASSWD.splitlines()), len(GROUP.splitlines())]
    return set(ended.files) == {"passwd", "group"} and numbers <= {"1000", "4242"} and whole


def test_table_is_up_to_date() -> None:
    assert TABLE.read_text() == table(), "python -m tests.faults_support makes it"


@pytest.mark.parametrize("kilobytes", range(8000, 40000, 500 if LONG else 4000))
def test_too_little_memory_is_a_clear_end(pyinit: Pyinit, tmp_path: Path, kilobytes: int) -> None:
    """Either the program runs and ends, or one line says why not; below that the interpreter itself cannot start."""
    limit = ("sh", "-c", f'ulimit -v {kilobytes}; exec "$@"', "sh")
    status, _, errors = pyinit.run("--events", tmp_path / "journal", "--", "sh", "-c", "exit 7", wrapper=limit)
    assert status in (1, 7, 127, 134, 139), (status, errors)  # 127: no room for the loader; 134, 139: the interpreter's
    if (tmp_path / "journal").read_bytes() if (tmp_path / "journal").exists() else b"":
        assert "Traceback" not in errors
        assert status in (1, 7)


@pytest.mark.parametrize("more", [0, 64, 256, 1024])
def test_memory_that_runs_out_later_ends_nothing(shared_pyinit: Pyinit, tmp_path: Path, more: int) -> None:
    """From then on pyinit may have so many kilobytes more: it still forwards, reaps and tells the status."""
    script = "trap 'echo got' USR1; trap 'exit 7' TERM; setsid sleep 60 & echo ready; while :; do sleep 0.05; done"
    with shared_pyinit.start("--events", tmp_path / "journal", "--", "sh", "-c", script) as run:
        run.wait_for("ready")
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        limit = (int(proc_status(run.pid)["VmSize"].split()[0]) + more) * 1024
        resource.prlimit(run.pid, resource.RLIMIT_AS, (limit, limit))
        run.send(signal.SIGUSR1)
        run.wait_for("got")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 7
    assert "Traceback" not in errors


@pytest.fixture
def memory_group() -> "Iterator[Path]":
    """A memory cgroup of the test's own (version 1; version 2 where the root passes its controller on)."""
    roots = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
    root = next((root for root in roots if (root / "cgroup.procs").exists()), roots[-1])
    group = root / f"pyinit-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made: {error}")
    yield group
    group.rmdir()


@pytest.mark.parametrize("kilobytes", [1000, 2000, 4000, 8000, 16000])
def test_too_little_memory_in_the_cgroup_runs_or_is_killed(
    shared_pyinit: Pyinit, memory_group: Path, kilobytes: int
) -> None:
    """The kernel kills what it cannot give memory to: nothing hangs, and whoever runs has its status."""
    limit = next((name for name in ("memory.limit_in_bytes", "memory.max") if (memory_group / name).exists()), "")
    if not limit:
        pytest.skip("the memory controller is not passed on to this cgroup")
    (memory_group / limit).write_text(str(kilobytes * 1024))
    script = f'echo $$ >{memory_group}/cgroup.procs; exec "$@"'
    command = ["sh", "-c", script, "sh", *NAMESPACE, str(shared_pyinit.file), "--", "sh", "-c", "exit 7"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE)
    assert done.returncode == 7 or (done.returncode != 0 and "Traceback" not in done.stderr), done
    wait_until(lambda: not (memory_group / "cgroup.procs").read_text(), "the cgroup is empty")
