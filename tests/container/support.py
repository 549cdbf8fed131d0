"""Real containers for the tests: the engine, its base image, one test's containers, and a terminal on one of them.

Nothing is written to /etc and nothing is fetched from an image registry: the base image is made from Debian packages,
once, and kept in a cache directory. Every wait in here has a deadline.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
Finished = subprocess.CompletedProcess  # what `subprocess.run` returns: returncode, stdout, stderr

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"  # what runs inside, mounted at /programs

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

# The container's own runtime and limits: runc works with hybrid cgroups, where crun does not, and the limits are low
# enough for an engine without CAP_SYS_RESOURCE. The host's network, since a bridge needs more packages and rights.
CONTAINERS_CONF = """\
[engine]
runtime = "runc"
{engine}
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
netns = "host"
log_driver = "k8s-file"
label = false
"""

# Named networks with names for containers: said, since an engine that once ran without netavark stays with CNI.
NETAVARK_DIRECTORIES = ("/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman")
NETAVARK_CONF = """
[network]
network_backend = "netavark"
"""


def unavailable(reason: str) -> NoReturn:
    """Skip what needs containers, saying why; where they are required (in CI) that is a failure instead."""
    if os.environ.get("PYINIT_REQUIRE_CONTAINERS") == "1":
        pytest.fail(f"containers are required here, but {reason}", pytrace=False)
    pytest.skip(reason)


def last_line(text: str) -> str:
    """The last line of what a program said, where its reason stands."""
    return text.strip().rpartition("\n")[2]


def wait_until(condition: Callable[[], T], what: str, seconds: float = 30) -> T:
    """Call `condition` until it returns something true, and return that; fail, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (outcome := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)
    return outcome


