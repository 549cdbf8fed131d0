"""The main job: real services, stopped while they work. Nobody is cut off, and nothing is lost."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from .support import PAUSE, Container, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

NGINX_CONF = """\
daemon {daemon};
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        root /site;
        location /big {{ limit_rate 2m; }}
    }}
}}
"""
BIG = os.urandom(1 << 20) * 8  # at 2 MB a second, four seconds
SMALL = b"served\n"


@pytest.fixture
def port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def get(port: int, path: str) -> bytes:
    """One request on a connection of its own; raises where the answer is not complete."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200
        return content
    finally:
        connection.close()


class Load:
    """Threads that ask for the small file, over and over, until the server no longer listens."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.served = 0
        self.failures: list[str] = []
        self._port = port
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        deadline = time.monotonic() + 60
        while not self._ended.wait(PAUSE) and time.monotonic() < deadline:
            try:
                if get(self._port, "/small") != SMALL:
                    self.failures.append("another content")
                self.served += 1
            except (ConnectionRefusedError, ConnectionResetError, http.client.RemoteDisconnected):
                return  # it listens no more, or closed its socket with this connection still waiting to be accepted
            except (OSError, http.client.HTTPException, AssertionError) as failure:
                self.failures.append(repr(failure))

    def is_running(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)


class Download:
    """The big file, downloaded in the background."""

    def __init__(self, port: int) -> None:
        self.content = b""
        self.finished_at = 0.0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request("GET", "/big")
        self._response = self._connection.getresponse()  # from here on it is in flight
        self._thread = threading.Thread(target=self._download, daemon=True)
        self._thread.start()

    def _download(self) -> None:
        try:
            self.content = self._response.read()
        except http.client.IncompleteRead as cut:
            self.content = cut.partial
        self.finished_at = time.monotonic()
        self._connection.close()

    def wait(self) -> None:
        self._thread.join(30)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def journal(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def start_nginx(containers: Containers, port: int, directory: Path, init: Sequence[str], daemon: str) -> Container:
    """Nginx under pyinit, answering; its site, configuration and journal are in `directory`."""
    for name in ("site", "journal"):
        (directory / name).mkdir()
    (directory / "site" / "small").write_bytes(SMALL)
    (directory / "site" / "big").write_bytes(BIG)
    (directory / "nginx.conf").write_text(NGINX_CONF.format(port=port, daemon=daemon))
    directory.chmod(0o755)  # the workers are not root
    volumes = {"nginx.conf": "/etc/nginx/nginx.conf:ro", "site": "/site:ro", "journal": "/journal"}
    options = [f"--volume={directory / name}:{target}" for name, target in volumes.items()]
    container = containers.start("nginx", init=init, options=["--network=host", *options])

    def answers() -> bool:
        if not container.is_running():
            pytest.fail(f"nginx ended: {container.logs().stderr}")
        try:
            return get(port, "/small") == SMALL
        except OSError:
            return False

    wait_until(answers, "nginx to answer")
    return container


@pytest.fixture
def nginx(containers: Containers, port: int, tmp_path: Path) -> Container:
    """Nginx in the foreground, with its graceful stop for TERM."""
    init = ("-r", "TERM:QUIT", "--events", "/journal/events", "--")
    return start_nginx(containers, port, tmp_path, init, daemon="off")


def test_f06_stop_of_nginx_under_load_cuts_nobody_off(nginx: Container, port: int) -> None:
    load = Load(port)
    download = Download(port)
    wait_until(lambda: load.served > 200, "the load to be under way")
    assert load.is_running(), load.failures
    stopped_at = time.monotonic()

    nginx.stop()

    download.wait()
    load.end()
    assert nginx.wait() == 0
    assert load.failures == []
    assert download.finished_at > stopped_at, "the download was over before the stop: it showed nothing"
    assert digest(download.content) == digest(BIG)


def test_journal_tells_the_stop_of_nginx(nginx: Container, tmp_path: Path) -> None:
    nginx.stop()
    assert nginx.wait() == 0
    events = journal(tmp_path / "journal" / "events")
    assert all(isinstance(event["monotonic"], float) and event["time"] for event in events)
    assert [event["monotonic"] for event in events] == sorted(event["monotonic"] for event in events)

    [spawned] = [event for event in events if event["event"] == "spawn"]
    [signalled] = [event for event in events if event["event"] == "signal"]
    [forwarded] = [event for event in events if event["event"] == "forwarded"]
    [reaped] = [event for event in events if event["event"] == "reaped" and event["pid"] == spawned["pid"]]
    assert (signalled["signal"], signalled["sender_pid"], signalled["sender_uid"]) == ("SIGTERM", 0, 0)
    assert forwarded["signal"] == "SIGQUIT"
    assert (reaped["status"], reaped["orphan"]) == (0, False)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "ended"
    assert kinds.index("spawn") < kinds.index("signal") < kinds.index("forwarded") < kinds.index("reaped")


def test_reload_of_nginx_reaches_it_and_its_old_workers_end(nginx: Container, port: int) -> None:
    def workers() -> set[int]:
        found = [each for each in nginx.processes() if "worker process" in each.arguments]
        return {each.pid for each in found if "shutting down" not in each.arguments}

    old = workers()
    nginx.kill("SIGHUP")
    wait_until(lambda: len(workers()) == 2 and not workers() & old, "two new workers")
    assert get(port, "/small") == SMALL
    nginx.stop()
    assert nginx.wait() == 0


def test_worker_that_is_killed_is_replaced_and_leaves_no_zombie(nginx: Container, port: int) -> None:
    nginx.exec("sh", "-c", "kill -KILL $(pgrep -f 'worker process' | head -1)")
    wait_until(lambda: "exited on signal 9" in nginx.logs().stderr, "nginx to see it")
    wait_until(lambda: sum("worker process" in each.arguments for each in nginx.processes()) == 2, "two workers again")
    assert "Z" not in {each.state for each in nginx.processes()}
    assert get(port, "/small") == SMALL


POSTGRESQL = """\
set -e
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
initdb --no-sync --auth=trust --pgdata=/tmp/data > /tmp/initdb.log
exec postgres -D /tmp/data -k /tmp -c listen_addresses= -c shared_buffers=16MB -c max_connections=20
"""


def query(container: Container, statement: str, check: bool = True) -> str:
    """What psql answers, by the Unix socket."""
    psql = ("psql", "--host=/tmp", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname=postgres")
    return container.exec(*psql, f"--command={statement}", check=check).stdout.strip()


def test_f06_stop_of_postgresql_with_a_query_at_work_is_clean(containers: Containers) -> None:
    """TERM alone would be PostgreSQL's smart shutdown, which waits for every session; INT is the fast one."""
    container = containers.start(
        "sh", "-c", POSTGRESQL, init=("-r", "TERM:INT", "--"), options=("--user", "postgres", "--shm-size", "64m")
    )
    wait_until(lambda: query(container, "select 1", check=False) == "1" or not container.is_running(), "PostgreSQL")
    query(container, "create table kept as select generate_series(1, 1000) as number")
    assert query(container, "select sum(number) from kept") == "500500"

    busy = threading.Thread(target=query, args=(container, "select pg_sleep(600)", False), daemon=True)
    busy.start()
    at_work = "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'"
    wait_until(lambda: query(container, at_work) == "1", "the query to be at work")

    container.stop()
    assert container.wait() == 0
    busy.join(30)
    log = container.logs().stderr
    assert "received fast shutdown request" in log
    assert "database system is shut down" in log
