"""Somebody asks to end: what counts as that, who gets what, how long it may take, and what is said."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.support import (
    DEADLINE,
    NAMESPACE,
    WITHOUT_KILL,
    Pyinit,
    children,
    descendants,
    proc_status,
    set_user_id,
    state,
    traced,
    wait_for_a_tick,
    wait_until,
)


@pytest.mark.parametrize(
    ("number", "options", "stops"),
    [
        (signal.SIGTERM, [], True),
        (signal.SIGINT, [], True),
        (signal.SIGQUIT, [], False),
        (signal.SIGHUP, ["-r", "HUP:TERM"], False),
        (signal.SIGINT, ["-r", "INT:0"], False),
        (signal.SIGTERM, ["-r", "TERM:WINCH"], True),
        (signal.SIGQUIT, ["--stop-signal", "QUIT"], True),
        (signal.SIGWINCH, ["--stop-signal", "WINCH"], True),
        (signal.SIGTERM, ["--stop-signal", "WINCH"], False),
    ],
)
def test_f90_only_what_stops_the_program_starts_the_clock(
    pyinit: Pyinit, number: int, options: "list[str]", stops: bool
) -> None:
    """A thread dump by QUIT is no stop, nor is what the program never gets."""
    program = "trap '' INT QUIT WINCH; trap 'echo got TERM' TERM; echo ready; while :; do sleep 0.05; done"
    with pyinit.start("--stop-timeout", "0.3", *options, "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        run.send(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.process.wait(timeout=DEADLINE if stops else 1)
        assert run.process.poll() == (137 if stops else None)


# A shell, as `sh -c 'WORKER; echo bye'`, whose worker needs time after TERM, and for whom a second one means "now".
WORKER = """
import os, signal, sys, time
asked = []
def handle(*_):
    asked.append(1)
    if len(asked) > 1:
        os.write(1, b"lost\\n")
        os._exit(1)
signal.signal(signal.SIGTERM, handle)
os.write(1, b"ready\\n")
while not asked:
    time.sleep(0.01)
time.sleep(0.5)
os.write(1, b"finished\\n")
"""


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f91_who_has_had_the_stop_is_waited_for_and_not_sent_it_again(
    pyinit: Pyinit, tmp_path: Path, namespace: bool
) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    shell = ["sh", "-c", f"trap 'exit 0' TERM; {sys.executable} -IS {tmp_path}/worker.py & wait"]
    with pyinit.start("--", *shell, namespace=namespace) as run:
        run.wait_for("ready\n")
        wait_for_a_tick()
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, output) == (0, "ready\nfinished\n")
    assert re.search(r"the program has left 1 process: \d+ \(python\S*\); KILL in \d\.\d s", errors)


def test_f91_who_has_not_had_it_gets_it(pyinit: Pyinit, tmp_path: Path) -> None:
    """A process in a session of its own, beside one in the program's group."""
    other = 'setsid sh -c "trap \\"echo other got it; exit\\" TERM; : >$0; while :; do sleep 0.05; done" & '
    program = f'mkfifo "$0"; {other} : <"$0"; trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'
    with pyinit.start("--", "sh", "-c", program, tmp_path / "fifo") as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, output) == (3, "ready\nother got it\n")
    assert "TERM now, KILL in" in errors


def test_f92_what_is_left_gets_what_the_program_would_get(pyinit: Pyinit, tmp_path: Path) -> None:
    """As nginx behind a shell with -r TERM:QUIT: a TERM would cut off its request."""
    handlers = "".join(
        f"signal.signal(signal.SIG{name}, lambda *_: (os.write(1, b'by {name}\\n'), os._exit(0)))\n"
        for name in ("QUIT", "TERM")
    )
    (tmp_path / "left.py").write_text(f"import os, signal\n{handlers}open('ready', 'w').close()\nsignal.pause()\n")
    script = "rm -f ready; setsid $0 -IS left.py & while ! [ -e ready ]; do sleep 0.02; done; exit 3"
    for options in (["-r", "TERM:QUIT"], ["--stop-signal", "QUIT"]):
        found = pyinit.run(*options, "--", "sh", "-c", script, sys.executable, cwd=tmp_path)
        assert found[:2] == (3, "by QUIT\n"), options


def test_f93_wait_all_hands_on_the_stop_that_ended_the_program(pyinit: Pyinit, tmp_path: Path) -> None:
    daemon = 'setsid sh -c "trap \\"echo daemon ended; exit\\" TERM; : >$0; while :; do sleep 0.05; done" &'
    program = f'mkfifo "$0"; ({daemon}); : <"$0"; echo ready; exec sleep 1000'
    with pyinit.start("--wait-all", "--", "sh", "-c", program, tmp_path / "fifo") as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        assert run.finish()[:2] == (143, "ready\ndaemon ended\n")


