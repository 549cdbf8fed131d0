"""System calls that fail: before the program one line, a status and nothing half done; after it, pyinit goes on.

FAULTS.md says what came of each. The tests make such faults again, a few of each call, or with PYINIT_LONG=1 all, and
hold what comes of them against what pyinit promises and against the table.
"""

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Pyinit, wait_until, waits_for_signals
from tests.support.faults import (
    ALWAYS,
    NOT_PID_1,
    ONCE,
    PROGRAM,
    SCENARIOS,
    SHELL,
    TEN_TIMES,
    UNAVOIDABLE,
    Fault,
    Scenario,
    broken_promise,
    errors_of,
    faults,
    run,
)
from tests.tables.faults import TABLE, every_outcome, lines, read, render, row, version, version_of, words

RECORDED = read(TABLE.read_text())
NAMES = {scenario.name: scenario for scenario in SCENARIOS}

LONG = os.environ.get("TESTS_PYINIT_LONG") == "1"

# Where a fault that lasts makes pyinit or the program wait for a time to be over.
SLOW = (
    ("start", "rt_sigtimedwait"),
    ("run", "kill"),
    *(("end", name) for name in ("getdents64", "newfstatat", "openat")),
)


@pytest.fixture(autouse=True)
def _strace() -> None:
    if shutil.which("strace") is None:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail("strace is not installed")
        pytest.skip("strace is not installed")


def representatives(scenario: Scenario) -> "set[tuple[str, str]]":
    """The calls, each in a phase, that no scenario before this one makes."""
    order = list(NAMES)
    found: "dict[tuple[str, str], str]" = {}
    for each in sorted(RECORDED, key=lambda each: order.index(each.scenario)):
        found.setdefault((each.phase, each.call), each.scenario)
    return {kind for kind, name in found.items() if name == scenario.name}


def is_representative(fault: Fault) -> bool:
    """What cannot end takes too long here, and what takes seconds and shows nothing new."""
    lasting = TEN_TIMES if fault.call.phase in ("run", "end") else ALWAYS
    kind = (fault.call.phase, fault.call.name, fault.often)
    quick = kind not in UNAVOIDABLE and (fault.often == ONCE or kind[:2] not in SLOW)
    return fault.often in (ONCE, lasting) and fault.error == errors_of(fault.call.name)[0] and quick


def is_recorded(pyinit: Pyinit) -> bool:
    """Whether the table is about this interpreter; another one may make other calls."""
    return version(pyinit.python) == version_of(TABLE.read_text())


@pytest.mark.parametrize("name", [name for name in NAMES if representatives(NAMES[name])])
def test_a_call_that_fails_does_what_the_table_says(shared_pyinit: Pyinit, name: str) -> None:
    """Of each call in each phase one that fails once, and then one that fails always, or ten times."""
    scenario = NAMES[name]
    plain = run(shared_pyinit, scenario)
    assert plain.status == scenario.status
    recorded = is_recorded(shared_pyinit)
    left = {(*kind, often) for kind in representatives(scenario) for often in (ONCE, "more")}
    for fault in faults(plain.calls, set()):
        kind = (fault.call.phase, fault.call.name, ONCE if fault.often == ONCE else "more")
        if kind not in left or not is_representative(fault):
            continue
        left.remove(kind)
        outcome = run(shared_pyinit, scenario, fault.inject)
        if not outcome.hits:  # how often a running pyinit makes a call depends on how it is scheduled
            assert fault.call.phase in ("run", "end"), fault
            continue
        assert not broken_promise(fault, plain, outcome), (fault, outcome)
        if recorded:
            expected = {each.outcome for each in RECORDED if each[:5] == row(scenario, fault, plain, outcome)[:5]}
            assert words(plain, outcome) in expected, (fault, outcome)


