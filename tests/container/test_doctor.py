"""pyinitctl doctor, in the container beside the init and on the host: what it finds, and that it finds nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest
import rich

from pyinit.ctl.container import look
from pyinit.ctl.proc import mask_of

from .support import REPOSITORY, USER_NAMESPACES, Container, built_image, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

STRANGER = 4242  # a UID that no account has
WWW_DATA = 33  # as Debian has it

# pyinitctl as it is here: all of these are Python alone.
COMMAND_LINE = {
    Path(click.__file__).parent: "/ctl/click",
    Path(rich.__file__).parent: "/ctl/rich",
    REPOSITORY / "pyinit": "/ctl/pyinit",
}

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
    """Run `pyinitctl doctor` by `exec` of the engine."""
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
    cure: tuple[str, ...] = ()  # pyinit's options with the fix; for the fixes of processes see tests/ctl/test_doctor.py
    cured: tuple[str, ...] | None = None  # the engine's options with the fix, if others than before


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
        '["/pyinit", "-r", "TERM:HUP", "--"]',
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
        init=("-c", "--grace", "0", *CONFINED),
    ),
    "pid-1-does-not-reap": Broken(
        patient("is_left_orphans"), {"zombies"}, "State:\tZ (zombie)", "reaps every orphan", init=None
    ),
    "program-does-not-reap": Broken(patient("has_zombies"), {"zombies"}, "State:\tZ (zombie)", "man 2 wait"),
    "a-signal-waits": Broken(patient("hup_waits"), {"pending"}, "ShdPnd:\t0000000000000001", "blocks the"),
    "a-stopped-process": Broken(patient("child_is_stopped"), {"pending"}, "State:\tT (stopped)", "kill -CONT"),
    "daemon-is-cut-off": Broken(
        patient("leaves_daemon"), {"cut-off"}, "Name:\tsleep", "--wait-all", init=("--grace", "0", *CONFINED)
    ),
    "daemon-ignores-term": Broken(
        patient("leaves_stubborn_daemon"), {"cut-off"}, "SigIgn:\t", "not ignore or block TERM"
    ),
    "no-right-to-signal-the-program": Broken(
        ("setpriv", "--reuid=33", "--clear-groups", "sh", "-c", "echo ready; exec sleep 1000"),
        {"rights"},
        "Uid:\t33\t33\t33\t33",
        "--cap-add KILL",
        init=("--",),
        options=("--cap-drop", "KILL"),
    ),
    "work-on-a-mount-of-a-stranger": Broken(
        patient("good"),
        {"owner"},
        f"{STRANGER}:{STRANGER} /stranger",
        "pyinit --user USER --match-owner /stranger",
        init=("--",),
        options=("--volume", "{stranger}:/stranger", "--workdir", "/stranger"),
        cure=("--user", "www-data", "--match-owner", "/stranger", "--"),
    ),
    "mount-of-nobody-in-the-user-namespace": Broken(
        patient("good"),
        {"unwritable"},
        " /roots",
        "chown -R 100000",
        init=("--",),
        options=("--uidmap", "0:100000:65536", "--volume", "{roots}:/roots"),
        cure=("--",),
        cured=("--uidmap", "0:100000:65536", "--volume", "{mapped}:/roots"),
    ),
    "mount-that-the-program-cannot-write-to": Broken(
        patient("good"),
        {"unwritable"},
        "drwxr-xr-x 0:0 /roots",
        "pyinit --user www-data --own /roots",
        options=("--volume", "{roots}:/roots"),
        cure=("--own", "/roots", *CONFINED),
    ),
    "mount-with-files-that-the-program-cannot-write-to": Broken(
        patient("good"),
        {"unwritable"},
        "drwxr-xr-x 0:0 /full",
        "pyinit --user www-data --setup 'chown -R www-data /full'",
        options=("--volume", "{full}:/full"),
        cure=("--setup", "chown -R www-data /full", *CONFINED),
    ),
    "mount-of-a-stranger-that-the-program-cannot-write-to": Broken(
        patient("good"),
        {"unwritable"},
        f"{STRANGER}:{STRANGER} /stranger",
        "pyinit --user www-data --match-owner /stranger",
        options=("--volume", "{stranger}:/stranger"),
        cure=("--match-owner", "/stranger", *CONFINED),
    ),
    "file-that-the-program-cannot-write": Broken(
        patient("good"),
        {"unwritable"},
        "-rw-r--r-- 0:0 /mixed/below/roots",
        "--setup 'chown -R www-data /mixed'",
        options=("--volume", "{mixed}:/mixed"),
        cure=("--setup", "chown -R www-data /mixed", *CONFINED),
    ),
    "socket-of-another-group": Broken(
        patient("good"),
        {"socket"},
        f"srw-rw---- 0:{STRANGER} /run/docker.sock",
        f"--group-add {STRANGER}",
        options=("--volume", "{socket}:/var/run/docker.sock"),
        cure=("--match-group", "/var/run/docker.sock", *CONFINED),
    ),
    "secret-in-the-environment": Broken(
        patient("good"),
        {"secrets"},
        "/environ: DB_PASSWORD=…",
        "--secrets /run/secrets",
        options=("--env", "DB_PASSWORD=hunter2"),
        cure=("--secrets", "/run/secrets", *CONFINED),
        cured=("--volume", "{secrets}:/run/secrets:ro"),
    ),
    "password-in-a-url": Broken(
        patient("good"),
        {"secrets"},
        "/environ: DATABASE_URL=…",
        "--secrets /run/secrets",
        options=("--env", "DATABASE_URL=postgres://app:hunter2@db/app"),
        cure=("--secrets", "/run/secrets", *CONFINED),
        cured=("--volume", "{secrets}:/run/secrets:ro"),
    ),
    "too-many-capabilities": Broken(
        patient("good"),
        {"capabilities"},
        "CapEff:\t",
        "--cap-add",
        init=("--",),
        options=("--cap-add", "SYS_ADMIN"),
        cure=("--",),
        cured=(),
    ),
    "capabilities-that-the-program-need-not-have": Broken(
        patient("good"),
        {"capabilities"},
        "CapEff:\t",
        "pyinit --user USER --no-new-privileges --drop-capabilities",
        init=("--",),
        options=("--cap-add", "SYS_ADMIN"),
        cure=CONFINED,
    ),
}


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Directories and a socket to be mounted, by who owns them."""
    found = {
        name: tmp_path / name
        for name in ("stranger", "roots", "full", "mixed", "socket", "www-data", "secrets", "mapped")
    }
    for name, path in found.items():
        if name != "socket":
            path.mkdir(mode=0o755)
    (found["full"] / "roots").touch(0o644)
    (found["secrets"] / "DB_PASSWORD").write_text("hunter2\n")
    (found["secrets"] / "DATABASE_URL").write_text("postgres://app:hunter2@db/app\n")
    (found["mixed"] / "below").mkdir()
    (found["mixed"] / "below/roots").touch(0o644)
    os.chown(found["stranger"], STRANGER, STRANGER)
    os.chown(found["mapped"], 100000, 100000)
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


