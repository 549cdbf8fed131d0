"""Re-owning whole trees: what the old IDs own in them follows the user to the new ones."""

import posix
import time

from pyinit.identity import asking
from pyinit.identity.matching.progress import Progress
from pyinit.identity.matching.walk import LOOK, Change, Count, Tree, Walk, why_not
from pyinit.identity.matching.workers import walk_with_workers
from pyinit.kernel.files import DIRECTORY, FILE_TYPE, LINK
from pyinit.kernel.paths import open_parent
from pyinit.tell.log import Log
from pyinit.tell.text import decode

# A tree with less than this is done before workers would have begun.
_ENTRIES_WITHOUT_WORKERS = 2000
_SECONDS_WITHOUT_WORKERS = 0.1


def reown(
    trees: "list[Tree]", log: Log, workers: "int | None" = None, ends_start: "tuple[int, ...]" = asking.USUAL
) -> Count:
    """Re-own trees, the large ones with several processes: by default one for each CPU that we may use, at most four.

    What cannot be changed (EROFS, EPERM) is one warning for each tree. CHLD and the signals that ask to end must be
    blocked. Raises Fatal: with 128 + one of these if it comes, with 1 if workers die.
    """
    total = Count()
    for tree in trees:
        if tree.change:
            path = decode(tree.path)
            progress = Progress(path, log, ends_start)
            try:
                count = _reown_tree(path, tree.change, workers, progress)
            except OSError as error:
                count = Count(failed=1, failure=why_not(path, error))
            progress.finish(count)
            total.add(count)
    return total


def _reown_tree(path: str, change: Change, workers: "int | None", progress: Progress) -> Count:
    """Walk it here first. What turns out to be large, or slow, is walked by workers, from its start."""
    progress.check(Count())
    end = time.monotonic() + _SECONDS_WITHOUT_WORKERS

    def report(count: Count) -> None:
        if count.looked_at >= _ENTRIES_WITHOUT_WORKERS or time.monotonic() > end:
            raise _TooLarge

    parent, name = open_parent(path)
    try:
        root = posix.open(name, LOOK, dir_fd=parent)
    finally:
        posix.close(parent)
    walk = Walk(path, root, change, report)
    try:
        kind = posix.fstat(root).st_mode & FILE_TYPE
        walk.run() if kind == DIRECTORY else walk.look_at_root()
        if kind == LINK:
            walk.fail(path, OSError(0, "a symbolic link is not followed; name what it points to"))
        return walk.count
    except _TooLarge:
        changed = walk.count.changed
        count = walk_with_workers(walk, workers, progress) or _alone(walk, progress)
        count.changed += changed  # the workers found these done
        return count
    finally:
        walk.close()


def _alone(walk: Walk, progress: Progress) -> Count:
    """Walk it here, however large it is: there is no room for workers."""
    walk.report = progress.check
    walk.run()
    return walk.count


class _TooLarge(Exception):
    """A tree is worth workers."""
