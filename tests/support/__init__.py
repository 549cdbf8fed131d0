"""Running pyinit as a real PID 1, in a PID namespace of its own, and watching it through /proc."""

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROGRAMS = REPOSITORY / "tests/programs"
DEADLINE = 100.0  # seconds; no test waits that long for anything that happens

CTL = [sys.executable, "-m", "pyinit.ctl"]

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


# What PID 1 needs to signal another user's processes is taken from it.
WITHOUT_KILL = ("setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill")


def set_user_id(directory: Path, seconds: int) -> Path:
    """A program that becomes another user, and can be signalled by nobody who has no CAP_KILL."""
    program = directory / "set-user-id"
    source = (
        "#include <unistd.h>\n"
        f'int main(void){{setresuid(65534,65534,65534);write(1,"ready\\n",6);sleep({seconds});return 5;}}'
    )
    subprocess.run(["gcc", "-o", str(program), "-xc", "-"], input=source, text=True, check=True)
    return program


def require_namespaces() -> None:
    """Skip, or fail where skipping is not allowed, if no PID namespace is to be had."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, stdin=subprocess.DEVNULL).returncode:
        message = "a PID namespace needs root (unshare --pid)"
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail(message)
        pytest.skip(message)


def interpreters() -> "dict[str, str]":
    """Every CPython from 3.9 on that is found: {version: path}, the running one first."""
    candidates = [sys.executable, "/usr/bin/python3"]
    candidates += [path for minor in range(9, 30) if (path := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += map(str, sorted(pyenv.glob("versions/3.*/bin/python3")))
    found: "dict[str, str]" = {}
    for path in candidates:
        # pyenv's shims are scripts that change the environment: what they run knows its own path.
        script = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.version_info >= (3, 9), sys.executable)"
        done = subprocess.run([path, "-ISc", script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            version, suits, executable = done.stdout.strip().split(" ", 2)
            if suits == "True" and version not in found:
                found[version] = executable
    return found


def wait_for_a_tick() -> None:
    """Return when who is there now was started in a tick of /proc's clock that is over: within one nobody can tell what
    came first (man 5 proc_pid_stat, starttime)."""
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))


def wait_until(condition: "Callable[[], object]", what: str) -> None:
    """Wait for a condition that nothing announces. Fails the test at the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE} s in vain: {what}")
        time.sleep(0.005)


def proc_status(pid: int) -> "dict[str, str]":
    """The fields of /proc/PID/status, empty if there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def children(pid: int) -> "list[int]":
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid: int) -> "list[int]":
    below = children(pid)
    return below + [each for child in below for each in descendants(child)]


def end_below(pid: int) -> None:
    """Kill all that a process has below it, which is stopped meanwhile and adopts whom a supervisor there starts."""
    os.kill(pid, signal.SIGSTOP)

    def are_zombies() -> bool:
        alive = [each for each in descendants(pid) if state(each) not in ("Z", "")]
        for each in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        return not alive

    wait_until(are_zombies, "all below are killed")


def state(pid: int) -> str:
    """R, S, T, Z and so on; empty if the process is gone."""
    return proc_status(pid).get("State", "")[:1]


def stop_and_resume(pid: int, seconds: float) -> None:
    """Stop a process from outside for longer than it was waiting for, as an engine's pause does."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state(pid) == "T", "it is stopped")
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "its time is over")
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: state(pid) != "T", "it is resumed")


@contextlib.contextmanager
def traced(pid: int, call: str, injection: str, *options: str) -> Iterator[None]:
    """strace is at a process from outside, and does that to a system call of its (man 1 strace, inject)."""
    command = ["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{injection}", *options]
    with subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.DEVNULL) as strace:
        try:
            wait_until(lambda: proc_status(pid)["TracerPid"] != "0", "strace is there")
            yield
        finally:
            strace.kill()


def inode_of(path: Path) -> "tuple[int, int, int]":
    """Which file it is, and of what kind."""
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_mode


