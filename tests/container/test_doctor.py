"""pyinitctl doctor, in the container beside the init and on the host: what it finds, and that it finds nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest

from .support import REPOSITORY, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Container, Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

STRANGER = 4242  # a UID that no account has
WWW_DATA = 33  # as Debian has it

# pyinitctl as it is here: both of these are Python alone.
COMMAND_LINE = {Path(click.__file__).parent: "/ctl/click", REPOSITORY / "pyinit": "/ctl/pyinit"}

NGINX_CONF = """\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http { access_log off; server { listen unix:/tmp/nginx.sock; } }
"""

CONFINED = ("--user", "www-data", "--no-new-privileges", "--drop-capabilities", "--")


def patient(name: str) -> tuple[str, ...]:
    return ("python3", "/programs/patient.py", name)


def start(
    containers: Containers, *program: str, init: tuple[str, ...] | None = CONFINED, options: tuple[str, ...] = ()
) -> Container:
    """A container with pyinitctl beside the init, once its program is ready."""
    mounts = [f"--volume={path}:{place}:ro" for path, place in COMMAND_LINE.items()]
    container = containers.start(*program, init=init, options=(*mounts, *options))
    container.wait_for_line("ready")
    return container


def inside(container: Container, *arguments: str, user: str = "0") -> subprocess.CompletedProcess[str]:
    """Run `pyinitctl doctor` by `podman exec`."""
    options = ("--env", "PYTHONPATH=/ctl", "--user", user)
    return container.exec("python3", "-m", "pyinit.ctl", "doctor", *arguments, options=options, check=False)


def outside(container: Container, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it on the host."""
    command = [sys.executable, "-m", "pyinit.ctl", "doctor", "--pid", str(container.host_pid()), *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


class Broken(NamedTuple):
    """A container with one thing wrong."""

    program: tuple[str, ...]
    checks: set[str]  # that find something wrong
    evidence: str  # a part of a line
    fix: str  # a part of it
    init: tuple[str, ...] | None = CONFINED
    options: tuple[str, ...] = ()


BROKEN = {
    "pid-1-without-handler": Broken(
        ("sh", "-c", "echo ready; exec sleep 1000"),
        {"stop"},
        "SigCgt:\t0000000000000000",
        'ENTRYPOINT ["/pyinit", "--"]',
        init=None,
    ),
    "interactive-shell-as-pid-1": Broken(
        ("bash", "--norc", "-ic", "echo ready; read line"),
        {"stop"},
        "SigIgn:\t",
        "TERM:HUP",
        init=None,
        options=("--interactive", "--tty"),
    ),
    "program-ignores-term": Broken(patient("ignores_term"), {"stop"}, "SigIgn:\t", "STOPSIGNAL"),
    "program-blocks-term": Broken(patient("blocks_term"), {"stop"}, "SigBlk:\t0000000000004000", "unblock TERM"),
    "term-is-rewritten-to-nothing": Broken(
        patient("good"), {"stop"}, "TERM:0", "leave out the rewriting", init=("-r", "TERM:0", *CONFINED)
    ),
    "shell-form-entry-point": Broken(
        ("sh", "-c", "python3 /programs/patient.py good; true"),
        {"shell"},
        "sh -c python3",
        '["program", "argument"]',
        init=None,
    ),
    "shell-under-an-init-that-signals-the-program-alone": Broken(
        ("sh", "-c", "python3 /programs/patient.py good; true"),
        {"shell"},
        "sh -c python3",
        "without -c",
        init=("-c", *CONFINED),
    ),
    "pid-1-does-not-reap": Broken(
        patient("is_left_orphans"), {"zombies"}, "State:\tZ (zombie)", "reaps every orphan", init=None
    ),
    "program-does-not-reap": Broken(patient("has_zombies"), {"zombies"}, "State:\tZ (zombie)", "man 2 wait"),
    "program-blocks-hup": Broken(patient("blocks_hup"), {"blocked"}, "SigBlk:\t0000000000000001", "unblock"),
    "a-signal-waits": Broken(patient("hup_waits"), {"blocked", "pending"}, "ShdPnd:\t0000000000000001", "blocks the"),
    "a-stopped-process": Broken(patient("child_is_stopped"), {"pending"}, "State:\tT (stopped)", "kill -CONT"),
    "daemon-is-cut-off": Broken(
        patient("leaves_daemon"), {"cut-off"}, "Name:\tsleep", "--wait-all", init=("--grace", "0", *CONFINED)
    ),
    "daemon-ignores-term": Broken(patient("leaves_stubborn_daemon"), {"cut-off"}, "SigIgn:\t", "do not ignore TERM"),
    "mount-of-a-stranger": Broken(
        patient("good"),
        {"owner"},
        f"{STRANGER}:{STRANGER} /stranger",
        "--match-owner /stranger",
        init=("--",),
        options=("--volume", "{stranger}:/stranger"),
    ),
    "mount-of-nobody-in-the-user-namespace": Broken(
        patient("good"),
        {"owner", "unwritable"},
        " /roots",
        "--userns keep-id",
        init=("--",),
        options=("--uidmap", "0:100000:65536", "--volume", "{roots}:/roots"),
    ),
    "mount-that-the-program-cannot-write-to": Broken(
        patient("good"),
        {"unwritable"},
        "drwxr-xr-x 0:0 /roots",
        "--match-owner /roots",
        options=("--volume", "{roots}:/roots"),
    ),
    "file-that-the-program-cannot-write": Broken(
        patient("good"),
        {"unwritable"},
        "-rw-r--r-- 0:0 /mixed/below/roots",
        "--own /mixed",
        options=("--volume", "{mixed}:/mixed"),
    ),
    "socket-of-another-group": Broken(
        patient("good"),
        {"socket"},
        f"srw-rw---- 0:{STRANGER} /run/docker.sock",
        f"--group-add {STRANGER}",
        options=("--volume", "{socket}:/var/run/docker.sock"),
    ),
    "secret-in-the-environment": Broken(
        patient("good"),
        {"secrets"},
        "/environ: DB_PASSWORD=…",
        "--secrets /run/secrets",
        options=("--env", "DB_PASSWORD=hunter2"),
    ),
    "password-in-a-url": Broken(
        patient("good"),
        {"secrets"},
        "/environ: DATABASE_URL=…",
        "--secrets /run/secrets",
        options=("--env", "DATABASE_URL=postgres://app:hunter2@db/app"),
    ),
    "too-many-capabilities": Broken(
        patient("good"), {"capabilities"}, "CapEff:\t", "--cap-add", init=("--",), options=("--cap-add", "SYS_ADMIN")
    ),
}


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Directories and a socket to be mounted, by who owns them."""
    found = {name: tmp_path / name for name in ("stranger", "roots", "mixed", "socket", "www-data")}
    for name, path in found.items():
        if name != "socket":
            path.mkdir(mode=0o755)
    (found["mixed"] / "below").mkdir()
    (found["mixed"] / "below/roots").touch(0o644)
    os.chown(found["stranger"], STRANGER, STRANGER)
    for path in (found["mixed"], found["mixed"] / "below", found["www-data"]):
        os.chown(path, WWW_DATA, WWW_DATA)
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(tmp_path)  # the path of a socket may be no longer than 107 bytes
        try:
            listener.bind("socket")
        finally:
            os.chdir(REPOSITORY)
        os.chown(found["socket"], 0, STRANGER)
        found["socket"].chmod(0o660)
        yield found


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_with_its_evidence_and_a_fix(
    containers: Containers, places: dict[str, Path], name: str
) -> None:
    case = BROKEN[name]
    options = tuple(option.format_map(places) for option in case.options)
    container = start(containers, *case.program, init=case.init, options=options)
    for run in (inside, outside):
        done = run(container, "--json")
        assert (done.returncode, done.stderr) == (1, ""), run.__name__
        told = json.loads(done.stdout)
        wrong = [each for each in told["findings"] if each["severity"] != "note"]
        assert {each["check"] for each in wrong} == case.checks, run.__name__
        assert any(case.evidence in line for each in wrong for line in each["evidence"]), run.__name__
        assert any(case.fix in each["fix"] for each in wrong), run.__name__
        assert told["unread"] == [], run.__name__
        assert "hunter2" not in done.stdout, run.__name__


@pytest.mark.parametrize(
    ("program", "init"),
    [
        pytest.param(patient("good"), CONFINED, id="server"),
        pytest.param(patient("waits_for_term"), CONFINED, id="server-that-waits-for-signals"),
        pytest.param(patient("leaves_daemon"), CONFINED, id="daemon-that-is-asked-to-end"),
        pytest.param(("sh", "-c", "python3 /programs/patient.py good; true"), CONFINED, id="shell-in-the-group"),
        pytest.param(("sh", "-c", "echo ready; exec sleep 1000"), CONFINED, id="program-without-handler"),
    ],
)
def test_in_the_good_container_nothing_is_found(
    containers: Containers, places: dict[str, Path], program: tuple[str, ...], init: tuple[str, ...]
) -> None:
    options = ("--volume", f"{places['www-data']}:/data", "--env", "DB_PASSWORD_FILE=/run/secrets/db")
    container = start(containers, *program, init=init, options=options)
    for run in (inside, outside):
        done = run(container, "--json")
        told = json.loads(done.stdout)
        assert (told["findings"], told["unread"]) == ([], []), run.__name__
        assert told["pid1"]["init"] == "pyinit"
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("init", [("-r", "TERM:QUIT", "--"), None])
def test_nothing_is_wrong_with_nginx(containers: Containers, init: tuple[str, ...] | None) -> None:
    script = f"echo '{NGINX_CONF}' >/tmp/nginx.conf; echo ready; exec nginx -c /tmp/nginx.conf"
    container = start(containers, "sh", "-c", script, init=init)
    wait_until(lambda: "nginx: worker process" in str(container.processes()), "nginx to have a worker")
    done = inside(container)
    assert "nothing is wrong" in done.stdout.splitlines()
    assert done.returncode == 0


def test_tree_in_the_container_marks_what_the_engine_has_put_in(containers: Containers) -> None:
    container = start(containers, *patient("leaves_daemon"))
    done = container.exec("python3", "-m", "pyinit.ctl", "tree", options=("--env", "PYTHONPATH=/ctl"))
    _, *lines, summary = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["1", "S"]
    assert "└─ [adopted] sleep 1000" in done.stdout
    assert lines[-1].endswith("[from outside] python3 -m pyinit.ctl tree")
    assert summary == "4 processes, 1 adopted by PID 1, 0 zombies"


def test_without_root_it_says_what_it_could_not_read(containers: Containers) -> None:
    container = start(containers, *patient("good"))
    done = inside(container, user="www-data")
    assert "not looked at: /proc/1/environ: Permission denied; root may know more" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_a_link_in_the_container_does_not_lead_out_of_it(containers: Containers, tmp_path: Path) -> None:
    """Seen from the host, /etc/passwd is a link to the host's: its accounts are not the container's."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    os.chown(stranger, STRANGER, STRANGER)
    script = "mv /etc/passwd /etc/other && ln -s /etc/other /etc/passwd && echo ready; exec sleep 1000"
    container = start(containers, "sh", "-c", script, init=("--",), options=("--volume", f"{stranger}:/stranger"))
    told = json.loads(outside(container, "--json").stdout)
    assert any(text.startswith("/etc/passwd: ") for text in told["unread"])
    assert not [each for each in told["findings"] if each["check"] == "owner"]
