"""--exec: the program takes our place, with what others sent us and nothing of our own making."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import DEADLINE, Pyinit
from tests.support.identity import Etc

SHOW = ["sh", "-c", "grep -E 'ShdPnd|SigPnd' /proc/self/status | cut -f2 | tr '\\n' ' '"]
NOTHING = "0000000000000000 0000000000000000 "
NOT_ROOT = ("setpriv", "--reuid", "54321", "--clear-groups")


def mask(number: int) -> str:
    return f"{1 << number - 1:016x}"


@pytest.mark.parametrize("blocked", [False, True])
def test_f74_a_warning_to_a_closed_pipe_does_not_end_the_program(shared_pyinit: Pyinit, blocked: bool) -> None:
    """Neither at once, nor later, where the program was to have the signal blocked."""
    reader, writer = os.pipe()
    os.close(reader)
    block = ("env", "--block-signal=PIPE", "--block-signal=CHLD") if blocked else ()
    with os.fdopen(writer, "w") as errors:
        command = [*NOT_ROOT, *block, str(shared_pyinit.file), "--exec", "-u", "nobody", "--", *SHOW]
        done = subprocess.run(command, stderr=errors, stdout=subprocess.PIPE, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (0, NOTHING)


@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1])
def test_f74_what_others_sent_reaches_what_we_become(pyinit: Pyinit, number: signal.Signals) -> None:
    """Blocked by whoever starts us, pending before our first instruction, and still there in the program.

    PIPE and XFSZ the interpreter ignores when it starts, which drops those that are pending (man 2 sigaction).
    """
    script = "import os, signal, sys; n = int(sys.argv[1]); signal.pthread_sigmask(signal.SIG_BLOCK, [n]); "
    script += "child = os.fork(); child or (os.kill(os.getppid(), n), os._exit(0)); os.waitpid(child, 0); "
    script += "os.execv(sys.argv[2], sys.argv[2:])"
    command = ["python3", "-ISc", script, str(int(number)), str(pyinit.file), "--exec", "--", *SHOW]
    # The shell's own pipeline is not to be looked at: grep is the program's child, for which nothing is pending.
    command[-3:] = ["grep", "-E", "ShdPnd", "/proc/self/status"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ShdPnd:\t{mask(number)}\n", "")


def test_f74_a_child_that_was_there_before_is_told_of(pyinit: Pyinit) -> None:
    """A program that a shell became by exec may have children, and is told of the end of those."""
    script = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [17]); os.fork() or os._exit(0); "
    script += "signal.sigwait([17]); os.kill(os.getpid(), 17); os.execv(sys.argv[1], sys.argv[1:])"
    command = ["python3", "-ISc", script, str(pyinit.file), "--exec", "--", "grep", "-E", "ShdPnd", "/proc/self/status"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ShdPnd:\t{mask(17)}\n", "")


def test_f74_children_of_ours_are_not_told_of(pyinit: Pyinit, etc: Etc, tmp_path: Path) -> None:
    """Re-owning starts workers."""
    for number in range(3000):
        (tmp_path / f"file{number}").touch()
        os.chown(tmp_path / f"file{number}", 1000, 1000)
    command = ("--exec", "-u", "dev", "--match", "4242:4242", "--own", tmp_path, "--")
    wrapper = (*etc.mounted, "env", "--block-signal=CHLD")
    status, output, _ = pyinit.run(*command, "grep", "ShdPnd", "/proc/self/status", wrapper=wrapper)
    assert (status, output) == (0, f"ShdPnd:\t{0:016x}\n")


def test_f74_a_limit_on_the_size_of_files_is_no_signal_for_the_program(pyinit: Pyinit, tmp_path: Path) -> None:
    with open(tmp_path / "errors", "w") as errors:
        errors.write("x" * 4096)
        errors.flush()
        wrapper = ("prlimit", "--fsize=4096", "env", "--block-signal=XFSZ")
        command = ("--exec", "-vv", "-u", "nobody", "--", "grep", "ShdPnd", "/proc/self/status")
        status, output, _ = pyinit.run(*command, wrapper=wrapper, stderr=errors)
    assert (status, output) == (0, f"ShdPnd:\t{0:016x}\n")