CASES = [
    pytest.param(name, marks=USER_NAMESPACES if "--uidmap" in case.options else ()) for name, case in BROKEN.items()
]


@pytest.mark.parametrize("name", CASES)
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


@pytest.mark.parametrize("name", [case for case in CASES if BROKEN[str(case.values[0])].cure])
def test_the_fix_of_a_finding_cures_it(containers: Containers, places: dict[str, Path], name: str) -> None:
    case = BROKEN[name]
    options = case.options if case.cured is None else case.cured
    container = start(
        containers, *case.program, init=case.cure, options=tuple(option.format_map(places) for option in options)
    )
    told = json.loads(outside(container, "--json").stdout)
    assert [each for each in told["findings"] if each["severity"] != "note"] == []
    container.stop()
    assert container.wait() == 0


def test_a_secret_from_a_file_is_the_programs_alone(containers: Containers, places: dict[str, Path]) -> None:
    """What the fix of `secrets` says: the program has it, and PID 1 has not."""
    show = 'test "$DB_PASSWORD" = hunter2 && ! grep -q hunter2 /proc/1/environ && echo ready; exec sleep 1000'
    options = ("--volume", f"{places['secrets']}:/run/secrets:ro")
    start(containers, "sh", "-c", show, init=("--secrets", "/run/secrets", "--"), options=options)


def test_what_pyinit_itself_writes_and_reads_is_not_for_the_program(
    containers: Containers, places: dict[str, Path]
) -> None:
    (places["full"] / "token").write_text("hunter2\n")
    options = ("--volume", f"{places['roots']}:/log", "--volume", f"{places['full']}:/private")
    init = ("--events", "/log/journal", "--secret", "TOKEN=/private/token", *CONFINED)
    container = start(containers, *patient("good"), init=init, options=options)
    told = json.loads(outside(container, "--json").stdout)
    assert (told["findings"], told["unread"]) == ([], [])