if LONG:

    @pytest.mark.long
    @pytest.mark.timeout(7200)
    def test_every_call_that_fails_does_what_the_table_says(shared_pyinit: Pyinit) -> None:
        found = set()
        for scenario, fault, plain, outcome in every_outcome(shared_pyinit, 2 * (os.cpu_count() or 1)):
            assert not broken_promise(fault, plain, outcome), (scenario, fault, outcome)
            found.add(row(scenario, fault, plain, outcome))
        # Which scenario makes a call for the first time depends a little on how processes are scheduled.
        known = {(each.phase, each.call, each.often, each.outcome) for each in RECORDED}
        new = [each for each in found if (each.phase, each.call, each.often, each.outcome) not in known]
        assert not new or not is_recorded(shared_pyinit), "python -m tests.tables.faults makes the table"


# Between fork and exec: the scenario, what fails, the status and what is said. The environment's PATH begins with a
# directory that has no program, so that the second execve of the child is the one that would succeed.
CHILD = [
    ("plain", "setpgid:error=EPERM", 1, "cannot start PROGRAM: ERROR"),
    ("--session", "setsid:error=EPERM", 1, "cannot start PROGRAM: ERROR"),
    ("--user", "setgroups:error=EPERM", 1, "cannot set the groups [N, N, N] (CAP_SETGID): ERROR"),
    ("--user", "setgroups:error=ENOMEM", 1, "cannot set the groups [N, N, N] (CAP_SETGID): ERROR"),
    ("--user", "setresgid:error=EPERM", 1, "cannot set GID N (CAP_SETGID): ERROR"),
    ("--user", "setresuid:error=EPERM", 1, "cannot set UID N (CAP_SETUID): ERROR"),
    ("--user", "setresuid:error=EAGAIN", 1, "cannot set UID N (CAP_SETUID): ERROR"),
    ("gosu", "setgroups:error=EPERM", 1, "cannot set the groups [N, N, N] (CAP_SETGID): ERROR"),
    ("gosu", "setresuid:error=EPERM", 1, "cannot set UID N (CAP_SETUID): ERROR"),
    *(
        (scenario, f"execve:error={error}:when=2+", 126, "cannot run PROGRAM: ERROR")
        for scenario in ("plain", "PID 1", "--user")
        for error in ("ENOMEM", "EPERM", "EIO", "EMFILE")
    ),
]


@pytest.mark.parametrize(("name", "inject", "status", "line"), CHILD)
def test_a_child_that_cannot_become_the_program_says_why(
    shared_pyinit: Pyinit, name: str, inject: str, status: int, line: str
) -> None:
    outcome = run(shared_pyinit, NAMES[name], inject, child=True)
    assert outcome.hits
    assert (outcome.status, outcome.output) == (status, "")
    assert lines(outcome.errors) == [f"pyinit: {line}"]


def test_a_lack_of_address_space_has_a_clear_end(shared_pyinit: Pyinit) -> None:
    """From too little for the interpreter to enough for all, each 64 kB: RLIMIT_AS (man 2 setrlimit)."""
    ends = set()
    for size in range(8 << 20, 40 << 20, 64 << 10):
        limit = ("prlimit", f"--as={size}")
        status, output, errors = shared_pyinit.run("--", *SHELL, "echo ran; exit 7", wrapper=limit)
        came = f"{size}: {status}, {output!r}, {errors!r}"
        if output:
            assert (status, output) == (7, "ran\n"), came
            ends.add("runs")
        elif "pyinit: " in errors:
            assert (status, len(errors.splitlines())) == (1, 1), came
        else:  # in the interpreter's own start, or in the two lines that load the rest
            assert status not in (0, 7), came
            assert 'File ""' not in errors, came  # no code of ours
            ends.add("the interpreter's own end")
        if status == 7 and size > 16 << 20:
            break
    assert ends == {"runs", "the interpreter's own end"}


def file_fault(
    pyinit: Pyinit, call: str, inject: str, number: int, script: str = "echo ran; exit 7"
) -> "tuple[int, str, str, bool]":
    """Status, output, errors of a run in which a call for pyinit's own file fails, and whether it has failed."""
    strace = ("strace", "-qq", "-P", str(pyinit.file), "-e", f"trace={call}")
    with tempfile.NamedTemporaryFile() as log:
        wrapper = (*NOT_PID_1, *strace, "-o", log.name, "-e", f"inject={call}:{inject}:when={number}")
        status, output, errors = pyinit.run("--", *SHELL, script, wrapper=wrapper)
        trace = log.read()
    return status, output, errors, b"INJECTED" in trace or b"SIGINT" in trace


