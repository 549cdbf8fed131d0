"""A root that lacks capabilities, as engines make it, and what then comes of each option about users and IDs."""

import os
import signal
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.support import Pyinit, Run, wait_until
from tests.support.identity import GROUP, PASSWD, Etc

USED = ("chown", "dac_override", "dac_read_search", "fowner", "kill", "setgid", "setuid", "setpcap", "sys_ptrace")

# What Docker leaves (moby, oci/caps/defaults.go).
DOCKER = ("chown", "dac_override", "fsetid", "fowner", "mknod", "net_raw", "setgid", "setuid", "setfcap", "setpcap",
          "net_bind_service", "sys_chroot", "kill", "audit_write")  # fmt: skip

# Name of a set, and what setpriv is told.
SETS = {
    "all": "+chown",
    "Docker's": ",".join(["-all", *("+" + name for name in DOCKER)]),
    **{f"without {name.upper()}": f"-{name}" for name in USED},
    "none but SETUID, SETGID": "-all,+setuid,+setgid",
    "none": "-all",
}

# Says that it is there and waits for TERM: 7.
_SCRIPT = """
exec 2>/dev/null
trap 'echo told; exit 7' TERM
id -u; id -G; umask; echo again >/dev/stdout
echo ready; : >"$READY"
while :; do sleep 0.02; done
"""
PROGRAM = ("sh", "-c", _SCRIPT)

OPTIONS = {
    "--user": ("-u", "dev"),
    "--user --exec": ("-u", "dev", "--exec"),
    "--match": ("-u", "dev", "--match", "1500:1600"),
    "--match, files of another's": ("-u", "dev", "--match", "1500:1600", "--own", "{}/closed/tree"),
    "--match-owner": ("-u", "dev", "--match-owner", "{}/work"),
    "--match-group": ("-u", "dev", "--match-group", "{}/closed/socket"),
    "--own, a new volume": ("-u", "dev", "--own", "/home/dev/volume"),
    "--own-index": ("-u", "dev", "--match", "1500:1600", "--own-index", "/etc/index"),
    "--no-new-privileges": ("-u", "dev", "--no-new-privileges"),
    "--drop-capabilities": ("-u", "dev", "--drop-capabilities"),
    "--keep-capabilities": ("-u", "dev", "--keep-capabilities", "chown"),
    "--umask": ("-u", "dev", "--umask", "027"),
}


class Outcome(NamedTuple):
    """What a run came to."""

    status: int
    output: str
    errors: str
    disk: "dict[str, str]"  # what the account files say, and who owns what

    @property
    def facts(self) -> "tuple[int, str, dict[str, str]]":
        return self.status, self.output, self.disk


def run(pyinit: Pyinit, options: str, which: str, strict: bool = False) -> Outcome:
    """Start the program with one set of capabilities, wait until it is there, and stop it by TERM."""
    with tempfile.TemporaryDirectory(prefix="pyinit-capabilities-") as path:
        directory = Path(path)
        directory.chmod(0o755)
        etc = _furnish(directory)
        words = [word.format(path) for word in OPTIONS[options]] + (["--strict"] if strict else [])
        mount = 'mount -t tmpfs -o mode=755 none /home/dev/volume && exec "$@"'
        limit = ("setpriv", f"--bounding-set={SETS[which]}", f"--inh-caps={SETS[which]}", "env")
        wrapper = (*etc.mounted, "sh", "-c", mount, "sh", *limit)
        environment = {**os.environ, "READY": f"{path}/shared/ready"}
        with pyinit.start(*words, "--", *PROGRAM, wrapper=wrapper, env=environment) as started:
            if _is_ready(started, directory / "shared/ready"):
                volume = _owner(Path(f"/proc/{started.pid}/root/home/dev/volume"))
                started.send(signal.SIGTERM)
            else:
                volume = "not looked at"
            status, output, errors = started.finish()
        return Outcome(status, output, errors.replace(path, "{}"), {**_disk(etc, directory), "volume": volume})


def _is_ready(started: Run, ready: Path) -> bool:
    """Whether the program is there, and has not ended before."""
    wait_until(lambda: ready.exists() or started.process.poll() is not None, "the program is there")
    return ready.exists()


def _furnish(directory: Path) -> Etc:
    """Account files, a home, a mount of somebody's, and a tree and a socket that only another reaches."""
    etc = Etc(directory)
    home = etc.home / "dev"
    for path in (home, home / "private", home / "volume", directory / "work", directory / "closed"):
        path.mkdir()
    (directory / "closed/tree").mkdir()
    for file in (home / "file", home / "private/file", directory / "closed/tree/file", directory / "closed/socket"):
        file.touch()
    for path in (home, home / "private", home / "file", home / "private/file"):
        os.chown(path, 1000, 1000)
    for path in (directory / "closed/tree", directory / "closed/tree/file"):
        os.chown(path, 1000, 1000)
    os.chown(directory / "closed/socket", 0, 998)
    (directory / "shared").mkdir()
    (directory / "shared").chmod(0o777)
    os.chown(directory / "work", 1500, 1600)
    (home / "private").chmod(0o700)
    os.chown(directory / "closed", 1001, 1001)
    (directory / "closed").chmod(0o700)
    etc.write("index", "pyinit index 1\n/home/dev\n.\nfile\nprivate/file\n")
    return etc


def _disk(etc: Etc, directory: Path) -> "dict[str, str]":
    home = etc.home / "dev"
    return {
        "/etc/passwd": "new" if etc.read("passwd") != PASSWD else "old",
        "/etc/group": "new" if etc.read("group") != GROUP else "old",
        "home": _owner(home),
        "file": _owner(home / "file"),
        "private/file": _owner(home / "private/file"),
        "closed/tree/file": _owner(directory / "closed/tree/file"),
    }


def _owner(path: Path) -> str:
    status = path.stat()
    return f"{status.st_uid}:{status.st_gid}"
