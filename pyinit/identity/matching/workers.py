"""A large tree, walked by several processes: each walks all directories, and deals with a share of the inodes."""

import _signal
import posix

from pyinit.identity.matching.progress import Progress
from pyinit.identity.matching.walk import Count, Walk
from pyinit.tell.log import Log
from pyinit.tell.text import decode, encode, printable

_MOST_WORKERS = 4


def walk_with_workers(walk: Walk, workers: "int | None", progress: Progress) -> "Count | None":
    """Split a tree between processes, by default one for each CPU that we may use, at most four.

    None if there is no room for them (`--pids-limit`): what they have done by then is done. Raises Fatal: with 1 if
    they die, else as Progress.check.
    """
    shares = workers or _cpus()
    read_end, write_end = posix.pipe()
    pids: "set[int]" = set()
    try:
        try:
            for share in range(shares):
                pid = posix.fork()
                if pid == 0:
                    posix.close(read_end)
                    _work(walk, share, shares, write_end, progress.log)
                pids.add(pid)
        except OSError as error:
            progress.log.info(f"re-owning {progress.path}: without workers: {error.strerror}")
            return None
        finally:
            posix.close(write_end)
        posix.set_blocking(read_end, False)
        return _follow(pids, read_end, [Count() for _ in range(shares)], progress)
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


def _follow(pids: "set[int]", pipe: int, counts: "list[Count]", progress: Progress) -> Count:
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
        progress.check(total, pids)


def _cpus() -> int:
    return min(len(posix.sched_getaffinity(0)), _MOST_WORKERS)
