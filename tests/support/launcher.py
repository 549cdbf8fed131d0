"""The set-user-ID launcher for a test: compiled as docker/launcher/Dockerfile does it, and started as some user."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY, Pyinit, Run
from tests.support.identity import Etc

SOURCE = REPOSITORY / "docker" / "launcher" / "launcher.c"
CONFIG = "user: dev\ngroup: dev\n"


def compile_launcher(file: Path, pyinit: str = "/pyinit") -> None:
    """Compile it to `file`, root's and set-user-ID. Without gcc the test skips, or fails where that is not allowed."""
    if shutil.which("gcc") is None:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail("gcc is not installed")
        pytest.skip("gcc is not installed")
    warnings = ("-Wall", "-Wextra", "-Werror")
    command = ["gcc", "-Os", "-static", *warnings, f'-DPYINIT="{pyinit}"', "-o", str(file), str(SOURCE)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    file.chmod(0o4755)


class Installed:
    """The launcher of one test, with account files, homes, a /run and a configuration that start after start finds."""

    def __init__(self, launcher: Path, etc: Etc, run: Path) -> None:
        self.launcher = launcher
        self.etc = etc
        self.run_directory = run
        self.config = etc.path / "fixuid"
        self.config.mkdir()
        self.config.chmod(0o755)
        run.mkdir()
        run.chmod(0o755)
        self.write(CONFIG)

    def write(self, content: "str | bytes", name: str = "config.yml") -> Path:
        """A configuration file, in the place of those that are there."""
        for path in self.config.iterdir():
            path.unlink()
        path = self.config / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
        return path

    @contextlib.contextmanager
    def start(
        self,
        *words: "str | os.PathLike[str]",
        ids: str = "1001:1002",
        groups: str = "",
        name: str = "launcher",
        before: "tuple[str, ...]" = (),
        **options: object,
    ) -> "Iterator[Run]":
        """Start it as PID 1 of a container would be with `-u IDS`; `before` is a command that starts it in turn."""
        uid, _, gid = ids.partition(":")
        given = (f"--groups={groups}",) if groups else ("--clear-groups",)
        script = 'mount --bind "$0" /run && exec "$@"'
        wrapper = (
            *self.etc.mounted,
            *("sh", "-c", script, str(self.run_directory)),
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", *given, "--"),
            *before,
        )
        variables = {"PATH": "/usr/bin:/bin", "HOME": "/"}
        settings = {"wrapper": wrapper, "env": variables, "cwd": "/", **options}
        with Pyinit(self.launcher.parent / name, "").start(*words, **settings) as run:  # type: ignore[arg-type]
            yield run

    def run(self, *words: "str | os.PathLike[str]", **options: object) -> "tuple[int, str, str]":
        """Start it, to its end: status, standard output, standard error."""
        with self.start(*words, **options) as run:  # type: ignore[arg-type]
            return run.finish()
