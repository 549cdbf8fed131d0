"""What Docker alone has: its daemon's health checks, logs, restarts, init and user namespaces, and the daemon's end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import proc_status

from .engines import Daemon
from .support import (
    REPOSITORY,
    Containers,
    assert_serves_as_the_engines_init,
    base_image,
    built_image,
    copied,
    unavailable,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .support import Engine

    Run = Callable[[int, str], tuple[list[str], str]]

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(180, func_only=True),
    pytest.mark.only("docker", "has no daemon"),
]

SIGNALS = ("python3", "/programs/signals.py")


# Health checks


def test_the_daemons_health_check_follows_the_program_and_its_orphans_are_reaped(containers: Containers) -> None:
    check = "sleep 0.01 & test -e /tmp/well"
    options = (f"--health-cmd={check}", "--health-interval=200ms", "--health-retries=1")
    container = containers.start("sh", "-c", "touch /tmp/well; exec sleep 1000", options=options)
    wait_until(lambda: containers.engine.is_healthy(container.name), "the container to be healthy")
    container.exec("rm", "/tmp/well")
    wait_until(lambda: container.inspect("{{.State.Health.Status}}") == "unhealthy", "the daemon to see it")
    container.exec("touch", "/tmp/well")
    wait_until(lambda: containers.engine.is_healthy(container.name), "the container to be healthy again")
    wait_until(lambda: "Z" not in {each.state for each in container.processes()}, "all orphans to be reaped")
    container.stop()
    assert container.wait() == 143


# Logs


@contextlib.contextmanager
def log_collector(kind: int) -> Iterator[int]:
    """A port of the loopback that takes whatever is sent to it."""
    with socket.socket(type=kind) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(60)
        port: int = collector.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            collector.listen()
            thread = threading.Thread(target=_swallow, args=(collector,), daemon=True)
            thread.start()
        yield port


def _swallow(collector: socket.socket) -> None:
    with contextlib.suppress(OSError), collector.accept()[0] as connection:
        while connection.recv(65536):
            pass


@pytest.mark.parametrize(
    ("driver", "address", "kind"),
    [
        ("json-file", "", 0),
        ("local", "", 0),
        ("syslog", "syslog-address=udp://127.0.0.1:{}", socket.SOCK_DGRAM),
        ("gelf", "gelf-address=udp://127.0.0.1:{}", socket.SOCK_DGRAM),
        ("fluentd", "fluentd-address=127.0.0.1:{}", socket.SOCK_STREAM),
    ],
)
def test_logs_are_whole_with_every_driver_that_needs_no_network(
    containers: Containers, driver: str, address: str, kind: int
) -> None:
    """Of what a driver sends away, Docker keeps a copy for `docker logs`."""
    with contextlib.ExitStack() as stack:
        options = ["--log-driver", driver]
        if address:
            options += ["--log-opt", address.format(stack.enter_context(log_collector(kind)))]
        container = containers.start(*SIGNALS, options=options)
        container.wait_for_line("ready")
        container.kill("USR1")
        container.wait_for_line("SIGUSR1")
        container.stop()
        assert container.wait() == 7
        assert container.lines() == ["ready", "SIGUSR1", "SIGTERM"]


def test_without_a_log_the_container_ends_as_any_other(containers: Containers) -> None:
    program = "trap 'exit 7' TERM; touch /tmp/ready; while :; do sleep 0.1; done"
    container = containers.start("sh", "-c", program, options=("--log-driver", "none"))
    wait_until(lambda: container.exec("test", "-e", "/tmp/ready", check=False).returncode == 0, "the program")
    assert "does not support reading" in containers.engine("logs", container.name, check=False).stderr
    container.stop()
    assert container.wait() == 7


# Restarts


def test_on_failure_the_daemon_starts_it_again_so_many_times(containers: Containers) -> None:
    container = containers.start("sh", "-c", "echo started; exit 9", options=("--restart", "on-failure:2"))
    wait_until(lambda: container.lines().count("started") == 3, "two restarts")
    wait_until(lambda: container.inspect("{{.State.Status}} {{.State.Restarting}}") == "exited false", "its end")
    assert container.inspect("{{.RestartCount}} {{.State.ExitCode}}") == "2 9"


# A daemon whose init is pyinit, and that lets its containers live when it ends


@contextlib.contextmanager
def started(*options: str, wrapper: tuple[str, ...] = ()) -> Iterator[Daemon]:
    """One more daemon beside the one that all tests share."""
    daemon = Daemon(Path(tempfile.mkdtemp(prefix="pyinit-tests-", dir="/var/tmp")))
    try:
        daemon.start(*options, wrapper=wrapper)
        yield daemon
    finally:
        daemon.stop()


DAEMON_OPTIONS = ("--live-restore", "--init-path={}/docker-init")


@pytest.fixture(scope="module")
def init_directory(engine: Engine, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the daemon's init is: pyinit under Docker's name for it."""
    assert engine
    directory = tmp_path_factory.mktemp("init")
    copied(zipapp_for_containers, directory, "docker-init")
    return directory


def options_of_the_daemon(init_directory: Path) -> tuple[str, ...]:
    return tuple(option.format(init_directory) for option in DAEMON_OPTIONS)


@pytest.fixture(scope="module")
def daemon(init_directory: Path) -> Iterator[Daemon]:
    with started(*options_of_the_daemon(init_directory)) as daemon:
        base_image(daemon.docker)
        yield daemon


@pytest.fixture
def of_the_daemon(daemon: Daemon, zipapp_for_containers: Path) -> Iterator[Containers]:
    with Containers(daemon.docker, base_image(daemon.docker), zipapp_for_containers) as made:
        yield made


