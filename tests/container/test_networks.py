"""A container's network is no matter of its signals; what each means for a service is the guide's table."""

from __future__ import annotations

import re
import socket
import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

GUIDE = (REPOSITORY / "docker/README.md").read_text()

DRIVERS = ("none", "host", "bridge", "macvlan")  # overlay: test_kit_swarm.py


@pytest.fixture
def parent() -> Iterator[str]:
    """A network card for macvlan: one end of a cable, whose other end is here, too."""
    name = f"pt{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b"], check=True)
    try:
        for end in "ab":
            subprocess.run(["ip", "link", "set", f"{name}{end}", "up"], check=True)
        yield f"{name}a"
    finally:
        subprocess.run(["ip", "link", "delete", f"{name}a"], check=True)


@pytest.fixture
def network(engine: Engine, parent: str) -> Iterator[Callable[[str], str]]:
    """Makes a network of a driver and returns its name; it goes when the test ends."""
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"

    def make(driver: str) -> str:
        if driver in ("none", "host"):
            return driver
        options = ("--opt", f"parent={parent}", "--subnet", "198.51.100.0/24") if driver == "macvlan" else ()
        engine("network", "create", "--driver", driver, *options, name)
        return name

    yield make
    engine("network", "rm", name, check=False)


def test_the_guide_has_a_line_for_each_driver() -> None:
    assert re.findall(r"^\| network `(\w+)` \|", GUIDE, re.MULTILINE) == [*DRIVERS, "overlay"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_signals_and_the_end_are_the_same_on_every_network(
    containers: Containers, network: Callable[[str], str], driver: str
) -> None:
    options = ("--network", network(driver))
    container = containers.start("python3", "/programs/signals.py", options=options)
    container.wait_for_line("ready")
    links = {line.split(":")[0].strip() for line in container.exec("cat", "/proc/net/dev").stdout.splitlines()[2:]}
    assert (links == {"lo"}) == (driver == "none")
    container.kill("USR1")
    container.wait_for_line("SIGUSR1")
    container.stop()
    assert container.wait() == 7
    assert container.lines() == ["ready", "SIGUSR1", "SIGTERM"]
    containers.remove()


# Binds, so that a port which is still taken is an error.
BIND = "import socket, time; s = socket.create_server(('127.0.0.1', {}))"
WORKER = BIND + "; print('ready', flush=True); time.sleep(1000)"


def test_on_the_hosts_network_a_port_is_free_again_once_the_container_has_stopped(containers: Containers) -> None:
    """What the program leaves in a session of its own has the port; the end waits for that, too."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    script = 'setsid python3 -c "$1" & exec sleep 1000'
    for _ in range(2):
        container = containers.start("sh", "-c", script, "sh", WORKER.format(port), options=("--network", "host"))
        container.wait_for_line("ready")
        container.stop()
        assert container.wait() == 143
        assert "killed" not in container.logs().stderr
