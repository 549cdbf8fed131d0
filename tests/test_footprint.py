"""What pyinit costs while nothing happens, and what it imports before the program starts."""

import os
import subprocess
from pathlib import Path

import pytest

from pyinit.loader import AT_ONCE
from tests.support import DEADLINE, Pyinit, wait_until, waits_for_signals

# Each of these takes milliseconds, or as long as several modules of ours.
SLOW = {
    "argparse", "click", "ctypes", "dataclasses", "enum", "errno", "json", "os", "psutil", "re", "signal", "site",
    "subprocess", "threading", "traceback", "typing", "zlib",
}  # fmt: skip

# Runs the file as its first line does, and lists the modules at the moment when the program is started.
SPY = """\
import sys as s
starts = ("os.fork", "os.posix_spawn")
s.addaudithook(lambda event, _: event in starts and print(*s.modules, file=open(s.argv[0] + ".modules", "w")))
del s.argv[1]
f = open(s.argv[1], "rb")
next(f)
exec(next(f))
exec(code)
"""


def without_settings() -> "dict[str, str]":
    """The environment, as most containers have it: our variables would load the parser."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYINIT_")}


@pytest.mark.parametrize(
    "options", [[], ["-v", "-w", "-r", "TERM:INT", "-e", "1"], ["--user", "nobody"], ["-u", "1", "--no-new-privileges"]]
)
def test_nothing_slow_is_imported_before_the_program_starts(
    every_pyinit: Pyinit, tmp_path: Path, options: "list[str]"
) -> None:
    command = ["unshare", "--pid", "--fork", every_pyinit.python, "-ISc", SPY, str(tmp_path / "x")]
    copy = tmp_path / "pyinit"
    copy.write_bytes(every_pyinit.file.read_bytes())
    command += [str(copy), *options, "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, env=without_settings())
    assert (done.returncode, done.stderr) == (0, "")
    modules = set(Path(f"{copy}.modules").read_text().split())
    ours = {name for name in modules if name.partition(".")[0] == "pyinit"}
    assert ours == {*AT_ONCE} if not options else ours > {*AT_ONCE}
    assert not modules & SLOW
    assert ("pyinit.options.parser" in modules) == (options not in ([], ["--user", "nobody"]))


def test_it_never_wakes_up_while_nothing_happens(every_pyinit: Pyinit, tmp_path: Path) -> None:
    """Three seconds of strace show the one wait, which strace itself interrupts, and nothing else."""
    trace = tmp_path / "trace"
    with every_pyinit.start("--", "sleep", "60") as run:
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        command = ["timeout", "--signal=INT", "3", "strace", "-f", "-o", str(trace), "-p", str(run.pid)]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE)
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    assert len(calls) == 1
    assert "rt_sigtimedwait" in calls[0]


def private_dirty(pid: int) -> int:
    """The memory of a process that is nobody else's, in kB (man 5 proc, smaps_rollup)."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(fields[fields.index("Private_Dirty:") + 1])


def test_f52_it_holds_little_more_memory_than_the_bare_interpreter(every_pyinit: Pyinit) -> None:
    """180 kB more: what is measured are whole pages.

    The interpreter's table of interned strings may be nearly full when it starts, and grows by so much with one of our
    first names: the hundredth of them with 3.13, the 240th with 3.10.
    """
    grows_by = {"3.10": 152, "3.13": 104}
    version = subprocess.run([every_pyinit.python, "-V"], capture_output=True, text=True, check=True).stdout
    ours = []
    for _ in range(5):
        with every_pyinit.start("--", "sh", "-c", "echo ready; exec sleep 60", env=without_settings()) as run:
            run.wait_for("ready")
            wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
            ours.append(private_dirty(run.pid))
    command = [every_pyinit.python, "-ISc", "import _signal, posix; posix.write(1, b'ready'); _signal.pause()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as bare:
        assert bare.stdout is not None
        bare.stdout.read(5)
        more = min(ours) - private_dirty(bare.pid)
        bare.kill()
    assert more <= 180 + grows_by.get(version.split()[1].rpartition(".")[0], 0)


def test_only_three_descriptors_are_open_while_the_program_runs(every_pyinit: Pyinit) -> None:
    with every_pyinit.start("--", "sh", "-c", "echo ready; exec sleep 60") as run:
        run.wait_for("ready")
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert {int(path.name) for path in Path(f"/proc/{run.pid}/fd").iterdir()} <= {0, 1, 2}
