"""docker/swarm: a stack on three nodes; rolled over, scaled and drained under load, and no request is lost."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import secrets
import subprocess
import tarfile
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .engines import Node
from .support import PAUSE, base_archive, example, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Engine

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(300, func_only=True),
    pytest.mark.only("docker", "has no Swarm"),
]

NODES = 3
RUNS = 3 if os.environ.get("TESTS_PYINIT_LONG") == "1" else 1
SUBNET = "10.0.0"  # in namespaces of their own, where nothing else is
CLONE_NEWNET = 0x40000000

# Of the base image, what the stack needs nothing of.
LEFT_OUT = ("usr/lib/postgresql", "var/lib/postgresql", "usr/share/perl", "usr/share/i18n")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def lan() -> Iterator[list[str]]:
    """Network namespaces: the first has the bridge and an address on it, and each of the others is a node's."""
    tag = uuid.uuid4().hex[:8]
    names = [f"pyinit-{tag}-{number}" for number in range(NODES + 1)]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", names[0], "link", "add", "lan", "type", "bridge")
        ip("-n", names[0], "address", "add", f"{SUBNET}.254/24", "dev", "lan")
        ip("-n", names[0], "link", "set", "lan", "up")
        for number, name in enumerate(names[1:], 1):
            peer = ("peer", "name", "eth0", "netns", name)
            ip("-n", names[0], "link", "add", f"node{number}", "type", "veth", *peer)
            ip("-n", names[0], "link", "set", f"node{number}", "master", "lan", "up")
            ip("-n", name, "address", "add", f"{SUBNET}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", f"{SUBNET}.254")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


class Swarm:
    """Three daemons; the first is the manager, which the stack's commands are for."""

    def __init__(self, nodes: list[Node], namespace: str) -> None:
        self.nodes = nodes
        self.manager = nodes[0].docker
        self.namespace = namespace
        self.names = [node.docker("info", "--format", "{{.Swarm.NodeID}}").stdout.strip() for node in nodes]

    def tasks(self, service: str, *options: str) -> list[tuple[str, str]]:
        """Of each task: the node's ID and the state that it is in."""
        listed = self.manager("service", "ps", "--quiet", "--no-trunc", *options, service).stdout.split()
        if not listed:
            return []
        told: list[dict[str, Any]] = json.loads(self.manager("inspect", "--type", "task", *listed).stdout)
        return [(each.get("NodeID", ""), each["Status"]["State"]) for each in told]

    def running(self, service: str) -> list[str]:
        """The nodes of a service's running tasks."""
        return [node for node, state in self.tasks(service, "--filter", "desired-state=running") if state == "running"]

    def ended(self) -> list[tuple[str, int, str]]:
        """Of each container that has ended, on whatever node: service, status and log."""
        found = []
        for node in self.nodes:
            for name in node.docker("ps", "--all", "--quiet", "--filter", "status=exited").stdout.split():
                template = '{{index .Config.Labels "com.docker.swarm.service.name"}} {{.State.ExitCode}}'
                service, status = node.docker("inspect", "--format", template, name).stdout.split()
                found.append((service.partition("_")[2], int(status), node.docker("logs", name).stdout))
        return found


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Iterator[Swarm]:
    assert engine
    with lan() as names, contextlib.ExitStack() as stack:
        nodes = [Node(Path(tempfile.mkdtemp(prefix="pyinit-tests-", dir="/var/tmp")), name) for name in names[1:]]
        with ThreadPoolExecutor(NODES) as threads:
            stack.callback(lambda: list(ThreadPoolExecutor(NODES).map(Node.stop, nodes)))
            list(threads.map(Node.start, nodes))
        for number, node in enumerate(nodes, 1):
            address = f"--advertise-addr={SUBNET}.{number}"
            if number == 1:
                node.docker("swarm", "init", address)
                token = node.docker("swarm", "join-token", "--quiet", "worker").stdout.strip()
            else:
                node.docker("swarm", "join", address, "--token", token, f"{SUBNET}.1:2377")
        yield Swarm(nodes, names[0])


