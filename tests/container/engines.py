"""The engines that the tests run with: podman, and Docker with a daemon of its own.

Neither writes to /etc, and both leave alone what else of their kind is on the host: podman gets a configuration of its
own, and the daemon has its data, sockets, bridge and addresses in places of its own, which all go when it is stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import ipaddress
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
Finished = subprocess.CompletedProcess  # what `subprocess.run` returns: returncode, stdout, stderr


def unavailable(reason: str) -> NoReturn:
    """Skip what needs containers, saying why; where they are required (in CI) that is a failure instead."""
    if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
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


@contextlib.contextmanager
def locked(file: Path, what: str, seconds: float = 900) -> Iterator[None]:
    """Hold the lock on `file`; wait for `what`, which another process does meanwhile."""
    with file.open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(taken, what, seconds)
        yield


def program_version(program: str) -> str:
    """What `PROGRAM --version` says, without what a distribution adds."""
    shown = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"\d+\.[\d.]*\d", shown)
    assert found, shown
    return found[0]


# What package sources ask for on this host.
CERTIFICATES = ("/etc/ssl/certs", "/etc/pip.conf")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class Engine:
    """An engine's command line: calling it runs one command."""

    name: ClassVar[str]
    command: ClassVar[Sequence[str]]
    compose: ClassVar[Sequence[str]]  # the command that reads compose files
    build_options: ClassVar[Sequence[str]] = ()  # of each build
    without_tmpfs: ClassVar[Sequence[str]] = ()  # of `run --read-only`, so that it has no directory to write to
    quick_health: ClassVar[Sequence[str]] = ()  # of `run`, for an image with a health check whose interval is long
    environment: dict[str, str]
    started_in: Path | None = None  # where its command runs; by default here

    def __call__(self, *arguments: str, check: bool = True, seconds: float = 60) -> Finished[str]:
        """Run the engine's command; with `check`, a status other than 0 fails the test and shows what it said."""
        return self.run([*self.command, *arguments], self.started_in, check=check, seconds=seconds)

    def run(
        self,
        command: Sequence[str],
        directory: Path | None = None,
        environment: dict[str, str] | None = None,
        check: bool = True,
        seconds: float = 60,
    ) -> Finished[str]:
        """Run any command that is to find the engine by its environment."""
        finished = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment or self.environment,
            timeout=seconds,
            check=False,
        )
        if check and finished.returncode != 0:
            pytest.fail(f"{shlex.join(command)}: status {finished.returncode}\n{finished.stderr}")
        return finished

    def package_sources(self) -> list[str]:
        """Options of `build` by which its steps reach package sources as this host does, and leave no trace."""
        raise NotImplementedError

    def compose_build(self) -> list[str]:
        """Arguments of the compose command that build its images, with these sources."""
        raise NotImplementedError

    def store(self) -> Path:
        """The directory that holds the images."""
        raise NotImplementedError

    def remove(self, *containers: str) -> None:
        """Remove containers, whatever state they are in."""
        raise NotImplementedError

    def is_healthy(self, container: str) -> bool:
        """Whether the container's health check succeeds."""
        raise NotImplementedError


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
# Images and containers of its own, which are taken from what the host's podman has and never put there.
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{directory}/root"
runroot = "{directory}/run"
[storage.options]
additionalimagestores = ["{others}"]
"""

NETAVARK_CONF = """
[network]
network_backend = "netavark"
"""


class Podman(Engine):
    """Podman, with a configuration of its own that the host's /etc knows nothing about."""

    name = "podman"
    command = ("podman",)
    compose = (sys.executable, "-m", "podman_compose")
    # Without layers that others share: removing an image while another is built would take them away.
    build_options = ("--layers=false",)
    without_tmpfs = ("--read-only-tmpfs=false",)

    def __init__(self, directory: Path, engine_settings: str = "") -> None:
        """Write the configuration into `directory`; `engine_settings` are lines for its [engine] table."""
        configuration = directory / f"containers-{uuid.uuid4().hex[:8]}.conf"
        network = NETAVARK_CONF if shutil.which("netavark", path=os.pathsep.join(NETAVARK_DIRECTORIES)) else ""
        configuration.write_text(CONTAINERS_CONF.format(engine=engine_settings) + network)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        self.started_in = directory  # conmon leaves a file `oom` where it was started

    @classmethod
    @contextlib.contextmanager
    def with_its_own_store(cls, directory: Path, others: Path) -> Iterator[Podman]:
        """One whose names of images and containers are nobody else's; it has the images of `others` besides."""
        podman = cls(directory)
        configuration = directory / "storage.conf"
        configuration.write_text(STORAGE_CONF.format(directory=directory, others=others))
        podman.environment["CONTAINERS_STORAGE_CONF"] = str(configuration)
        try:
            yield podman
        finally:
            podman("rm", "--all", "--force", "--time", "0", check=False)
            # Each container's conmon ends with a command that mounts the store once more.
            at_work = ("pgrep", "--full", str(directory))
            wait_until(lambda: subprocess.run(at_work, stdout=subprocess.DEVNULL).returncode == 1, "podman's last work")
            mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
            for mount in [each for each in mounts if each.startswith(f"{directory}/")][::-1]:
                subprocess.run(["umount", mount], check=True)

    def package_sources(self) -> list[str]:
        """Proxies come from the environment by themselves (man 1 podman-build, --http-proxy)."""
        return [f"--volume={path}:{path}:ro" for path in CERTIFICATES if Path(path).exists()]

    def compose_build(self) -> list[str]:
        return [f"--podman-build-args={' '.join([*self.build_options, *self.package_sources()])}", "build"]

    def store(self) -> Path:
        return Path(self("info", "--format", "{{.Store.GraphRoot}}").stdout.strip())

    def remove(self, *containers: str) -> None:
        self("rm", "--force", "--time", "0", *containers, check=False)

    def is_healthy(self, container: str) -> bool:
        """Podman's checks are run by timers of systemd's, or when it is told to."""
        return self("healthcheck", "run", container, check=False).returncode == 0


