"""Real containers for the tests: the engine, its base image, one test's containers, and a terminal on one of them.

Nothing is written to /etc and nothing is fetched from an image registry: the base image is made from Debian packages,
once, and kept in a cache directory. Every wait in here has a deadline.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import select
import shutil
import struct
import subprocess
import termios
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pytest

from .engines import CERTIFICATES, Docker, Engine, Finished, Podman, last_line, locked, unavailable, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["USER_NAMESPACES", "Docker", "Engine", "Finished", "Podman", "last_line", "unavailable", "wait_until"]

# For tests that map a container's users by options of `run`: test_docker.py does so for a whole daemon.
USER_NAMESPACES = pytest.mark.only("podman", "maps the users of all containers alike: see test_docker.py")

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"  # what runs inside, mounted at /programs

# Between two requests of a client. Each takes a port, which is not free again for a minute, and there are 28,000.
PAUSE = 0.02  # seconds

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "procps", "nginx-light", "postgresql")

# Left out of the image, for which each user namespace needs a copy with owners of its own: what nobody reads there, and
# PostgreSQL's compiler of expressions, which it does without.
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/lib/*/libLLVM*",
    "usr/lib/postgresql/*/lib/bitcode",
)

# With less room on the disk, containers lose their output or start without their files, and say nothing.
ROOM_NEEDED = 3 * 2**30  # bytes


def once_more(call: Callable[[], T]) -> T:
    """What downloads packages may lose the connection for once, which is not what a test is about."""
    try:
        return call()
    except pytest.fail.Exception as error:
        if not re.search("could not connect|timed out|temporary failure", str(error), re.IGNORECASE):
            raise
    return call()


def cache_directory() -> Path:
    """Where the base image's archive stays between runs."""
    if chosen := os.environ.get("PYINIT_TEST_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyinit-tests"


KEY = hashlib.sha256(" ".join((SUITE, *PACKAGES, *LEFT_OUT)).encode()).hexdigest()[:12]


def base_archive() -> Path:
    """The base image's files as a tar archive, made first where it is missing: by one process at a time, for all."""
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"{KEY}.tar"
    with locked(cache / f"{KEY}.lock", "another run that makes the base image"):
        if not archive.exists():
            _debootstrap(archive)
    return archive


def base_image(engine: Engine) -> str:
    """Return the base image's name, taking the image in first where it is missing."""
    image = f"localhost/pyinit-tests:{KEY}"
    room = shutil.disk_usage(engine.store()).free
    if room < ROOM_NEEDED:
        unavailable(
            f"the disk has {room >> 20} MiB free, which is too little for images: {ROOM_NEEDED >> 20} are needed"
        )
    archive = base_archive()
    with locked(cache_directory() / f"{KEY}.{engine.name}.lock", "another run that takes the base image in"):
        if engine("image", "inspect", image, check=False).returncode != 0:
            imported = engine("import", str(archive), image, check=False, seconds=300)
            if imported.returncode != 0:
                unavailable(f"{engine.name} does not take the base image: {last_line(imported.stderr)}")
    return image


def _debootstrap(archive: Path) -> None:
    """Make the base image's archive; it gets its name only when it is complete."""
    if not shutil.which("mmdebstrap"):
        unavailable("mmdebstrap, which makes the base image, is not installed")
    partial = archive.with_name(f"{archive.stem}.{uuid.uuid4().hex[:8]}.partial.tar")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f'--customize-hook=rm -rf "$1"/{path}' for path in LEFT_OUT]
    command += [SUITE, str(partial)]
    try:
        made = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=800, check=False
        )
        if made.returncode != 0:
            unavailable(f"the base image could not be made: {last_line(made.stderr)}")
        partial.rename(archive)
    finally:
        partial.unlink(missing_ok=True)


def copied(file: Path, directory: Path, name: str = "pyinit") -> None:
    """Copy an executable into a build's context."""
    shutil.copy(file, directory / name)
    (directory / name).chmod(0o755)