@pytest.mark.parametrize("call", ["openat", "read", "lseek"])
def test_a_file_that_cannot_be_loaded_ends_the_start(shared_pyinit: Pyinit, call: str) -> None:
    """In the words of the interpreter until it runs code of ours, then in one line."""
    said = []
    for number in range(1, 100):
        status, output, errors, injected = file_fault(shared_pyinit, call, "error=EIO", number)
        if not injected:
            break
        assert output in ("", "ran\n")
        assert status == (7 if output else 1)
        said.append(errors.splitlines())
    assert said
    assert all(lines[-1].startswith(("OSError: [Errno 5]", "pyinit: ")) for lines in said if lines), said
    assert all(len(lines) == 1 for lines in said if lines and lines[-1].startswith("pyinit: ")), said
    assert call != "read" or any("cannot load" in lines[-1] for lines in said if lines), said


def test_ctrl_c_while_loading_reaches_the_program(shared_pyinit: Pyinit) -> None:
    """From the loader's first act on. Before that, at the first reads, the interpreter ends by it in its own words."""
    script = "sleep 1; exit 7"
    found = [file_fault(shared_pyinit, "read", "signal=INT", number, script)[::2] for number in range(1, 10)]
    assert {status for status, _ in found} <= {130, 7}
    quiet = [not errors for _, errors in found]
    assert quiet == sorted(quiet)
    assert (130, "") in found


@pytest.mark.parametrize("namespace", [True, False])
@pytest.mark.parametrize("options", [(), ("--events", "/dev/stderr"), ("--stop-timeout", "30"), ("--orphans", "end")])
def test_without_memory_the_program_is_signalled_and_its_status_reported(
    every_pyinit: Pyinit, options: "tuple[str, ...]", namespace: bool
) -> None:
    with every_pyinit.start(*options, "--", *PROGRAM, namespace=namespace) as started:
        started.wait_for("ready\n")
        wait_until(lambda: waits_for_signals(started.pid), "pyinit waits")
        resource.prlimit(started.pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))  # less than it has: no more
        resource.prlimit(started.pid, resource.RLIMIT_DATA, (1 << 20, 1 << 20))
        started.send(signal.SIGTERM)
        status, output, errors = started.finish()
    assert (status, output) == (7, "ready\ntold\n"), errors
    assert "Traceback" not in errors


@pytest.fixture
def memory_cgroup() -> "Iterator[Path]":
    """A memory cgroup of the test's own. Version 1 and 2 differ in the name of the limit."""
    for root in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")):
        group = root / f"pyinit-faults-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "memory.max").exists() or (group / "memory.limit_in_bytes").exists():
            break
        group.rmdir()
    else:
        pytest.skip("no memory cgroup can be made here")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "the cgroup is empty")
    group.rmdir()


@pytest.mark.parametrize("megabytes", [1, 4, 8, 16, 64])
def test_a_full_memory_cgroup_has_a_clear_end(shared_pyinit: Pyinit, memory_cgroup: Path, megabytes: int) -> None:
    """The kernel kills somebody: the program, whose end is reported then, or in the smallest ones pyinit itself."""
    limit = memory_cgroup / "memory.max"
    limit = limit if limit.exists() else memory_cgroup / "memory.limit_in_bytes"
    limit.write_text(str(megabytes << 20))
    join = ("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(memory_cgroup))
    greedy = ("/usr/bin/python3", "-ISc", "data = [bytes(1 << 20) + b'x' for _ in range(512)]")
    status, output, errors = shared_pyinit.run("--after", "echo reported", "--", *greedy, wrapper=join)
    assert "Traceback" not in errors
    # unshare's words for a PID 1 that was killed.
    assert status == 137 or (status, errors) == (1, "unshare: sigprocmask unblock failed: Invalid argument\n"), errors
    if megabytes >= 32:
        assert output == "reported\n"


def test_table_is_as_it_was_made() -> None:
    assert TABLE.read_text() == render(RECORDED, version_of(TABLE.read_text())), (
        "python -m tests.tables.faults makes it"
    )
    assert {each.scenario for each in RECORDED} == set(NAMES)
