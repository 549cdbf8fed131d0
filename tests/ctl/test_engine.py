"""`--container`: how the engines' answers are understood. With real engines: tests/container/test_doctor.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import CTL, REPOSITORY

DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
UNKNOWN = "Error: No such container: web"  # docker 20.10; podman 4.3 says it with a small letter


def answer(
    engine: Path,
    status: int = 1,
    error: str = "",
    identity: str = "",
    pid: int = 0,
    state: str = "",
    stop: "str | int | None" = None,
) -> None:
    """A program in the place of an engine, which answers as that does."""
    config = {} if stop is None else {"StopSignal": stop}
    told = {"Id": identity, "State": {"Status": state, "Pid": pid}, "Config": config}
    text = json.dumps([told] if identity else [])
    engine.write_text(f"#!/bin/sh\necho '{text}'\necho '{error}' >&2\nexit {0 if identity else status}\n")
    engine.chmod(0o755)


def tree(path: Path, *words: str, command: str = "tree") -> "subprocess.CompletedProcess[str]":
    words = (*CTL, command, *words)
    return subprocess.run(
        words, cwd=REPOSITORY, env={**os.environ, "PATH": str(path)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
    )  # fmt: skip


def refused(path: Path) -> str:
    """What is said of a container that cannot be looked at: one line."""
    done = tree(path, "--container", "web")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line.removeprefix("Error: --container: ")


def test_the_engine_that_knows_the_name_is_believed(tmp_path: Path) -> None:
    answer(tmp_path / "docker", error=DOWN)
    answer(tmp_path / "podman", identity="a1", pid=1, state="running")
    done = tree(tmp_path, "--container", "web", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert os.getpid() in [each["pid"] for each in json.loads(done.stdout)["processes"]]


@pytest.mark.parametrize(
    ("stop", "name"),
    [
        ("SIGQUIT", "SIGQUIT"),  # docker, and podman since 5
        (3, "SIGQUIT"),  # podman 4
        ("SIGRTMIN+3", "SIGRTMIN+3"),
        (None, "SIGTERM"),  # docker, of an image that says nothing
        ("", "SIGTERM"),
    ],
)
def test_the_stop_signal_is_the_engines(tmp_path: Path, stop: "str | int | None", name: str) -> None:
    answer(tmp_path / "docker", identity="a1", pid=os.getpid(), state="running", stop=stop)
    told = json.loads(tree(tmp_path, "--container", "web", "--json", command="doctor").stdout)
    assert told["stop_signal"] == {"name": name, "is_known": True}
    done = tree(tmp_path, "--container", "web", "--stop-signal", "USR1", "--json", command="doctor")
    assert json.loads(done.stdout)["stop_signal"] == {"name": "SIGUSR1", "is_known": True}


def test_a_stop_signal_that_nobody_knows_is_assumed_to_be_term(tmp_path: Path) -> None:
    answer(tmp_path / "docker", identity="a1", pid=os.getpid(), state="running", stop="SIGFOO")
    told = json.loads(tree(tmp_path, "--container", "web", "--json", command="doctor").stdout)
    assert told["stop_signal"] == {"name": "SIGTERM", "is_known": False}


def test_podman_under_the_name_of_docker_is_no_second_container(tmp_path: Path) -> None:
    for name in ("docker", "podman"):
        answer(tmp_path / name, identity="a1", pid=os.getpid(), state="running")
    assert tree(tmp_path, "--container", "web").returncode == 0


def test_a_name_that_both_know_is_refused(tmp_path: Path) -> None:
    answer(tmp_path / "docker", identity="a1", pid=1, state="running")
    answer(tmp_path / "podman", identity="b2", pid=1, state="running")
    assert refused(tmp_path) == "docker and podman both have a 'web': give its ID, or a process of it as --pid"


def test_a_name_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    answer(tmp_path / "docker", error=UNKNOWN)
    assert refused(tmp_path) == "no container 'web' is known to docker"
    answer(tmp_path / "podman", error=UNKNOWN.lower())
    assert refused(tmp_path) == "no container 'web' is known to docker or podman"


def test_an_engine_that_does_not_answer_says_why(tmp_path: Path) -> None:
    answer(tmp_path / "docker", error=DOWN)
    assert refused(tmp_path) == f"no container 'web' is known to docker (docker: {DOWN})"


@pytest.mark.parametrize(
    "said", ["nonsense", "[]", '[{"Id": 1}]', "[1, 2]", '[{"Id": 1, "State": {"Status": "", "Pid": 1}, "Config": 5}]']
)
def test_an_engine_that_answers_nonsense_is_no_traceback(tmp_path: Path, said: str) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho '{said}'\n")
    (tmp_path / "docker").chmod(0o755)
    assert refused(tmp_path).endswith("(docker: its answer is not what inspect says)")


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    assert refused(tmp_path) == "neither docker nor podman is here to be asked; --pid names a process instead"


def test_a_container_that_does_not_run_is_refused(tmp_path: Path) -> None:
    answer(tmp_path / "docker", identity="a1", pid=0, state="exited")
    assert refused(tmp_path) == "'web' does not run: docker says it is exited"


def test_a_process_that_is_not_here_is_an_engine_elsewhere(tmp_path: Path) -> None:
    answer(tmp_path / "docker", identity="a1", pid=4194304, state="running")
    assert refused(tmp_path).endswith("which is not here: does the engine run on another machine?")


def test_container_and_pid_are_not_given_both(tmp_path: Path) -> None:
    done = tree(tmp_path, "--container", "web", "--pid", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: --container and --pid both say which container: give one of them\n")


def test_a_name_is_no_option_of_the_engine(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(f'#!{sys.executable} -IS\nimport sys\nsys.exit("got " + " ".join(sys.argv[1:]))\n')
    (tmp_path / "docker").chmod(0o755)
    done = tree(tmp_path, "--container=--help")
    assert "(docker: got container inspect -- --help)" in done.stderr
