"""The index of --own-index: what a user owns in an image, listed when it is built, so that nobody has to search.

A text file. The first line says the version. A line that begins with "/" is the root of a tree; the lines after it are
names in that tree, relative to it, "." for the root itself. Backslash and newline are written as "\\134" and "\\012".

    pyinit index 1
    /home/dev
    .
    .config
    .config/settings
"""

import _io  # the standalone file has no built-in `open`
import posix

from pyinit.identity import asking
from pyinit.identity.capabilities import lacking
from pyinit.identity.matching.mounts import unescape
from pyinit.identity.matching.progress import Progress
from pyinit.identity.matching.walk import Change, Count, Walk, why_not
from pyinit.kernel.files import FILE_TYPE, REGULAR
from pyinit.kernel.paths import OPEN_DIRECTORY, is_roots_alone, open_parent
from pyinit.tell import Fatal
from pyinit.tell.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pyinit.tell.log import Log

FIRST_LINE = b"pyinit index 1\n"

_ENTRIES_A_CHECK = 512


def reown(path: str, change: Change, log: "Log", ends_start: "tuple[int, ...]" = asking.USUAL) -> Count:
    """Re-own the entries that an index names, and look at no others. Those that are gone are passed over.

    Raises Fatal: with status 2 for an index that is no good, before anything was changed; else as `trees.reown`.
    """
    total = Count()
    with open_trusted(path) as file:
        for _ in entries(file, path):  # a mistake is found before anything is changed
            pass
        if not change:
            return total
        file.seek(0)
        tree = None
        for root, name in entries(file, path):
            if tree is None or tree.root != root:
                if tree:
                    total.add(tree.finish())
                tree = _ListedTree(root, change, log, ends_start)
            tree.look_at(name)
        if tree:
            total.add(tree.finish())
    return total


def open_trusted(path: str) -> "BinaryIO":
    """Open an index that nobody but root can have written. Raises Fatal."""
    try:
        directory, name = open_parent(path)
        try:
            # Without O_NONBLOCK a FIFO would keep us waiting.
            flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
            descriptor = posix.open(name, flags, dir_fd=directory)
            directory_status = posix.fstat(directory)
        finally:
            posix.close(directory)
    except OSError as error:
        missing = lacking(error, "dac_read_search", "dac_override")
        raise Fatal(f"--own-index: cannot open {path!r}: {error.strerror}{missing}", 2) from None
    status = posix.fstat(descriptor)
    wrong = ""
    if status.st_mode & FILE_TYPE != REGULAR:
        wrong = "is not a regular file"
    elif not is_roots_alone(status) or not is_roots_alone(directory_status):
        wrong = "and its directory must be root's, and nobody else may be able to write to them"
    if wrong:
        posix.close(descriptor)
        raise Fatal(f"--own-index: {path!r} {wrong}", 2)
    return _io.open(descriptor, "rb")


def entries(file: "BinaryIO", path: str) -> "Iterator[tuple[str, str]]":
    """The entries of an index: (root, relative name). Raises Fatal with the number of a line that is wrong."""
    root = ""
    number = 0
    for number, line in enumerate(file, 1):
        try:
            name = _parse(line, number, root)
        except ValueError as error:
            raise Fatal(f"--own-index {path!r}: line {number}: {error}", 2) from None
        if name.startswith("/"):
            root = name
        elif name:
            yield root, name
    if number == 0:
        raise Fatal(f"--own-index {path!r}: line 1: the file is empty; `pyinitctl index` makes one", 2)


def _parse(line: bytes, number: int, root: str) -> str:
    """A root, a relative name, or nothing for the first line. Raises ValueError."""
    if number == 1:
        if line != FIRST_LINE:
            raise ValueError(f"it is not {decode(FIRST_LINE[:-1])!r}; `pyinitctl index` makes an index")
        return ""
    if not line.endswith(b"\n"):
        raise ValueError("the line is cut off")
    name = decode(unescape(line[:-1]))
    if "\0" in name:
        raise ValueError("no name has a NUL in it")
    if name.startswith("/"):
        return name
    if not root:
        raise ValueError("an absolute path, the root of a tree, must come first")
    if name != "." and any(component in ("", ".", "..") for component in name.split("/")):
        raise ValueError("it is neither an absolute path nor a name below one")
    return name


class _ListedTree:
    """A tree of which only listed entries are looked at, each found component by component from the root."""

    def __init__(self, root: str, change: Change, log: "Log", ends_start: "tuple[int, ...]") -> None:
        self.root = root
        self._progress = Progress(root, log, ends_start)
        self._progress.check(Count())
        self._seen = 0
        self._walk: "Walk | None" = None
        self._failed = Count()
        self._path = ""  # of the directory that was needed last, relative to the root
        self._descriptor = -1  # of that directory
        try:
            parent, name = open_parent(root)
            try:
                descriptor = posix.open(name, OPEN_DIRECTORY, dir_fd=parent)
            finally:
                posix.close(parent)
            self._walk = Walk(root, descriptor, change, self._progress.check)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._failed = Count(failed=1, failure=why_not(root, error))

    def look_at(self, name: str) -> None:
        """Deal with one entry, if it is there."""
        if self._walk is None:
            return
        directory, _, last = name.rpartition("/")
        try:
            self._go_to(self._walk, directory)
            if self._descriptor >= 0 and not self._walk.is_mount_point(self._descriptor, last):
                self._walk.look_at(self._descriptor, last)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._walk.fail(f"{self.root}/{name}", error)
        self._seen += 1
        if self._seen % _ENTRIES_A_CHECK == 0:
            self._progress.check(self._walk.count)

    def _go_to(self, walk: Walk, path: str) -> None:
        """Open the directory of that relative path, from the last one if it is below, otherwise from the root.

        There is none (-1) if it is on another mount. Raises OSError.
        """
        if self._descriptor >= 0 and path == self._path:
            return
        here = self._descriptor >= 0 and path.startswith(self._path + "/" if self._path else "")
        rest = path[len(self._path) :].lstrip("/") if here else path
        descriptor = posix.open(".", OPEN_DIRECTORY, dir_fd=self._descriptor if here else walk.root)
        self._leave()
        try:
            for name in rest.split("/") if rest else ():
                parent = descriptor
                descriptor = -1
                try:
                    descriptor, _ = walk.open_directory(parent, name)
                finally:
                    posix.close(parent)
                if descriptor < 0:
                    return
        finally:
            self._path, self._descriptor = path, descriptor

    def _leave(self) -> None:
        if self._descriptor >= 0:
            posix.close(self._descriptor)
        self._descriptor = -1

    def finish(self) -> Count:
        self._leave()
        count = self._failed
        if self._walk:
            self._walk.close()
            count = self._walk.count
        self._progress.finish(count)
        return count
