#!/usr/bin/env python3
"""A client of the engine's API, over its socket: `engine GET /version`, `engine POST /containers/create '{...}'`."""

from __future__ import annotations

import http.client
import socket
import sys

SOCKET = "/var/run/docker.sock"


class Engine(http.client.HTTPConnection):
    """HTTP as ever, but over a Unix socket."""

    def connect(self) -> None:
        """Connect to the engine."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def main(method: str, path: str, body: str | None = None) -> str | None:
    """Print what the engine answers; return what went wrong."""
    engine = Engine("localhost")
    try:
        engine.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = engine.getresponse()
    except OSError as error:
        return f"engine: {SOCKET}: {error.strerror}"
    print(answer.read().decode().strip())
    return None if answer.status < 300 else f"engine: {answer.status} {answer.reason}"


sys.exit(main(*sys.argv[1:]))
