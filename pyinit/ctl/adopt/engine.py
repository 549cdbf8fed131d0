"""The engine, docker or podman, by its command line."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyinit.ctl.engine import ENGINES, NO_ANSWER, last_line
from pyinit.ctl.options import CannotLook

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD_SECONDS = 600
ENGINE_FAILED = 125  # what `run` ends with where not the program failed, but itself

SECONDS = 120  # for anything else; a daemon that is busy takes its time


@dataclass(frozen=True)
class Engine:
    """An engine's command line."""

    name: str
    program: str  # its path

    def __call__(
        self, *words: str, given: bytes | None = None, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command of the engine's, with `given` as its standard input. Raises CannotLook where it hangs."""
        stdin: Any = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        try:
            return subprocess.run([self.program, *words], **stdin, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise CannotLook(f"{self.name} {words[0]} has not answered within {seconds:g} s") from None
        except OSError as error:
            raise CannotLook(f"{self.name} cannot be run: {error.strerror}") from None

    def inspect(self, image: str) -> dict[str, Any] | None:
        """What the engine knows of an image that it has; None if it has none of that name. Raises CannotLook."""
        done = self("image", "inspect", "--", image)
        if done.returncode == 0:
            try:
                told: dict[str, Any] = json.loads(done.stdout)[0]
                told["Id"]
            except (ValueError, LookupError, TypeError):
                raise CannotLook(f"{self.name}: {NO_ANSWER}") from None
            return told
        reason = last_line(done.stderr)
        if any(words in reason.lower() for words in ("no such image", "image not known")):
            return None
        raise CannotLook(f"{self.name} does not tell about {image!r}: {reason}")

    @contextlib.contextmanager
    def container(self) -> Iterator[str]:
        """A name for a container of ours, which is gone in the end, however that comes (Ctrl-C, too)."""
        name = f"pyinit-adopt-{uuid.uuid4().hex[:12]}"
        try:
            yield name
        finally:
            self("rm", "--force", "--volumes", name)

    def run(self, image: str, *words: str, options: tuple[str, ...] = (), given: bytes = b"") -> tuple[bytes, str]:
        """Run one program of an image: without network and rights, and with nothing kept of it.

        Returns its standard output, and the last line of its standard error. Raises CannotLook where the engine fails.
        """
        with self.container() as name:
            confined = ("--network", "none", "--cap-drop", "ALL", "--no-healthcheck")
            entry = ("--entrypoint", words[0])
            done = self(
                *("run", "--rm", "--interactive", "--name", name, *confined, *options, *entry, image, *words[1:]),
                given=given,
            )
        if done.returncode == ENGINE_FAILED:
            raise CannotLook(f"{self.name} cannot run {words[0]!r} of the image: {last_line(done.stderr)}")
        return done.stdout, last_line(done.stderr)


def find(image: str, wanted: str | None) -> tuple[Engine, dict[str, Any]]:
    """The engine that has an image, and what it knows of it. Raises CannotLook with what each one said."""
    reasons = []
    for name in (wanted,) if wanted else ENGINES:
        program = shutil.which(name)
        if not program:
            reasons.append(f"{name} is not installed")
            continue
        engine = Engine(name, program)
        try:
            told = engine.inspect(image)
        except CannotLook as error:
            reasons.append(error.message)
            continue
        if told:
            return engine, told
        reasons.append(f"{name} has no image {image!r} (`{name} pull` brings it)")
    raise CannotLook("; ".join(reasons))