def cache_directory() -> Path:
    """Where the base image's archive stays between runs."""
    if chosen := os.environ.get("PYINIT_TEST_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyinit-tests"


class Podman:
    """The engine, with a configuration of its own that the host's /etc knows nothing about."""

    def __init__(self, directory: Path, engine_settings: str = "") -> None:
        """Write the configuration into `directory`; `engine_settings` are lines for its [engine] table."""
        configuration = directory / f"containers-{uuid.uuid4().hex[:8]}.conf"
        network = NETAVARK_CONF if shutil.which("netavark", path=os.pathsep.join(NETAVARK_DIRECTORIES)) else ""
        configuration.write_text(CONTAINERS_CONF.format(engine=engine_settings) + network)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}

    def __call__(self, *arguments: str, check: bool = True, seconds: float = 60) -> Finished[str]:
        """Run `podman ARGUMENTS`; with `check`, a status other than 0 fails the test and shows what podman said."""
        finished = subprocess.run(
            ["podman", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=self.environment,
            timeout=seconds,
            check=False,
        )
        if check and finished.returncode != 0:
            pytest.fail(f"podman {' '.join(arguments)}: status {finished.returncode}\n{finished.stderr}")
        return finished


def base_image(podman: Podman) -> str:
    """Return the base image's name, making the image first where it is missing: one process at a time, for all."""
    key = hashlib.sha256(" ".join((SUITE, *PACKAGES, *LEFT_OUT)).encode()).hexdigest()[:12]
    image = f"localhost/pyinit-tests:{key}"
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(podman("info", "--format", "{{.Store.GraphRoot}}").stdout.strip()).free
    if room < ROOM_NEEDED:
        unavailable(
            f"the disk has {room >> 20} MiB free, which is too little for images: {ROOM_NEEDED >> 20} are needed"
        )
    with (cache / f"{key}.lock").open("w") as lock:
        wait_until(lambda: _locked(lock.fileno()), "another run that makes the base image", 900)
        if podman("image", "exists", image, check=False).returncode != 0:
            archive = cache / f"{key}.tar"
            if not archive.exists():
                _debootstrap(archive)
            imported = podman("import", "--quiet", str(archive), image, check=False, seconds=300)
            if imported.returncode != 0:
                unavailable(f"podman does not take the base image: {last_line(imported.stderr)}")
    return image


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
def built_image(podman: Podman, context: Path, *options: str, seconds: float = 120) -> Iterator[str]:
    """Build the image that the directory `context` describes and yield its name; the image goes in the end.

    `options` are more of `podman build`. Containers of the image must be gone before it.
    """
    name = f"localhost/pyinit-test-{uuid.uuid4().hex[:12]}"
    # Without layers that others share: removing an image while another is built would take them away.
    podman("build", "--quiet", "--layers=false", *options, "--tag", name, str(context), seconds=seconds)
    try:
        yield name
    finally:
        podman("rmi", "--force", name)


def example(name: str, directory: Path, zipapp: Path) -> Path:
    """Copy docker/NAME into `directory`, with pyinit's file where its README has put it, and return the copy."""
    copy = directory / name
    shutil.copytree(REPOSITORY / "docker" / name, copy, ignore=shutil.ignore_patterns("pyinit"))
    copied(zipapp, copy)
    return copy


def package_sources() -> list[str]:
    """Options of `podman build` by which its steps reach package sources as this host does, and leave no trace.

    Proxies come from the environment by themselves (man 1 podman-build, --http-proxy); certificates are mounted.
    """
    mounted = [path for path in ("/etc/ssl/certs", "/etc/pip.conf") if Path(path).exists()]
    return [f"--volume={path}:{path}:ro" for path in mounted]


class Container:
    """One container that runs in the background."""

    def __init__(self, podman: Podman, name: str) -> None:
        self.podman = podman
        self.name = name

    def logs(self) -> Finished[str]:
        """What the container wrote so far: its `stdout` and its `stderr`."""
        return self.podman("logs", self.name)

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
        """One value of `podman inspect`, chosen by a Go template."""
        return self.podman("inspect", "--format", template, self.name).stdout.strip()

    def host_pid(self) -> int:
        """The init's process ID as the host sees it."""
        return int(self.inspect("{{.State.Pid}}"))

    def exec(self, *program: str, options: Sequence[str] = (), check: bool = True) -> Finished[str]:
        """Run a program beside the one that the container was started for."""
        return self.podman("exec", *options, self.name, *program, check=check)

    def processes(self) -> list[tuple[str, str]]:
        """State letter and command line of every process in the container's PID namespace."""
        listed = self.podman("top", self.name, "state", "args").stdout.splitlines()[1:]
        return [(state, arguments.strip()) for state, _, arguments in (line.partition(" ") for line in listed)]

    def kill(self, signal_name: str) -> None:
        """Send one signal to the init, as `podman kill` does."""
        self.podman("kill", "--signal", signal_name, self.name)

    def stop(self) -> float:
        """Stop it as an orchestrator would (TERM, 10 s, KILL) and return how many seconds that took."""
        start = time.monotonic()
        self.podman("stop", "--time", "10", self.name)
        return time.monotonic() - start

    def wait(self, seconds: float = 30) -> int:
        """Wait for the container's end and return its exit status."""
        return int(self.podman("wait", self.name, seconds=seconds).stdout)


class Compose:
    """The services of one directory's compose file, under a project name of their own."""

    def __init__(self, podman: Podman, directory: Path, **variables: str) -> None:
        """`variables` are what the compose file takes from the environment (`${NAME}`)."""
        self.podman = podman
        self.directory = directory
        self.project = f"pyinit-test-{uuid.uuid4().hex[:12]}"
        self.environment = {**podman.environment, **variables}

    def __call__(self, *arguments: str, check: bool = True, seconds: float = 120) -> Finished[str]:
        """Run `podman-compose ARGUMENTS`; with `check`, a status other than 0 fails the test."""
        finished = subprocess.run(
            [sys.executable, "-m", "podman_compose", "--project-name", self.project, *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=self.environment,
            timeout=seconds,
            check=False,
        )
        if check and finished.returncode != 0:
            pytest.fail(f"podman-compose {' '.join(arguments)}: status {finished.returncode}\n{finished.stderr}")
        return finished

    def container(self, service: str) -> Container:
        """The first container of a service."""
        return Container(self.podman, f"{self.project}_{service}_1")

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


class Containers:
    """Starts one test's containers, all with pyinit as the entry point unless said otherwise, and removes them."""

    def __init__(self, podman: Podman, image: str, zipapp: Path) -> None:
        self.podman = podman
        self.image = image
        self.zipapp = zipapp
        self.label = f"pyinit-test={uuid.uuid4().hex}"
        self._terminals: list[Terminal] = []

    def arguments(
        self, program: Sequence[str], init: Sequence[str] | None, options: Sequence[str], image: str | None = None
    ) -> list[str]:
        """`podman run` arguments for `program` under `/pyinit INIT`, or with no entry point where `init` is None."""
        entry_point = [] if init is None else ["--entrypoint", json.dumps(["/pyinit", *init])]
        return [
            *("--label", self.label),
            *("--volume", f"{self.zipapp}:/pyinit:ro"),
            *("--volume", f"{PROGRAMS}:/programs:ro"),
            *entry_point,
            *options,
            image or self.image,
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
        return self.podman("run", *self.arguments(program, init, options, image), check=False, seconds=seconds)

    def start(
        self, *program: str, init: Sequence[str] | None = ("--",), options: Sequence[str] = (), image: str | None = None
    ) -> Container:
        """Start a container in the background."""
        name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
        self.podman("run", "--detach", "--name", name, *self.arguments(program, init, options, image))
        return Container(self.podman, name)

    def open_terminal(
        self, *program: str, init: Sequence[str] | None = ("--",), options: Sequence[str] = ()
    ) -> Terminal:
        """Start a container as `podman run -it` does, on a terminal."""
        command = ["podman", "run", "--interactive", "--tty", *self.arguments(program, init, options)]
        terminal = Terminal(command, self.podman.environment)
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
        listed = self.podman("ps", "--all", "--quiet", "--filter", f"label={self.label}").stdout.split()
        if listed:
            self.podman("rm", "--force", "--time", "0", *listed, check=False)
        return not listed