def test_a_mount_of_a_stranger_that_is_only_read_is_no_more_than_a_note(
    containers: Containers, places: dict[str, Path]
) -> None:
    options = ("--volume", f"{places['stranger']}:/usr/share/html")
    container = start(containers, *patient("good"), init=("--",), options=options)
    told = json.loads(outside(container, "--json").stdout)
    assert {each["severity"] for each in told["findings"] if each["check"] in ("owner", "unwritable")} == {"note"}


@pytest.mark.parametrize(
    ("init", "stop"), [(("-r", "TERM:QUIT", "--"), "TERM"), (("--stop-signal", "QUIT", "--"), "QUIT"), (None, "QUIT")]
)
def test_nothing_is_wrong_with_nginx(containers: Containers, init: tuple[str, ...] | None, stop: str) -> None:
    script = f"echo '{NGINX_CONF}' >/tmp/nginx.conf; echo ready; exec nginx -c /tmp/nginx.conf"
    container = start(containers, "sh", "-c", script, init=init, options=("--stop-signal", f"SIG{stop}"))
    wait_until(lambda: "nginx: worker process" in str(container.processes()), "nginx to have a worker")
    for done in (inside(container, "--stop-signal", stop), by_name(container, "doctor")):
        assert "nothing is wrong" in done.stdout.splitlines()
        assert done.returncode == 0
    container.stop()
    assert container.wait() == 0


SERVERS_DOCKERFILE = """\
FROM {image}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \\
    apache2 haproxy mariadb-server redis-server uwsgi-core uwsgi-plugin-python3 >/dev/null \\
    && mkdir -p /run/mysqld && chown mysql /run/mysqld
"""

HAPROXY_CFG = """\
defaults
 mode http
 timeout client 9s
 timeout server 9s
 timeout connect 9s
listen x
 bind unix@/tmp/ha.sock
"""


class Healthy(NamedTuple):
    """A server as it should be in a container."""

    script: str  # what starts it, in a shell; the last command becomes the program
    name: str  # of the process that takes the stop
    signal: int  # as which it gets the stop: it is up when it is ready for it
    init: tuple[str, ...]


HEALTHY = {
    "postgresql": Healthy(
        "mkdir /tmp/db && /usr/lib/postgresql/15/bin/initdb -D /tmp/db >/dev/null && "
        "exec /usr/lib/postgresql/15/bin/postgres -D /tmp/db -k /tmp -h ''",
        "postgres",
        signal.SIGINT,
        ("-r", "TERM:INT", "--user", "postgres", "--no-new-privileges", "--drop-capabilities", "--"),
    ),
    "apache2": Healthy(
        "echo Listen 127.0.0.1:8097 >/etc/apache2/ports.conf && mkdir -p /run/apache2 && "
        ". /etc/apache2/envvars && exec apache2 -DFOREGROUND",
        "apache2",
        signal.SIGWINCH,
        ("-r", "TERM:WINCH", "--"),
    ),
    "haproxy": Healthy(
        f"echo '{HAPROXY_CFG}' >/tmp/ha.cfg && exec haproxy -W -f /tmp/ha.cfg",
        "haproxy",
        signal.SIGUSR1,
        ("-c", "-r", "TERM:USR1", "--"),
    ),
    "mariadbd": Healthy("exec mariadbd --user=mysql --skip-networking", "mariadbd", signal.SIGTERM, ("--",)),
    "mysqld_safe": Healthy("exec mysqld_safe --skip-networking", "mariadbd", signal.SIGTERM, ("--",)),
    "redis-server": Healthy(
        "exec redis-server --save '' --port 0 --unixsocket /tmp/redis.sock", "redis-server", signal.SIGTERM, ("--",)
    ),
    "uwsgi": Healthy(
        "exec uwsgi --plugin python3 --master --processes 2 --socket /tmp/uwsgi.sock "
        "--eval 'application = lambda e, s: []'",
        "uwsgi",
        signal.SIGQUIT,
        ("-c", "-r", "TERM:QUIT", "--"),
    ),
}


def is_up(container: Container, case: Healthy) -> bool:
    found = look(container.host_pid()).processes.values()
    if any(each.name == "sh" for each in found):  # what prepares it may run the same server for a while
        return False
    return any((each.caught | each.collected) & mask_of(case.signal) for each in found if each.name == case.name)


