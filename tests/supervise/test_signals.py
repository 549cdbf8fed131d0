"""What arrives at pyinit reaches the program: every signal, once, whenever it comes."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support import (
    NAMESPACE,
    Pyinit,
    children,
    collects_signals,
    probe,
    state,
    stop_and_resume,
    wait_until,
    waits_for_signals,
)

# Everything that can be caught, but for SIGCHLD, which means reap.
FORWARDED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})

# glibc uses 32 and 33 for its threads and lets nobody name them. Before 2.38 its posix_spawn leaves them ignored.
OF_THE_C_LIBRARY = 0b11 << 31


def test_every_signal_arrives_once(every_pyinit: Pyinit) -> None:
    # Last what asks to end: five seconds later pyinit says who is still there.
    numbers = sorted(FORWARDED, key=lambda number: number in (signal.SIGINT, signal.SIGTERM))
    with every_pyinit.start("--", *probe("recorder")) as run:
        run.wait_for("ready\n")
        for number in numbers:
            run.send(number)
            run.wait_for(rf"got {number}\n")
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, errors) == (0, "")
    assert output.splitlines()[1:] == [f"got {number}" for number in numbers] + ["got 15"]


def test_real_time_signals_are_queued_and_keep_their_order(pyinit: Pyinit) -> None:
    with pyinit.start("--", *probe("recorder")) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGSTOP)  # from outside the namespace even PID 1 stops
        wait_until(lambda: state(run.pid) == "T", "pyinit is stopped")
        for number in (40, 41, 40, 64, 40):
            run.send(number)
        run.send(signal.SIGCONT)
        run.wait_for(r"got 64\n")
        run.send(signal.SIGTERM)
        run.wait_for(r"got 15\n")
        run.send(signal.SIGTERM)
        _, output, _ = run.finish()
    numbers = [line.split()[1] for line in output.splitlines()[1:]]
    assert [number for number in numbers if number not in ("15", "18")] == ["40", "40", "40", "41", "64"]


GROUP = (
    'trap "echo shell" USR1; (trap "echo child; exit" USR1; echo ready; while :; do sleep 0.1; done) &'
    " while ! wait $!; do :; done; exit 5"
)


def test_the_whole_process_group_gets_a_signal(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", GROUP) as run:
        run.wait_for("ready")
        run.send(signal.SIGUSR1)
        run.wait_for("child\n")
        run.wait_for("shell\n")


@pytest.mark.parametrize("as_tini", [False, True])
def test_a_single_child_gets_it_alone(pyinit: Pyinit, as_tini: bool) -> None:
    started, options = (pyinit.named("tini"), []) if as_tini else (pyinit, ["-c"])
    with started.start(*options, "--", *probe("children")) as run:
        child = int(run.wait_for(r"child (\d+)\n").group(1))
        run.send(signal.SIGUSR1)
        run.wait_for("parent got 10\n")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 0
    assert child
    assert "child got" not in output


def test_tini_with_g_signals_the_group(pyinit: Pyinit) -> None:
    with pyinit.named("tini").start("-g", "--", *probe("children")) as run:
        run.wait_for(r"child (\d+)\n")
        run.send(signal.SIGUSR1)
        run.wait_for("child got 10\n")


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["-r", "TERM:QUIT"], {}),
        (["--rewrite=15:SIGQUIT"], {}),
        ([], {"PYINIT_REWRITE": "HUP:USR1,term:quit"}),
        (["-r", "TERM:QUIT"], {"PYINIT_REWRITE": "TERM:USR1"}),
    ],
)
def test_f06_a_signal_is_rewritten(pyinit: Pyinit, options: "list[str]", environment: "dict[str, str]") -> None:
    with pyinit.start(*options, "--", *probe("recorder"), env={**os.environ, **environment}) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        run.wait_for(rf"got {int(signal.SIGQUIT)}\n")


def test_f06_rewriting_to_0_drops_a_signal(pyinit: Pyinit) -> None:
    with pyinit.start("-r", "HUP:0", "--", *probe("recorder")) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGHUP)
        run.send(signal.SIGUSR1)
        run.wait_for(rf"got {int(signal.SIGUSR1)}\n")
        run.send(signal.SIGTERM)
        run.wait_for("got 15\n")
        run.send(signal.SIGTERM)
        _, output, _ = run.finish()
    assert "got 1\n" not in output


def test_f02_a_signal_around_fork_and_exec_is_not_lost(every_pyinit: Pyinit) -> None:
    """As soon as pyinit blocks signals, TERM ends the program; 60 rounds meet every stage of the start."""
    for attempt in range(60):
        with every_pyinit.start("--", "sleep", "60") as run:
            wait_until(lambda: collects_signals(run.pid), "pyinit collects signals")
            for _ in range(attempt * 40):
                pass
            run.send(signal.SIGTERM)
            assert run.finish()[0] == 128 + signal.SIGTERM


def test_f04_sigpipe_has_its_default_disposition(every_pyinit: Pyinit) -> None:
    status, output, _ = every_pyinit.run("--", "sh", "-c", "grep SigIgn /proc/self/status; kill -PIPE $$")
    assert int(output.split()[1], 16) & ~OF_THE_C_LIBRARY == 0
    assert status == 128 + signal.SIGPIPE


def preset_signals() -> None:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(40, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTSTP, 50})


@pytest.mark.parametrize("namespace", [True, False])
def test_mask_and_dispositions_are_those_pyinit_was_started_with(every_pyinit: Pyinit, namespace: bool) -> None:
    # A shell as the reference: it changes neither of them, whereas Python ignores SIGPIPE.
    command = ["grep", "^Sig[BI]", "/proc/self/status"]
    prefix = NAMESPACE if namespace else []
    for child_signal in (signal.SIG_DFL, signal.SIG_IGN):

        def preset() -> None:
            preset_signals()
            signal.signal(signal.SIGCHLD, child_signal)  # noqa: B023  # called at once

        reference = subprocess.run([*prefix, *command], preexec_fn=preset, capture_output=True, text=True)
        status, output, _ = every_pyinit.run("--", *command, namespace=namespace, preexec_fn=preset)
        assert status == 0
        assert known(output) == known(reference.stdout)


def known(status: str) -> "list[tuple[str, int]]":
    """Mask and dispositions without what the C library keeps for itself."""
    fields = (line.split() for line in status.splitlines())
    return [(name, int(value, 16) & ~OF_THE_C_LIBRARY) for name, value in fields]


def test_f07_tstp_and_cont_are_forwarded_as_they_came(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "echo ready; exec sleep 60") as run:
        run.wait_for("ready")
        (program,) = children(run.pid)
        run.send(signal.SIGTSTP)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        run.send(signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")


def test_f05_a_program_that_ignores_term_is_named(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", 'trap "" TERM; echo ready; exec sleep 60', stderr=subprocess.STDOUT) as run:
        run.wait_for("ready")
        run.send(signal.SIGTERM)
        run.wait_for(r"pyinit: the program \(pid \d+\) ignores SIGTERM\n")


def test_being_stopped_beyond_a_deadline_forwards_no_signal_that_nobody_sent(every_pyinit: Pyinit) -> None:
    with every_pyinit.start("-v", "--orphans", "end", "--", *probe("recorder")) as run:
        run.wait_for("ready\n")
        for time in range(1, 5):
            run.send(signal.SIGUSR1)
            run.wait_for(rf"(?s)(got 10\n.*){{{time}}}")
            wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
            stop_and_resume(run.pid, 1.2)  # it looks for orphans each second
            run.wait_for(rf"(?s)(got 18\n.*){{{time}}}")  # a CONT that still waits goes with the next STOP
        run.send(signal.SIGTERM)
        run.wait_for("got 15\n")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 0
    lines = [line.rpartition(" to ")[0] for line in errors.splitlines()]
    sent = {name: lines.count(f"pyinit: forwarded {name} as {name}") for name in ("SIGUSR1", "SIGCONT", "SIGTERM")}
    assert sent == {"SIGUSR1": 4, "SIGCONT": 4, "SIGTERM": 2}
    assert len(lines) == 10, errors


def test_signals_pass_while_orphans_storm_in(pyinit: Pyinit) -> None:
    """SIGCHLD is always pending then; WINCH, which has a higher number, must not wait behind it."""
    storm = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGWINCH, lambda *_: (os.write(1, b'winch\\n'), os._exit(0)))\n"
        "os.write(1, b'ready\\n')\n"
        "while True:\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        os.fork()\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    with pyinit.start("-c", "--", sys.executable, "-ISc", storm) as run:
        run.wait_for("ready")
        run.send(signal.SIGWINCH)
        run.wait_for("winch")
        assert run.finish()[0] == 0


def test_pause_ends_on_term_and_reaps(pyinit: Pyinit) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with pyinit.start("--pause") as run:
            wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
            run.send(signal.SIGHUP)
            run.send(number)
            assert run.finish() == (0, "", "")
