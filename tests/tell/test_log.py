"""Messages never delay a signal: standard error closed, full and never read, or on a full disk."""

import fcntl
import os
import signal

import pytest

from tests.support import Pyinit, children, probe, wait_until


def full_pipe() -> "tuple[int, int]":
    """A pipe that nobody reads and that has no room left. Its writing end blocks."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


def forwards_and_reaps(pyinit: Pyinit, error: "int | None", *wrapper: str) -> None:
    """With everything logged, a hundred signals and some orphans pass, and the status is right."""
    options = ["-vvv", "-w", "--events", "-"]
    script = (
        "trap 'echo got' USR1; trap 'exit 7' TERM; i=0; while [ $i -lt 9 ]; do (true &); i=$((i+1)); done;"
        " echo ready; while :; do sleep 0.05; done"
    )
    with pyinit.start("-c", *options, "--", "sh", "-c", script, stderr=error, wrapper=wrapper) as run:
        run.wait_for("ready")
        for _ in range(5):
            run.send(signal.SIGUSR1)
            run.wait_for("got\n")
            run._output = b""
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 7


def test_a_full_pipe_delays_nothing(every_pyinit: Pyinit) -> None:
    reader, writer = full_pipe()
    try:
        forwards_and_reaps(every_pyinit, writer)
        assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, "the program's own descriptor is as it was"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_full_socket_delays_nothing(pyinit: Pyinit) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        try:
            while True:
                theirs.send(bytes(4096))
        except BlockingIOError:
            pass
        theirs.setblocking(True)
        forwards_and_reaps(pyinit, theirs.fileno())


def test_a_full_disk_delays_nothing(pyinit: Pyinit) -> None:
    with open("/dev/full", "wb") as full:
        forwards_and_reaps(pyinit, full.fileno())


def test_a_broken_pipe_delays_nothing_and_the_program_gets_no_sigpipe(pyinit: Pyinit) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        forwards_and_reaps(pyinit, writer)
        with pyinit.start("-vvv", "--", *probe("recorder"), stderr=writer) as run:
            run.wait_for("ready\n")
            run.send(signal.SIGUSR1)
            run.wait_for("got 10\n")
            run.send(signal.SIGTERM)
            run.wait_for("got 15\n")
            run.send(signal.SIGTERM)
            assert "got 13\n" not in run.finish()[1]
    finally:
        os.close(writer)


def test_closed_standard_streams_delay_nothing(pyinit: Pyinit) -> None:
    with pyinit.start(
        "-vvv", "--", "sh", "-c", "sleep 0.1; exit 7", wrapper=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    ) as run:
        assert run.finish()[0] == 7


def test_a_file_size_limit_is_not_passed_on_as_a_signal(pyinit: Pyinit, tmp_path: "os.PathLike[str]") -> None:
    log = os.path.join(tmp_path, "log")
    with (
        open(log, "wb") as file,
        pyinit.start("-vvv", "--", *probe("recorder"), stderr=file, wrapper=("prlimit", "--fsize=10")) as run,
    ):
        run.wait_for("ready\n")
        run.send(signal.SIGUSR1)
        run.wait_for("got 10\n")
        run.send(signal.SIGTERM)
        run.wait_for("got 15\n")
        run.send(signal.SIGTERM)
        assert f"got {int(signal.SIGXFSZ)}\n" not in run.finish()[1]
    assert os.path.getsize(log) == 10


def test_a_message_is_one_line(pyinit: Pyinit) -> None:
    _, _, errors = pyinit.run("--", "a\nb\x1b[31m\udcff")
    assert errors == "pyinit: cannot run ['a\\nb\\x1b[31m\\udcff']: 'a\\nb\\x1b[31m\\udcff' not found\n"


@pytest.mark.parametrize(("options", "lines"), [(["-q"], 0), ([], 1), (["-v"], 3)])
def test_verbosity_chooses_what_is_said(pyinit: Pyinit, options: "list[str]", lines: int) -> None:
    """A reaped orphan is a warning; two forwarded signals are told with -v only."""
    script = "(true &); trap 'echo got' USR1; trap 'exit 0' USR2; echo ready; while :; do sleep 0.1; done"
    with pyinit.start("-w", "-c", *options, "--", "sh", "-c", script) as run:
        run.wait_for("ready")
        (program,) = children(run.pid)[:1]
        wait_until(lambda: children(run.pid) == [program], "the orphan is reaped")
        run.send(signal.SIGUSR1)
        run.wait_for("got")
        run.send(signal.SIGUSR2)
        _, _, errors = run.finish()
    assert len(errors.splitlines()) == lines
