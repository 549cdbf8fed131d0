"""docker/service: gunicorn, nginx and PostgreSQL, each under pyinit; restarted and stopped while requests are made."""

from __future__ import annotations

import functools
import http.client
import random
import secrets
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from .support import PAUSE, Compose, example, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Container, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(300, func_only=True)]

IMAGES = ("web", "proxy", "database")
USERS = {"web1": "app", "web2": "app", "proxy": "www-data", "database": "postgres"}


class Service:
    """The project, up and healthy, with a port of this host's."""

    def __init__(self, compose: Compose, password: str) -> None:
        self.compose = compose
        self.password = password

    def __getitem__(self, name: str) -> Container:
        return self.compose.container(name)

    def wait_until_healthy(self, *names: str) -> None:
        """Run the health checks until they succeed. An engine does so by timers, podman's being systemd's."""
        for name in names or USERS:
            wait_until(functools.partial(self._is_healthy, name), f"{name} to be healthy", 120)

    def _is_healthy(self, name: str) -> bool:
        return self.compose.engine.is_healthy(self[name].name)

    def port(self) -> int:
        return int(self.compose.engine("port", self["proxy"].name, "8080/tcp").stdout.rpartition(":")[2])

    def query(self, statement: str) -> str:
        """What the database's administrator is told."""
        psql = ("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname=app", f"--command={statement}")
        return self["database"].exec(*psql, options=("--user", "postgres")).stdout.strip()

    def database_log(self) -> str:
        """What PostgreSQL said since its last start."""
        return self["database"].logs().stderr.rpartition("starting PostgreSQL")[2]


@pytest.fixture(scope="module")
def service(
    engine: Engine, package_image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    directory = example("service", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    password = secrets.token_hex(16)
    (directory / "password").write_text(f"{password}\n")
    (directory / "password").chmod(0o600)
    tag = uuid.uuid4().hex[:12]
    # An empty PORT lets the engine choose one.
    subnet = f"10.{random.randrange(128, 250)}.{random.randrange(256)}"
    compose = Compose(engine, directory, BASE=package_image, TAG=tag, PORT="", SUBNET=subnet)
    try:
        compose.build(seconds=280)
        compose("up", "--detach", "--no-build")
        service = Service(compose, password)
        service.wait_until_healthy()
        yield service
    finally:
        compose.remove()
        engine("rmi", "--force", *(f"pyinit-service-{name}:{tag}" for name in IMAGES), check=False)


def ask(port: int, method: str = "GET", path: str = "/") -> tuple[int, str]:
    """One request on a connection of its own: status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Load:
    """Threads that count visits, over and over."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.counted = [0] * clients  # by each
        self.hosts: set[str] = set()  # containers that answered
        self.failures: list[str] = []
        self._port = port
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(client,), daemon=True) for client in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: int) -> None:
        while not self._ended.wait(PAUSE):
            try:
                status, text = ask(self._port, "POST")
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(repr(failure))
                continue
            if status == 200:
                self.counted[client] += 1
                self.hosts.add(text.split()[-1])
            else:
                self.failures.append(f"{status} {text}")

    def wait_for_requests_begun_from_now_on(self) -> None:
        """Return when each client has had the answer to a request that it made after this was called."""
        before = list(self.counted)
        wait_until(lambda: all(now >= then + 2 for now, then in zip(self.counted, before)), "answers to all clients")

    def wait_for_host(self, name: str) -> None:
        """Return when this container has answered."""
        wait_until(lambda: name in self.hosts, f"an answer from {name}")

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)


