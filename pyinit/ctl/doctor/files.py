"""The files of a container, seen from outside: through /proc/PID/root, and never out of it.

Whoever runs the container may put a symbolic link anywhere, and it would be followed from our root directory. So no
link is followed: neither the account files nor mount points are links where all is well.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pyinit.ctl import proc

SIZE_LIMIT = 1 << 20  # bytes that are read of a file
MOST_ENTRIES = 2000  # that are looked at on one mount

# Where the kernel shows itself: nothing there belongs to anybody's files.
KERNEL_FILE_SYSTEMS = {
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs",
    "sysfs", "tracefs",
}  # fmt: skip

# What an engine mounts by itself.
ENGINES_DIRECTORIES = ("/dev", "/proc", "/sys")
ENGINES_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv", "/.dockerenv")


@dataclass(frozen=True)
class Mount:
    """One line of /proc/PID/mountinfo (man 5 proc_pid_mountinfo) that somebody has asked for, and not the engine."""

    path: str
    line: str
    read_only: bool


@dataclass(frozen=True)
class Entry:
    """A file on a mount: its path, and what lstat says."""

    path: str
    status: os.stat_result

    def evidence(self) -> str:
        """As `ls -ln` shows it."""
        mode = stat.filemode(self.status.st_mode)
        return f"{mode} {self.status.st_uid}:{self.status.st_gid} {self.path}"


class Files:
    """The files as PID 1 sees them. Each method raises OSError for what cannot be read."""

    def __init__(self, pid: int, is_ours: bool) -> None:
        """`is_ours`: the container is the one that we are in, so that our root directory will do."""
        self.pid = pid
        self._is_ours = is_ours

    def mounts(self) -> "list[Mount]":
        """Volumes, bind mounts and the like. Of several in one place the last covers the others."""
        found: "dict[str, Mount]" = {}
        for line in self._mountinfo():
            first, _, second = line.partition(" - ")
            path, options = (unescaped(word) for word in first.split(" ")[4:6])
            file_system, _, super_options = second.split(" ", 2)
            found.pop(path, None)
            if is_asked_for(path, file_system):
                read_only = "ro" in options.split(",") or "ro" in super_options.split(",")
                found[path] = Mount(path, f"/proc/{self.pid}/mountinfo: {line}", read_only)
        return list(found.values())

    def _mount_points(self) -> "set[str]":
        return {unescaped(line.split(" ")[4]) for line in self._mountinfo()}

    def _mountinfo(self) -> "list[str]":
        """Its lines. A path may have any character that Unicode takes for a blank or the end of a line: only the
        kernel's own space and newline separate anything."""
        return proc.text_of(f"/proc/{self.pid}/mountinfo").split("\n")[:-1]

    def open(self, path: str, flags: int) -> int:
        """A descriptor of an absolute path. No component may be a symbolic link (ELOOP, ENOTDIR)."""
        descriptor = self._root()
        words = [word for word in path.split("/") if word]
        try:
            for word in words[:-1]:
                descriptor = opened(word, os.O_PATH | os.O_DIRECTORY, descriptor)
            return opened(words[-1] if words else ".", flags, descriptor)
        except OSError as error:
            error.filename = path
            raise

    def _root(self) -> int:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            return os.open(f"/proc/{self.pid}/root", flags)
        except PermissionError:
            if not self._is_ours:
                raise
            return os.open("/", flags)

    def status(self, path: str) -> os.stat_result:
        descriptor = self.open(path, os.O_PATH)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: str) -> bytes:
        """The content of a regular file; what is larger than an account file ever is ends early."""
        with open(self.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(0, "no regular file", path)
            return file.read(SIZE_LIMIT)

    def walk(self, path: str) -> "Iterator[Entry]":
        """What is in a directory and in those below it, as far as nothing else is mounted there; not all of a large
        one. What we may not read is left out."""
        self.status(path)  # raises OSError if it cannot be looked at
        paths = [path]
        left = MOST_ENTRIES
        points = self._mount_points()
        while paths and left > 0:
            directory = paths.pop(0)
            with contextlib.suppress(OSError):
                for entry in self._list(directory):
                    left -= 1
                    if entry.path not in points:  # not by st_dev: overlayfs shows for a file that of its layer
                        yield entry
                        if stat.S_ISDIR(entry.status.st_mode):
                            paths.append(entry.path)
                    if left <= 0:
                        break

    def _list(self, path: str) -> "Iterator[Entry]":
        descriptor = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(descriptor) as found:
                for each in found:
                    with contextlib.suppress(FileNotFoundError):
                        yield Entry(f"{path.rstrip('/')}/{each.name}", each.stat(follow_symlinks=False))
        finally:
            os.close(descriptor)


def opened(name: str, flags: int, directory: int) -> int:
    """A file in a directory, whose descriptor is closed."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)


def is_asked_for(path: str, file_system: str) -> bool:
    if path == "/" or path in ENGINES_FILES or file_system in KERNEL_FILE_SYSTEMS:
        return False
    if file_system == "tmpfs" and is_below(path, ("/run", "/var/run")):
        return False
    return not is_below(path, ENGINES_DIRECTORIES)


def is_below(path: str, directories: "tuple[str, ...]") -> bool:
    return any(path == each or path.startswith(each + "/") for each in directories)


def unescaped(word: str) -> str:
    """A word of mountinfo: space, tab, newline and backslash are octal there."""
    for code in ("040", "011", "012", "134"):
        word = word.replace("\\" + code, chr(int(code, 8)))
    return word
