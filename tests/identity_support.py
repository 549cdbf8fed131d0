"""An /etc of its own for a test: pyinit finds it in its mount namespace, and nobody else does."""

import os
from pathlib import Path

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin

# people
dev:x:1000:1000:Dev,,,:/home/dev:/bin/bash
node:x:1001:1001::/home/node:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
daemon:x:1:
adm:x:4:root
dialout:x:20:
sudo:x:27:dev
www-data:x:33:
video:x:44:node,dev
staff:x:50:
users:x:100:
dev:x:1000:
node:x:1001:
nogroup:x:65534:
"""


class Etc:
    """The directory that becomes /etc, and one that becomes /home."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "etc"
        self.home = directory / "home"
        self.path.mkdir()
        self.path.chmod(0o755)
        self.home.mkdir()
        self.home.chmod(0o755)
        self.write("passwd", PASSWD)
        self.write("group", GROUP)

    @property
    def mounted(self) -> "tuple[str, ...]":
        """A wrapper for Pyinit.start: it mounts both in the namespace, then runs what follows."""
        script = 'mount --bind "$0" /etc && mount --bind "$1" /home && shift && exec "$@"'
        return ("sh", "-c", script, str(self.path), str(self.home))

    def write(self, name: str, content: str) -> None:
        (self.path / name).write_bytes(os.fsencode(content))

    def read(self, name: str) -> str:
        return os.fsdecode((self.path / name).read_bytes())

    def remove(self, name: str) -> None:
        (self.path / name).unlink()
