"""Re-owning: what a user's old IDs own follows the user to the new ones, in whole trees or in listed entries.

Somebody else may rename, exchange and delete in a tree while it is walked (a volume that two containers share), and
nothing outside of it may change owner. Therefore every name is looked up in an open directory, no symbolic link is
followed, a directory is judged by its own descriptor, and no other mount is entered.

A file is looked at and then changed by name, as `chown -R` does. Who puts a hard link in its place in between gets that
link's file re-owned. With fs.protected_hardlinks, which distributions set, people can link only what is theirs or what
they can read and write (man 5 proc_sys_fs); without it, whatever is on the same file system. A file that an old ID owns
is re-owned in any case, wherever its other names are: owner and mode belong to the file.

Set-user-ID bits and file capabilities are cleared by the kernel (man 2 chown), and nobody sets them again.

Names are str, which is what scandir makes of an open directory. They stand for any bytes (PEP 383).
"""

import _signal
import posix
import time

from pyinit import signal_names, timer
from pyinit.log import Fatal, Log
from pyinit.message import above_stdio, decode, encode, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC

FILE_TYPE = 0o170000  # man 7 inode: S_IFMT and two of its values
_IS_DIRECTORY = 0o040000
_IS_LINK = 0o120000
_OTHERS_WRITE = 0o022

_ENOTDIR = 20  # man 3 errno
_MOST_LINKS = 40  # man 7 path_resolution

# A tree with less than this is done before workers would have begun.
_ENTRIES_WITHOUT_WORKERS = 2000
_SECONDS_WITHOUT_WORKERS = 0.1
_MOST_WORKERS = 4

# How often a walk reports.
_ENTRIES_A_REPORT = 512
_DIRECTORIES_A_REPORT = 64

# Levels of directories that a walk keeps open, with two descriptors each. Those below it finds again through "..".
_LEVELS_KEPT_OPEN = 16

_FIRST_PROGRESS = 2.0  # seconds
_PROGRESS_INTERVAL = 1.0
_SHOWN = 300  # characters of a path in a message

_STAYS = (-2, -2)  # never an owner, whereas -1 is what Python makes of the UID 2**32 - 1


class Change:
    """The old and the new ID of each kind, None or -1 for a kind that stays. UID and GID change each on its own."""

    __slots__ = ("new_gid", "new_uid", "old_gid", "old_uid")

    def __init__(
        self,
        old_uid: "int | None" = None,
        new_uid: "int | None" = None,
        old_gid: "int | None" = None,
        new_gid: "int | None" = None,
    ) -> None:
        self.old_uid = old_uid
        self.new_uid = new_uid
        self.old_gid = old_gid
        self.new_gid = new_gid

    def pairs(self) -> "tuple[tuple[int, int], tuple[int, int]]":
        """(old, new) of the UID and of the GID."""
        return _pair(self.old_uid, self.new_uid), _pair(self.old_gid, self.new_gid)

    def __bool__(self) -> bool:
        return self.pairs() != (_STAYS, _STAYS)

    def __str__(self) -> str:
        pairs = zip(("UID", "GID"), self.pairs())
        return ", ".join(f"{kind} {old} to {new}" for kind, (old, new) in pairs if old >= 0)


def _pair(old: "int | None", new: "int | None") -> "tuple[int, int]":
    return _STAYS if old is None or new is None or old < 0 or new < 0 or old == new else (old, new)


class Tree:
    """A directory with all that is in it, or a single file."""

    __slots__ = ("change", "path")

    def __init__(self, path: bytes, change: Change) -> None:
        self.path = path
        self.change = change


class Count:
    """How many entries were looked at, were changed, and should have been changed but could not."""

    __slots__ = ("changed", "failed", "failure", "looked_at")

    def __init__(self, looked_at: int = 0, changed: int = 0, failed: int = 0, failure: str = "") -> None:
        self.looked_at = looked_at
        self.changed = changed
        self.failed = failed
        self.failure = failure  # the first of these, and why

    def add(self, other: "Count") -> None:
        self.looked_at += other.looked_at
        self.changed += other.changed
        self.failed += other.failed
        self.failure = self.failure or other.failure


def reown(trees: "list[Tree]", log: Log, workers: "int | None" = None) -> Count:
    """Re-own trees, the large ones with several processes: by default one for each CPU that we may use, at most four.

    What cannot be changed (EROFS, EPERM) is one warning for each tree. TERM, INT and CHLD must be blocked. Raises
    Fatal: with status 143 or 130 at a TERM or INT, with 1 if workers cannot be started or die.
    """
    total = Count()
    for tree in trees:
        if tree.change:
            path = decode(tree.path)
            progress = Progress(path, log)
            try:
                count = _reown_tree(path, tree.change, workers, progress)
            except OSError as error:
                count = Count(failed=1, failure=f"{path}: {error.strerror}")
            progress.finish(count)
            total.add(count)
    return total


