"""One application for each kind of server: / answers at once, /slow in two parts with some seconds between."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSE = 3  # seconds


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/slow":
        yield b"begun\n"
        time.sleep(PAUSE)
    yield b"served\n"


async def asgi(scope: dict[str, Any], _receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    if scope["type"] != "http":  # the server's own start and end, for which there is nothing to do
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
        await asyncio.sleep(PAUSE)
    await send({"type": "http.response.body", "body": b"served\n"})


application = wsgi  # uwsgi's name for it
