"""Signals, stops and ends at any moment. What is asserted is the outcome, and never a time.

The moments are drawn by the microsecond over a whole run, which is measured first. PYINIT_LONG=1 makes thousands of
rounds of some hundred.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support import Pyinit, Run, children, probe, proc_status, state, wait_until

LONG = os.environ.get("TESTS_PYINIT_LONG") == "1"
FACTOR = 30 if LONG else 1
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)] if LONG else []

in_both = pytest.mark.parametrize("namespace", [pytest.param(True, id="pid-1"), pytest.param(False, id="subreaper")])


def moments(pyinit: Pyinit, rounds: int, namespace: bool, *words: str) -> "Iterator[float]":
    """Seconds from the start of a run until something is to happen, from before its exec to after its end."""
    longest = 0.0
    for _ in range(3):
        before = time.perf_counter()
        pyinit.run(*words, namespace=namespace)
        longest = max(longest, time.perf_counter() - before)
    for _ in range(rounds * FACTOR):
        yield random.uniform(0, 1.1 * longest)


def let_pass(moment: float) -> None:
    """Wait with the precision of a microsecond: asleep while there is time, then busy."""
    end = time.perf_counter() + moment
    while (left := end - time.perf_counter()) > 0:
        if left > 0.002:
            time.sleep(left - 0.001)


@contextlib.contextmanager
def blocked(*numbers: int) -> "Iterator[None]":
    """Children start with these blocked: what is sent to them before they have a handler stays pending."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def started(pyinit: Pyinit, *words: str, namespace: bool) -> "Iterator[tuple[Run, int]]":
    """A pyinit whose pid is known when it starts: the run may be over before anybody could look for it."""
    held = ("sh", "-c", 'read -r _; exec "$@"', "sh")
    with pyinit.start(*words, namespace=namespace, wrapper=held, stdin=subprocess.PIPE) as run:
        pid = run.pid
        assert run.process.stdin
        os.write(run.process.stdin.fileno(), b"\n")
        yield run, pid


SENT = [signal.SIGRTMIN + offset for offset in range(1, 5)]


@in_both
def test_each_signal_around_boot_fork_and_exec_arrives_once(pyinit: Pyinit, namespace: bool) -> None:
    """From before pyinit's exec until after the program's: the program had them blocked, as pyinit had."""
    command = ["--", *probe("collector")]
    with blocked(*SENT, signal.SIGRTMAX):
        for moment in moments(pyinit, 30, namespace, "--", *probe("recorder")[:2], "-c", "pass"):
            with pyinit.start(*command, namespace=namespace) as run:
                pid = run.pid
                for number in SENT:
                    let_pass(moment / len(SENT))
                    os.kill(pid, number)
                os.kill(pid, signal.SIGRTMAX)
                status, output, errors = run.finish()
            assert (status, errors) == (0, "")
            assert output.split() == [str(int(number)) for number in (*SENT, signal.SIGRTMAX)], moment


@in_both
def test_a_stop_around_the_end_gives_the_programs_status_or_the_signals(pyinit: Pyinit, namespace: bool) -> None:
    """And says nothing: a signal for a program that has gone is no error. Before it boots, pyinit dies as others do."""
    command = ["--", "sh", "-c", "exit 7"]
    outcomes = {7, 128 + signal.SIGTERM, *([] if namespace else [-signal.SIGTERM])}
    for moment in moments(pyinit, 50, namespace, *command):
        with started(pyinit, *command, namespace=namespace) as (run, pid):
            let_pass(moment)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            status, _, errors = run.finish()
        assert status in outcomes
        assert errors == ""


@in_both
def test_stopped_at_any_moment_and_continued_pid_1_ends_with_the_programs_status(
    pyinit: Pyinit, namespace: bool
) -> None:
    """Stopped between fork and wait, it finds a program that has ended before the first wait."""
    command = ["--", "sh", "-c", "exit 7"]
    met = 0
    for moment in moments(pyinit, 40, namespace, *command):
        with started(pyinit, *command, namespace=namespace) as (run, pid):
            let_pass(moment)
            with contextlib.suppress(ProcessLookupError):
                met += stop_until_the_program_has_ended(pid)
                os.kill(pid, signal.SIGCONT)
            assert run.finish()[::2] == (7, "")
    assert met or not LONG


def stop_until_the_program_has_ended(pid: int) -> int:
    """Stop a process until its children have ended: how many there were. Raises ProcessLookupError if it has gone."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state(pid) in ("T", "Z", ""), "pyinit is stopped or has ended")
    started = children(pid)
    wait_until(lambda: all(state(child) in ("Z", "") for child in started), "the program has ended")
    return len(started)


@in_both
def test_orphans_that_arrive_until_the_end_are_ended_and_the_status_stays(pyinit: Pyinit, namespace: bool) -> None:
    """They hold standard output open: that it ends says that nobody is left."""
    script = "for i in 1 2 3 4; do (sleep 600 & exec sleep 0.00$1) & done; exit 7"
    for each in range(8 * FACTOR):
        status, _, _ = pyinit.run(
            "-q", "--grace", "2", "--", "sh", "-c", script, "sh", str(each % 10), namespace=namespace
        )
        assert status == 7


@pytest.mark.parametrize("options", [(), ("-c",), ("--session",), ("--after", "sleep 60"), ("--orphans", "end")])
def test_a_signal_does_not_reach_whoever_got_the_pid_of_the_program_that_has_ended(
    pyinit: Pyinit, options: "tuple[str, ...]"
) -> None:
    pending = pending_after_reuse(pyinit, *options, "--grace", "60")
    assert pending & {signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN} == set()


def test_with_wait_all_a_signal_reaches_all_who_are_left_whatever_their_pids(pyinit: Pyinit) -> None:
    """The control of the test above: the process with the same pid can be reached, and tells of it."""
    pending = pending_after_reuse(pyinit, "--wait-all")
    assert pending >= {signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN}


def pending_after_reuse(pyinit: Pyinit, *options: str) -> "set[int]":
    """The signals that a process with the ended program's pid has been sent after PID 1 was sent three."""
    with pyinit.start(*options, "--", *probe("reuse_pid"), stdin=subprocess.PIPE) as run:
        run.wait_for("as it was\n")
        run.wait_for("ready\n")
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN):
            run.send(number)
        wait_until(lambda: not int(proc_status(run.pid)["ShdPnd"], 16), "pyinit has collected them")
        assert run.process.stdin is not None
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        return set(map(int, run.wait_for(r"pending(.*)\n")[1].split()))
