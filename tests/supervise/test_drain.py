"""The end: what becomes of the processes that the program leaves, and of a program that does not end."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import (
    Pyinit,
    children,
    descendants,
    proc_status,
    state,
    traced,
    wait_for_a_tick,
    wait_until,
    waits_for_signals,
)

# Leaves a process that handles TERM, in a session of its own, and ends with 3 as soon as that is ready.
LEAVES = (
    'mkfifo "$0"; setsid sh -c \'trap "echo got term; exit 0" TERM; : >"$0"; while :; do sleep 0.05; done\' "$0" & '
)
LEAVES += ': <"$0"; exit 3'

# The same, but it ignores TERM.
STUBBORN = 'mkfifo "$0"; sh -c \'trap "" TERM; : >"$0"; exec sleep 1000\' "$0" & : <"$0"; exit 3'


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f11_what_is_left_gets_term_and_time_to_deal_with_it(
    every_pyinit: Pyinit, tmp_path: Path, namespace: bool
) -> None:
    status, output, errors = every_pyinit.run("--", "sh", "-c", LEAVES, tmp_path / "fifo", namespace=namespace)
    assert (status, output) == (3, "got term\n")
    assert "pyinit: the program has left " in errors
    assert errors.count("pyinit: ") == 1


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f13_f14_what_ignores_term_is_killed_and_named(pyinit: Pyinit, tmp_path: Path, namespace: bool) -> None:
    fifo = tmp_path / "fifo"
    status, _, errors = pyinit.run("--grace", "0.3", "--", "sh", "-c", STUBBORN, fifo, namespace=namespace)
    assert status == 3
    began, ended = errors.splitlines()
    assert re.fullmatch(r"pyinit: the program has left 1 process: \d+ \(\w+\); TERM now, KILL in 0\.[0-3] s", began)
    assert ended.startswith("pyinit: SIGTERM did not end ")
    assert ended.endswith(" (sleep, ignores it): killed")


def test_f14_a_grace_of_0_turns_it_off(pyinit: Pyinit, tmp_path: Path) -> None:
    assert pyinit.run("--grace", "0", "--", "sh", "-c", LEAVES, tmp_path / "fifo") == (3, "", "")


def test_a_program_that_leaves_nothing_makes_no_drain(pyinit: Pyinit, tmp_path: Path) -> None:
    status, _, errors = pyinit.run("--events", tmp_path / "journal", "--", "sh", "-c", "sleep 0 & wait; exit 4")
    assert (status, errors) == (4, "")
    assert "drain" not in (tmp_path / "journal").read_text()


def test_stopped_processes_see_the_term(pyinit: Pyinit, tmp_path: Path) -> None:
    leaves = 'mkfifo "$0"; sh -c \'trap "echo got term; exit" TERM; : >"$0"; kill -STOP $$; :\' "$0" & : <"$0"; '
    leaves += "while ! grep -q '^State:.T' /proc/$!/status; do :; done; exit 3"
    assert pyinit.run("--", "sh", "-c", leaves, tmp_path / "fifo")[:2] == (3, "got term\n")


def test_only_descendants_are_touched_where_it_is_not_pid_1(pyinit: Pyinit, tmp_path: Path) -> None:
    """An unrelated process of the same user, session and process group survives, and so does one of our parent's."""
    with subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL) as unrelated:
        script = 'sleep 60 & echo $!; "$@"; echo "status $?"; kill -0 $! && echo survived; kill $!'
        command = ["sh", "-c", script, "sh", str(pyinit.file), "--grace", "0.2", "--", "sh", "-c", STUBBORN]
        done = subprocess.run([*command, str(tmp_path / "fifo")], capture_output=True, text=True)
        assert done.stdout.splitlines()[1:] == ["status 3", "survived"]
        assert unrelated.poll() is None
        unrelated.kill()


def test_processes_in_other_sessions_are_found_by_a_subreaper(pyinit: Pyinit, tmp_path: Path) -> None:
    """Three deep, each in a session of its own, and all but one orphaned."""
    script = 'mkfifo "$0"; setsid sh -c \'setsid sh -c "echo \\$\\$; : >$0; exec sleep 1000" & wait\' "$0" & : <"$0"'
    status, output, _ = pyinit.run("--", "sh", "-c", script, tmp_path / "fifo", namespace=False)
    assert status == 0
    assert not state(int(output))


