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

# What people and distributions write into these files, and what they should not.
ODD = (
    b"# a comment\n"
    b"\n"
    b"   \n"
    b"+::::::\n"
    b"-bad::::::\n"
    b"short:x\n"
    b"number:x:abc:1::/:/bin/sh\n"
    b"large:x:4294967295:1::/:/bin/sh\n"
    b":x:5:5::/:/bin/sh\n"
    b"latin:x:1002:1002:J\xf6rg:/home/latin:/bin/sh\n"
    b"few:x:1003:1003\n"
    b"  spaces:x:1004:1004::/home/spaces:/bin/ash\n"
    b"dev:x:1000:1000:first:/home/dev:/bin/sh\n"
    b"dev:x:2000:2000:second:/home/other:/bin/sh\n"
    b"last:x:1005:1005::/home/last:/bin/sh"
)


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