class SlowRequest:
    """GET /slow in the background: `answer` is its status, or what went wrong."""

    def __init__(self, service: Service) -> None:
        """Return when the database is at work on it."""
        self._service = service
        self._begin()
        wait_until(self._is_at_work, "the slow request to be at work")

    def _begin(self) -> None:
        self.answer: int | str = "none"
        self._thread = threading.Thread(target=self._ask, args=(self._service.port(),), daemon=True)
        self._thread.start()

    def _is_at_work(self) -> bool:
        if not self._thread.is_alive():  # answered before the database could be asked
            self._begin()
        query = "select count(*) from pg_stat_activity where query like 'SELECT pg_sleep%' and state = 'active'"
        return self._service.query(query) == "1"

    def _ask(self, port: int) -> None:
        try:
            self.answer, _ = ask(port, path="/slow")
        except (OSError, http.client.HTTPException) as failure:
            self.answer = repr(failure)

    def is_in_flight(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> int | str:
        self._thread.join(60)
        return self.answer


def test_restart_of_both_web_services_under_load_loses_no_request_and_counts_none_twice(service: Service) -> None:
    visits = int(service.query("select count(*) from visit"))
    load = Load(service.port())
    for name in ("web1", "web2"):
        load.wait_for_requests_begun_from_now_on()
        started = service[name].inspect("{{.State.StartedAt}}")
        service.compose("restart", name)
        assert service[name].inspect("{{.State.StartedAt}}") != started
        service.wait_until_healthy(name)
        load.hosts.clear()
        load.wait_for_host(service[name].inspect("{{.Config.Hostname}}"))
    load.end()
    assert load.failures == []
    assert int(service.query("select count(*) from visit")) == visits + sum(load.counted)


def test_each_stop_is_graceful_and_the_request_in_flight_is_answered(service: Service) -> None:
    for names in (("web1", "web2"), ("proxy",)):
        request = SlowRequest(service)
        service.compose("stop", *names)
        assert request.wait() == 200
        assert [service[name].inspect("{{.State.ExitCode}}") for name in names] == ["0"] * len(names)
        service.compose("start", *names)
        service.wait_until_healthy(*names)


def test_database_stops_with_sessions_open_and_starts_without_recovery(service: Service) -> None:
    assert ask(service.port(), "POST")[0] == 200
    visits = service.query("select count(*) from visit")
    assert int(service.query("select count(*) from pg_stat_activity where usename = 'app'")) > 0

    service.compose("stop", "database")
    assert service["database"].inspect("{{.State.ExitCode}}") == "0"
    assert "received fast shutdown request" in service.database_log()
    assert "database system is shut down" in service.database_log()

    service.compose("start", "database")
    service.wait_until_healthy()
    assert "database system was shut down at" in service.database_log()
    assert "recovery" not in service.database_log()
    assert ask(service.port())[1].startswith(f"visits: {visits},")


def test_without_the_rewritten_signals_clients_hold_up_postgresql_and_nginx_cuts_them_off(service: Service) -> None:
    """TERM goes straight to the two masters here, as another init would forward it."""
    request = SlowRequest(service)
    service["proxy"].exec("sh", "-c", "kill -TERM $(cat /tmp/nginx.pid)")
    assert request.wait() not in (200, "none")
    assert service["proxy"].wait() == 0
    service.compose("start", "proxy")
    service.wait_until_healthy("proxy")

    service["database"].exec("sh", "-c", "kill -TERM $(head -n 1 /data/main/postmaster.pid)")
    wait_until(lambda: "received smart shutdown request" in service.database_log(), "PostgreSQL to say so")
    # A worker whose session was lost in an earlier restart gets no new one now.
    wait_until(lambda: ask(service.port())[0] == 200, "a worker with an open session to answer")
    assert service["database"].is_running()
    service.compose("stop", "database")
    assert service["database"].inspect("{{.State.ExitCode}}") == "0"
    service.compose("start", "database")
    service.wait_until_healthy()


def environment(container: Container, user: str, processes: str) -> str:
    """The variables that some processes of `user` were started with. Root may not read another's."""
    script = f"cat $(printf '/proc/%s/environ ' {processes})"
    return container.exec("sh", "-c", script, options=("--user", user)).stdout


def test_programs_are_not_root_and_root_alone_reads_the_secret(service: Service) -> None:
    for name, user in USERS.items():
        wanted = {int(service[name].exec("id", "-u", user).stdout)}

        def are_the_users(name: str = name, wanted: "set[int]" = wanted) -> bool:
            users = {each.pid: each.user for each in service[name].processes()}
            return users.pop(1) == 0 and set(users.values()) == wanted

        # A health check of the engine's is root for a moment, before it is the user.
        wait_until(are_the_users, f"all but PID 1 of {name} to be {user}")

    for name in ("web1", "database"):
        container = service[name]
        secret = "/run/secrets/password"
        assert container.exec("stat", "-c", "%u %a", secret).stdout == "0 600\n"
        assert container.exec("cat", secret, options=("--user", USERS[name]), check=False).returncode == 1
        init = environment(container, "root", "1")
        assert "PGPASSWORD_FILE=" in init
        assert service.password not in init
    assert f"PGPASSWORD={service.password}" in environment(service["web1"], "app", "$(pgrep gunicorn)")
    postgres = environment(service["database"], "postgres", "$(pgrep postgres)")
    assert "PATH=" in postgres
    assert service.password not in postgres