@pytest.mark.parametrize(
    ("options", "number"),
    [
        (["-r", "TERM:QUIT"], signal.SIGTERM),
        (["-r", "TERM:INT"], signal.SIGTERM),
        (["--stop-signal", "QUIT"], signal.SIGQUIT),
        (["-r", "TERM:WINCH"], signal.SIGTERM),
        (["-r", "TERM:QUIT", "--wait-all"], signal.SIGTERM),
    ],
    ids=["quit", "int", "stop-signal", "winch", "wait-all"],
)
@pytest.mark.parametrize("left", ["sleep 1000", "setsid sleep 1000"], ids=["group", "elsewhere"])
def test_who_does_nothing_about_a_rewritten_stop_gets_term(
    pyinit: Pyinit, options: "list[str]", number: int, left: str
) -> None:
    """What a script has started in the background ignores INT and QUIT, and everybody WINCH: that took the grace."""
    name = signal.Signals(number).name[3:] if options[0] == "--stop-signal" else options[1].partition(":")[2]
    script = f"{left} & trap 'exit 3' {name}; echo ready; while :; do sleep 0.05; done"
    with pyinit.start(*options, "--grace", "1000", "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        run.send(number)
        status, _, errors = run.finish()
    assert status == 3
    assert "killed" not in errors


def test_who_does_nothing_about_a_rewritten_stop_since_it_came_gets_no_term(pyinit: Pyinit, tmp_path: Path) -> None:
    """It had the stop, and deals with it: nginx finishes its requests so."""
    worker = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # the script that starts it has it ignored
        "def handle(*_):\n"
        "    signal.signal(signal.SIGQUIT, signal.SIG_IGN)\n"
        "    time.sleep(1)\n"
        "    os.write(1, b'finished\\n')\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGQUIT, handle)\n"
        "os.write(1, b'ready\\n')\n"
        "while True: signal.pause()\n"
    )
    (tmp_path / "worker.py").write_text(worker)
    script = f"{sys.executable} -IS {tmp_path}/worker.py & trap 'exit 3' QUIT; while :; do sleep 0.05; done"
    with pyinit.start("-r", "TERM:QUIT", "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        wait_for_a_tick()
        run.send(signal.SIGTERM)
        status, output, errors = run.finish()
    assert (status, output) == (3, "ready\nfinished\n")
    assert "the program has left 1 process" in errors


# Its handler ignores a second INT, as who does not want to be hurried has it.
UNHURRIED = """
import os, signal, time
def handle(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1)
    os.write(1, b"finished\\n")
    os._exit(0)
signal.signal(signal.SIGINT, handle)
os.write(1, b"ready\\n")
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("options", [[], ["--wait-all"]], ids=["drain", "wait-all"])
def test_who_ignores_the_stop_in_its_handler_gets_no_term(pyinit: Pyinit, tmp_path: Path, options: "list[str]") -> None:
    """It is asked what it does before the stop is sent: strace makes time behind that."""
    (tmp_path / "unhurried.py").write_text(UNHURRIED)
    script = f"setsid {sys.executable} -IS {tmp_path}/unhurried.py & exec sleep 1000"
    with pyinit.start("-r", "TERM:INT", *options, "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        with traced(run.pid, "pidfd_send_signal", "delay_exit=300000"):
            run.send(signal.SIGTERM)
            status, output, errors = run.finish()
    assert (status, output) == (130, "ready\nfinished\n")
    assert "killed" not in errors


def test_whom_a_handler_starts_gets_the_stop(pyinit: Pyinit) -> None:
    """strace holds pyinit when it has sent it: the program is quicker."""
    script = "trap 'sleep 1000 & exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with pyinit.start("--grace", "1000", "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        with traced(run.pid, "kill", "delay_exit=300000"):
            run.send(signal.SIGTERM)
            status, _, errors = run.finish()
    assert status == 3
    assert "killed" not in errors


def test_who_was_started_between_two_stops_gets_the_second_and_no_third(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    # A third that came at once would be one with the second.
    start = f'trap "sleep 0.2; exit 3" TERM; {sys.executable} -IS {tmp_path}/worker.py & '
    script = f"trap '{start}' TERM; echo up; while :; do sleep 0.05; done"
    with pyinit.start("--", "sh", "-c", script) as run:
        run.wait_for("up\n")
        run.send(signal.SIGTERM)
        run.wait_for("ready\n")
        wait_for_a_tick()
        run.send(signal.SIGTERM)
        assert run.finish()[:2] == (3, "up\nready\nfinished\n")


def test_with_wait_all_and_no_grace_the_int_that_ended_the_program_is_handed_on(pyinit: Pyinit) -> None:
    script = "setsid sleep 1000 & echo ready; exec sleep 1000"
    with pyinit.start("--wait-all", "--grace", "0", "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGINT)
        assert run.finish()[0] == 130


def test_f97_with_wait_all_it_is_said_as_well(pyinit: Pyinit) -> None:
    """The program is gone by then."""
    script = "setsid sh -c 'trap \"\" TERM; echo ready; sleep 7' & exec sleep 1000"
    with pyinit.start("--wait-all", "--", "sh", "-c", script, stderr=subprocess.STDOUT) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        run.wait_for(r"pyinit: still running after 5 s: \d+ \(sh, ignores it\)")
        assert run.finish()[0] == 143


def test_what_a_stop_is_sent_as_to_stop_it_stays_stopped(pyinit: Pyinit) -> None:
    options = ("-vvv", "-r", "TERM:STOP")
    with pyinit.start(*options, "--", "sleep", "1000", stderr=subprocess.STDOUT) as run:
        wait_until(lambda: children(run.pid), "the program runs")
        run.send(signal.SIGTERM)
        run.wait_for("forwarded SIGTERM as SIGSTOP")
        run.send(signal.SIGWINCH)
        run.wait_for("forwarded SIGWINCH")  # what came with the stop has been dealt with
        wait_until(lambda: state(children(run.pid)[0]) == "T", "the program is stopped")


@pytest.mark.parametrize("hook", [[], ["--before"]], ids=["program", "hook"])
@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_what_is_stopped_goes_on_to_deal_with_the_stop(pyinit: Pyinit, hook: "list[str]", namespace: bool) -> None:
    """After a Ctrl-Z, which a container's shell would not have seen as PID 1."""
    script = "trap 'echo told; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    command = ["--", "sh", "-c", script] if not hook else [*hook, f'sh -c "{script}"', "--", "true"]
    with pyinit.start(*command, namespace=namespace) as run:
        run.wait_for("ready\n")
        [program] = children(run.pid)
        os.killpg(os.getpgid(program), signal.SIGSTOP)
        stopped = "it is stopped, or waits for a child of vfork that is"
        wait_until(lambda: state(program) == "T" or "T" in map(state, children(program)), stopped)
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert output == "ready\ntold\n"
    assert status == (143 if hook else 6)


def test_f95_the_grace_counts_from_the_stop(pyinit: Pyinit, tmp_path: Path) -> None:
    """The program takes its time, and what it leaves ignores TERM: both together take no more than the grace."""
    stubborn = 'setsid sh -c "trap \\"\\" TERM; : >$0; exec sleep 1000" &'
    program = f'mkfifo "$0"; {stubborn} : <"$0"; trap "sleep 1; exit 0" TERM; echo ready; while :; do sleep 0.05; done'
    journal = tmp_path / "journal"
    options = ["--grace", "1.5", "--events", str(journal)]
    with pyinit.start(*options, "--", "sh", "-c", program, tmp_path / "fifo") as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 0
    events = {each["event"]: each for each in map(json.loads, journal.read_text().splitlines())}
    stop = next(e for e in map(json.loads, journal.read_text().splitlines()) if e.get("signal") == "SIGTERM")
    assert events["drain"]["grace"] <= 0.5
    assert events["killed"]["monotonic"] - stop["monotonic"] > 1.4


def test_f96_a_handler_that_sets_ignore_is_not_called_one_that_ignores(pyinit: Pyinit) -> None:
    program = (
        "exec 2>/dev/null; trap 'trap \"\" TERM; sleep 0.3; exit 4' TERM; echo ready; while :; do sleep 0.05; done"
    )
    for _ in range(3):
        with pyinit.start("--", "sh", "-c", program) as run:
            run.wait_for("ready\n")
            run.send(signal.SIGTERM)
            status, _, errors = run.finish()
        assert (status, errors) == (4, "")


def test_f97_a_stop_that_takes_long_says_who_is_still_there(pyinit: Pyinit) -> None:
    program = "trap 'sleep 6; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with pyinit.start("--", "sh", "-c", program, stderr=subprocess.STDOUT) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        run.wait_for(r"pyinit: still running after 5 s: \d+ \(sh, catches it\)")
        assert run.finish()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["KILL", "SEGV"])