class Docker(Engine):
    """Docker's client, of the daemon in a directory."""

    name = "docker"
    command = ("/usr/bin/docker",)
    compose = ("/usr/bin/docker-compose",)
    quick_health = ("--health-interval=300ms", "--health-retries=1")

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            "DOCKER_CONFIG": f"{directory}/client",
            "DOCKER_BUILDKIT": "1",
            # docker-compose then builds by the client, which it looks for in PATH.
            "COMPOSE_DOCKER_CLI_BUILD": "1",
            "PATH": f"/usr/bin:{os.environ['PATH']}",
        }

    def package_sources(self) -> list[str]:
        """Docker mounts nothing into a build: certificates are in the image that the fixture `package_image` makes."""
        return ["--network=host", *(f"--build-arg={name}" for name in PROXIES if name in os.environ)]

    def compose_build(self) -> list[str]:
        return ["build", *(f"--build-arg={name}={os.environ[name]}" for name in PROXIES if name in os.environ)]

    def store(self) -> Path:
        return self.directory

    def remove(self, *containers: str) -> None:
        self("rm", "--force", "--volumes", *containers, check=False)

    def is_healthy(self, container: str) -> bool:
        """What the daemon, which runs the checks, thinks of it."""
        return self("inspect", "--format", "{{.State.Health.Status}}", container).stdout.strip() == "healthy"


PROGRAMS_OF = {
    "podman": ("podman", "runc"),
    "docker": ("/usr/bin/docker", "/usr/bin/docker-compose", "dockerd", "runc", "ip", "iptables"),
}


def is_installed(engine: str) -> bool:
    return shutil.which(PROGRAMS_OF[engine][0]) is not None


@functools.cache
def version(engine: str) -> str:
    """An engine's name and version."""
    if not is_installed(engine):
        return engine
    return f"{engine} {program_version(PROGRAMS_OF[engine][0])}"