@pytest.fixture(scope="module")
def folder(zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a secret and a greeting of its own, as its README makes them."""
    copy = example("swarm", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    (copy / "token").write_text(f"{secrets.token_hex()}\n")
    (copy / "greeting").write_text("hello\n")
    return copy


@pytest.fixture(scope="module")
def tag(swarm: Swarm, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The images' tag; each node builds them, since there is no registry to take them from."""
    tag = uuid.uuid4().hex[:12]
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    with tarfile.open(base_archive()) as base, tarfile.open(archive, "w") as small:
        for member in base:
            if not member.name.lstrip("./").startswith(LEFT_OUT):
                small.addfile(member, base.extractfile(member) if member.isreg() else None)

    def build(node: Node) -> None:
        node.docker("import", str(archive), "base", seconds=240)
        for target in ("web", "proxy"):
            name = f"pyinit-swarm-{target}:{tag}"
            arguments = (
                "--quiet",
                "--network=host",
                "--build-arg=BASE=base",
                "--target",
                target,
                "--tag",
                name,
                str(folder),
            )
            node.docker("build", *arguments, seconds=120)

    with ThreadPoolExecutor(NODES) as builds:
        list(builds.map(build, swarm.nodes))
    archive.unlink()
    return tag


class Stack:
    """The stack, deployed."""

    def __init__(self, swarm: Swarm, folder: Path, tag: str) -> None:
        self.swarm = swarm
        self.name = "demo"
        self._folder = folder
        self._tag = tag

    def deploy(self, version: int) -> None:
        """As the README says, but that no registry is asked for the images."""
        command = ("stack", "deploy", "--resolve-image=never", "--compose-file=compose.yaml", self.name)
        docker = self.swarm.manager
        environment = {**docker.environment, "VERSION": str(version), "TAG": self._tag}
        docker.run([*docker.command, *command], self._folder, environment)

    def wait_until_running(self, **replicas: int) -> None:
        def running() -> dict[str, int]:
            return {service: len(self.swarm.running(f"{self.name}_{service}")) for service in replicas}

        wait_until(lambda: running() == replicas, f"tasks that run: {replicas}", 120)

    def update_state(self) -> str:
        template = "{{with .UpdateStatus}}{{.State}}{{end}}"
        return self.swarm.manager("service", "inspect", "--format", template, f"{self.name}_web").stdout.strip()

    def remove(self) -> None:
        self.swarm.manager("stack", "rm", self.name)
        wait_until(
            lambda: not any(node.docker("ps", "--quiet").stdout for node in self.swarm.nodes), "the stack to end", 90
        )


@pytest.fixture(scope="module")
def stack(swarm: Swarm, folder: Path, tag: str) -> Iterator[Stack]:
    stack = Stack(swarm, folder, tag)
    stack.deploy(1)
    try:
        stack.wait_until_running(proxy=1, web=3, jobs=2)
        yield stack
    finally:
        stack.remove()


class Load:
    """Threads on the bridge of the nodes that ask the proxy, over and over."""

    def __init__(self, namespace: str, clients: int = 4, path: str = "/") -> None:
        self.answers = [0] * clients  # by each
        self.versions: set[int] = set()
        self.hosts: set[str] = set()
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._namespace = namespace
        self._path = path
        self._threads = [threading.Thread(target=self._ask, args=(client,), daemon=True) for client in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: int) -> None:
        enter(self._namespace)
        while not self._ended.wait(PAUSE):
            connection = http.client.HTTPConnection(f"{SUBNET}.1", 8080, timeout=60)
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                text = response.read().decode()
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(repr(failure))
                continue
            finally:
                connection.close()
            told = re.fullmatch(r"hello from version (\d+) on (\w+), token of 64 characters\n", text)
            if response.status != 200 or not told:
                self.failures.append(f"{response.status} {text}")
                continue
            self.answers[client] += 1
            self.versions.add(int(told[1]))
            self.hosts.add(told[2])

    def wait_for_requests_begun_from_now_on(self) -> None:
        """Return when each client has had the answer to a request that it made after this was called."""
        before = list(self.answers)
        wait_until(lambda: all(now >= then + 2 for now, then in zip(self.answers, before)), "answers to all clients")

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)