def test_f07_as_the_docker_init_of_docker_run_init(of_the_daemon: Containers) -> None:
    container = of_the_daemon.start(*SIGNALS, init=None, options=("--init",))
    container.wait_for_line("ready")
    init = container.exec("cat", "/proc/1/cmdline").stdout.split("\0")
    assert "/usr/bin/python3" in init[0]
    assert "/sbin/docker-init" in init
    assert_serves_as_the_engines_init(container)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_container_and_its_signals_go_on_while_the_daemon_is_away(
    of_the_daemon: Containers, daemon: Daemon, init_directory: Path, end: int
) -> None:
    container = of_the_daemon.start(*SIGNALS)
    container.wait_for_line("ready")
    init = container.host_pid()
    daemon.signal(end)
    assert not daemon.answers()
    os.kill(init, signal.SIGUSR1)  # as another tool of the host would
    assert proc_status(init)["State"][0] in "RS"
    daemon.start(*options_of_the_daemon(init_directory))
    assert container.host_pid() == init
    container.wait_for_line("SIGUSR1")
    container.kill("HUP")
    container.wait_for_line("SIGHUP")
    assert container.exec("sh", "-c", "exit 9", check=False).returncode == 9
    container.stop()
    assert container.wait() == 7
    assert container.lines() == ["ready", "SIGUSR1", "SIGHUP", "SIGTERM"]


# A daemon that maps all users: root in its containers is the host's 100000

REMAPPED = ("--userns-remap=nobody:nogroup",)

# /etc/subuid and /etc/subgid say which users these are: in a mount namespace of the daemon's own, the host's stay.
WITH_SUBORDINATES = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"'

DOCKERFILE = """\
FROM {base}
RUN useradd --create-home --shell /bin/bash dev && mkdir /work
COPY pyinit /pyinit
ENTRYPOINT ["/pyinit", "--user", "dev", "--match-owner", "/work", "--"]
"""


@pytest.fixture(scope="module")
def remapped(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    assert engine
    directory = tmp_path_factory.mktemp("subordinates")
    (directory / "subordinates").write_text("nobody:100000:65536\n")
    for file in ("/etc/subuid", "/etc/subgid"):
        if not Path(file).exists():
            unavailable(f"{file}, where the daemon looks, is not there")
    script = ("sh", "-c", WITH_SUBORDINATES, str(directory / "subordinates"))
    with started(*REMAPPED, wrapper=("unshare", "--mount", *script)) as daemon:
        base_image(daemon.docker)
        yield daemon


@pytest.fixture(scope="module")
def dev_image(remapped: Daemon, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("context")
    copied(zipapp_for_containers, context)
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=base_image(remapped.docker)))
    with built_image(remapped.docker, context) as name:
        yield name


@pytest.fixture
def run(remapped: Daemon, dev_image: str, tmp_path: Path) -> Run:
    """Run a script with a bind mount at /work that is a user's of the host; returns its lines and its errors."""
    for directory in (tmp_path, *tmp_path.parents[:3]):  # the way there must be open to 100000
        directory.chmod(directory.stat().st_mode | 0o011)

    def run(owner: int, script: str) -> tuple[list[str], str]:
        work = tmp_path / "work"
        work.mkdir()
        os.chown(work, owner, owner)
        arguments = ("run", "--rm", "--volume", f"{work}:/work", dev_image, "sh", "-c", script)
        finished = remapped.docker(*arguments, check=False)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.splitlines(), finished.stderr

    return run


def test_f24_where_all_users_are_mapped_the_hosts_user_is_root_and_stays_it(run: Run, tmp_path: Path) -> None:
    assert run(100000, "id -u; touch /work/f; stat -c %u ~dev") == (["0", "1000"], "")
    assert (tmp_path / "work/f").stat().st_uid == 100000


def test_where_all_users_are_mapped_the_owner_is_matched_as_the_container_sees_it(run: Run, tmp_path: Path) -> None:
    assert run(104242, "id -u; whoami; touch /work/f; stat -c %u ~") == (["4242", "dev", "4242"], "")
    assert (tmp_path / "work/f").stat().st_uid == 104242


def test_an_owner_that_is_not_among_the_mapped_users_is_not_matched(run: Run) -> None:
    output, errors = run(4242, "id -u")
    assert output == ["1000"]
    assert "not known in this user namespace" in errors


def test_a_container_whose_users_are_mapped_works_as_any_other(remapped: Daemon, zipapp_for_containers: Path) -> None:
    containers = Containers(remapped.docker, base_image(remapped.docker), zipapp_for_containers)
    try:
        container = containers.start(*SIGNALS)
        container.wait_for_line("ready")
        assert proc_status(container.host_pid())["Uid"].split() == ["100000"] * 4
        container.stop()
        assert container.wait() == 7
    finally:
        containers.remove()


# The end of a daemon


def test_a_daemon_of_the_tests_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    """In a network namespace of its own: elsewhere other daemons come and go."""
    assert engine
    catatonit = shutil.which("catatonit")
    if not catatonit:
        unavailable("catatonit, which is static, is not installed")
    archive = tmp_path / "pause.tar"
    directory, _, name = catatonit.rpartition("/")
    subprocess.run(["tar", "--create", "--file", str(archive), "--directory", directory, name], check=True)
    command = ["unshare", "--net", sys.executable, "-m", "tests.container.daemon_alone", str(archive)]
    done = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for kind, traces in found["before"].items():
        assert found["meanwhile"][kind] != traces or kind == "policies", f"{kind}: the comparison would show nothing"
        assert found["after"][kind] == traces, kind