def things_that_are_no_files(directory: Path) -> "list[Path]":
    """A link to a file, a link to nothing, a FIFO, a device and a directory, each named so that a picture may be."""
    things = [directory / f"{kind}.svg" for kind in ("link", "dangling", "fifo", "device", "directory")]
    (directory / "target").write_text("precious")
    things[0].symlink_to("target")
    things[1].symlink_to("nothing")
    os.mkfifo(things[2])
    os.mknod(things[3], 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    things[4].mkdir()
    return things


def ctl(*words: "str | int | Path", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `pyinitctl WORDS`, with these variables too."""
    return subprocess.run(
        [*CTL, *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def waits_for_signals(pid: int) -> bool:
    """Whether pyinit is in its loop. While it waits, the kernel shows the awaited signals as not blocked."""
    try:
        return "sigtimedwait" in Path(f"/proc/{pid}/wchan").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def collects_signals(pid: int) -> bool:
    """Whether pyinit has taken over the signals. TERM tells nothing: unshare blocks it for a while."""
    return bool(int(proc_status(pid).get("SigBlk", "0"), 16) >> (signal.SIGUSR1 - 1) & 1) or waits_for_signals(pid)


class Run:
    """One pyinit, usually PID 1 of a namespace. `pid` is its pid outside, which differs from the one inside."""

    def __init__(self, process: "subprocess.Popen[bytes]", in_namespace: bool) -> None:
        self.process = process
        self._in_namespace = in_namespace
        self._output = b""
        self._pid = 0 if in_namespace else process.pid

    @property
    def pid(self) -> int:
        """pyinit's pid, once unshare has made it."""
        if not self._pid:
            wait_until(lambda: children(self.process.pid) or self.process.poll() is not None, "unshare forks")
            self._pid = children(self.process.pid)[0]
        return self._pid

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Read standard output until it contains the pattern."""
        assert self.process.stdout is not None
        end = time.monotonic() + DEADLINE
        while not (match := re.search(pattern, self._output.decode(errors="replace"))):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                status, errors = self.process.poll(), self._errors_so_far()
                pytest.fail(f"no {pattern!r} in {self._output!r}; status {status}, errors {errors!r}")
            self._output += data
        return match

    def _errors_so_far(self) -> "bytes | None":
        if self.process.stderr is None:
            return None
        os.set_blocking(self.process.stderr.fileno(), False)
        return self.process.stderr.read()

    def finish(self) -> "tuple[int, str, str]":
        """Wait for the end: status, all of standard output, standard error."""
        rest, errors = self.process.communicate(timeout=DEADLINE)
        output = self._output + (rest or b"")
        return self.process.returncode, output.decode(errors="replace"), (errors or b"").decode(errors="replace")


class Pyinit:
    """A built pyinit that can be started in several ways. `python` is "" for one that has its interpreter in it."""

    def __init__(self, file: Path, python: str) -> None:
        self.file = file
        self.python = python

    def started_by(self, python: str) -> "list[str]":
        """The words that start it with an interpreter of that path, if it needs one."""
        return [python, str(self.file)] if self.python else [str(self.file)]

    def named(self, name: str) -> "Pyinit":
        """The same file under another name, through a symbolic link."""
        link = self.file.with_name(name)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(self.file)
        return Pyinit(link, self.python)

    @contextlib.contextmanager
    def start(
        self,
        *arguments: "str | os.PathLike[str]",
        namespace: bool = True,
        wrapper: "tuple[str, ...]" = (),
        **options: object,
    ) -> "Iterator[Run]":
        """Start it with pipes as standard output and error; kill the whole namespace in the end."""
        command = [*(NAMESPACE if namespace else []), *wrapper, str(self.file), *map(str, arguments)]
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(command, **settings)  # type: ignore[call-overload]
        run = Run(process, namespace)
        below: "list[int]" = []
        try:
            yield run
        finally:
            if process.poll() is None:
                if not namespace:
                    end_below(process.pid)
                below = descendants(process.pid)
                process.kill()
            process.wait(timeout=DEADLINE)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if namespace:
                wait_until(lambda: not any(state(pid) for pid in below), "the namespace is empty")

    def run(self, *arguments: "str | os.PathLike[str]", **options: object) -> "tuple[int, str, str]":
        """Run it to its end: status, standard output, standard error."""
        with self.start(*arguments, **options) as run:  # type: ignore[arg-type]
            return run.finish()


def probe(name: str) -> "list[str]":
    """The command of a program in tests/programs."""
    return [sys.executable, "-IS", str(PROGRAMS / f"{name}.py")]


class Terminal:
    """A pseudo-terminal with a command in a session of its own on the other side, as a terminal window has it."""

    def __init__(self, *command: "str | os.PathLike[str]") -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvp(os.fspath(command[0]), [os.fspath(word) for word in command])
            finally:
                os._exit(127)
        self.output = ""
        self._seen = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        below = descendants(self.pid)
        for pid in (*below, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.close(self.master)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Wait for output after what was waited for last."""
        end = time.monotonic() + DEADLINE
        while not (match := re.search(pattern, self.output[self._seen :])):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            try:
                data = os.read(self.master, 65536) if ready else b""
            except OSError:  # EIO: the other side has closed
                data = b""
            if not data:
                pytest.fail(f"no {pattern!r} in {self.output[self._seen :]!r}, after {self.output[: self._seen]!r}")
            self.output += data.decode(errors="replace")
        self._seen += match.end()
        return match

    def resize(self, rows: int, columns: int) -> None:
        size = rows.to_bytes(2, sys.byteorder) + columns.to_bytes(2, sys.byteorder) + bytes(4)
        fcntl.ioctl(self.master, 0x5414, size)  # TIOCSWINSZ

    def foreground(self) -> int:
        return os.tcgetpgrp(self.master)

    def finish(self) -> int:
        """Wait for the end of the command: its status, or minus the signal."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.01)
            if ready:
                with contextlib.suppress(OSError):
                    self.output += os.read(self.master, 65536).decode(errors="replace")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        pytest.fail(f"the command did not end: {self.output!r}")