@pytest.fixture(scope="module")
def servers_image(engine: Engine, package_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("servers")
    (context / "Dockerfile").write_text(SERVERS_DOCKERFILE.format(image=package_image))
    with built_image(engine, context, seconds=600) as name:
        yield name


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_servers_give_no_error_and_no_warning(containers: Containers, servers_image: str, name: str) -> None:
    """And a stop of them is graceful: their own status."""
    case = HEALTHY[name]
    container = containers.start("sh", "-c", case.script, init=case.init, image=servers_image)
    wait_until(lambda: is_up(container, case), f"{name} to be up", 60)
    told = json.loads(outside(container, "--json").stdout)
    assert [each for each in told["findings"] if each["severity"] != "note"] == []
    container.stop()
    assert container.wait() == 0


def test_tree_in_the_container_marks_what_the_engine_has_put_in(containers: Containers) -> None:
    container = start(containers, *patient("leaves_daemon"))
    done = container.exec("python3", "-m", "pyinit.ctl", "tree", options=("--env", "PYTHONPATH=/ctl"))
    _, *lines, summary = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["1", "S"]
    assert "└─ [adopted] sleep 1000" in done.stdout
    assert lines[-1].endswith("[from outside] python3 -m pyinit.ctl tree")
    assert summary == "4 processes, 1 adopted by PID 1, 0 zombies"


def by_name(container: Container, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the host that asks the engine for the container's process."""
    words = [sys.executable, "-m", "pyinit.ctl", command, "--container", container.name, *arguments]
    environment = container.engine.environment
    return subprocess.run(
        words, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def test_on_the_host_the_name_of_a_container_will_do(containers: Containers) -> None:
    container = start(containers, *patient("leaves_daemon"))
    told = json.loads(by_name(container, "tree", "--json").stdout)
    assert told["pid1"] == container.host_pid()
    assert "[adopted] sleep 1000" in by_name(container, "top", "-n", "1").stdout
    assert json.loads(by_name(container, "doctor", "--json").stdout)["pid1"]["init"] == "pyinit"
    container.stop()
    done = by_name(container, "tree")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: --container: {container.name!r} does not run: {container.engine.name} says")
    assert done.stderr.count("\n") == 1


def test_a_container_without_a_pid_namespace_of_its_own_is_said(containers: Containers) -> None:
    """What is found is another's: who is PID 1 there."""
    host = start(containers, *patient("good"))
    guest = start(
        containers, "sh", "-c", "echo ready; exec sleep 1000", init=None, options=("--pid", f"container:{host.name}")
    )
    for command in (("doctor",), ("tree", "--json"), ("top", "-n", "1")):
        done = by_name(guest, *command)
        assert done.stderr.startswith(f"Warning: --container: {guest.name} has no PID namespace of its own")
        assert by_name(host, *command).stderr == ""


@pytest.mark.parametrize("stop", ["SIGQUIT", "SIGINT"])
def test_the_containers_stop_signal_is_the_engines(containers: Containers, stop: str) -> None:
    """A trap for it is heard, for another one is not; and inside, where no engine can be asked, it is not known."""
    script = f"trap 'exit 3' {stop[3:]}; echo ready; sleep 1000 & wait"
    container = start(containers, "bash", "-c", script, init=None, options=("--stop-signal", stop))
    done = by_name(container, "doctor", "--json")
    told = json.loads(done.stdout)
    assert told["stop_signal"] == {"name": stop, "is_known": True}
    assert [each for each in told["findings"] if each["severity"] != "note"] == []
    assert done.returncode == 0
    told = json.loads(by_name(container, "doctor", "--json", "--stop-signal", "TERM").stdout)
    assert [each["check"] for each in told["findings"] if each["severity"] == "error"] == ["shell"]
    told = json.loads(inside(container, "--json").stdout)
    assert told["stop_signal"] == {"name": "SIGTERM", "is_known": False}
    assert all("if it is stopped by TERM" in each["message"] for each in told["findings"] if each["check"] == "shell")
    container.stop()
    assert container.wait() == 3


def test_a_container_that_no_engine_knows_is_one_line(containers: Containers) -> None:
    done = by_name(Container(containers.engine, "pyinit-test-nobody"), "doctor")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--container: no container 'pyinit-test-nobody' is known to" in done.stderr


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
