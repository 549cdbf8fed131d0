"""Which process a container's name means, and what stops it: the engines know, and are asked."""

import functools
import json
import os
import shutil
import signal
import subprocess
from typing import NamedTuple

from pyinit.tell import signal_names
from pyinit.tell.text import printable

ENGINES = ("docker", "podman")
NO_ANSWER = "its answer is not what inspect says"

PATIENCE = 30  # seconds; a daemon that does not answer by then will not


class Unknown(Exception):
    """The container is not to be found; the message says why, and what to do."""


class Found(NamedTuple):
    """A container that an engine knows."""

    engine: str
    identity: str  # the engine's: podman may be there under docker's name, too, and means the same container
    status: str
    pid: int  # of its PID 1, in the PID namespace of the engine; 0 where it does not run
    stop_signal: int  # 0 for one that we do not know


def pid_of(name: str) -> int:
    """The number that PID 1 of a running container has here. Raises Unknown."""
    return running(name).pid


def stop_signal_of(name: str) -> int:
    """What the engine stops a running container by; 0 for what we do not know. Raises Unknown."""
    return running(name).stop_signal


@functools.lru_cache(maxsize=1)  # one command may want to know both
def running(name: str) -> Found:
    """The running container of a name. Raises Unknown."""
    engines = [engine for engine in ENGINES if shutil.which(engine)]
    if not engines:
        raise Unknown("neither docker nor podman is here to be asked; --pid names a process instead")
    answers = [ask(engine, name) for engine in engines]
    found = {each.identity: each for each in reversed(answers) if isinstance(each, Found)}
    if len(found) > 1:
        raise Unknown(f"docker and podman both have a {name!r}: give its ID, or a process of it as --pid")
    if not found:
        problems = "; ".join(f"{engine}: {text}" for engine, text in zip(engines, answers) if text)
        reason = f" ({problems})" if problems else ""
        raise Unknown(f"no container {name!r} is known to {' or '.join(engines)}{reason}")
    [container] = found.values()
    return checked(name, container)


def checked(name: str, container: Found) -> Found:
    """The container, if its pid means a process here. Raises Unknown."""
    if not container.pid:
        raise Unknown(f"{name!r} does not run: {container.engine} says it is {container.status}")
    if not os.path.isdir(f"/proc/{container.pid}"):
        problem = f"{container.engine} says that {name!r} is process {container.pid}, which is not here"
        raise Unknown(f"{problem}: does the engine run on another machine?")
    return container


def ask(engine: str, name: str) -> "Found | str":
    """What an engine knows of a container; otherwise what is wrong with the engine, "" where it does not know it."""
    command = [engine, "container", "inspect", "--", name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"no answer for {PATIENCE} s"
    except OSError as error:
        return str(error.strerror)
    if done.returncode:
        said = last_line(done.stderr) or f"status {done.returncode}"
        return "" if "no such" in said.lower() else said
    try:
        [told] = json.loads(done.stdout)
        state = told["State"]
        status, pid = printable(str(state["Status"])), int(state["Pid"])
        return Found(engine, str(told["Id"]), status, pid, signal_of(told["Config"].get("StopSignal")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return NO_ANSWER


def signal_of(said: "str | int | None") -> int:
    """A stop signal as an engine says it: docker a name, or nothing where the image says nothing; podman a number,
    later versions a name. 0 for what we do not know."""
    try:
        return signal_names.number(str(said)) if said else signal.SIGTERM
    except ValueError:
        return 0


def last_line(data: bytes) -> str:
    """The last line of what an engine wrote, where its reason stands."""
    return printable(data.decode(errors="replace").strip().rpartition("\n")[2])