class Daemon:
    """dockerd, and all that it brings: processes, mounts, cgroups, a bridge, addresses and rules of iptables.

    What is needed for its end is in the directory, too: it may be another process that stops it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.docker = Docker(directory)
        self._bridge = f"pt-{directory.name[-8:]}"
        self._cgroup = f"pyinit-tests-{directory.name[-8:]}"
        self._network = directory / "network"  # the addresses of all its containers

    def is_running(self) -> bool:
        return (self.directory / "pid").exists()

    def answers(self) -> bool:
        return self.docker("version", check=False).returncode == 0

    def network_options(self) -> list[str]:
        """Where containers are that name no network, and that dockerd makes no rules.

        A second dockerd, as that of this host may be, would remove the chains of the first one when it starts.
        """
        return [f"--bridge={self._bridge}", "--iptables=false"]

    def start(self, *options: str, wrapper: Sequence[str] = ()) -> None:
        """Start it and return when it answers; `options` are more of dockerd's, `wrapper` what it is started by."""
        if not self._network.exists():
            self.directory.chmod(0o711)  # a user of a container's may be another's here
            self._prepare()
        subnet = self._network.read_text()
        command = [
            *wrapper,
            *("setsid", "--fork", "dockerd"),
            *(f"--data-root={self.directory}/data", f"--exec-root={self.directory}/exec"),
            *(f"--host=unix://{self.directory}/docker.sock", f"--pidfile={self.directory}/pid"),
            *(*self.network_options(), f"--default-address-pool=base={subnet},size=24"),
            f"--cgroup-parent=/{self._cgroup}",
            *options,
        ]
        # Docker's own programs, such as the proxy of a port, from where the package has put them.
        environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        with (self.directory / "log").open("a") as log:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/", check=True
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            said = last_line((self.directory / "log").read_text())
            if said.startswith("failed to start") or time.monotonic() > deadline:
                unavailable(f"dockerd does not work: {said}")

    def _prepare(self) -> None:
        """Make the bridge, with addresses that nothing here has, and let its containers reach the network."""
        used = [each["dst"] for each in _ip("route") if each["dst"] != "default"]
        used += [f"{each['local']}/{each['prefixlen']}" for link in _ip("address") for each in link["addr_info"]]
        networks = [ipaddress.IPv4Network(each, strict=False) for each in used if ":" not in each]
        free = [ipaddress.IPv4Network(f"10.{number}.0.0/16") for number in range(64, 128)]
        free = [each for each in free if not any(each.overlaps(other) for other in networks)]
        subnet = random.choice(free)
        self._network.write_text(str(subnet))
        # And it stays so, as Docker and podman leave it: another run may need it by now.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for table, chain, *rule in _rules(str(subnet)):
            subprocess.run(["iptables", "--wait", "-t", table, "-I", chain, *rule], check=True)
        # The last /24 of what the other networks get theirs from.
        address = f"{subnet.broadcast_address - 1}/24"
        subprocess.run(["ip", "link", "add", self._bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", address, "dev", self._bridge], check=True)
        subprocess.run(["ip", "link", "set", self._bridge, "up"], check=True)

    def signal(self, number: int, seconds: float = 60) -> None:
        """Send dockerd a signal that ends it, and return when it has ended, and its containerd with it."""
        files = [self.directory / "pid", self.directory / "exec/containerd/containerd.pid"]
        processes = [os.pidfd_open(int(file.read_text())) for file in files]
        signal.pidfd_send_signal(processes[0], number)
        for process in processes:
            if not select.select([process], [], [], seconds)[0]:
                pytest.fail(f"dockerd did not end within {seconds} s")
            os.close(process)
        # Killed, they leave these; and while they are zombies the next dockerd would take them for alive.
        for file in files:
            file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it, and leave nothing of it behind."""
        if self._network.exists():
            if not self.answers():  # a test has ended it, and not its containers
                self.start()
            if containers := self.docker("ps", "--all", "--quiet", check=False).stdout.split():
                self.docker.remove(*containers)
            self.docker("network", "prune", "--force", check=False)
            self.signal(signal.SIGTERM)
            self._restore()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self.directory}/"):
                subprocess.run(["umount", mount], check=True)
        for cgroup in [*Path("/sys/fs/cgroup").glob(self._cgroup), *Path("/sys/fs/cgroup").glob(f"*/{self._cgroup}")]:
            wait_until(functools.partial(_removed, cgroup), f"{cgroup} to be empty")
        shutil.rmtree(self.directory)

    def _restore(self) -> None:
        for table, chain, *rule in _rules(self._network.read_text()):
            subprocess.run(["iptables", "--wait", "-t", table, "-D", chain, *rule], check=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=True)


class Node(Daemon):
    """A daemon in a network namespace that is there for it alone, and takes all of its network away in the end."""

    def __init__(self, directory: Path, namespace: str) -> None:
        super().__init__(directory)
        self.namespace = namespace

    def start(self, *options: str, wrapper: Sequence[str] = ()) -> None:
        super().start(*options, wrapper=("nsenter", f"--net=/run/netns/{self.namespace}", *wrapper))

    def _prepare(self) -> None:
        self._network.write_text("10.128.0.0/16")

    def _restore(self) -> None:
        """The namespace goes."""

    def network_options(self) -> list[str]:
        return ["--bridge=none"]


def _ip(what: str) -> list[dict[str, Any]]:
    shown = subprocess.run(["ip", "-json", what], stdout=subprocess.PIPE, check=True).stdout
    found: list[dict[str, Any]] = json.loads(shown)
    return found


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup and those in it; False while a process is there that is about to end."""
    for below, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            Path(below).rmdir()
    return not cgroup.exists()


def _rules(subnet: str) -> list[list[str]]:
    """By which containers reach the network: table, chain, and the rule."""
    return [
        ["nat", "POSTROUTING", "-s", subnet, "!", "-d", subnet, "-j", "MASQUERADE"],
        ["filter", "FORWARD", "-s", subnet, "-j", "ACCEPT"],
        ["filter", "FORWARD", "-d", subnet, "-j", "ACCEPT"],
    ]


# One daemon for all workers of a run: who collects no tests but has started the workers names its directory, the first
# worker that needs it starts it, and it is stopped when they have all ended.
SHARED = "TESTS_PYINIT_DOCKER"


def shared_daemon() -> Daemon:
    """The daemon of this run, running."""
    directory = Path(os.environ[SHARED])
    for program in PROGRAMS_OF["docker"]:
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    if os.geteuid() != 0:
        unavailable("dockerd is started by root")
    daemon = Daemon(directory)
    with locked(directory / "lock", "another worker that starts dockerd"):
        if not daemon.is_running():
            daemon.start()
    return daemon
