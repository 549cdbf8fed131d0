#!/usr/bin/env python3
"""Search an image or a running container for a secret, in all places that give one away.

Usage: leaks.py [--image] NAME FILE      FILE holds the secret; ENGINE=podman for podman. Needs Python in the container.
Each line is a place, then yes or no. The status is 1 if there was any yes.
"""

import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

ENGINE = os.environ.get("ENGINE", "docker")

# Runs in the container, with the secret on standard input: on a command line it would be seen.
INSIDE = """
import glob, json, os, sys
secret = sys.stdin.buffer.read()

def content(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return b""

def status(pid, name):
    lines = content(f"/proc/{pid}/status").decode().splitlines()
    return next((line.split()[1:] for line in lines if line.startswith(name + ":")), [""])

pids = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
programs = [pid for pid in pids if status(pid, "PPid")[0] == "1"]
children = [pid for pid in pids if status(pid, "PPid")[0] in programs]
environ = lambda pids: any(secret in content(f"/proc/{pid}/environ") for pid in pids)
if sys.argv[1:] == ["its user"]:
    files = [path for path in glob.glob("/run/secrets/*") if os.access(path, os.R_OK)]
    found = {
        "the program's environ": environ(programs),
        "its children's environ": environ(children),
        "files its user can read": any(secret in content(path) for path in files),
    }
else:
    found = {
        "/proc/1/environ": environ(["1"]),
        "command lines": any(secret in content(f"/proc/{pid}/cmdline") for pid in pids),
        "user": ":".join(status(programs[0], name)[0] for name in ("Uid", "Gid")),
    }
print(json.dumps(found))
"""


def engine(*arguments: str, stdin: bytes = b"") -> bytes:
    """What the engine says, messages included."""
    done = subprocess.run([ENGINE, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"leaks.py: {ENGINE} {arguments[0]}: {done.stdout.decode(errors='replace').strip()}")
    return done.stdout


def container(name: str, secret: bytes) -> "dict[str, bool]":
    # Root sees PID 1; without more capabilities than the container has, only a program's own user sees its environment.
    root = inside(name, "0", secret)
    its_user = inside(name, root.pop("user"), secret, "its user")
    places = ("/proc/1/environ", "the program's environ", "its children's environ", "command lines")
    found = {place: bool({**root, **its_user}[place]) for place in (*places, "files its user can read")}
    return {"inspect": secret in engine("inspect", name), **found, "logs": secret in engine("logs", name)}


def inside(name: str, user: str, secret: bytes, *arguments: str) -> "dict[str, Any]":
    command = ("exec", "--interactive", f"--user={user}", name, "python3", "-Ic", INSIDE, *arguments)
    found: "dict[str, Any]" = json.loads(engine(*command, stdin=secret))
    return found


def image(name: str, secret: bytes) -> "dict[str, bool]":
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory, "image.tar")
        engine("save", "--output", str(archive), name)
        in_layers = any(contains(layer, secret) for layer in layers(archive))
    return {
        "layers": in_layers,
        "history": secret in engine("history", "--no-trunc", name),
        "configuration": secret in engine("image", "inspect", "--format", "{{json .Config}}", name),
    }


def layers(archive: Path) -> "Iterator[IO[bytes]]":
    """Each layer of a saved image, as the bytes of a tar file: what a later layer hides is still in it."""
    with tarfile.open(archive) as saved:
        for name in json.load(saved.extractfile("manifest.json"))[0]["Layers"]:
            with saved.extractfile(name) as layer:
                compressed = layer.read(2) == b"\x1f\x8b"
                layer.seek(0)
                with gzip.open(layer) if compressed else layer as content:
                    yield content


def contains(file: "IO[bytes]", secret: bytes) -> bool:
    tail = b""
    while block := file.read(2**20):
        if secret in tail + block:
            return True
        tail = (tail + block)[-len(secret) :]
    return False


def main() -> int:
    search = image if sys.argv[1:2] == ["--image"] else container
    arguments = sys.argv[2:] if search is image else sys.argv[1:]
    if len(arguments) != 2:
        sys.exit(__doc__)
    secret = Path(arguments[1]).read_bytes().rstrip(b"\n")
    if len(secret) < 8:
        sys.exit(f"leaks.py: {arguments[1]}: a secret of {len(secret)} bytes would be found anywhere; 8 or more")
    found = search(arguments[0], secret)
    for place, leaks in found.items():
        print(f"{place:24} {'yes' if leaks else 'no'}")
    return any(found.values())


if __name__ == "__main__":
    sys.exit(main())
