"""Every orphan is reaped, and the program's status is pyinit's."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support import Pyinit, children, probe, state, wait_until

KILLING = [
    number
    for number in sorted(signal.valid_signals() - {signal.SIGSTOP})
    if number
    not in {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
    | {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
]


@pytest.mark.timeout(180)
def test_10000_orphans_are_reaped(pyinit: Pyinit) -> None:
    """In bursts of 300, nested three deep, some stopped and then killed, some ignoring TERM."""
    with pyinit.start("--", *probe("orphans"), "10000", stdin=subprocess.PIPE) as run:
        run.wait_for(r"left \d+\n")
        (program,) = children(run.pid)[:1]
        wait_until(lambda: children(run.pid) == [program], "the program is the only child left")
        assert run.process.stdin is not None
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        assert run.finish()[0] == 0


def test_orphans_are_reaped_by_every_interpreter(every_pyinit: Pyinit) -> None:
    with every_pyinit.start("--", *probe("orphans"), "300", stdin=subprocess.PIPE) as run:
        run.wait_for(r"left \d+\n")
        wait_until(lambda: len(children(run.pid)) == 1, "the program is the only child left")


@pytest.mark.timeout(120)
def test_f16_zombies_do_not_use_up_the_process_limit(pyinit: Pyinit) -> None:
    """Thirty processes at most, hundreds of orphans one after the other: unless each is reaped, no fork succeeds soon.

    The program may be faster than its init for a while, so it tries again; without an init that reaps, in vain."""
    script = (
        "import os, resource, time\n"
        "os.setgroups([])\n"
        "os.setuid(54321)\n"  # root has no such limit
        "resource.setrlimit(resource.RLIMIT_NPROC, (30, 30))\n"
        "def fork():\n"
        "    for _ in range(3000):\n"
        "        try: return os.fork()\n"
        "        except BlockingIOError: time.sleep(0.01)\n"
        "    os._exit(9)\n"
        "for _ in range(300):\n"
        "    if (parent := fork()) == 0:\n"
        "        fork()\n"
        "        os._exit(0)\n"
        "    if os.waitpid(parent, 0)[1]: os._exit(9)\n"
        "print('done', flush=True)\n"
    )
    assert pyinit.run("--grace", "0", "--", sys.executable, "-ISc", script) == (0, "done\n", "")


def test_f17_a_parent_and_its_child_that_die_together_are_both_reaped(pyinit: Pyinit) -> None:
    script = (
        "import os, signal\n"
        "for _ in range(200):\n"
        "    if (leader := os.fork()) == 0:\n"
        "        os.setpgid(0, 0)\n"
        "        os.fork()\n"
        "        signal.pause()\n"
        "    while os.getpgid(leader) != leader: pass\n"
        "    os.killpg(leader, signal.SIGKILL)\n"
        "    os.waitpid(leader, 0)\n"
        "print('done', flush=True)\n"
        "signal.pause()\n"
    )
    with pyinit.start("--", sys.executable, "-ISc", script) as run:
        run.wait_for("done")
        wait_until(lambda: len(children(run.pid)) == 1, "the program is the only child left")


def test_f18_an_orphan_that_does_not_end_keeps_nobody_waiting(pyinit: Pyinit) -> None:
    """It ends with the program; what is left is not waited for one by one."""
    with pyinit.start("--", "sh", "-c", "(trap '' TERM; sleep 60 &) ; exit 4") as run:
        assert run.finish()[0] == 4


def test_warn_on_reap_names_the_orphan(pyinit: Pyinit) -> None:
    status, _, errors = pyinit.run("-w", "--", "sh", "-c", "(sh -c 'exit 3' &); sleep 0.5; exit 1")
    assert status == 1
    assert "status 3" in errors
    assert errors.startswith("pyinit: reaped orphan ") and "(sh)" in errors


@pytest.mark.timeout(120)
def test_every_exit_status_is_passed_on(pyinit: Pyinit) -> None:
    for status in range(256):
        assert pyinit.run("--", "sh", "-c", f"exit {status}")[0] == status


def test_statuses_are_passed_on_by_every_interpreter(every_pyinit: Pyinit) -> None:
    for status in (0, 1, 127, 255):
        assert every_pyinit.run("--", "sh", "-c", f"exit {status}")[0] == status
    assert every_pyinit.run("--", "sh", "-c", "kill -9 $$")[0] == 137


@pytest.mark.parametrize("number", KILLING)
def test_a_program_killed_by_a_signal_gives_128_and_the_signal(pyinit: Pyinit, number: int) -> None:
    script = f"import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.kill(os.getpid(), {number})"
    # Python handles INT and ignores PIPE and XFSZ for itself.
    reset = f"import signal; {number} in (9,) or signal.signal({number}, signal.SIG_DFL); "
    assert pyinit.run("--", sys.executable, "-ISc", reset + script)[0] == 128 + number


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        (["-e", "143"], {}, 0),
        (["-e143", "-e", "7"], {}, 0),
        (["--remap-exit", "143:3"], {}, 3),
        ([], {"PYINIT_REMAP_EXIT": "1,143"}, 0),
        (["-e", "142"], {}, 143),
    ],
)
def test_f19_a_status_is_remapped(
    pyinit: Pyinit, options: "list[str]", environment: "dict[str, str]", expected: int
) -> None:
    command = ["sh", "-c", "kill -TERM $$"]
    assert pyinit.run(*options, "--", *command, env={**os.environ, **environment})[0] == expected


def test_the_program_that_ends_before_the_first_wait_is_seen(pyinit: Pyinit) -> None:
    for _ in range(50):
        assert pyinit.run("--", "true")[0] == 0


def test_stopping_and_continuing_pid_1_loses_nothing(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "echo ready; read -r _; exit 6", stdin=subprocess.PIPE) as run:
        run.wait_for("ready")
        (program,) = children(run.pid)
        run.send(signal.SIGSTOP)
        wait_until(lambda: state(run.pid) == "T", "pyinit is stopped")
        assert run.process.stdin
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        wait_until(lambda: state(program) == "Z", "the program has ended")
        run.send(signal.SIGCONT)
        assert run.finish()[0] == 6
