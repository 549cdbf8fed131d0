"""The clients of the servers' trials, run in a container's network and outside of its processes.

A container's end takes its network away last: a client outside gets every answer that was given before.

    client.py http PORT PATH TEXT [PROXIED]     the answer has TEXT
    client.py tcp PORT SENT TEXT                what comes before TEXT is read, and TEXT is in it
    client.py fcgi PORT SCRIPT TEXT             likewise, of a server that speaks FastCGI
    client.py ftp PORT FILE TEXT
    client.py --slow DIRECTORY http|fcgi|ftp ...

With --slow the answer is read in two parts, and some seconds lie between: the file `begun` in DIRECTORY says that the
first one is there, the file `done` that the whole answer was right.
"""

from __future__ import annotations

import ftplib
import http.client
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 30  # seconds, of each read
PAUSE = 2  # seconds
PART = 65536  # bytes
# Little is received ahead, so that a big file is in flight as long as it is read.
RECEIVE_BUFFER = 32768  # bytes


def connection(port: int) -> socket.socket:
    made = socket.socket()
    made.settimeout(DEADLINE)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    made.connect(("127.0.0.1", port))
    return made


def over_http(port: str, path: str, proxied: str = "") -> Iterator[bytes]:
    """The answer to one GET; `proxied` is what a proxy is to ask for `path`."""
    client = http.client.HTTPConnection("127.0.0.1", int(port))
    client.sock = connection(int(port))
    client.request("GET", proxied + path, headers={"Connection": "close"})
    answer = client.getresponse()
    if answer.status != 200:
        raise ConnectionError(f"status {answer.status}")
    # read1 gives what is there: the first part of an answer that is not complete yet.
    while part := answer.read1(PART):
        yield part
    if answer.length:
        raise ConnectionError(f"{answer.length} bytes are missing")


def over_tcp(port: str, sent: str) -> Iterator[bytes]:
    client = connection(int(port))
    client.sendall(sent.encode().decode("unicode_escape").encode("latin-1"))
    while part := client.recv(PART):
        yield part


def over_fcgi(port: str, script: str) -> Iterator[bytes]:
    """One FastCGI request: BEGIN_REQUEST (1), PARAMS (4) and an end of each stream; STDOUT is 6, END_REQUEST 3."""
    variables = {"SCRIPT_FILENAME": script, "SCRIPT_NAME": "/", "REQUEST_METHOD": "GET", "REQUEST_URI": "/"}
    pairs = b"".join(bytes((len(name), len(value))) + (name + value).encode() for name, value in variables.items())
    client = connection(int(port))
    for kind, content in ((1, struct.pack(">HB5x", 1, 0)), (4, pairs), (4, b""), (5, b"")):
        client.sendall(struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content)
    stream = client.makefile("rb")
    while header := stream.read(8):
        _, kind, _, length, padding = struct.unpack(">BBHHBx", header)
        content = stream.read(length + padding)[:length]
        if kind == 3:
            return
        yield content
    raise ConnectionError("no END_REQUEST")


def over_ftp(port: str, file: str) -> Iterator[bytes]:
    client = ftplib.FTP()
    client.connect("127.0.0.1", int(port), timeout=DEADLINE)
    client.login()
    transfer, _ = client.ntransfercmd(f"RETR {file}")
    transfer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    while part := transfer.recv(PART):
        yield part
    transfer.close()
    client.voidresp()  # "226 Transfer complete", or an exception


ANSWERS: dict[str, Callable[..., Iterator[bytes]]] = {
    "http": over_http,
    "tcp": over_tcp,
    "fcgi": over_fcgi,
    "ftp": over_ftp,
}


def main() -> int:
    words = sys.argv[1:]
    directory = None
    if words[0] == "--slow":
        directory = Path(words[1])
        words = words[2:]
    kind, port, what, text, *more = words
    end = b""
    for part in ANSWERS[kind](port, what, *more):
        end = (end + part)[-PART * 4 :]
        if directory and not (directory / "begun").exists():
            (directory / "begun").touch()
            time.sleep(PAUSE)
        if kind == "tcp" and text.encode() in end:
            break
    if text.encode() not in end:
        print(f"{text!r} is not in {end[-200:]!r}", file=sys.stderr)
        return 1
    if directory:
        (directory / "done").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
