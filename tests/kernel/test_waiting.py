"""Waiting for a limited time, in each interpreter, stopped and signalled meanwhile."""

import signal
import subprocess

import pytest

from tests.support import DEADLINE, REPOSITORY, interpreters, stop_and_resume, wait_until, waits_for_signals

PRELUDE = """
import _signal, posix, sys
sys.path.insert(0, sys.argv[1])
from pyinit.kernel import signals, waiting
_signal.pthread_sigmask(_signal.SIG_BLOCK, signals.EVERY)
def wait(numbers, seconds):
    info = waiting.wait(numbers, seconds)
    posix.write(1, b"%d\\n" % (info.si_signo if info else 0))
"""

in_each_interpreter = pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())


def start(python: str, script: str) -> "subprocess.Popen[str]":
    command = [python, "-ISc", PRELUDE + script, str(REPOSITORY)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def came(python: str, script: str) -> "list[int]":
    """The numbers of the signals that a script waited for, 0 for none."""
    with start(python, script) as process:
        return [int(line) for line in process.communicate(timeout=DEADLINE)[0].split()]


@in_each_interpreter
def test_being_stopped_until_the_time_is_over_makes_no_signal_that_nobody_sent(python: str) -> None:
    """CPython's own timeout makes one in this test: the USR1 once more with 3.9, a HUP with 3.13."""
    script = """
for _ in range(3):
    posix.kill(posix.getpid(), _signal.SIGUSR1)
    wait(signals.EVERY, 5)
    wait(signals.EVERY, 0.3)
    wait(signals.EVERY, 0)
    wait(signals.EVERY, 0)
"""
    with start(python, script) as process:
        assert process.stdout
        found = []
        for _ in range(3):
            found.append(process.stdout.readline())
            wait_until(lambda: waits_for_signals(process.pid), "it waits")
            stop_and_resume(process.pid, 0.4)
            found += [process.stdout.readline() for _ in range(3)]
        assert process.wait(timeout=DEADLINE) == 0
    assert sorted(map(int, found)) == sorted([signal.SIGUSR1, signal.SIGCONT, 0, 0] * 3)


@in_each_interpreter
def test_when_the_time_is_over_nothing_is_left_of_the_timer(python: str) -> None:
    assert came(python, "wait(signals.EVERY, 0.01)\nwait(signals.EVERY, 0)\n") == [0, 0]


@in_each_interpreter
def test_an_alarm_that_somebody_sends_is_kept_for_whoever_waits_for_it(python: str) -> None:
    script = """
posix.kill(posix.getpid(), _signal.SIGALRM)
wait((_signal.SIGTERM,), 0.1)
wait(signals.EVERY, 1)
wait(signals.EVERY, 0)
"""
    assert came(python, script) == [0, signal.SIGALRM, 0]


@in_each_interpreter
def test_an_alarm_that_was_set_before_our_exec_comes(python: str) -> None:
    """As `perl -e 'alarm 5; exec @ARGV' pyinit ...` sets it: it is inherited (man 2 alarm)."""
    script = "_signal.alarm(1)\nwait(signals.EVERY, 30)\nwait(signals.EVERY, 0)\n"
    assert came(python, script) == [signal.SIGALRM, 0]
