"""Walking a tree: what a user's old IDs own in it follows the user to the new ones.

Somebody else may rename, exchange and delete in a tree while it is walked (a volume that two containers share), and
nothing outside of it may change owner. Therefore every name is looked up in an open directory, no symbolic link is
followed, a directory is judged by its own descriptor, and no other mount is entered.

Where somebody else can write to the directory, what is changed is what was looked at: both by one descriptor, so that a
name may come to mean another file in between. Only in directories that are root's alone is a file changed by its name,
as `chown -R` does everywhere: that takes half as long. A file that an old ID owns is re-owned in any case, wherever its
other names are: owner and mode belong to the file.

Set-user-ID bits and file capabilities are cleared by the kernel (man 2 chown), and nobody sets them again.

Names are str, which is what scandir makes of an open directory. They stand for any bytes (PEP 383).
"""

import posix

from pyinit.identity.capabilities import lacking_for
from pyinit.identity.matching.mounts import mounts_on
from pyinit.kernel import proc
from pyinit.kernel.descriptors import mount_of
from pyinit.kernel.files import DIRECTORY, FILE_TYPE
from pyinit.kernel.paths import OPEN_DIRECTORY, is_roots_alone, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How often a walk reports.
_ENTRIES_A_REPORT = 512
_DIRECTORIES_A_REPORT = 64

# Levels of directories that a walk keeps open, with two descriptors each. Those below it finds again through "..".
_LEVELS_KEPT_OPEN = 16

# A file of any kind, a symbolic link too, without being opened for anything (man 2 open, O_PATH).
LOOK = posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC

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
        self._mount, self._is_device_shared, self.mount_points = mounts_on(root)
        self._next_report = 0
        self._directories = 0
        self._descriptors = -1  # /proc/self/fd, open, once it is needed

    def close(self) -> None:
        self._forget_descriptors()
        posix.close(self.root)

    def _forget_descriptors(self) -> None:
        if self._descriptors >= 0:
            posix.close(self._descriptors)
        self._descriptors = -1

    def run(self) -> None:
        """Walk the tree, without recursion: it may be of any depth."""
        self._forget_descriptors()  # those of the process that made this one, in a worker
        self.count = Count()
        self._next_report = _ENTRIES_A_REPORT
        # Opened once more: of the descriptor that they inherit, workers share the position too (man 2 fork).
        descriptor = posix.open(".", OPEN_DIRECTORY, dir_fd=self.root)
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
        descriptor = posix.open("..", OPEN_DIRECTORY, dir_fd=child)
        status = posix.fstat(descriptor)
        if (status.st_dev, status.st_ino) != parent.identity:
            posix.close(descriptor)
            raise OSError(0, "moved away while it was walked")
        return descriptor

    def open_directory(self, parent: int, name: str) -> "tuple[int, posix.stat_result]":
        """Open a directory of the same mount, -1 for one of another.

        Nothing was decided before it was open, so that there is nothing to compare it with.
        """
        descriptor = posix.open(name, OPEN_DIRECTORY, dir_fd=parent)
        is_entered = False
        try:
            status = posix.fstat(descriptor)
            may_be_another = self._is_device_shared or status.st_dev != self._device
            is_entered = not (may_be_another and self._is_on_another_mount(descriptor))
        finally:
            if not is_entered:
                posix.close(descriptor)
        return descriptor if is_entered else -1, status

    def _is_on_another_mount(self, descriptor: int) -> bool:
        """Asked where st_dev is another, which alone says nothing: overlayfs shows that of a file's layer (kernel
        documentation, filesystems/overlayfs, Inode properties), and btrfs has one for each subvolume.

        Raises OSError where nobody can tell.
        """
        if self._mount < 0:
            self._mount = mount_of(self.root)
        return mount_of(descriptor) != self._mount

    def scan(self, directory: Directory) -> "Iterator[str]":
        """Deal with a directory and with what is in it, but for directories: yields their names."""
        # Locals, since this loop is where the time goes.
        chown, count, share, shares, device = posix.chown, self.count, self.share, self.shares, self._device
        old_uid, old_gid = self._old_uid, self._old_gid
        descriptor = directory.descriptor
        roots_alone = is_roots_alone(directory.status)
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
                                if roots_alone and status.st_dev == device:
                                    uid, gid = self.wanted(status)
                                    chown(entry.name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
                                    count.changed += 1
                                else:
                                    self._change_file(descriptor, entry.name)
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
        # Not by inode: overlayfs makes up another for a directory that it has forgotten meanwhile (as above).
        if hash(directory.name) % self.shares == self.share:
            self.count.looked_at += 1
            try:
                self.change_directory(directory.descriptor, directory.status)
            except OSError as error:
                self.fail(directory.path(), error)

    def look_at_root(self) -> None:
        """Deal with a tree that is a single file. What is mounted there was named. Raises OSError."""
        self.count.looked_at += 1
        self._change_looked_at(self.root, posix.fstat(self.root))

    def look_at(self, parent: int, name: str) -> None:
        """Deal with a single entry, but not with what is in it. Raises OSError."""
        status = posix.lstat(name, dir_fd=parent)
        if status.st_mode & FILE_TYPE == DIRECTORY:
            descriptor, status = self.open_directory(parent, name)
            if descriptor >= 0:
                self.count.looked_at += 1
                try:
                    self.change_directory(descriptor, status)
                finally:
                    posix.close(descriptor)
            return
        self.count.looked_at += 1
        if self.wanted(status) != (-1, -1):
            self._change_file(parent, name)

    def _change_file(self, parent: int, name: str) -> None:
        """Change what has that name now, if it is to be changed: it is held by a descriptor from the look on.

        Raises OSError.
        """
        descriptor = posix.open(name, LOOK, dir_fd=parent)
        try:
            status = posix.fstat(descriptor)
            is_another = status.st_dev != self._device and self._is_on_another_mount(descriptor)
            if status.st_mode & FILE_TYPE != DIRECTORY and not is_another:
                self._change_looked_at(descriptor, status)
        finally:
            posix.close(descriptor)

    def _change_looked_at(self, descriptor: int, status: "posix.stat_result") -> None:
        uid, gid = self.wanted(status)
        if (uid, gid) != (-1, -1):
            self._change_open(descriptor, uid, gid)
            self.count.changed += 1

    def _change_open(self, descriptor: int, uid: int, gid: int) -> None:
        """fchown does not take such a descriptor (man 2 open, O_PATH), but chown takes its name in /proc/self/fd, which
        leads to the file itself, to a symbolic link too. Without a /proc it is AT_EMPTY_PATH (man 2 fchownat)."""
        if self._descriptors < 0 and proc.is_ours():
            self._descriptors = posix.open("/proc/self/fd", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        if self._descriptors >= 0:
            posix.chown(str(descriptor), uid, gid, dir_fd=self._descriptors)
            return
        try:
            from pyinit.kernel import calls
        except ImportError:
            raise OSError(0, "neither /proc nor ctypes, to change it by a descriptor") from None
        calls.change_owner(descriptor, uid, gid)

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
        self.count.add(Count(failed=1, failure=self.count.failure or why_not(path, error)))


def why_not(path: str, error: OSError) -> str:
    """For a message: what could not be changed, and why."""
    return f"{shortened(path)}: {error.strerror}{lacking_for(error)}"