def test_a_second_term_skips_to_kill(pyinit: Pyinit, tmp_path: Path) -> None:
    program = STUBBORN.replace("exit 3", 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done')
    with pyinit.start("--grace", "1000", "--", "sh", "-c", program, tmp_path / "fifo", stderr=subprocess.STDOUT) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        run.wait_for(r"KILL in .* s\n")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 3
    assert "killed" in output


def test_the_first_term_of_all_is_no_reason_to_hurry(pyinit: Pyinit, tmp_path: Path) -> None:
    """The program ended by itself, what it left has had its TERM, and now somebody stops the container."""
    with pyinit.start(
        "--grace", "1000", "--", "sh", "-c", STUBBORN, tmp_path / "fifo", stderr=subprocess.STDOUT
    ) as run:
        run.wait_for(r"KILL in .* s\n")
        run.send(signal.SIGTERM)
        wait_until(lambda: waits_for_signals(run.pid), "the TERM has been collected")
        assert not int(proc_status(run.pid)["ShdPnd"], 16) >> (signal.SIGTERM - 1) & 1
        assert run.process.poll() is None
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 3


def test_nothing_is_polled_during_the_drain(pyinit: Pyinit, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pyinit.start(
        "--grace", "1000", "--", "sh", "-c", STUBBORN, tmp_path / "fifo", stderr=subprocess.STDOUT
    ) as run:
        run.wait_for(r"KILL in .* s\n")
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        command = ["timeout", "--signal=INT", "2", "strace", "-o", str(trace), "-p", str(run.pid)]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    assert [call.partition("(")[0] for call in calls] == ["rt_sigtimedwait"]


def test_no_error_ends_the_drain(pyinit: Pyinit, tmp_path: Path) -> None:
    """strace lets it reap nothing after the program, three times."""
    tracer = ("strace", "-D", "-o", "/dev/null", "-e", "trace=wait4", "-e", "inject=wait4:error=EIO:when=3..5")
    status, output, errors = pyinit.run("--", "sh", "-c", LEAVES, tmp_path / "fifo", wrapper=tracer)
    assert (status, output) == (3, "got term\n")
    assert "pyinit: internal error, carrying on: OSError: [Errno 5]" in errors
    assert "Traceback" not in errors


def test_what_is_left_gets_term_although_nobody_can_list_it(pyinit: Pyinit, tmp_path: Path) -> None:
    """strace lets nobody list /proc."""
    injection = "inject=getdents64:error=EIO"
    tracer = ("strace", "-D", "-o", "/dev/null", "-P", "/proc", "-e", "trace=getdents64", "-e", injection)
    status, output, errors = pyinit.run("--", "sh", "-c", LEAVES, tmp_path / "fifo", wrapper=tracer)
    assert (status, output) == (3, "got term\n")
    assert "internal error" not in errors


@pytest.mark.parametrize("options", [[], ["--wait-all"]], ids=["drain", "wait-all"])
def test_who_is_forked_while_the_list_is_read_gets_the_stop(pyinit: Pyinit, options: "list[str]") -> None:
    """strace makes time after each list: who is in the first one is gone by then, and its child not in it."""
    forked = 'trap "echo got term; exit 0" TERM; while :; do sleep 0.05; done'
    forks = f"while kill -0 $PPID; do :; done 2>/dev/null; sleep 0.1; sh -c '{forked}' & exit 0"
    program = "trap 'exit 3' TERM; setsid sh -c \"$0\" & echo ready; while :; do sleep 0.05; done"
    with pyinit.start(*options, "--", "sh", "-c", program, forks) as run:
        run.wait_for("ready\n")
        with traced(run.pid, "getdents64", "delay_exit=2000000:when=2+2", "-P", "/proc"):
            run.send(signal.SIGTERM)
            status, output, errors = run.finish()
    assert (status, output) == (3, "ready\ngot term\n")
    assert "killed" not in errors


def test_a_hundred_left_processes_are_all_reaped(pyinit: Pyinit, tmp_path: Path) -> None:
    script = "for i in $(seq 100); do (sleep 1000 & sleep 1000 &) ; done; exit 5"
    journal = tmp_path / "journal"
    assert pyinit.run("--events", journal, "--", "sh", "-c", script)[0] == 5
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    ended_by_term = [event for event in events if event["event"] == "reaped" and event["signal"] == "SIGTERM"]
    assert len(ended_by_term) == 200
    assert [event["event"] for event in events][-1] == "ended"
    assert 4 < next(event for event in events if event["event"] == "drain")["grace"] <= 8


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_stop_timeout_kills_the_program_with_its_group(pyinit: Pyinit, namespace: bool) -> None:
    program = "trap '' TERM; sleep 1000 & echo ready; wait; wait; sleep 1000"
    with pyinit.start(
        "--stop-timeout", "0.3", "--", "sh", "-c", program, stderr=subprocess.STDOUT, namespace=namespace
    ) as run:
        run.wait_for("ready\n")
        below = descendants(run.pid)
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
        wait_until(lambda: not any(map(state, below)), "the whole group is gone")
    assert status == 137
    assert "(sh, ignores it): killed" in output


def test_the_first_request_sets_the_stop_timeout_and_others_do_not_move_it(pyinit: Pyinit) -> None:
    """strace shows the time-outs of the waits: they only become shorter."""
    tracer = ("strace", "-e", "trace=rt_sigtimedwait", "-e", "signal=none", "-o", "/dev/stderr")
    program = "trap '' TERM INT QUIT; echo ready; while :; do sleep 0.05; done"
    with pyinit.start(
        "--stop-timeout", "1.5", "--", "sh", "-c", program, wrapper=tracer, stderr=subprocess.STDOUT
    ) as run:
        run.wait_for("ready\n")
        (init,) = children(run.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            os.kill(init, number)
            run.wait_for(r"si_signo=SIG\w+, si_code=SI_USER[^\n]*\n")
        assert run.finish()[0] == 137


def test_without_a_request_there_is_no_stop_timeout(pyinit: Pyinit) -> None:
    program = "trap 'echo hup; got=1' HUP; echo ready; until [ $got ]; do sleep 0.05; done; sleep 0.5; exit 0"
    with pyinit.start("--stop-timeout", "0.1", "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGHUP)
        run.wait_for("hup\n")
        assert run.finish()[0] == 0


DAEMON = 'mkfifo "$0"; (setsid sh -c \'trap "echo daemon got term; exit" TERM; : >"$0"; '
DAEMON += 'while :; do sleep 0.05; done\' "$0" &); : <"$0"; echo gone; exit 6'


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f12_wait_all_stays_until_nothing_is_left(every_pyinit: Pyinit, tmp_path: Path, namespace: bool) -> None:
    """The program forks away as daemons do; later signals go to what it left, and the status is the program's."""
    with every_pyinit.start("--wait-all", "--", "sh", "-c", DAEMON, tmp_path / "fifo", namespace=namespace) as run:
        run.wait_for("gone\n")
        wait_until(lambda: len(children(run.pid)) == 1, "the program, beside the daemon so far, is reaped")
        run.send(signal.SIGTERM)
        run.wait_for("daemon got term\n")
        assert run.finish()[0] == 6


def test_wait_all_and_stop_timeout_kill_what_ignores_the_request(pyinit: Pyinit, tmp_path: Path) -> None:
    program = STUBBORN.replace("exit 3", "echo gone; exit 3")
    with pyinit.start("--wait-all", "--stop-timeout", "0.2", "--", "sh", "-c", program, tmp_path / "fifo") as run:
        run.wait_for("gone\n")
        wait_until(lambda: [proc_status(pid).get("Name") for pid in children(run.pid)] == ["sleep"], "it is alone")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 3
    assert "(sleep, ignores it): killed" in errors


# A supervisor that starts a service whose child outlives it, again and again.
SUPERVISOR = """
while :; do
    sh -c 'sh -c "trap \\"echo orphan got term; exit\\" TERM; echo child; while :; do sleep 0.05; done" & sleep 0.2'
    echo restart
done
"""


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f15_orphans_are_ended_if_asked_for(pyinit: Pyinit, namespace: bool) -> None:
    with pyinit.start("--orphans", "end", "--", "sh", "-c", SUPERVISOR, namespace=namespace) as run:
        for _ in range(2):
            run.wait_for("orphan got term\n")
            run.wait_for("restart\n")
            run._output = b""


def test_f15_an_orphan_that_ignores_term_is_killed_and_the_program_never(pyinit: Pyinit) -> None:
    orphan = "(trap '' TERM; sh -c 'echo ready; exec sleep 1000' &); "  # it ignores TERM before it is one
    program = orphan + "trap 'echo bad' TERM; sleep 1000 & wait; exit 0"
    with pyinit.start("--orphans", "end", "--grace", "0.3", "--", "sh", "-c", program, stderr=subprocess.STDOUT) as run:
        run.wait_for("ready\n")
        run.wait_for(r"TERM did not end the orphan \d+ \((sh|sleep), ignores it\): killed\n")
        wait_until(lambda: len(descendants(run.pid)) == 2, "only the program and its child are left")


@pytest.mark.parametrize("stop", [False, True], ids=["exits", "stopped"])
@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f15_orphans_are_ended_with_wait_all_too(pyinit: Pyinit, namespace: bool, stop: bool) -> None:
    """The one that was asked already, and the one that is an orphan only since the program's end."""
    # The early one has its trap before its parent ends, and it is an orphan.
    program = '(trap exit USR1; sh -c "$0" early USR1 & wait); sh -c "$0" late 0 & exec sleep 1000'
    orphan = 'trap "echo $0 got TERM" TERM; echo ready; kill -$1 $PPID; while :; do sleep 0.05; done'
    options = ("--orphans", "end", "--wait-all", "--grace", "0.5")
    command = ("sh", "-c", program, orphan)
    with pyinit.start(*options, "--", *command, namespace=namespace, stderr=subprocess.STDOUT) as run:
        run.wait_for("(?s)ready\n.*ready\n")
        run.wait_for("early got TERM\n")
        wait_for_a_tick()
        if stop:
            run.send(signal.SIGTERM)
        else:
            os.kill(min(children(run.pid)), signal.SIGKILL)
        output = run.finish()[1]
        assert output.count("early got TERM") == (2 if stop else 1)
        assert output.count("late got TERM") == 1
        assert output.count("TERM did not end the orphan") == 2


def test_an_orphan_that_was_asked_is_not_asked_again_at_the_end(pyinit: Pyinit) -> None:
    """For many a worker a second one means "now"."""
    orphan = 'trap "echo got TERM" TERM; echo ready; while :; do sleep 0.05; done'
    script = 'sh -c "$0" & trap "exit 3" USR1; while :; do sleep 0.05; done'
    with pyinit.start("--orphans", "end", "--grace", "1", "--", "sh", "-c", f"({script}); sleep 1000", orphan) as run:
        run.wait_for("ready\n")
        [program] = children(run.pid)
        subshell = children(program)[0]
        os.kill(subshell, signal.SIGUSR1)
        run.wait_for("got TERM\n")
        os.kill(program, signal.SIGKILL)
        output = run.finish()[1]
    assert output == "ready\ngot TERM\n"


def test_an_orphan_that_does_nothing_about_a_rewritten_stop_gets_term(pyinit: Pyinit) -> None:
    """As what a script has started in the background does about INT."""
    script = "(sleep 1000 &); echo ready; exec sleep 1000"
    with pyinit.start("-r", "TERM:INT", "--orphans", "end", "--grace", "1000", "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        wait_until(lambda: len(children(run.pid)) == 1, "the orphan has ended")


def test_orphans_are_kept_by_default(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "(sleep 1000 &); echo ready; exec sleep 1000") as run:
        run.wait_for("ready\n")
        wait_until(lambda: len(children(run.pid)) == 2, "the orphan is adopted")
        run.send(signal.SIGWINCH)
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert [state(pid) in ("R", "S", "D") for pid in children(run.pid)] == [True, True]


def test_children_that_it_was_started_with_are_no_orphans(pyinit: Pyinit) -> None:
    script = 'sleep 1000 & echo "sidecar $!"; exec "$@"'
    wrapper = ("sh", "-c", script, "sh")
    orphan = 'trap "echo orphan got term; exit" TERM; kill -USR1 $PPID; while :; do sleep 0.05; done'
    program = f"(trap exit USR1; sh -c '{orphan}' & wait); exec sleep 1000"  # it has its trap before it is an orphan
    with pyinit.start("--orphans", "end", "--", "sh", "-c", program, wrapper=wrapper) as run:
        run.wait_for("orphan got term\n")
        wait_until(lambda: len(children(run.pid)) == 2, "the orphan is reaped")