def test_f98_a_program_that_died_of_a_signal_is_one_line(pyinit: Pyinit, number: int) -> None:
    status, _, errors = pyinit.run("--", "sh", "-c", f"ulimit -c 0; kill -{int(number)} $$")
    assert status == 128 + number
    name = signal.Signals(number).name
    known = "(, nor the kernel for want of memory)?"  # test_killed.py
    assert re.fullmatch(f"pyinit: the program was ended by {name}, which pyinit did not send{known}\n", errors)


def test_f99_a_program_that_left_its_group_gets_its_signals(pyinit: Pyinit) -> None:
    """While another child stands in the old group, which therefore still takes signals."""
    program = (
        "import os, signal, subprocess, sys\n"
        "other = subprocess.Popen(['sleep', '1000'])\n"
        "second = subprocess.Popen(['sleep', '1000'], preexec_fn=lambda: os.setpgid(0, 0))\n"
        "os.setpgid(0, second.pid)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'got USR1\\n'))\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(5))\n"
        "os.write(1, b'ready\\n')\n"
        "while True: signal.pause()\n"
    )
    with pyinit.start("--", sys.executable, "-IS", "-c", program) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGUSR1)
        run.wait_for("got USR1\n")
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 5


# Its first thread ends, another goes on.
HALF_DEAD = r"""
#include <pthread.h>
#include <unistd.h>
static void *on(void *unused) { for (;;) pause(); return unused; }
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, 0, on, 0);
    write(1, "ready\n", 6);
    pthread_exit(0);
}
"""


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f100_a_process_whose_first_thread_has_ended_is_no_zombie(
    pyinit: Pyinit, tmp_path: Path, namespace: bool
) -> None:
    half_dead = str(tmp_path / "half-dead")
    subprocess.run(["gcc", "-o", half_dead, "-xc", "-", "-lpthread"], input=HALF_DEAD, text=True, check=True)
    program = f"setsid {half_dead} & while ! grep -q '^State:.Z' /proc/$!/status; do sleep 0.02; done; exit 3"
    status, _, errors = pyinit.run("--", "sh", "-c", program, namespace=namespace)
    assert status == 3
    assert "half-dead" in errors


