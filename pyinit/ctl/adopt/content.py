"""An image's files, read through a container that is never started."""

from __future__ import annotations

import contextlib
import posixpath
import re
import stat
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, cast

from pyinit.ctl.engine import last_line
from pyinit.ctl.options import CannotLook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyinit.ctl.adopt.engine import Engine
    from pyinit.ctl.adopt.image import Image

MOST_READ = 1 << 20  # bytes of one file; scripts and account files are smaller
MOST_LINKS = 40  # as the kernel follows (man 7 path_resolution)

# Where a shell looks without PATH (man 3 execvp has these; engines set the longer one).
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NOT_THERE = re.compile("no such|could not (be )?f(i|ou)nd|not found|not a directory", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """A regular file of an image."""

    path: str  # without symbolic links in its last part
    mode: int
    start: bytes  # the first MOST_READ bytes

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o111)

    @property
    def is_binary(self) -> bool:
        return self.start.startswith(b"\x7fELF")

    @cached_property
    def text(self) -> str:
        return self.start.decode("utf-8", "replace")


class Content:
    """The files of one image. What was read is remembered: each look is a command of the engine's."""

    def __init__(self, engine: Engine, image: Image, container: str) -> None:
        self._engine = engine
        self._image = image
        self.directory = image.directory
        self._container = container
        self._read: dict[str, File | None] = {}

    def file(self, path: str) -> File | None:
        """The regular file at an absolute path, symbolic links followed; None if there is none. Raises CannotLook."""
        if path not in self._read:
            self._read[path] = self._follow(path)
        return self._read[path]

    def exists(self, path: str) -> bool:
        """Whether there is anything at an absolute path. Raises CannotLook."""
        with self._archive(path) as archive:
            return bool(archive and archive.next())

    def program(self, name: str) -> File | None:
        """The file that execvp(3) would run for a name in this image."""
        for path in self._candidates(name):
            found = self.file(path)
            if found and found.is_executable:
                return found
        return None

    def _candidates(self, name: str) -> list[str]:
        if "/" in name:
            return [posixpath.normpath(posixpath.join("/", self._image.directory, name))]
        path = self._image.environment.get("PATH") or USUAL_PATH
        return [posixpath.join("/", directory, name) for directory in path.split(":") if directory]

    def _follow(self, path: str) -> File | None:
        for _ in range(MOST_LINKS):
            with self._archive(path) as archive:
                member = archive.next() if archive else None
                if not archive or not member:
                    return None
                if member.isreg():
                    content = archive.extractfile(member)
                    start = content.read(MOST_READ) if content else b""
                    # podman follows by itself, and the member has the target's name then.
                    where = posixpath.join(posixpath.dirname(path), posixpath.basename(member.name))
                    return File(where, stat.S_IMODE(member.mode), start)
                if not member.issym():
                    return None
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        return None

    @contextlib.contextmanager
    def _archive(self, path: str) -> Iterator[tarfile.TarFile | None]:
        """What `cp` writes for a path; no more of it is read than is wanted. None if nothing is there."""
        command = [self._engine.program, "cp", f"{self._container}:{path}", "-"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as copying:
            try:
                yield self._opened(path, cast("IO[bytes]", copying.stdout), cast("IO[bytes]", copying.stderr))
            finally:
                copying.kill()

    def _opened(self, path: str, data: IO[bytes], errors: IO[bytes]) -> tarfile.TarFile | None:
        try:
            return tarfile.open(fileobj=data, mode="r|")
        except tarfile.ReadError:  # an empty one: the reason is on standard error
            reason = last_line(errors.read())
            if not _NOT_THERE.search(reason):
                raise CannotLook(f"{self._engine.name} cannot read {path!r} of the image: {reason}") from None
            return None


@contextlib.contextmanager
def opened(engine: Engine, image: Image) -> Iterator[Content]:
    """The files of an image. Its container is removed in the end. Raises CannotLook."""
    with engine.container() as name:
        # The entry point is never run; without one, an image that has no command cannot be created.
        done = engine("create", "--name", name, "--network", "none", "--entrypoint", "/pyinit", image.id)
        if done.returncode != 0:
            raise CannotLook(f"{engine.name} cannot make a container of the image: {last_line(done.stderr)}")
        yield Content(engine, image, name)