def reown_listed(index_path: str, change: Change, log: Log) -> Count:
    """Re-own the entries that an index names, and look at no others. Those that are gone are passed over.

    Raises Fatal: with status 2 for an index that is no good, before anything was changed; else as `reown`.
    """
    from pyinit.identity import index

    return index.reown(index_path, change, log)


def _reown_tree(path: str, change: Change, workers: "int | None", progress: "Progress") -> Count:
    """Walk it here first. What turns out to be large, or slow, is walked by workers, from its start."""
    progress.check(Count())
    end = time.monotonic() + _SECONDS_WITHOUT_WORKERS

    def report(count: Count) -> None:
        if count.looked_at >= _ENTRIES_WITHOUT_WORKERS or time.monotonic() > end:
            raise _TooLarge

    parent, name = open_parent(path)
    walk = None
    try:
        kind = posix.lstat(name, dir_fd=parent).st_mode & FILE_TYPE
        if kind != _IS_DIRECTORY:
            if kind == _IS_LINK:
                progress.log.warning(f"re-owning {path}: a symbolic link is not followed; name what it points to")
            walk = Walk(path, posix.dup(parent), change, report)
            walk.look_at(parent, name)
        else:
            walk = Walk(path, posix.open(name, DIRECTORY, dir_fd=parent), change, report)
            walk.run()
        return walk.count
    except _TooLarge:
        assert walk is not None
        changed = walk.count.changed
        count = _walk_with_workers(walk, workers or _cpus(), progress)
        count.changed += changed  # the workers found these done
        return count
    finally:
        if walk:
            walk.close()
        posix.close(parent)


class _TooLarge(Exception):
    """A tree is worth workers."""


def _cpus() -> int:
    return min(len(posix.sched_getaffinity(0)), _MOST_WORKERS)


class Directory:
    """A directory that is being walked."""

    __slots__ = ("depth", "descriptor", "identity", "name", "names", "parent", "status")

    def __init__(self, parent: "Directory | None", name: str, descriptor: int, status: "posix.stat_result") -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self.name = name
        self.descriptor = descriptor  # -1 while it is closed
        self.status = status
        self.identity = (status.st_dev, status.st_ino)
        self.names: "Iterator[str]" = iter(())  # of the directories in it that are still to be walked

    def path(self) -> str:
        names = []
        directory: "Directory | None" = self
        while directory:
            names.append(directory.name)
            directory = directory.parent
        return "/".join(reversed(names)) or "/"