CHAIN = """
import os, sys, time
for depth in range(int(sys.argv[1])):
    if os.fork():
        if depth:
            os.wait()
            os._exit(0)
        os.write(1, b"")
        break
else:
    os.write(1, b"deep\\n")
    time.sleep(1000)
time.sleep(1000)
"""


@pytest.mark.parametrize("without_pidfd", [False, True], ids=["pidfd", "no-pidfd"])
def test_f101_a_long_chain_of_processes_ends_in_time(pyinit: Pyinit, without_pidfd: bool) -> None:
    """Outside PID 1, where each has to be found; also where no pidfd is to be had (Linux before 5.3, a filter)."""
    inject = ("strace", "-D", "-o", "/dev/null", "-e", "trace=pidfd_open", "-e", "inject=pidfd_open:error=ENOSYS")
    program = [sys.executable, "-IS", "-c", CHAIN, "400"]
    shell = ["sh", "-c", '"$@" & read -r _; exit 3', "sh", *program]
    options: "dict[str, object]" = {
        "namespace": False,
        "wrapper": inject if without_pidfd else (),
        "stdin": subprocess.PIPE,
    }
    with pyinit.start("--grace", "5", "--", *shell, **options) as run:  # type: ignore[arg-type]
        run.wait_for("deep\n")
        init = run.pid
        below = descendants(init)
        assert len(below) >= 400
        assert run.process.stdin
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        assert run.finish()[0] == 3  # within a deadline that looking up each for each would miss
        wait_until(lambda: not any(map(state, below)), "all have ended")


