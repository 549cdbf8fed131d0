"""The kinds of image that there are: nothing at all, Alpine's layout, a distroless one, and Debian.

No image registry is asked, so the first three are made here. What counts is which account files, links and programs
there are, and where. Alpine's programs are busybox's, there linked with musl, here with nothing.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from .support import PROGRAMS, unavailable

BUSYBOX = Path("/bin/busybox")  # of Debian's package busybox-static

# The names under which pyinit takes another's place, but fixuid: that is a copy, which has the set-user-ID bit.
NAMES = ("tini", "dumb-init", "catatonit", "docker-init", "podman-init", "gosu", "su-exec")


class Layout(NamedTuple):
    """What an image has besides pyinit and the program of the tests."""

    user: str = ""  # an ordinary one; "" where there are no account files
    uid: int = 0
    passwd: str = ""
    group: str = ""
    has_busybox: bool = False
    dockerfile: str = "FROM scratch\n"

    @property
    def home(self) -> str:
        return f"/home/{self.user}" if self.user else "/"


LAYOUTS = {
    "scratch": Layout(),
    "alpine": Layout(
        user="dev",
        uid=1000,
        passwd="root:x:0:0:root:/root:/bin/sh\nguest:x:405:100:guest:/dev/null:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/:/sbin/nologin\ndev:x:1000:1000::/home/dev:/bin/sh\n",
        group="root:x:0:root\nbin:x:1:root,bin,daemon\nusers:x:100:games\nnobody:x:65534:\ndev:x:1000:\n",
        has_busybox=True,
    ),
    "distroless": Layout(
        user="nonroot",
        uid=65532,
        passwd="root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
        group="root:x:0:\nnobody:x:65534:\nstaff:x:50:\nnonroot:x:65532:\n",
    ),
    "debian": Layout(
        user="dev", uid=1000, dockerfile="FROM {base}\nRUN useradd --uid 1000 --create-home --shell /bin/bash dev\n"
    ),
}


def compile_alone(file: Path) -> Path:
    """The one program of an image that has no other."""
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", file, PROGRAMS / "alone.c"], check=True)
    return file


def write_context(layout: Layout, context: Path, pyinit: Path, base: str) -> None:
    """Write the context of a build: a Dockerfile, and an archive, whose modes and owners every engine keeps.

    `base` is the image of the layout whose files are not made here.
    """
    user = layout.user or "no-such-user"
    with tarfile.open(context / "root.tar", "w") as archive:
        add(archive, "pyinit", pyinit, 0o755)
        add(archive, "opt/fixuid", pyinit, 0o4755)
        add(archive, "alone", compile_alone(context / "alone"), 0o755)
        add(archive, "etc/fixuid/config.toml", f'user = "{user}"\ngroup = "{user}"\npaths = ["{layout.home}"]\n')
        for name in NAMES:
            link(archive, f"opt/{name}", "/pyinit")
        if layout.passwd:
            add(archive, "etc/passwd", layout.passwd)
            add(archive, "etc/group", layout.group)
            directory(archive, "run")
            directory(archive, "tmp", 0o1777)
        if layout.user:
            add(archive, f"{layout.home[1:]}/file", "", 0o600, layout.uid)
        if layout.has_busybox:
            add_busybox(archive)
    (context / "Dockerfile").write_text(layout.dockerfile.format(base=base) + "ADD root.tar /\n")
    (context / ".dockerignore").write_text("alone\n")


def add_busybox(archive: tarfile.TarFile) -> None:
    if not BUSYBOX.exists():
        unavailable("busybox-static is not installed")
    add(archive, "bin/busybox", BUSYBOX, 0o755)
    for path in subprocess.check_output([BUSYBOX, "--list-full"], text=True).split():
        if path != "bin/busybox":
            link(archive, path, "/bin/busybox")


def add(archive: tarfile.TarFile, path: str, content: str | Path, mode: int = 0o644, owner: int = 0) -> None:
    """A file with its text, or with what another has."""
    data = content.encode() if isinstance(content, str) else content.read_bytes()
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.uid, member.gid = len(data), mode, owner, owner
    archive.addfile(member, io.BytesIO(data))


def directory(archive: tarfile.TarFile, path: str, mode: int = 0o755) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.mode = tarfile.DIRTYPE, mode
    archive.addfile(member)


def link(archive: tarfile.TarFile, path: str, target: str) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.linkname = tarfile.SYMTYPE, target
    archive.addfile(member)
