"""The inits and tools that pyinit is measured beside, each with the command line that starts a program under it."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The user that the tools which change the user change to: on every Linux, and with nothing to be set up.
USER = "nobody"

# supervisord takes its program from a file. %(ENV_...)s is how it takes values from its environment.
SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile={directory}/supervisord.pid
[program:program]
command={command}
autorestart=false
startsecs=0
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
"""


@dataclass(frozen=True)
class Peer:
    """Something that a container may have as PID 1.

    `stays`: it is there while the program runs. `forwards`: it passes any signal on. `ends`: it ends with its program.
    `stopped`: its exit status when TERM ends the program at once, or ends it before there is one.
    """

    name: str
    version: str
    binary: str  # its real path, "" for none
    command: "Callable[[list[str]], list[str]]"
    stays: bool = True
    forwards: bool = True
    ends: bool = True
    stopped: int = 128 + signal.SIGTERM


def before(*words: str) -> "Callable[[list[str]], list[str]]":
    """The command line of an init that has the program's behind its own words."""
    return lambda program: [*words, *program]


def said_version(*command: str) -> str:
    """The first number with a dot in what a program says about its version."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    match = re.search(r"\d+\.[\w.]*\w", done.stdout + done.stderr)
    return match[0].partition("_")[0] if match else "unknown"  # catatonit says `tini version 0.1.7_catatonit`


def debian_version(path: str) -> str:
    """The version of the Debian package that a file is from, or "unknown"."""
    try:
        # Before /bin was a link to /usr/bin, and in its database still, a shell's path is without /usr.
        real = str(Path(path).resolve())
        command = ["dpkg-query", "-S", real, real.replace("/usr", "", 1)]
        owner = subprocess.run(command, capture_output=True, text=True).stdout.split(":")[0]
        command = ["dpkg-query", "-W", "-f", "${Package} ${Version}", owner]
        return subprocess.run(command, capture_output=True, text=True).stdout or "unknown"
    except OSError:
        return "unknown"


def supervisord_command(directory: Path, binary: str) -> "Callable[[list[str]], list[str]]":
    def command(program: "list[str]") -> "list[str]":
        file = directory / "supervisord.conf"
        file.write_text(SUPERVISORD.format(directory=directory, command=" ".join(program)))
        return [binary, "-c", str(file)]

    return command


def find(directory: Path) -> "tuple[dict[str, Peer], list[str]]":
    """The peers that are here, by name, and the names of those that are not. `directory` is for what they need."""
    found = {"none": Peer("none", "", "", lambda program: program, stays=False)}
    missing = []

    def add(name: str, path: "str | None", version: "Callable[[str], str]", *words: str, **traits: Any) -> None:
        if path is None:
            missing.append(name)
        else:
            binary = str(Path(path).resolve())
            found[name] = Peer(name, version(path), binary, before(path, *words), **traits)

    def says(path: str) -> str:
        return said_version(path, "--version")

    add("tini", shutil.which("tini"), says, "--")
    add("dumb-init", shutil.which("dumb-init"), says, "--")
    add("catatonit", shutil.which("catatonit"), says, "--")
    add("gosu", shutil.which("gosu"), says, USER, stays=False)
    setpriv = ("--reuid", USER, "--regid", "nogroup", "--init-groups")
    add("setpriv", shutil.which("setpriv"), says, *setpriv, stays=False)
    my_init = shutil.which("my_init", path="/sbin:/usr/sbin:/usr/local/sbin:/usr/bin")
    words = ("--quiet", "--skip-startup-files", "--skip-runit", "--")
    add("my_init", my_init, lambda _: "unknown", *words, forwards=False, stopped=2)  # of signals it passes TERM and INT
    # A shell that stays. Of `sh -c PROGRAM` alone dash and bash make `exec PROGRAM`.
    add("sh -c", shutil.which("sh"), debian_version, "-c", '"$@"; exit $?', "sh", forwards=False)
    supervisord = shutil.which("supervisord")
    if supervisord:
        binary = str(Path(supervisord).resolve())
        command = supervisord_command(directory, supervisord)
        found["supervisord"] = Peer("supervisord", says(supervisord), binary, command, forwards=False, ends=False)
    else:
        missing.append("supervisord")
    return found, missing
