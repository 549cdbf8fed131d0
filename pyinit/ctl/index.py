"""`pyinitctl index`: list what a user owns, at the end of an image build, for --own-index at the start."""

import os
import posix
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from pyinit.identity.index import FIRST_LINE, entries, open_trusted
from pyinit.identity.own import DIRECTORY, Change, Directory, Walk
from pyinit.log import Fatal


@click.command()
@click.argument("user")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. It and its directory must be root's, and nobody else may be able to write to them.",
)
def index(user: str, paths: "tuple[str, ...]", output: Path) -> None:
    """List what USER owns below each PATH, by default in the user's home, for `pyinit --own-index`.

    To be run by root as the last step of an image build: what comes later is not in the list. Other mounts are left
    out.

    Example: pyinitctl index dev -o /etc/pyinit.index
    """
    if os.geteuid() != 0:
        raise click.ClickException("only root can see all that a user owns")
    uid, gid, home = find_user(user)
    if not paths and home in ("", "/"):
        raise click.UsageError(f"USER: {user!r} has no home to list; name a PATH")
    try:
        trees = [list_tree(Path(os.path.realpath(path)), uid, gid) for path in paths or (home,)]
        write(output, trees)
        with open_trusted(str(output.absolute())) as file:  # a build that fails is better than each start
            number = sum(1 for _ in entries(file, str(output)))
    except Fatal as error:
        raise click.ClickException(error.message) from None
    except OSError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{output}: {number} entries")


def find_user(text: str) -> "tuple[int, int, str]":
    """UID, GID and home of an account, or of a number, which has a group of the same number if it has no account."""
    try:
        account = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except KeyError:
        if text.isdecimal():
            return int(text), int(text), ""
        raise click.UsageError(f"USER: {text!r} is neither an account nor a number") from None
    return account.pw_uid, account.pw_gid, account.pw_dir


def list_tree(path: Path, uid: int, gid: int) -> "tuple[str, list[str]]":
    """The root, and the relative names of what the IDs own there."""
    if not path.is_dir():
        return str(path.parent), [path.name]
    lister = Lister(os.open(path, DIRECTORY), uid, gid)
    try:
        lister.run()
    finally:
        lister.close()
    if lister.count.failed:
        raise click.ClickException(f"cannot list {path}{lister.count.failure}")
    # Reproducible, and with all entries of a directory behind each other: it is opened once then.
    return str(path), sorted(lister.found, key=lambda name: name.rpartition("/"))


class Lister(Walk):
    """The walk of re-owning, but it only notes what it finds."""

    def __init__(self, root: int, uid: int, gid: int) -> None:
        super().__init__("", root, Change(), lambda _: None)
        self.uid = uid
        self.gid = gid
        self.found: "list[str]" = []

    def scan(self, directory: Directory) -> "Iterator[str]":
        prefix = directory.path()[1:]
        self.note(prefix or ".", directory.status)
        mount_points = self.mount_points.get(directory.identity, ())
        with posix.scandir(directory.descriptor) as found:
            for entry in found:
                if entry.name in mount_points:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name
                else:
                    name = f"{prefix}/{entry.name}" if prefix else entry.name
                    self.note(name, entry.stat(follow_symlinks=False))

    def note(self, name: str, status: os.stat_result) -> None:
        if status.st_uid == self.uid or status.st_gid == self.gid:
            self.found.append(name)


def write(output: Path, trees: "list[tuple[str, list[str]]]") -> None:
    """Write an index whole: under another name beside it, then renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=output.absolute().parent, prefix=output.name)
    try:
        with open(descriptor, "wb") as file:
            file.write(FIRST_LINE)
            for root, names in trees:
                file.writelines(escape(name) for name in (root, *names))
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
        os.replace(temporary, output)
    except BaseException:
        os.unlink(temporary)
        raise


def escape(name: str) -> bytes:
    """A line of an index."""
    return os.fsencode(name).replace(b"\\", b"\\134").replace(b"\n", b"\\012") + b"\n"