@contextlib.contextmanager
def built_image(engine: Engine, context: Path, *options: str, seconds: float = 120) -> Iterator[str]:
    """Build the image that the directory `context` describes and yield its name; the image goes in the end.

    `options` are more of `build`. Containers of the image must be gone before it.
    """
    name = f"localhost/pyinit-test-{uuid.uuid4().hex[:12]}"
    engine("build", "--quiet", *engine.build_options, *options, "--tag", name, str(context), seconds=seconds)
    try:
        yield name
    finally:
        engine("rmi", "--force", name)


def with_certificates(dockerfile: str, context: Path) -> str:
    """The text with this host's certificates copied in after FROM; they are put into the build's context."""
    copies = ""
    for path in map(Path, CERTIFICATES):
        if path.exists():
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, context / path.name)
            copies += f"COPY {path.name} {path}\n"
    return re.sub(r"^FROM .*\n", lambda found: found[0] + copies, dockerfile, count=1, flags=re.MULTILINE)


def ignore_nothing(engine: Engine, directory: Path) -> list[str]:
    """Options of a build whose Dockerfile is in `directory`, so that no .dockerignore of the context counts."""
    file = directory / "Dockerfile.dockerignore"  # a name that BuildKit looks for
    file.write_text("no-such-file\n")
    return [f"--ignorefile={file}"] if engine.name == "podman" else []


def example(name: str, directory: Path, zipapp: Path) -> Path:
    """Copy docker/NAME into `directory`, with pyinit's file where its README has put it, and return the copy."""
    copy = directory / name
    shutil.copytree(REPOSITORY / "docker" / name, copy, ignore=shutil.ignore_patterns("pyinit"))
    copied(zipapp, copy)
    return copy


class Process(NamedTuple):
    """A process of a container."""

    pid: int  # in the container
    parent: int  # likewise, 0 where it is elsewhere
    state: str  # man 5 proc_pid_status: R, S, T, Z, ...
    user: int  # on the host
    group: int  # likewise
    arguments: str


