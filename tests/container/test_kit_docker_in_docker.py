"""docker/docker-in-docker: the host's engine through its socket, and an engine of the container's own."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from .support import Docker, built_image, example, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers, Engine, Finished

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(300, func_only=True),
]

GROUP = 47114  # of the socket: a number that no image knows

# What a container that is made through the socket needs on a host with low limits, which `podman run` has configured.
LIMITS = [{"Name": "nofile", "Soft": 1024, "Hard": 4096}, {"Name": "nproc", "Soft": 4096, "Hard": 4096}]


@pytest.fixture(scope="module")
def context(zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example("docker-in-docker", tmp_path_factory.mktemp("context"), zipapp_for_containers)


@pytest.fixture(scope="module")
def socket_image(engine: Engine, package_image: str, context: Path) -> Iterator[str]:
    with built_image(engine, context, f"--build-arg=BASE={package_image}", *engine.package_sources()) as name:
        yield name


@pytest.fixture(scope="module")
def nested_image(engine: Engine, package_image: str, context: Path) -> Iterator[str]:
    options = (f"--file={context}/nested.Dockerfile", f"--build-arg=BASE={package_image}", *engine.package_sources())
    with built_image(engine, context, *options, seconds=240) as name:
        yield name


@pytest.fixture(scope="module")
def socket_file(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The engine's socket, which root and one group may use."""
    if isinstance(engine, Docker):
        file = engine.directory / "docker.sock"
        os.chown(file, 0, GROUP)
        yield file
        return
    file = tmp_path_factory.mktemp("engine") / "docker.sock"
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{file}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=engine.environment,
    )
    try:
        wait_until(file.exists, "the engine's socket")
        os.chown(file, 0, GROUP)
        file.chmod(0o660)
        yield file
    finally:
        service.terminate()
        service.wait(timeout=30)


class Socket:
    """The example's image with the socket mounted, as its README starts it."""

    def __init__(self, containers: Containers, image: str, file: Path) -> None:
        self.containers = containers
        self.options = (f"--label={containers.label}", f"--volume={file}:/var/run/docker.sock", image)

    def run(self, *program: str, options: tuple[str, ...] = ()) -> Finished[str]:
        return self.containers.engine("run", *options, *self.options, *program, check=False)


@pytest.fixture
def mounted_socket(containers: Containers, socket_image: str, socket_file: Path) -> Socket:
    return Socket(containers, socket_image, socket_file)


def test_f43_a_user_without_rights_uses_the_engine_whatever_number_the_sockets_group_has(
    mounted_socket: Socket,
) -> None:
    assert mounted_socket.run("id").stdout.strip() == f"uid=10000(dev) gid=10000(dev) groups=10000(dev),{GROUP}"
    asked = mounted_socket.run()
    assert (asked.returncode, asked.stderr) == (0, "")
    assert json.loads(asked.stdout)["Components"][0]["Name"] in ("Podman Engine", "Engine")


def test_without_match_group_the_engine_refuses_the_user(mounted_socket: Socket) -> None:
    program = ("--user", "dev", "--", "engine", "GET", "/version")
    refused = mounted_socket.run(*program, options=("--entrypoint", "/pyinit"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "engine: /var/run/docker.sock: Permission denied\n"


def test_without_the_socket_a_line_says_what_is_missing(containers: Containers, socket_image: str) -> None:
    finished = containers.engine("run", f"--label={containers.label}", socket_image, check=False)
    assert finished.returncode == 2
    assert finished.stderr == "pyinit: --match-group: '/var/run/docker.sock': No such file or directory\n"


def test_whoever_may_use_the_socket_is_root_on_the_host(mounted_socket: Socket, image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    label, _, value = mounted_socket.containers.label.partition("=")
    wanted = {
        "Image": image,
        "Cmd": ["touch", "/host/made"],
        "HostConfig": {"Binds": [f"{tmp_path}:/host"], "NetworkMode": "host", "Ulimits": LIMITS},
        "Labels": {label: value},
    }
    read_only = ("--read-only", "--cap-drop=all", *(f"--cap-add={name}" for name in ("setuid", "setgid")))
    created = mounted_socket.run("engine", "POST", "/containers/create", json.dumps(wanted), options=read_only)
    container = json.loads(created.stdout)["Id"]
    for request in ("start", "wait"):
        done = mounted_socket.run("engine", "POST", f"/containers/{container}/{request}")
        assert done.returncode == 0, done
    assert (tmp_path / "made").stat().st_uid == 0


def nested(containers: Containers, image: str, script: str, *options: str) -> Finished[str]:
    label = f"--label={containers.label}"  # --rm: its volume goes with it
    return containers.engine("run", "--rm", label, *options, image, "sh", "-c", script, check=False, seconds=120)


def reaped(events: str) -> dict[str, str | None]:
    """From pyinit's events among other lines: which orphans it reaped, and the signal that ended each.

    That of a container's monitor may be there or not: it is about to end when `podman run` has.
    """
    told = [json.loads(line) for line in events.splitlines() if line.startswith("{")]
    return {each["command"]: each["signal"] for each in told if each["event"] == "reaped" and each["orphan"]}


BUILD = "podman build -q -t busybox /busybox"


@pytest.fixture
def user_namespaces(containers: Containers, nested_image: str) -> None:
    """Skip where the host lets no container make a user namespace."""
    tried = nested(containers, nested_image, "unshare --user true", "--security-opt=seccomp=unconfined")
    if tried.returncode != 0:
        pytest.skip(f"this host gives containers no user namespaces: {tried.stderr.strip()}")


@pytest.mark.usefixtures("user_namespaces")
def test_nested_root_is_a_user_without_rights_and_nothing_is_left(containers: Containers, nested_image: str) -> None:
    options = ("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined", "--env=PYINIT_EVENTS=-")
    run = "podman run --rm -v $HOME:/there busybox"
    script = f"{BUILD} && {run} id && {run} touch /there/made && stat -c %u:%g made && grep CapEff /proc/self/status"
    finished = nested(containers, nested_image, script, *options)
    assert finished.returncode == 0, finished
    assert finished.stdout.splitlines()[1:] == ["uid=0 gid=0", "10000:10000", "CapEff:\t0000000000000000"]
    assert "pyinit: the program has left " in finished.stderr
    assert reaped(finished.stderr).get("podman pause") == "SIGTERM"  # it holds podman's namespaces
    assert "SIGKILL" not in reaped(finished.stderr).values()


@pytest.mark.usefixtures("user_namespaces")
def test_nested_containers_need_proc_without_masks(containers: Containers, nested_image: str) -> None:
    script = f"{BUILD} && podman run --rm busybox id"
    finished = nested(containers, nested_image, script, "--security-opt=seccomp=unconfined")
    assert finished.returncode != 0
    assert "`proc`: Operation not permitted" in finished.stderr