def enter(namespace: str) -> None:
    """Let this thread be in another network namespace, and the others where they are (man 2 setns)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def load(stack: Stack) -> Iterator[tuple[Load, Load]]:
    """Short and slow requests; each is answered, whatever happens to the stack meanwhile."""
    short, slow = Load(stack.swarm.namespace), Load(stack.swarm.namespace, path="/slow")
    try:
        short.wait_for_requests_begun_from_now_on()
        yield short, slow
        short.wait_for_requests_begun_from_now_on()
    finally:
        short.end()
        slow.end()
    assert short.failures == []
    assert slow.failures == []


def answering(load: Load) -> set[int]:
    """The versions that answer from now on."""
    load.wait_for_requests_begun_from_now_on()
    load.versions.clear()
    load.wait_for_requests_begun_from_now_on()
    return load.versions


@pytest.mark.parametrize("version", range(2, 2 + RUNS))
def test_a_rolling_update_under_load_loses_no_request(stack: Stack, version: int) -> None:
    with load(stack) as (short, slow):
        stack.deploy(version)
        wait_until(lambda: stack.update_state() in ("completed", "rollback_completed"), "the update", 120)
        assert stack.update_state() == "completed"
        # The last of the old ones is asked to end only then.
        wait_until(lambda: answering(short) == answering(slow) == {version}, "the new version to be alone")
    of_web = [(status, log) for service, status, log in stack.swarm.ended() if service == "web"]
    assert {status for status, _ in of_web} == {0}
    assert all(log == "ready\nended\n" for _, log in of_web)


def test_scaling_down_and_up_under_load_loses_no_request(stack: Stack) -> None:
    with load(stack) as (short, _):
        for number in (1, 3):
            stack.swarm.manager("service", "scale", f"{stack.name}_web={number}", seconds=120)
            stack.wait_until_running(web=number)
            short.wait_for_requests_begun_from_now_on()
    assert len(short.hosts) >= 3


def test_a_node_is_drained_under_load_and_no_request_and_no_job_is_lost(stack: Stack) -> None:
    swarm = stack.swarm
    swarm.manager("service", "scale", f"{stack.name}_jobs=6", seconds=120)  # so that there is one on each node
    drained = swarm.names[1]
    assert drained in swarm.running(f"{stack.name}_jobs")
    with load(stack):
        swarm.manager("node", "update", "--availability", "drain", drained)
        node = swarm.nodes[swarm.names.index(drained)]
        wait_until(lambda: node.docker("ps", "--quiet").stdout == "", "the node to be empty", 90)
        stack.wait_until_running(web=3, jobs=6)
    assert drained not in swarm.running(f"{stack.name}_web")
    assert {status for _, status, _ in swarm.ended()} == {0}
    ends = [log.splitlines() for service, _, log in swarm.ended() if service == "jobs"]
    assert ends
    for lines in ends:
        assert lines[-1] == f"ended after {lines.count('job done')} jobs"
    swarm.manager("node", "update", "--availability", "active", drained)


def test_secret_and_limits_are_the_programs(stack: Stack) -> None:
    for node in stack.swarm.nodes:
        for name in node.docker("ps", "--quiet", "--filter", f"name={stack.name}_web").stdout.split():
            environ = node.docker("exec", name, "cat", "/proc/1/environ")
            assert "TOKEN" not in environ.stdout
            limits = node.docker("inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", name)
            assert limits.stdout.strip() == f"{128 * 2**20} 100"


def test_times_of_the_stack_fit(folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    for service in yaml.safe_load((folder / "compose.yaml").read_text())["services"].values():
        period = int(service["stop_grace_period"].rstrip("s"))
        variables = service.get("environment", {})
        assert variables.get("PYINIT_STOP_TIMEOUT", 0) <= variables.get("PYINIT_GRACE", 0) < period
