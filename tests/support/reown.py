"""Re-owning, run as root in processes of its own, and the trees for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DEADLINE, REPOSITORY, interpreters

OLD, NEW, OTHER = 61000, 62000, 63000  # of nobody on any machine

INTERPRETERS = interpreters()

MOUNT_NAMESPACE = ["unshare", "--mount", "--propagation", "private"]

# Blocks the signals as pyinit's boot does, runs `action`, and ends as pyinit would. {} is set-up of the test.
DRIVER = """
import _signal, posix, sys, time
sys.path.insert(0, {repository!r})
_signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
from pyinit.identity.matching import index, progress, trees, walk
from pyinit.kernel import paths
from pyinit.tell import Fatal
from pyinit.tell.log import Log
from pyinit.tell.text import encode
change = walk.Change(*map(int, sys.argv[1:5]))
back = walk.Change(*[int(sys.argv[1:5][at]) for at in (1, 0, 3, 2)])
named = [walk.Tree(path, change) for path in map(encode, sys.argv[5:])]
log, workers = Log(), 2
try:
    {setup}
    {action}
except Fatal as error:
    log.error(error.message)
    posix._exit(error.status)
"""

ONCE = "count = trees.reown(named, log, workers); print(count.looked_at, count.changed, count.failed)"

ALWAYS_WORKERS = "trees._ENTRIES_WITHOUT_WORKERS = 0; walk._ENTRIES_A_REPORT = walk._DIRECTORIES_A_REPORT = 1"

NO_WORKERS = "trees._ENTRIES_WITHOUT_WORKERS = trees._SECONDS_WITHOUT_WORKERS = 10**9"

EITHER = pytest.mark.parametrize("setup", [NO_WORKERS, ALWAYS_WORKERS], ids=["alone", "workers"])


def command(
    *paths: "os.PathLike[str]",
    uid: "tuple[int, int]" = (OLD, NEW),
    gid: "tuple[int, int]" = (OLD, NEW),
    setup: str = "pass",
    action: str = ONCE,
    python: str = sys.executable,
) -> "list[str]":
    script = DRIVER.format(repository=str(REPOSITORY), setup=setup, action=action)
    return [python, "-ISc", script, *map(str, (*uid, *gid)), *map(os.fspath, paths)]


class Result:
    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.status = done.returncode
        self.output = done.stdout.decode(errors="replace")
        self.messages = done.stderr.decode(errors="replace")

    @property
    def counts(self) -> "tuple[int, ...]":
        """Looked at, changed, failed."""
        assert self.status == 0, self.messages
        return tuple(map(int, self.output.split()))


def run(words: "list[str]") -> Result:
    return Result(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE))


def reown(*paths: "os.PathLike[str]", **options: object) -> Result:
    return run(command(*paths, **options))  # type: ignore[arg-type]


def in_mount_namespace(prepare: str, words: "list[str]") -> Result:
    """Run a command after a shell has mounted things that nobody else sees."""
    return run([*MOUNT_NAMESPACE, "sh", "-ec", f'{prepare}\nexec "$@"', "sh", *words])


def overlay(tree: Path, below: Path) -> str:
    """Mounts an overlay over the tree, with what is in it as its lower layer, on another file system than the upper."""
    return f"""
        mkdir {below}; mount -t tmpfs none {below}; mkdir {below}/lower {below}/upper
        mount -t tmpfs none {below}/upper; mkdir {below}/upper/files {below}/upper/work
        cp -a {tree}/. {below}/lower; chown {OLD}:{OLD} {below}/upper/files
        options=lowerdir={below}/lower,upperdir={below}/upper/files,workdir={below}/upper/work,xino=off
        mount -t overlay -o $options overlay {tree}
        touch {tree}/upper; chown {OLD}:{OLD} {tree}/upper
        test $(stat -c %d {tree}) != $(stat -c %d {tree}/a.txt)
        test $(stat -c %d {tree}) != $(stat -c %d {tree}/upper)
    """


def make(path: Path, uid: int = OLD, gid: int = OLD) -> Path:
    """A file if the name ends in .txt, otherwise a directory; and the directories above it that are missing."""
    if not path.parent.exists():
        make(path.parent, uid, gid)
    if path.suffix == ".txt":
        path.write_bytes(b"")
    else:
        path.mkdir()
    os.chown(path, uid, gid)
    return path


def owner(path: Path) -> "tuple[int, int]":
    status = path.lstat()
    return status.st_uid, status.st_gid


def owners(path: Path) -> "set[tuple[int, int]]":
    """All owners in a tree, of any depth. find(1) knows no limit."""
    listed = subprocess.run(["find", path, "-printf", "%U %G\n"], capture_output=True, check=True, text=True).stdout
    return {(int(uid), int(gid)) for uid, gid in map(str.split, listed.splitlines())}
