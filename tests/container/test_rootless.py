"""Docker without root: a daemon of an ordinary user's, whose containers' root is that user (rootlesskit, newuidmap)."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import standalone

from .engines import Docker, last_line, unavailable, wait_until
from .support import Container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .engines import Engine

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(300, func_only=True),
    pytest.mark.only("docker", "needs no daemon for that: see test_identity.py"),
]

USER = pwd.getpwnam("nobody")
IMAGE = "alone"

# Which users are its subordinates (man 5 subuid): in a mount namespace of the daemon's own, the host's files stay.
AS_USER = (
    'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && '
    f"exec setpriv --reuid={USER.pw_uid} --regid={USER.pw_gid} --clear-groups "
    'rootlesskit --net=host --copy-up=/etc --copy-up=/run sh -c "$1"'
)
# The host's own daemon has left links to what this one must make itself (dockerd-rootless.sh).
DAEMON = """\
rm -rf /run/docker /run/containerd /run/xtables.lock
exec dockerd --rootless --data-root={directory}/data --exec-root={directory}/exec --pidfile={directory}/pid \
--host=unix://{directory}/docker.sock --bridge=none --iptables=false --storage-driver=vfs \
--exec-opt=native.cgroupdriver=cgroupfs
"""

PASSWD = "root:x:0:0::/:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n"


@pytest.fixture(scope="module")
def docker(engine: Engine) -> Iterator[Docker]:
    """The client of a rootless daemon that has an image with busybox and the standalone file."""
    assert engine
    for program in ("rootlesskit", "newuidmap", "busybox"):
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    directory = Path(tempfile.mkdtemp(prefix="pyinit-tests-", dir="/var/tmp"))
    os.chown(directory, USER.pw_uid, USER.pw_gid)
    client = Docker(directory)
    with daemon(directory, client):
        root = directory / "root"
        (root / "bin").mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text(PASSWD)
        (root / "etc/group").write_text("root:x:0:\ndev:x:1000:\n")
        standalone.build(root / "pyinit")
        shutil.copy(str(shutil.which("busybox")), root / "bin/busybox")
        for name in ("sh", "sleep", "id", "ps", "touch"):
            (root / "bin" / name).symlink_to("busybox")
        subprocess.run(["tar", "-C", root, "-cf", directory / "image.tar", "."], check=True)
        client("import", str(directory / "image.tar"), IMAGE)
        yield client
        if containers := client("ps", "--all", "--quiet").stdout.split():
            client.remove(*containers)
    shutil.rmtree(directory)


@contextlib.contextmanager
def daemon(directory: Path, client: Docker) -> Iterator[None]:
    """It runs meanwhile."""
    subordinates = directory / "subordinates"
    subordinates.write_text(f"{USER.pw_name}:100000:65536\n")
    command = ["unshare", "--mount", "sh", "-c", AS_USER, str(subordinates), DAEMON.format(directory=directory)]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/")

    def answers() -> bool:
        if process.poll() is not None:
            said = last_line((directory / "log").read_text(errors="replace"))
            unavailable(f"rootless dockerd does not work: {said}")
        return client("version", check=False).returncode == 0

    try:
        wait_until(answers, "the rootless daemon to answer", 60)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def started_container(docker: Docker, *words: str) -> Container:
    name = docker("run", "--detach", "--network", "none", IMAGE, *words).stdout.strip()
    return Container(docker, name)


def test_it_reaps_and_a_stop_is_the_programs_own_end(docker: Docker) -> None:
    program = "trap 'exit 7' TERM; (sleep 0.1 &); sleep 0.5; ps -o stat,comm; echo ready; while :; do sleep 0.05; done"
    container = started_container(docker, "/pyinit", "--", "sh", "-c", program)
    wait_until(lambda: "ready" in container.lines(), "the program is ready")
    assert not [line for line in container.lines() if line.startswith("Z")]
    container.stop()
    assert container.wait() == 7


def test_what_the_user_writes_is_the_hosts_users(docker: Docker) -> None:
    """The owner of the mount is 0 in there, which is the host's user, and nobody with rights over the host."""
    work = docker.directory / "work"
    work.mkdir(exist_ok=True)
    os.chown(work, USER.pw_uid, USER.pw_gid)
    init = ("/pyinit", "--user", "dev", "--match-owner", "/work", "--")
    words = ("--rm", "--network", "none", "--volume", f"{work}:/work", IMAGE, *init)
    done = docker("run", *words, "sh", "-c", "id -u; touch /work/made")
    assert done.stdout == "0\n"
    made = (work / "made").stat()
    assert (made.st_uid, made.st_gid, stat.S_ISREG(made.st_mode)) == (USER.pw_uid, USER.pw_gid, True)


def test_without_a_mount_the_user_is_a_subordinate_of_the_hosts_user(docker: Docker) -> None:
    container = started_container(docker, "/pyinit", "--user", "dev", "--", "sh", "-c", "id -u; exec sleep 1000")
    wait_until(lambda: container.lines() == ["1000"], "the program runs as the image's user")
    children = Path(f"/proc/{container.host_pid()}/task/{container.host_pid()}/children").read_text().split()
    assert os.stat(f"/proc/{children[0]}").st_uid == 100000 + 1000 - 1
    container.stop()
    assert container.wait() == 143