def test_f102_all_of_many_orphans_are_ended(pyinit: Pyinit) -> None:
    """One read of a file of /proc is a page, and a page has a thousand numbers."""
    program = "for i in $(seq 1500); do (sleep 1000 &); done; echo ready; exec sleep 1000"
    with pyinit.start("--orphans", "end", "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        wait_until(lambda: len(children(run.pid)) == 1, "only the program is left")


def test_f103_a_killed_orphan_is_in_the_journal(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    program = "trap '' TERM; (sleep 1000 &); exec sleep 1000"
    options = ["--orphans", "end", "--grace", "0.2", "--events", str(journal)]
    with pyinit.start(*options, "--", "sh", "-c", program):
        wait_until(lambda: journal.exists() and '"event": "killed"' in journal.read_text(), "the orphan is killed")


def test_f104_without_a_proc_of_its_own_nobody_elses_process_is_named(pyinit: Pyinit, tmp_path: Path) -> None:
    """/proc is the host's: its numbers mean other processes there."""
    command = ["unshare", "--pid", "--fork", "--kill-child", str(pyinit.file), "-w", "--events", str(tmp_path / "j")]
    program = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 &); done; sleep 0.3; (sleep 1000 &); exit 3"]
    done = subprocess.run([*command, "--", *program], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 3
    reaped = [e for e in map(json.loads, (tmp_path / "j").read_text().splitlines()) if e["event"] == "reaped"]
    assert {each["command"] for each in reaped} == {""}
    assert "kthread" not in done.stderr and "kworker" not in done.stderr


def test_f105_the_journal_gives_a_process_its_own_name_in_a_storm(pyinit: Pyinit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    program = 'for i in $(seq 300); do (exec -a x true &); (sh -c "exit 9" &); done; wait; sleep 0.2'
    pyinit.run("--events", journal, "--", "bash", "-c", program)
    reaped = [e for e in map(json.loads, journal.read_text().splitlines()) if e["event"] == "reaped" and e["orphan"]]
    assert len(reaped) >= 300
    wrong = [each for each in reaped if each["status"] == 9 and each["command"] not in ("sh", "bash")]
    assert wrong == []


THREAD = r"""
#include <pthread.h>
#include <unistd.h>
static void *on(void *unused) { for (;;) pause(); return unused; }
__attribute__((constructor)) static void begin(void) { pthread_t thread; pthread_create(&thread, 0, on, 0); }
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that starts a thread, as monitoring products preload them."""
    library = tmp_path_factory.mktemp("agent") / "agent.so"
    command = ["gcc", "-shared", "-fPIC", "-o", str(library), "-xc", "-", "-lpthread"]
    subprocess.run(command, input=THREAD, text=True, check=True)
    return library


def test_f106_a_preloaded_agent_is_in_the_program_alone(every_pyinit: Pyinit, agent: Path) -> None:
    script = "echo $LD_PRELOAD; env | grep -c KEPT; ls /proc/1/task | wc -l; cat /proc/1/comm; unset LD_PRELOAD; "
    script += "exec grep SigBlk /proc/self/status"
    status, output, errors = every_pyinit.run("--", "sh", "-c", script, wrapper=("env", f"LD_PRELOAD={agent}"))
    assert (status, errors) == (0, "")
    assert output == f"{agent}\n0\n1\n{every_pyinit.file.name}\nSigBlk:\t0000000000000000\n"


def test_f106_with_a_preloaded_agent_no_stop_is_lost(every_pyinit: Pyinit, agent: Path) -> None:
    for _ in range(10):
        with every_pyinit.start("--", "sleep", "1000", wrapper=("env", f"LD_PRELOAD={agent}")) as run:
            wait_until(lambda: children(run.pid), "the program is started")
            run.send(signal.SIGTERM)
            assert run.finish() == (143, "", "")


def test_f106_an_agent_that_no_variable_names_is_said(pyinit: Pyinit, agent: Path, tmp_path: Path) -> None:
    """/etc/ld.so.preload, which no variable turns off."""
    (tmp_path / "ld.so.preload").write_text(f"{agent}\n")
    mount = 'touch /etc/ld.so.preload; mount --bind "$1" /etc/ld.so.preload; shift; exec "$@"'
    made = not Path("/etc/ld.so.preload").exists()
    try:
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path / "ld.so.preload")]
        command += [*NAMESPACE, str(pyinit.file), "--", "sleep", "1000"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            process.kill()  # what it says is true: it may have taken the program's end
    finally:
        if made:
            Path("/etc/ld.so.preload").unlink()
    assert "another thread runs in this process (/etc/ld.so.preload?)" in line


def test_f107_a_full_terminal_delays_no_stop(pyinit: Pyinit) -> None:
    """Stopped with Ctrl-S, and without a /proc through which it could be opened again."""
    master, slave = os.openpty()
    try:
        script = 'umount -l /proc 2>/dev/null; exec "$@"'
        # The shell itself would wait for the terminal, to say there that its sleep was terminated.
        program = "exec 2>/dev/null; trap 'exit 6' TERM; trap '' USR2; echo ready; while :; do sleep 0.05; done"
        wrapper = ("sh", "-c", script, "sh")
        with pyinit.start("-vvv", "-w", "--", "sh", "-c", program, wrapper=wrapper, stderr=slave) as run:
            run.wait_for("ready\n")
            termios.tcflow(slave, termios.TCOOFF)
            for _ in range(20):
                run.send(signal.SIGUSR2)
                run.send(signal.SIGWINCH)
            run.send(signal.SIGTERM)
            assert run.process.wait(timeout=20) == 6
    finally:
        os.close(master)
        os.close(slave)
    assert proc_status(os.getpid())


def test_f91_by_ctrl_c_a_background_job_still_gets_term(pyinit: Pyinit) -> None:
    """A shell's jobs in the background ignore INT: it is not what stops them."""
    with pyinit.start(
        "--", "sh", "-c", "sleep 1000 & until pgrep -x sleep >/dev/null; do :; done; echo ready; wait"
    ) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGINT)
        status, _, errors = run.finish()
    assert status == 130
    assert "TERM now" in errors and "killed" not in errors


@pytest.mark.parametrize("options", [[], ["--wait-all"]], ids=["drain", "wait-all"])
def test_f91_who_has_had_the_stop_while_it_was_stopped_goes_on_by_cont(pyinit: Pyinit, options: "list[str]") -> None:
    script = "sleep 1000 & kill -STOP $!; trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with pyinit.start(*options, "--", "sh", "-c", script) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 3
    assert "killed" not in errors


@pytest.mark.parametrize("call", ["pidfd_open", "pidfd_send_signal"])
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_f108_a_filter_that_refuses_pidfds_leaves_nobody_behind(pyinit: Pyinit, call: str, error: str) -> None:
    inject = ("strace", "-D", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}")
    script = "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.3; exit 3"
    status, output, errors = pyinit.run("--", "sh", "-c", script, namespace=False, wrapper=inject)
    assert status == 3
    assert "killed" not in errors
    assert not state(int(output))


@pytest.mark.parametrize("proc", ["umount -l /proc", "mount -t tmpfs none /proc && ln -s $$ /proc/self"])
def test_f108_without_a_proc_the_group_is_ended_and_that_is_said(pyinit: Pyinit, proc: str) -> None:
    """Outside PID 1, where nobody can say who else is left. The root of a tmpfs has a procfs's inode number."""
    command = ["unshare", "--mount", "sh", "-c", f'{proc}; exec "$@"', "sh", str(pyinit.file)]
    script = "sleep 1000 & echo $!; exit 3"
    done = subprocess.run([*command, "--grace", "1000", "--", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 3
    assert "/proc does not tell which" in done.stderr
    assert not state(int(done.stdout))


@pytest.mark.parametrize("namespace", [True, False], ids=["pid-1", "subreaper"])
def test_f109_what_a_hook_leaves_is_ended_although_the_program_never_started(pyinit: Pyinit, namespace: bool) -> None:
    hook = "sh -c 'sleep 1000 & echo $!; exit 0'"
    status, output, _ = pyinit.run("--before", hook, "--before", "false", "--", "true", namespace=namespace)
    assert status == 1
    assert namespace or not state(int(output))


@pytest.mark.parametrize("proc", ["true", "umount -l /proc"], ids=["proc", "no-proc"])
def test_f109_without_a_program_our_own_group_is_not_signalled(pyinit: Pyinit, proc: str) -> None:
    """0 in the place of the program's group would mean ours to kill(2), and so whoever has started us."""
    hook = "sh -c 'trap \"\" TERM; sleep 1000 >/dev/null 2>&1 & echo $!; exit 0'"
    script = f'{proc}; "$@"; echo status $?'
    options = ["--grace", "0.3", "--before", hook, "--before", "false", "--", "true"]
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(pyinit.file), *options]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    stubborn, *rest = done.stdout.splitlines()
    if proc != "true":  # nobody can say who it is
        os.kill(int(stubborn), signal.SIGKILL)
    assert (done.returncode, rest) == (0, ["status 1"]), done.stderr
    assert proc != "true" or not state(int(stubborn))


def test_f109_a_stop_during_a_hook_after_the_program_starts_the_clock(pyinit: Pyinit) -> None:
    hook = "sh -c 'trap \"sleep 3; exit 0\" TERM; echo hook; while :; do sleep 0.05; done'"
    script = "(trap 'sleep 3; echo saved; exit' TERM; while :; do sleep 0.05; done) & exit 3"
    with pyinit.start("--grace", "4", "--after", hook, "--", "sh", "-c", script) as run:
        run.wait_for("hook\n")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 3
    assert "saved" not in output


def test_f110_what_a_shell_started_before_it_became_pyinit_is_left_alone(pyinit: Pyinit, tmp_path: Path) -> None:
    """As `exec pyinit -- PROGRAM > >(FILTER)` has it: what the program wrote must reach the end of the pipe."""
    script = f"exec {pyinit.file} -- seq 1000 > >(sleep 0.7; exec cat > {tmp_path}/out)"
    assert subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL).returncode == 0
    wait_until(lambda: (tmp_path / "out").exists() and "1000\n" in (tmp_path / "out").read_text(), "all has arrived")


def test_f110_who_was_there_before_is_not_waited_for(every_pyinit: Pyinit) -> None:
    """Nor who comes of them: the grace is longer than any test."""
    script = 'setsid sh -c "sleep 999 & exec sleep 999" >/dev/null & echo $!; exec "$@"'
    for options, status in ((("--grace", "600"), 3), (("--wait-all", "--grace", "600"), 3)):
        command = [str(every_pyinit.file), *options, "--", "sh", "-c", "sleep 998 >/dev/null & exit 3"]
        if "--wait-all" in options:
            command[-1] = "sleep 0.2 & exit 3"
        done = subprocess.run(["sh", "-c", script, "sh", *command], stdout=subprocess.PIPE, text=True)
        first = int(done.stdout)
        try:
            assert done.returncode == status
            assert state(first) in "SR"
        finally:
            os.killpg(first, signal.SIGKILL)


def test_f110_whom_one_of_before_leaves_is_no_left_over(pyinit: Pyinit, tmp_path: Path) -> None:
    """It is adopted when its parent ends, and was there before."""
    os.mkfifo(tmp_path / "fifo")
    parent = '(sleep 999 >/dev/null & echo $!; : >"$0.forked"; read line < "$0")'
    script = parent + ' & until [ -e "$0.forked" ]; do sleep 0.02; done; exec "$@" $!'
    program = 'echo go > "$0"; while kill -0 "$1" 2>/dev/null; do sleep 0.02; done'
    command = [str(pyinit.file), "--grace", "600", "--", "sh", "-c", program, str(tmp_path / "fifo")]
    done = subprocess.run(["sh", "-c", script, str(tmp_path / "fifo"), *command], stdout=subprocess.PIPE, text=True)
    left = int(done.stdout)
    try:
        assert done.returncode == 0
        assert state(left) in "SR"
    finally:
        os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize("options", [[], ["-w"], ["-v"]])
def test_a_stop_that_a_tracer_is_told_is_no_end(pyinit: Pyinit, options: "list[str]") -> None:
    """Whoever asks to be traced by the parent, as against debuggers, stops at its next signal (man 2 ptrace)."""
    program = (
        "import ctypes, os\n"
        "ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n"  # PTRACE_TRACEME
        "os.write(1, b'ready\\n')\n"
        "os.kill(os.getpid(), 10)\n"
    )
    with pyinit.start(*options, "--stop-timeout", "0.3", "--", sys.executable, "-ISc", program) as run:
        run.wait_for("ready\n")
        wait_until(lambda: state(children(run.pid)[0]) == "t", "it is stopped")
        run.send(signal.SIGUSR1)
        assert run.process.poll() is None
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 137
    assert "killed" in errors


def test_a_child_that_ends_without_a_sigchld_is_reaped(pyinit: Pyinit) -> None:
    """Cloned so, it counts for no usual wait (man 2 wait, __WALL), and would be waited for at the end."""
    clone = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)
    if clone is None:
        pytest.skip("the number of clone is not known")
    before = (
        "import ctypes, os, sys\n"
        f"ctypes.CDLL(None).syscall({clone}, 0, 0, 0, 0, 0) or os._exit(0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    wrapper = (sys.executable, "-ISc", before)
    for options in ((), ("-w",), ("--events", "/dev/null")):
        assert pyinit.run(*options, "--grace", "600", "--", "sh", "-c", "exit 4", wrapper=wrapper)[:2] == (4, "")


def ended_after_an_int(
    pyinit: Pyinit, program: str, end: int, *options: str, grace: float = 1
) -> "tuple[int, str, str]":
    """What becomes of a program that says `ready`, and `cancelled` to an INT, outlives that and is sent `end`."""
    with pyinit.start("--grace", str(grace), *options, "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGINT)
        run.wait_for("cancelled\n")
        time.sleep(grace + 0.2)
        run.send(end)
        return run.finish()


def test_an_int_that_was_outlived_takes_no_time_from_what_is_left(pyinit: Pyinit) -> None:
    """To the program it was no request to end."""
    program = (
        "trap 'echo cancelled' INT; trap 'exit 3' USR1; (trap '' TERM USR1; exec sleep 999) & echo ready; "
        "while :; do sleep 0.05; done"
    )
    status, _, errors = ended_after_an_int(pyinit, program, signal.SIGUSR1)
    assert status == 3
    found = re.search(r"KILL in (\d\.\d) s", errors)
    assert found and float(found[1]) > 0.2


def test_a_term_after_an_int_that_was_outlived_is_the_stop(pyinit: Pyinit) -> None:
    """Time counts from it, and what had it is waited for."""
    program = (
        "trap 'echo cancelled' INT; trap 'sleep 0.6; exit 3' TERM; (trap '' TERM; exec sleep 999) & echo ready; "
        "while :; do sleep 0.05; done"
    )
    status, _, errors = ended_after_an_int(pyinit, program, signal.SIGTERM)
    assert status == 3
    found = re.search(r"KILL in (\d\.\d) s", errors)
    assert found and float(found[1]) < 0.6


def test_who_outlived_an_int_as_well_gets_it_at_the_end(pyinit: Pyinit) -> None:
    """With -r TERM:INT it is what the program would get at a stop."""
    program = (
        f"trap 'echo cancelled' INT; trap 'exit 3' USR1; {sys.executable} -IS -c \"$0\" & while :; do sleep 0.05; done"
    )
    # The first that comes is outlived, and by the second it ends.
    other = (
        "import os, signal\nsignal.signal(10, signal.SIG_IGN)\nsignal.signal(15, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [2])\nos.write(1, b'ready\\n')\n"
        "signal.sigwait([2])\nsignal.sigwait([2])\nos.write(1, b'ended\\n')\n"
    )
    with pyinit.start("-r", "TERM:INT", "--grace", "1", "--", "sh", "-c", program, other) as run:
        run.wait_for("ready\n")
        wait_for_a_tick()
        run.send(signal.SIGINT)
        run.wait_for("cancelled\n")
        time.sleep(1.2)
        run.send(signal.SIGUSR1)
        status, output, errors = run.finish()
    assert (status, output) == (3, "ready\ncancelled\nended\n")
    assert "killed" not in errors


def test_with_wait_all_an_int_that_was_outlived_is_not_handed_on(pyinit: Pyinit) -> None:
    program = (
        "trap 'echo cancelled' INT; trap 'exit 3' USR1; "
        "(trap '' INT USR1; trap 'echo term' TERM; for i in 1 2 3 4; do sleep 0.5; done) & echo ready; "
        "while :; do sleep 0.05; done"
    )
    done = ended_after_an_int(pyinit, program, signal.SIGUSR1, "--wait-all", grace=0.3)
    assert done[:2] == (3, "ready\ncancelled\n")


@pytest.mark.parametrize(("rewrite", "ends_by"), [("TERM:KILL", "KILL"), ("TERM:ABRT", "ABRT")])
def test_a_rewrite_hides_no_end_that_it_did_not_make(pyinit: Pyinit, rewrite: str, ends_by: str) -> None:
    errors = pyinit.run("-r", rewrite, "--", "sh", "-c", f"kill -{ends_by} $$")[2]
    assert f"the program was ended by SIG{ends_by}" in errors and "which pyinit did not send" in errors


def test_an_end_by_what_was_handed_on_is_nobody_elses(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "echo ready; exec sleep 999") as run:
        run.wait_for("ready\n")
        run.send(signal.SIGABRT)
        status, _, errors = run.finish()
    assert (status, errors) == (134, "")


def test_a_kill_that_rewrite_asks_for_is_nobody_elses(pyinit: Pyinit) -> None:
    for signal_name in ("TERM", "USR1"):
        status, _, errors = pyinit.run("-r", f"{signal_name}:KILL", "--", "sh", "-c", f"kill -{signal_name} 1; sleep 9")
        assert status == 137
        assert "the program was ended by" not in errors


def test_f111_an_event_that_does_not_fit_costs_no_other(pyinit: Pyinit, tmp_path: Path) -> None:
    """A disk that is full for a while: each later line is whole."""
    (tmp_path / "mount").mkdir()
    script = (
        'mount -t tmpfs -o size=8k none mount && dd if=/dev/zero of=mount/full bs=100 count=75 status=none; exec "$@"'
    )
    program = (
        "for i in $(seq 100); do (sleep 0 &); done; sleep 0.5; rm mount/full; for i in 1 2 3 4 5; do (true &); done; "
    )
    program += "sleep 0.5; cat mount/journal > journal"
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh")
    assert pyinit.run("--events", "mount/journal", "--", "sh", "-c", program, wrapper=wrapper, cwd=tmp_path)[0] == 0
    lines = (tmp_path / "journal").read_text().splitlines()
    whole = [line for line in lines if line.startswith("{") and line.endswith("}")]
    assert len(lines) - len(whole) <= 2
    assert all(json.loads(line)["event"] for line in whole)


def test_f112_what_may_not_be_signalled_in_the_programs_group_is_not_waited_for(pyinit: Pyinit, tmp_path: Path) -> None:
    """The group had the stop, and not each of it."""
    program = set_user_id(tmp_path, 1000)
    command = ("--grace", "1000", "--", "sh", "-c", '"$0" & exec sleep 1000', program)
    with pyinit.start(*command, wrapper=WITHOUT_KILL) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 143


def test_f112_a_program_that_may_not_be_signalled_is_one_line(pyinit: Pyinit, tmp_path: Path) -> None:
    """set-user-ID, and PID 1 has no CAP_KILL."""
    with pyinit.start("--", set_user_id(tmp_path, 3), wrapper=WITHOUT_KILL) as run:
        run.wait_for("ready\n")
        run.send(signal.SIGUSR1)
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 5
    assert "internal error" not in errors
    assert "pyinit: cannot send SIGUSR1 to -2: Operation not permitted\n" in errors
