"""pyinitctl doctor on the host, beside the other inits and beside programs that are PID 1 themselves."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinit.ctl import container, proc
from pyinit.ctl.doctor.files import Files
from pyinit.ctl.doctor.security import is_secret
from tests.support import DEADLINE, NAMESPACE, REPOSITORY, Pyinit, Run, Terminal, require_namespaces, wait_until

DOCTOR = [sys.executable, "-m", "pyinit.ctl", "doctor"]
NO_COLOR = ("env", "NO_COLOR=1")

SHELL = ("sh", "-c", "sh -c 'echo ready; exec sleep 1000'; true")
WITH_DAEMON = ("sh", "-c", "(setsid sh -c 'sleep 1000 & echo daemon'; true); echo ready; exec sleep 1000")


def doctor(*arguments: "str | int") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DOCTOR, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def checks(pid: int, *arguments: str) -> "set[str]":
    """What is wrong with PID 1 and the processes. Rights and mounts are those of whoever runs the tests."""
    told = json.loads(doctor("--pid", pid, "--json", *arguments).stdout)
    wrong = {each["check"] for each in told["findings"] if each["severity"] != "note"}
    return wrong - {"owner", "unwritable", "socket", "secrets", "capabilities"}


@contextlib.contextmanager
def start(*command: "str | Path") -> "Iterator[Run]":
    """A command as PID 1, once there is `ready` from it or from what it runs."""
    require_namespaces()
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is not installed")
    with Pyinit(Path(command[0]), "").start(*command[1:]) as run:
        run.wait_for("ready")
        yield run


def wait_for_program(run: Run, name: str) -> None:
    """A shell says `ready` before it becomes the program."""
    wait_until(lambda: container.look(run.pid).program.name == name, f"{name} is the program")


def python(script: str) -> "tuple[str, ...]":
    return sys.executable, "-IS", "-c", f"import os, signal, time\n{script}"


@pytest.mark.parametrize(
    ("init", "program", "expected"),
    [
        (("tini", "--"), SHELL, {"shell"}),
        (("tini", "-g", "--"), SHELL, set()),
        (("catatonit", "--"), SHELL, {"shell"}),
        (("catatonit", "-g", "--"), SHELL, set()),
        (("dumb-init", "--"), SHELL, set()),
        (("dumb-init", "-c", "--"), SHELL, {"shell"}),
        (("dumb-init", "-r", "15:0", "--"), ("sh", "-c", "echo ready; exec sleep 1000"), {"stop"}),
        (("tini", "--"), WITH_DAEMON, {"cut-off"}),
        (("catatonit", "--"), WITH_DAEMON, {"cut-off"}),
        (("dumb-init", "--"), WITH_DAEMON, {"cut-off"}),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_what_another_init_does_not_do_is_found(
    init: "tuple[str, ...]", program: "tuple[str, ...]", expected: "set[str]"
) -> None:
    with start(*init, *program) as run:
        found = container.look(run.pid)
        assert found.init is not None
        assert found.init.name == init[0]
        assert checks(run.pid) == expected


@pytest.mark.parametrize("name", ["tini", "catatonit", "dumb-init"])
def test_an_unknown_init_is_recognised_by_what_it_does(tmp_path: Path, name: str) -> None:
    """tini and dumb-init wait in a call, catatonit has a signalfd."""
    binary = shutil.which(name)
    if not binary:
        pytest.skip(f"{name} is not installed")
    shutil.copy(binary, tmp_path / "own-init")
    with start(tmp_path / "own-init", "--", "sh", "-c", "echo ready; exec sleep 1000") as run:
        wait_for_program(run, "sleep")
        found = container.look(run.pid)
        assert found.init is not None
        assert found.init.name == "own-init"
        assert checks(run.pid) == set()


def test_pyinit_under_another_init_is_looked_through(pyinit: Pyinit) -> None:
    with start("tini", "--", str(pyinit.file), "-s", "--", *SHELL) as run:
        wait_for_program(run, "sleep")
        names = [link.process.name for link in container.look(run.pid).chain]
        assert names == ["tini", "pyinit", "sh", "sleep"]
        assert checks(run.pid) == set()


def test_pyinit_is_recognised_however_it_is_started(pyinit: Pyinit) -> None:
    program = ("--", "sh", "-c", "echo ready; exec sleep 1000")
    for command in (
        (str(pyinit.file),),
        (sys.executable, str(pyinit.file)),
        ("env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "pyinit"),
        (str(pyinit.named("tini").file),),
    ):
        with start(*command, *program) as run:
            found = container.look(run.pid)
            assert found.init is not None, command
            assert found.init.name == ("tini" if command[0].endswith("tini") else "pyinit"), command
            assert found.init.settings is not None
            wait_for_program(run, "sleep")


def test_pyinits_variables_count(pyinit: Pyinit) -> None:
    with start("env", "PYINIT_SINGLE_CHILD=yes", str(pyinit.file), "--", *SHELL) as run:
        assert checks(run.pid) == {"shell"}


def test_waiting_for_other_signals_is_no_handling_of_term() -> None:
    script = "signal.pthread_sigmask(signal.SIG_BLOCK, [10]); print('ready', flush=True); signal.sigwait([10])"
    with start(*python(script)) as run:
        assert checks(run.pid) == {"stop"}
        assert checks(run.pid, "--stop-signal", "USR1") == set()


def test_a_thread_that_waits_for_term_counts() -> None:
    """As in mariadbd."""
    script = (
        "import threading\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [15])\n"
        "threading.Thread(target=lambda: (print('ready', flush=True), signal.sigwait([15]))).start()\n"
        "signal.pause()\n"
    )
    with start(*python(script)) as run:
        assert checks(run.pid) == set()


def test_the_stop_signal_is_the_images() -> None:
    with start(*python("signal.signal(3, lambda *_: None); print('ready', flush=True); time.sleep(1000)")) as run:
        assert checks(run.pid) == {"stop"}
        assert checks(run.pid, "--stop-signal", "SIGQUIT") == set()
        assert checks(run.pid, "--stop-signal", "9") == set()


def test_a_zombie_that_is_reaped_soon_is_none() -> None:
    """Children end all the time, and each is waited for a moment later."""
    script = (
        "signal.signal(15, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    pid = os.posix_spawn('/bin/true', ['true'], {})\n"
        "    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
        "    time.sleep(0.05)\n"
        "    os.waitpid(pid, 0)\n"
    )
    with start(*python(script)) as run:
        assert checks(run.pid) == set()


def test_any_process_of_the_container_will_do(pyinit: Pyinit) -> None:
    with start(str(pyinit.file), "--", *SHELL) as run:
        found = container.look(run.pid)
        assert {container.look(pid).pid1.pid for pid in found.processes} == {run.pid}
        assert [found.number(link.process) for link in found.chain] == [1, 2, 3]


def test_inside_it_looks_at_its_own_pid_namespace(pyinit: Pyinit) -> None:
    """Even where /proc is still that of the namespace above."""
    for namespace in (NAMESPACE, [word for word in NAMESPACE if word != "--mount-proc"]):
        command = [*namespace, str(pyinit.file), "--", *DOCTOR, "--json"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        told = json.loads(done.stdout)
        assert told["pid1"]["init"] == "pyinit"
        assert told["program"]["number"] == 2
        assert told["program"]["command"][-2:] == ["doctor", "--json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pid", "4194304"), "Error: --pid: there is no process 4194304 here\n"),
        (("--pid", "none"), "Error: Invalid value for '--pid': 'none' is not a valid integer"),
        (("--stop-signal", "FOO"), "Error: Invalid value for '--stop-signal': 'FOO' is no signal: a name such as"),
    ],
)
def test_what_cannot_be_looked_at_is_status_2(arguments: "tuple[str, ...]", message: str) -> None:
    done = doctor(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_colour_is_for_a_terminal_that_wants_it() -> None:
    with start("sh", "-c", "echo ready; exec sleep 1000") as run:
        command = (*DOCTOR, "--pid", str(run.pid))
        assert "\x1b" not in doctor("--pid", run.pid).stdout
        for wrapper, colour in (((), True), (NO_COLOR, False)):
            with Terminal("env", "TERM=xterm", *wrapper, *command) as terminal:
                assert terminal.finish() == 1
                assert "stop" in terminal.output
                assert ("\x1b" in terminal.output) is colour


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("POSTGRES_PASSWORD", "hunter2", True),
        ("PGPASSWORD", "hunter2", True),
        ("django_secret_key", "hunter2", True),
        ("AWS_SECRET_ACCESS_KEY", "hunter2", True),
        ("GITHUB_TOKEN", "hunter2", True),
        ("DATABASE_URL", "postgres://app:hunter2@db/app", True),
        ("PROXY", "http://proxy:3128/", False),
        ("DATABASE_URL", "postgres://app@db/app", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db", False),
        ("POSTGRES_PASSWORD", "", False),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes", False),
        ("SSH_PRIVATE_KEY", "/keys/id", False),
        ("TOKENIZERS_PARALLELISM", "8", False),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", False),
        ("PWD", "/srv", False),
    ],
)
def test_secrets_are_told_by_name_and_value(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def test_files_are_not_looked_for_through_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "file").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    files = Files(os.getpid(), is_ours=True)
    for name in ("link/passwd", "file", "pipe"):
        with pytest.raises(OSError, match=name):
            files.read(str(tmp_path / name))
    assert files.read("/etc/passwd") == Path("/etc/passwd").read_bytes()


def test_looking_leaves_no_descriptor_open() -> None:
    before = os.listdir("/proc/self/fd")
    files = Files(os.getpid(), is_ours=True)
    files.status("/etc/passwd")
    list(files.walk("/etc"))
    with contextlib.suppress(OSError):
        files.status("/etc/none/none")
    proc.read(os.getpid())
    assert os.listdir("/proc/self/fd") == before
