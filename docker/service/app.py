"""A counter of visits in PostgreSQL, as a WSGI application. libpq's variables (PGHOST, PGPASSWORD...) say where it is.

POST / counts a visit, GET / says how many there were, GET /slow takes three seconds, GET /health asks the database.
"""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING

from psycopg import OperationalError
from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Each worker has one; a connection that the database has closed is replaced.
POOL = ConnectionPool("", min_size=1, max_size=4, timeout=5, check=ConnectionPool.check_connection, open=True)

# A request that nginx sent to two of us, since the first one had gone, has the same ID both times and counts once.
COUNT = "INSERT INTO visit (request) VALUES (%s) ON CONFLICT DO NOTHING"


def application(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer one request (PEP 3333); 503 where the database is not to be had."""
    try:
        status, answer = answered(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_X_REQUEST_ID"))
    except OperationalError as error:
        print(f"database: {error}", flush=True)
        status, answer = "503 Service Unavailable", "the database is not to be had"
    body = f"{answer}, says {socket.gethostname()}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def answered(method: str, path: str, request: str | None) -> tuple[str, str]:
    """The status and the text for one request. Raises OperationalError."""
    with POOL.connection() as database:
        if (method, path) == ("POST", "/"):
            database.execute(COUNT, [request or str(uuid.uuid4())])
            return "200 OK", "counted"
        if method == "GET" and path in ("/", "/slow", "/health"):
            database.execute("SELECT pg_sleep(%s)", [3 if path == "/slow" else 0])
            [visits] = database.execute("SELECT count(*) FROM visit").fetchone() or [0]
            return "200 OK", f"visits: {visits}"
    return "404 Not Found", "no such page"
