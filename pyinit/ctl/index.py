"""`pyinitctl index`: list what a user owns, at the end of an image build, for --own-index at the start."""

import contextlib
import os
import posix
import stat
from collections.abc import Callable, Iterator

import click

from pyinit.ctl.files import check_replaceable, name_beside
from pyinit.ctl.options import json_option, working, write_json
from pyinit.identity import accounts
from pyinit.identity.matching.index import FIRST_LINE, entries, open_trusted
from pyinit.identity.matching.walk import Change, Directory, Walk
from pyinit.identity.user import User, find
from pyinit.kernel.paths import OPEN_DIRECTORY, is_roots_alone, open_parent
from pyinit.tell import Fatal
from pyinit.tell.text import printable


@click.command()
@click.argument("user", metavar="USER[:GROUP]")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="The file to write, in a directory that is root's and that nobody else may write to.",
)
@json_option
def index(user: str, paths: "tuple[str, ...]", output: str, as_json: bool) -> None:
    """List what USER owns in each PATH, by default in USER's home, for `pyinit --own-index`.

    To be run by root as the last step of an image build: what comes later is not in the list. Other mounts are left
    out, unless they are named. USER is what `pyinit --user` gets.

    Example: pyinitctl index dev -o /etc/pyinit.index
    """
    if os.geteuid() != 0:
        raise click.ClickException("only root can see all that a user owns")
    owner, home = find_user(user)
    if not paths and os.path.realpath(home or "/") == "/":
        raise click.UsageError(f"USER: {user!r} has no home to list; name a PATH")
    try:
        with working("looking at files") as tell:
            trees = [list_tree(os.path.realpath(path), owner, tell) for path in paths or (home,)]
        write(output, trees)
        with open_trusted(output) as file:  # a build that fails is better than each start
            number = sum(1 for _ in entries(file, output))
    except Fatal as error:
        raise click.ClickException(error.message) from None
    except OSError as error:
        raise click.ClickException(f"--output: {output!r}: {error.strerror}") from None
    if as_json:
        write_json({"file": output, "entries": number})
    else:
        click.echo(f"{printable(output)}: {number} entries")


def find_user(text: str) -> "tuple[User, str]":
    """The user as pyinit will find it, and the home. Raises UsageError."""
    try:
        user = find(text, accounts.read())
    except Fatal as error:
        raise click.UsageError(error.message.replace("--user", "USER", 1)) from None
    if user.account is None:
        raise click.UsageError(f"USER: {text!r} has no account in {accounts.PASSWD}, and pyinit matches no other")
    return user, user.account.home


def list_tree(path: str, owner: User, tell: "Callable[[str], None]") -> "tuple[str, list[str]]":
    """The root, and the relative names of what the user owns there. Raises Fatal for what cannot be listed. `tell` is
    told how far it is."""
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            root, name = os.path.split(path)
            return root, [name] if is_owned(status, owner) else []
        with contextlib.closing(Lister(posix.open(path, OPEN_DIRECTORY), owner, tell)) as lister:
            lister.run()
    except OSError as error:
        raise Fatal(f"cannot list {path!r}: {error.strerror}", 1) from None
    if lister.count.failed:
        raise Fatal(printable(f"cannot list {path.rstrip('/')}{lister.count.failure}"), 1)
    # Reproducible, and with all entries of a directory behind each other: it is opened once then.
    return path, sorted(lister.found, key=lambda name: name.rpartition("/"))


class Lister(Walk):
    """The walk of re-owning, but it only notes what it finds."""

    def __init__(self, root: int, owner: User, tell: "Callable[[str], None]") -> None:
        super().__init__("", root, Change(), lambda _: None)
        self.owner = owner
        self._tell = tell
        self._seen = 0
        self.found: "list[str]" = []

    def scan(self, directory: Directory) -> "Iterator[str]":
        prefix = directory.path()[1:]
        self._note(prefix or ".", directory.status)
        self._tell(f"{self._seen}, in {printable(directory.path())}")
        mount_points = self.mount_points.get(directory.identity, ())
        with posix.scandir(directory.descriptor) as found:
            for entry in found:
                if entry.name in mount_points:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name
                    continue
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    self._note(f"{prefix}/{entry.name}".lstrip("/"), entry.stat(follow_symlinks=False))

    def _note(self, name: str, status: os.stat_result) -> None:
        self._seen += 1
        if is_owned(status, self.owner):
            self.found.append(name)


def is_owned(status: os.stat_result, owner: User) -> bool:
    return status.st_uid == owner.uid or status.st_gid == owner.gid


def write(output: str, trees: "list[tuple[str, list[str]]]") -> None:
    """Write an index whole: under another name beside it, then renamed. Raises Fatal where pyinit would refuse it."""
    directory, name = open_parent(output)
    try:
        if not is_roots_alone(posix.fstat(directory)):
            message = "the directory must be root's, and nobody else may be able to write to it"
            raise Fatal(f"--output: {output!r}: {message}", 2)
        check_replaceable(name, directory)
        temporary = name_beside(name)
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
        descriptor = posix.open(temporary, flags, 0o644, dir_fd=directory)
        try:
            with open(descriptor, "wb") as file:
                posix.fchmod(descriptor, 0o644)  # whatever the umask is
                file.write(FIRST_LINE)
                for root, names in trees:
                    file.writelines(escape(line) for line in (root, *names))
            posix.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            posix.unlink(temporary, dir_fd=directory)
            raise
    finally:
        posix.close(directory)


def escape(name: str) -> bytes:
    """A line of an index."""
    return os.fsencode(name).replace(b"\\", b"\\134").replace(b"\n", b"\\012") + b"\n"