class Container:
    """One container that runs in the background."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    def logs(self) -> Finished[str]:
        """What the container wrote so far: its `stdout` and its `stderr`."""
        return self.engine("logs", self.name)

    def lines(self) -> list[str]:
        """What the container wrote to its standard output so far."""
        return self.logs().stdout.splitlines()

    def wait_for_line(self, line: str, seconds: float = 30) -> None:
        """Return when the container has written `line` to its standard output."""

        def written() -> bool:
            running = self.is_running()  # asked first: what it wrote before it ended counts
            logs = self.logs()
            if line in logs.stdout.splitlines():
                return True
            if not running:
                pytest.fail(f"{self.name} ended without the line {line!r}: {logs.stdout}\n{logs.stderr}")
            return False

        wait_until(written, f"the line {line!r} from {self.name}", seconds)

    def is_running(self) -> bool:
        return self.inspect("{{.State.Running}}") == "true"

    def inspect(self, template: str) -> str:
        """One value of `inspect`, chosen by a Go template."""
        return self.engine("inspect", "--format", template, self.name).stdout.strip()

    def host_pid(self) -> int:
        """The init's process ID as the host sees it."""
        return int(self.inspect("{{.State.Pid}}"))

    def exec(self, *program: str, options: Sequence[str] = (), check: bool = True) -> Finished[str]:
        """Run a program beside the one that the container was started for."""
        return self.engine("exec", *options, self.name, *program, check=check)

    def processes(self) -> list[Process]:
        """Every process in the container's PID namespace, as /proc has it on the host."""
        namespace = Path(f"/proc/{self.host_pid()}/ns/pid").readlink()
        found = []
        inner = {0: 0}  # PIDs there by PIDs here
        for directory in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            # What ends meanwhile is no process of the container's any more; what root may not look into never was.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if (directory / "ns/pid").readlink() != namespace:
                    continue
                lines = (directory / "status").read_text().splitlines()
                status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
                arguments = (directory / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
                pid, user, group = (int(status[key].split()[at]) for key, at in (("NSpid", -1), ("Uid", 0), ("Gid", 0)))
                inner[int(directory.name)] = pid
                found.append(Process(pid, int(status["PPid"]), status["State"][0], user, group, arguments))
        return [each._replace(parent=inner.get(each.parent, 0)) for each in found]

    def kill(self, signal_name: str) -> None:
        """Send one signal to the init, as `kill` of the engine does."""
        self.engine("kill", "--signal", signal_name, self.name)

    def stop(self) -> None:
        """Stop it as an orchestrator would. A stop that hangs ends in KILL, which the status tells."""
        self.engine("stop", "--time", "60", self.name, seconds=120)

    def wait(self, seconds: float = 30) -> int:
        """Wait for the container's end and return its exit status."""
        return int(self.engine("wait", self.name, seconds=seconds).stdout)


class Compose:
    """The services of one directory's compose file, under a project name of their own."""

    def __init__(self, engine: Engine, directory: Path, **variables: str) -> None:
        """`variables` are what the compose file takes from the environment (`${NAME}`)."""
        self.engine = engine
        self.directory = directory
        self.project = f"pyinit-test-{uuid.uuid4().hex[:12]}"
        self.environment = {**engine.environment, **variables}

    def __call__(self, *arguments: str, check: bool = True, seconds: float = 120) -> Finished[str]:
        """Run `docker-compose ARGUMENTS` or its like; with `check`, a status other than 0 fails the test."""
        command = [*self.engine.compose, "--project-name", self.project, *arguments]
        return self.engine.run(command, self.directory, self.environment, check=check, seconds=seconds)

    def build(self, seconds: float = 300) -> None:
        """Build the images, with this host's package sources."""
        once_more(lambda: self(*self.engine.compose_build(), seconds=seconds))

    def container(self, service: str) -> Container:
        """The first container of a service."""
        return Container(self.engine, f"{self.project}_{service}_1")

    def remove(self) -> None:
        """Remove the project's containers, networks and volumes, whatever state they are in."""
        self("down", "--volumes", "--timeout", "0", check=False)


class Terminal:
    """A command on a terminal of its own, driven from the other side as a person would."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        """Start `command` with the terminal as its controlling one: without that, resizing would send no signal."""
        self._master, slave = os.openpty()
        self.resize(24, 80)
        self._unread = ""
        self._seen = ""
        with os.fdopen(slave, "r+b", buffering=0) as terminal:
            self._process = subprocess.Popen(
                ["setsid", "--ctty", *command], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
            )

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as dragging a window's corner does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, keys: str) -> None:
        """Type `keys`; \\x03 is Ctrl-C, \\x1a is Ctrl-Z."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """Return what was shown up to and with `text`; what was returned once is not looked at again."""
        deadline = time.monotonic() + seconds
        while text not in self._unread:
            if not self._read(deadline):
                pytest.fail(f"{text!r} was not shown within {seconds} s; shown: {self._seen!r}")
        before, _, self._unread = self._unread.partition(text)
        return before + text

    def shows(self, text: str, seconds: float) -> bool:
        """Whether that is shown within so many seconds."""
        deadline = time.monotonic() + seconds
        while text not in self._unread and self._read(deadline):
            pass
        return text in self._unread

    def wait(self, seconds: float = 30) -> int:
        """Wait for the command's end and return its exit status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        try:
            return self._process.wait(timeout=max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pytest.fail(f"the command did not end within {seconds} s; shown: {self._seen!r}")

    @property
    def seen(self) -> str:
        """All that was shown so far."""
        return self._seen

    def close(self) -> None:
        """End the command, if it is still there, and give the terminal back."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _read(self, deadline: float) -> bool:
        """Wait for output and take it; False at the deadline, or when the other side is closed."""
        readable, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        if not readable:
            return False
        try:
            shown = os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # man 4 pts: EIO once nobody has the other side open
            return False
        self._unread += shown
        self._seen += shown
        return bool(shown)


def assert_takes_signals_and_stops(container: Container) -> None:
    """Of a program that says which signals it gets, and ends with 7 on TERM."""
    container.wait_for_line("ready")
    container.kill("SIGUSR1")
    container.wait_for_line("SIGUSR1")
    container.stop()
    assert container.wait() == 7
    logs = container.logs()
    assert (logs.stdout, logs.stderr) == ("ready\nSIGUSR1\nSIGTERM\n", "")


def assert_serves_as_the_engines_init(container: Container) -> None:
    """The same program, with an init that the engine has put in front: it passes on what it gets, and reaps."""
    for name in ("TSTP", "CONT", "HUP"):
        container.kill(name)
        container.wait_for_line(f"SIG{name}")
    container.exec("python3", "/programs/orphans.py", "sequence", "20")
    wait_until(lambda: len(container.processes()) == 2, "the init and the program to be all that is left")
    container.stop()
    assert container.wait() == 7


class Containers:
    """Starts one test's containers, all with pyinit as the entry point unless said otherwise, and removes them."""

    def __init__(self, engine: Engine, image: str, zipapp: Path | None) -> None:
        """`zipapp` is mounted into each; None where the image has pyinit itself, and nothing is mounted."""
        self.engine = engine
        self.image = image
        self.zipapp = zipapp
        self.label = f"pyinit-test={uuid.uuid4().hex}"
        self._terminals: list[Terminal] = []

    def __enter__(self) -> Containers:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def arguments(
        self, program: Sequence[str], init: Sequence[str] | None, options: Sequence[str], image: str | None = None
    ) -> list[str]:
        """`run` arguments for `program` under `/pyinit INIT`, or with no entry point where `init` is None."""
        entry_point = [] if init is None else ["--entrypoint", "/pyinit"]
        mounts = ("--volume", f"{self.zipapp}:/pyinit:ro", "--volume", f"{PROGRAMS}:/programs:ro")
        return [
            *("--label", self.label),
            *(mounts if self.zipapp else ()),
            *entry_point,
            *options,
            image or self.image,
            *(init or ()),  # Docker takes one word as the entry point
            *program,
        ]

    def run(
        self,
        *program: str,
        init: Sequence[str] | None = ("--",),
        options: Sequence[str] = (),
        image: str | None = None,
        seconds: float = 60,
    ) -> Finished[str]:
        """Run a container to its end; the result has its exit status and what it wrote."""
        return self.engine("run", *self.arguments(program, init, options, image), check=False, seconds=seconds)

    def start(
        self, *program: str, init: Sequence[str] | None = ("--",), options: Sequence[str] = (), image: str | None = None
    ) -> Container:
        """Start a container in the background."""
        name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
        self.engine("run", "--detach", "--name", name, *self.arguments(program, init, options, image))
        return Container(self.engine, name)

    def open_terminal(
        self, *program: str, init: Sequence[str] | None = ("--",), options: Sequence[str] = ()
    ) -> Terminal:
        """Start a container as `run -it` does, on a terminal."""
        command = [*self.engine.command, "run", "--interactive", "--tty", *self.arguments(program, init, options)]
        terminal = Terminal(command, self.engine.environment)
        self._terminals.append(terminal)
        return terminal

    def remove(self) -> None:
        """Remove every container of this test, whatever state it is in."""
        for terminal in self._terminals:
            with contextlib.suppress(ProcessLookupError):
                terminal.close()
        # Twice where needed: one that another depends on (a shared PID namespace) cannot be removed before it.
        wait_until(self._removed, f"the containers with the label {self.label} to be removed", 60)

    def _removed(self) -> bool:
        listed = self.engine("ps", "--all", "--quiet", "--filter", f"label={self.label}").stdout.split()
        if listed:
            self.engine.remove(*listed)
        return not listed