class Walk:
    """One pass over a tree, or over the entries in it that fall to one worker."""

    def __init__(self, path: str, root: int, change: Change, report: "Callable[[Count], None]") -> None:
        self.path = path
        self.root = root  # belongs to the walk from now on
        self.count = Count()
        self.share, self.shares = 0, 1  # this walk deals with the inodes whose number modulo `shares` is `share`
        self.report = report  # called every now and then; what it raises ends the walk
        (self._old_uid, self._new_uid), (self._old_gid, self._new_gid) = change.pairs()
        self._device = posix.fstat(root).st_dev
        self._mount, self.mount_points = _mounts_on(root)
        self._next_report = 0
        self._directories = 0

    def close(self) -> None:
        posix.close(self.root)

    def run(self) -> None:
        """Walk the tree, without recursion: it may be of any depth."""
        self.count = Count()
        self._next_report = _ENTRIES_A_REPORT
        # Opened once more: of the descriptor that they inherit, workers share the position too (man 2 fork).
        descriptor = posix.open(".", DIRECTORY, dir_fd=self.root)
        directory: "Directory | None" = self._enter(None, self.path.rstrip("/"), descriptor, posix.fstat(descriptor))
        try:
            while directory:
                name = next(directory.names, None)
                directory = self._leave(directory) if name is None else self._descend(directory, name)
        finally:
            while directory:
                directory.names = iter(())  # closes what scandir has open
                if directory.descriptor >= 0:
                    posix.close(directory.descriptor)
                directory = directory.parent

    def _enter(self, parent: "Directory | None", name: str, descriptor: int, status: "posix.stat_result") -> Directory:
        directory = Directory(parent, name, descriptor, status)
        # Read bit by bit: a million names take no memory. Only one so far down that it will be closed is read at once.
        is_kept = directory.depth < _LEVELS_KEPT_OPEN
        directory.names = self.scan(directory) if is_kept else self._scan_at_once(directory)
        return directory

    def _descend(self, directory: Directory, name: str) -> Directory:
        """The directory to go on with: the one of that name, or the same if that is not to be entered."""
        try:
            descriptor, status = self.open_directory(directory.descriptor, name)
        except (FileNotFoundError, NotADirectoryError):  # deleted, or something else is there now
            return directory
        except OSError as error:
            self.fail(f"{directory.path()}/{name}", error)
            return directory
        if descriptor < 0:
            return directory
        if directory.depth >= _LEVELS_KEPT_OPEN:
            posix.close(directory.descriptor)
            directory.descriptor = -1
        return self._enter(directory, name, descriptor, status)

    def _leave(self, directory: Directory) -> "Directory | None":
        """Back to the parent, or to the first one above it that can be found again."""
        parent = directory.parent
        if parent and parent.descriptor < 0:
            try:
                parent.descriptor = self._reopen(parent, directory.descriptor)
            except OSError as error:
                self.fail(parent.path(), error)
        posix.close(directory.descriptor)
        while parent and parent.descriptor < 0:
            parent = parent.parent
        return parent

    def _reopen(self, parent: Directory, child: int) -> int:
        """Open a directory through the ".." of one in it, which somebody may have moved elsewhere meanwhile."""
        descriptor = posix.open("..", DIRECTORY, dir_fd=child)
        status = posix.fstat(descriptor)
        if (status.st_dev, status.st_ino) != parent.identity:
            posix.close(descriptor)
            raise OSError(0, "moved away while it was walked")
        return descriptor

    def open_directory(self, parent: int, name: str) -> "tuple[int, posix.stat_result]":
        """Open a directory of the same mount, -1 for one of another.

        Nothing was decided before it was open, so that there is nothing to compare it with.
        """
        descriptor = posix.open(name, DIRECTORY, dir_fd=parent)
        status = posix.fstat(descriptor)
        if status.st_dev != self._device or (self._mount and _mount_of(descriptor) != self._mount):
            posix.close(descriptor)
            descriptor = -1
        return descriptor, status

    def scan(self, directory: Directory) -> "Iterator[str]":
        """Deal with a directory and with what is in it, but for directories: yields their names."""
        # Locals, since this loop is where the time goes.
        chown, count, share, shares = posix.chown, self.count, self.share, self.shares
        old_uid, old_gid = self._old_uid, self._old_gid
        descriptor = directory.descriptor
        mount_points = self.mount_points.get(directory.identity)
        try:
            self._begin(directory)
            with posix.scandir(descriptor) as entries:
                for entry in entries:
                    if mount_points and entry.name in mount_points:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        yield entry.name
                    elif entry.inode() % shares == share:
                        try:
                            status = entry.stat(follow_symlinks=False)
                            count.looked_at += 1
                            if status.st_uid == old_uid or status.st_gid == old_gid:
                                uid, gid = self.wanted(status)
                                chown(entry.name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
                                count.changed += 1
                        except FileNotFoundError:
                            pass
                        except OSError as error:
                            self.fail(f"{directory.path()}/{entry.name}", error)
                        if count.looked_at >= self._next_report:
                            self._next_report = count.looked_at + _ENTRIES_A_REPORT
                            self.report(count)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.fail(directory.path(), error)

    def _scan_at_once(self, directory: Directory) -> "Iterator[str]":
        yield from list(self.scan(directory))

    def _begin(self, directory: Directory) -> None:
        """Deal with a directory itself."""
        self._directories += 1
        if self._directories % _DIRECTORIES_A_REPORT == 0:
            self.report(self.count)
        if directory.status.st_ino % self.shares == self.share:
            self.count.looked_at += 1
            try:
                self.change_directory(directory.descriptor, directory.status)
            except OSError as error:
                self.fail(directory.path(), error)

    def look_at(self, parent: int, name: str) -> None:
        """Deal with a single entry, but not with what is in it. Raises OSError."""
        status = posix.lstat(name, dir_fd=parent)
        if status.st_mode & FILE_TYPE == _IS_DIRECTORY:
            descriptor, status = self.open_directory(parent, name)
            if descriptor >= 0:
                self.count.looked_at += 1
                try:
                    self.change_directory(descriptor, status)
                finally:
                    posix.close(descriptor)
            return
        self.count.looked_at += 1
        uid, gid = self.wanted(status)
        if (uid, gid) != (-1, -1):
            posix.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
            self.count.changed += 1

    def change_directory(self, descriptor: int, status: "posix.stat_result") -> None:
        uid, gid = self.wanted(status)
        if (uid, gid) != (-1, -1):
            posix.fchown(descriptor, uid, gid)
            self.count.changed += 1

    def wanted(self, status: "posix.stat_result") -> "tuple[int, int]":
        """The owner and the group to set, -1 for one that stays (man 2 chown)."""
        return (
            self._new_uid if status.st_uid == self._old_uid else -1,
            self._new_gid if status.st_gid == self._old_gid else -1,
        )

    def is_mount_point(self, parent: int, name: str) -> bool:
        """Whether something is mounted there, a directory or a single file."""
        if not self.mount_points:
            return False
        status = posix.fstat(parent)
        return name in self.mount_points.get((status.st_dev, status.st_ino), ())

    def fail(self, path: str, error: OSError) -> None:
        self.count.add(Count(failed=1, failure=f"{_short(path)}: {error.strerror}"))


def _short(path: str) -> str:
    return path if len(path) <= _SHOWN else "..." + path[-_SHOWN:]


def open_parent(path: str) -> "tuple[int, str]":
    """The directory that holds the last component of a path, open, and that component. Raises OSError.

    On the way a symbolic link is followed only where nobody but root can have put it: in a directory that is root's
    and that others cannot write to. In a home or in /tmp it may be anybody's. The last component is left to the caller,
    who does not follow it either.
    """
    descriptor = posix.open("/" if path.startswith("/") else ".", DIRECTORY)
    pending = _components(path)
    links = 0
    try:
        while len(pending) > 1:
            name = pending.pop()
            try:
                child = posix.open(name, DIRECTORY, dir_fd=descriptor)
            except NotADirectoryError:
                links += 1
                if links > _MOST_LINKS or not is_roots_alone(posix.fstat(descriptor)):
                    raise
                target = _link_target(name, descriptor)
                pending += _components(target)
                child = posix.open("/" if target.startswith("/") else ".", DIRECTORY, dir_fd=descriptor)
            posix.close(descriptor)
            descriptor = child
        return descriptor, pending[0] if pending else "."
    except BaseException:
        posix.close(descriptor)
        raise


def _components(path: str) -> "list[str]":
    """The components of a path, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _link_target(name: str, parent: int) -> str:
    try:
        return posix.readlink(name, dir_fd=parent)
    except OSError:  # EINVAL: it is no symbolic link
        raise NotADirectoryError(_ENOTDIR, posix.strerror(_ENOTDIR)) from None


def is_roots_alone(status: "posix.stat_result") -> bool:
    """Whether nobody but root can write to a file, or to a directory."""
    return status.st_uid == 0 and not status.st_mode & _OTHERS_WRITE


def _mounts_on(root: int) -> "tuple[int, dict[tuple[int, int], set[str]]]":
    """How to recognise other mounts that st_dev does not tell, since they are of the same file system.

    Returns the ID of the mount that a tree is on, 0 if there are no such mounts, which saves looking at the ID of each
    directory; and the mount points in the tree, single files too: their names, by (device, inode) of the directory that
    they are in, since that may be moved. All of it is empty without a /proc. A single file of the same file system that
    is mounted in the tree, and renamed meanwhile in another mount namespace, is not recognised.
    """
    mount_points: "dict[tuple[int, int], set[str]]" = {}
    try:
        top = posix.readlink(f"/proc/self/fd/{root}").rstrip("/") + "/"
        mount = _mount_of(root)
        # man 5 proc_pid_mountinfo: ID, parent's ID, device, root, mount point
        lines = [line.split(b" ", 5)[:5] for line in _read("/proc/self/mountinfo").splitlines()]
    except (OSError, ValueError):  # no /proc, or Linux before 3.15
        return 0, mount_points
    devices = {device for number, _, device, _, _ in lines if int(number) == mount}
    on_it = [(device, decode(unescape(point))) for _, parent, device, _, point in lines if int(parent) == mount]
    for _, point in on_it:
        if point.startswith(top):
            directory, _, name = point.rpartition("/")
            try:
                status = posix.lstat(directory or "/")
            except OSError:
                continue
            mount_points.setdefault((status.st_dev, status.st_ino), set()).add(name)
    return mount if any(device in devices for device, _ in on_it) else 0, mount_points


def _mount_of(descriptor: int) -> int:
    """The ID of the mount that an open file is on."""
    fields = _read(f"/proc/self/fdinfo/{descriptor}").split()
    return int(fields[fields.index(b"mnt_id:") + 1])


def unescape(text: bytes) -> bytes:
    """Undo what the kernel does to white space and backslashes: "\\" and three octal digits (man 5 proc_pid_mountinfo).

    Raises ValueError for a backslash without them.
    """
    first, *escaped = text.split(b"\\")
    for part in escaped:
        digits = part[:3]
        if not (len(digits) == 3 and all(digit in b"01234567" for digit in digits) and digits < b"4"):
            raise ValueError("a backslash without three octal digits")
        first += bytes((int(digits, 8),)) + part[3:]
    return first


def _read(path: str) -> bytes:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: posix.read(descriptor, 65536), b""))
    finally:
        posix.close(descriptor)


def _walk_with_workers(walk: Walk, workers: int, progress: "Progress") -> Count:
    """Split a tree between processes: each walks all directories, and deals with the inodes that fall to its share."""
    read_end, write_end = map(above_stdio, posix.pipe())
    pids: "set[int]" = set()
    try:
        try:
            for share in range(workers):
                pid = posix.fork()
                if pid == 0:
                    posix.close(read_end)
                    _work(walk, share, workers, write_end, progress.log)
                pids.add(pid)
        except OSError as error:
            raise Fatal(f"re-owning {progress.path}: cannot start a worker: {error.strerror}", 1) from None
        finally:
            posix.close(write_end)
        posix.set_blocking(read_end, False)
        return _follow(pids, read_end, [Count() for _ in range(workers)], progress)
    finally:
        for pid in pids:
            posix.kill(pid, _signal.SIGKILL)
            posix.waitpid(pid, 0)
        posix.close(read_end)


def _work(walk: Walk, share: int, shares: int, pipe: int, log: Log) -> None:
    """A worker, which does not return. It dies with its parent: nobody has the other end of the pipe then.

    (As PID 1 of a PID namespace, the parent takes its workers along anyway.)
    """

    def report(count: Count) -> None:
        text = f"{share} {count.looked_at} {count.changed} {count.failed} {printable(count.failure)}\n"
        try:
            posix.write(pipe, encode(text))  # whole, as it is shorter than PIPE_BUF (man 7 pipe)
        except OSError:
            posix._exit(1)

    status = 1
    try:
        walk.share, walk.shares, walk.report = share, shares, report
        walk.run()
        report(walk.count)
        status = 0
    except BaseException as error:
        log.error(f"re-owning {walk.path}: {type(error).__name__}: {error}")
    finally:
        posix._exit(status)


def _follow(pids: "set[int]", pipe: int, counts: "list[Count]", progress: "Progress") -> Count:
    """Wait for the workers, and collect what they report. Takes pids out of the set when they are reaped."""
    unfinished = b""
    while True:
        alive = bool(pids)
        try:
            for data in iter(lambda: posix.read(pipe, 65536), b""):
                *lines, unfinished = (unfinished + data).split(b"\n")
                for line in lines:
                    share, looked_at, changed, failed, failure = line.split(b" ", 4)
                    counts[int(share)] = Count(int(looked_at), int(changed), int(failed), decode(failure))
        except BlockingIOError:
            pass
        total = Count()
        for count in counts:
            total.add(count)
        if not alive:
            return total
        progress.check(total, _PROGRESS_INTERVAL, pids)


class Progress:
    """What is told about one tree, and what else must not wait while it is walked: signals and orphans."""

    def __init__(self, path: str, log: Log) -> None:
        self.path = _short(path)
        self.log = log
        self._next = time.monotonic() + _FIRST_PROGRESS

    def check(self, count: Count, seconds: float = 0, pids: "set[int] | None" = None) -> None:
        """Wait for a signal up to `seconds`, and reap.

        Takes workers that have ended out of `pids`. Raises Fatal at a TERM or INT, and if a worker has failed.
        """
        info = timer.wait((_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGINT), seconds)
        if info and info.si_signo != _signal.SIGCHLD:
            raise Fatal(f"re-owning {self.path}: ended by {signal_names.name(info.si_signo)}", 128 + info.si_signo)
        self._reap(pids or set())
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_INTERVAL
            self.log.warning(f"re-owning {self.path}: {count.looked_at} entries looked at, {count.changed} changed")

    def _reap(self, pids: "set[int]") -> None:
        """Reap everything: as PID 1 we may have orphans already."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in pids:
                pids.discard(pid)
                if status:
                    raise Fatal(f"re-owning {self.path}: a worker failed, wait status {status:#x}", 1)

    def finish(self, count: Count) -> None:
        """Say what cannot be changed. That is no failure: a read-only mount, say, is as it was before."""
        if count.failed:
            self.log.warning(f"re-owning {self.path}: {count.failed} not possible, the first: {count.failure}")
        self.log.info(f"re-owned {self.path}: {count.looked_at} entries looked at, {count.changed} changed")
