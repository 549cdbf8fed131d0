"""Re-owning: the time that a tree takes pyinit to give to other IDs, as a ratio to `chown -R --from=OLD NEW`.

pyinit's part is its shipped file, whose start counts, and that re-owns with one worker and two and does no more. Beside
it are `find -exec chown` and the obvious program with os.walk. Each run changes the whole tree, to other IDs and back
in turn. Warm: the kernel has all of it in its caches; cold: it has nothing. On overlayfs, as in a container whose image
holds the tree, the first change of a file copies the file up, and each run begins with a fresh upper layer.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.plots import NOTHING, Figure, bars
from benchmarks.runner import Lab, MeasureError, Result
from benchmarks.stats import ratio
from benchmarks.table import Table, number, times
from pyinit.ctl import zipapp
from pyinit.ctl.files import replace

TITLE = "Re-owning"
BASE = "chown -R --from"
IDS = (61000, 62000)  # of nobody on any machine
FILES_A_DIRECTORY = 100
DIRECTORIES_A_DIRECTORY = 10
CONTENT = bytes(4000)  # of a file on overlayfs: what is copied up

# In the place of the shipped file's main module. Arguments: workers, the tree, old and new ID.
REOWN = """
import posix, sys

def main(mask, keep):
    from pyinit.tell.log import Log
    from pyinit.identity.matching.trees import reown
    from pyinit.identity.matching.walk import Change, Tree
    workers, old, new = int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
    reown([Tree(sys.argv[2].encode(), Change(old, new, old, new))], Log(0), workers)
    posix._exit(0)
"""

WALK = """
import os, sys
old, new = map(int, sys.argv[2:])
def change(path):
    status = os.lstat(path)
    if status.st_uid == old or status.st_gid == old:
        os.chown(path, new, new, follow_symlinks=False)
change(sys.argv[1])
for directory, directories, files in os.walk(sys.argv[1]):
    for name in directories + files:
        change(os.path.join(directory, name))
"""

# Gets the program that prints the clock, the directory of the layers, the mount point and the command; mounts if there
# are layers; prints the clock before and after the command.
TIMED = """
clock=$1 layers=$2 tree=$3; shift 3
if [ -n "$layers" ]; then
    cd "$layers" && mount -t overlay overlay "$tree" -o lowerdir=lower,upperdir=upper,workdir=work || exit 1
fi
"$clock" && "$@" && "$clock"
"""


def tools(lab: Lab) -> "dict[str, Callable[[str, int, int], list[str]]]":
    """By name what makes the command line: of the tree, the old and the new ID."""

    file = lab.directory / "reown"
    if not file.exists():
        sources = {**zipapp.sources(), "pyinit/__main__.py": REOWN}
        byte_code = zipapp.compile_with(lab.python, sources)
        built = zipapp.assemble(zipapp.make_first_line(lab.python), byte_code, sources, 1 << 30)
        replace(file, built, zipapp.EXECUTABLE)

    def ours(workers: str) -> "Callable[[str, int, int], list[str]]":
        return lambda tree, old, new: [str(file), workers, tree, str(old), str(new)]

    def chown(tree: str, old: int, new: int) -> "list[str]":
        return ["chown", "-R", f"--from={old}:{old}", f"{new}:{new}", tree]

    def find(tree: str, old: int, new: int) -> "list[str]":
        return ["find", tree, "-uid", str(old), "-exec", "chown", "-h", f"{new}:{new}", "{}", "+"]

    def walk(tree: str, old: int, new: int) -> "list[str]":
        return [lab.python, "-ISc", WALK, tree, str(old), str(new)]

    return {
        BASE: chown,
        "find -exec chown": find,
        "os.walk": walk,
        "pyinit, one worker": ours("1"),
        "pyinit, two workers": ours("2"),
    }


@dataclass(frozen=True)
class Setting:
    """How a series is measured: of a tree with so many files."""

    files: int
    runs: int
    cold: bool = False
    overlay: bool = False
    one_core: bool = False

    @property
    def name(self) -> str:
        kind = "overlayfs" if self.overlay else "cold" if self.cold else "warm"
        return f"{self.files:,} files, {kind}{', one core' if self.one_core else ''}"


def settings(lab: Lab) -> "list[Setting]":
    """Few files have many runs, since they take little time and differ more."""
    if lab.quick:
        files = lab.files or (1000,)
        kinds: "list[dict[str, bool]]" = [{}, {"one_core": True}, {"overlay": True}]
        return [Setting(count, lab.runs(0, 2), **kind) for count in files for kind in kinds]
    series = [Setting(files, lab.runs(full=10 if files <= 10_000 else 4, quick=0)) for files in lab.files or SIZES]
    most = max(each.files for each in series)
    few = min(most, 10_000)
    return [
        *series,
        Setting(most, lab.runs(full=3, quick=0), one_core=True),
        Setting(few, lab.runs(full=3, quick=0), cold=True),
        Setting(min(few, 500), lab.runs(full=4, quick=0), overlay=True),  # each file that is copied up is synced
    ]


SIZES = (1000, 10_000, 100_000)


def make(top: Path, files: int, content: bytes) -> int:
    """Make a tree of that many files, and return how many entries it has."""
    entries = 1
    for number_of_file in range(files):
        directory, name = divmod(number_of_file, FILES_A_DIRECTORY)
        parent = top / str(directory // DIRECTORIES_A_DIRECTORY) / str(directory)
        if name == 0:
            entries += 1 + (not parent.parent.exists())
            parent.mkdir(parents=True)
        (parent / str(name)).write_bytes(content)
    subprocess.run(["chown", "-R", f"{IDS[0]}:{IDS[0]}", top], check=True)
    return entries + files


def measure(lab: Lab) -> Result:
    result: Result = {}
    for setting in settings(lab):
        directory = Path(tempfile.mkdtemp(prefix="pyinit-benchmarks-", dir=lab.tree_directory or lab.directory))
        try:
            found = series(lab, setting, directory)
        except Unavailable as reason:
            click.echo(f"{TITLE} {setting.name}: not measured: {reason}", err=True)
            continue
        finally:
            shutil.rmtree(directory)
        base = found[BASE]
        result[setting.name] = {
            name: {"seconds": values, "ratio": ratio(values, base)} for name, values in found.items()
        }
    return result


class Unavailable(Exception):
    """This machine does not let us measure something."""


def series(lab: Lab, setting: Setting, directory: Path) -> "dict[str, list[float]]":
    """Seconds, of each tool in each round. What a tool cannot do better on one core is left out there."""
    layers = directory if setting.overlay else None
    for name in ("lower", "tree"):
        (directory / name).mkdir()
    entries = make(directory / ("lower" if layers else "tree"), setting.files, CONTENT if layers else b"")
    every = tools(lab)
    if setting.one_core:
        del every["pyinit, two workers"]
    times: "dict[str, list[float]]" = {name: [] for name in every}
    old, new = IDS
    for _, name in lab.rounds(f"Re-owning {setting.name}", list(every), setting.runs):
        if setting.cold:
            drop_caches()
        if layers:
            fresh(layers)
        command = every[name](str(directory / "tree"), old, new)
        prefix = ["taskset", "-c", first_processor()] if setting.one_core else []
        times[name].append(seconds(lab, [*prefix, *command], directory / "tree", layers))
        check(directory / ("upper" if layers else "tree"), new, entries)
        if not layers:
            old, new = new, old
    return times


def first_processor() -> str:
    return str(min(os.sched_getaffinity(0)))


def drop_caches() -> None:
    """Of the whole machine, as there is no other way (the kernel's documentation: sysctl/vm)."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError as error:
        raise Unavailable(f"the kernel's caches cannot be dropped: {error.strerror}") from None


def fresh(layers: Path) -> None:
    """Layers into which nothing was copied up yet."""
    for name in ("upper", "work"):
        shutil.rmtree(layers / name, ignore_errors=True)
        (layers / name).mkdir()
    os.chown(layers / "upper", IDS[0], IDS[0])  # the owner of the whole tree's top


def seconds(lab: Lab, command: "list[str]", tree: Path, layers: "Path | None") -> float:
    """How long a command runs; the mount and its end are not counted, and are in a namespace of their own."""
    words = ["/bin/sh", "-c", TIMED, "sh", lab.native("clock"), str(layers or ""), str(tree), *command]
    with lab.start(words) as init:
        _, status, output = init.finish()
    moments = output.split()
    if status or len(moments) < 2:
        if layers and not moments:
            raise Unavailable(f"overlayfs cannot be mounted: {init.complaints()}")
        raise MeasureError(f"failed: {' '.join(command)}: {init.complaints()}")
    return (int(moments[-1]) - int(moments[0])) / 1e9


def check(tree: Path, new: int, entries: int) -> None:
    """Everything belongs to the new owner: a tool that does less would be quicker."""
    found = subprocess.run(["find", tree, "-uid", str(new), "-gid", str(new), "-printf", "."], capture_output=True)
    if len(found.stdout) != entries:
        raise MeasureError(f"{len(found.stdout)} of {entries} entries were re-owned")


def table(result: Result) -> "list[Table]":
    tables = []
    for name, tools in result.items():
        rows = [
            [tool, number(statistics.median(entry["seconds"]) * 1000, 0), times(entry["ratio"])]
            for tool, entry in tools.items()
        ]
        runs = len(tools[BASE]["seconds"])
        tables.append(Table(f"Re-owning {name}", ["", "ms", f"ratio to {BASE}"], rows, f"Medians of {runs} rounds."))
    return tables


def plot(result: Result) -> "list[Figure]":
    """Ratios, since the sizes are so different."""
    names = list(result)
    every = [name for name in next(iter(result.values())) if name != BASE] if result else []
    series = {
        tool: [result[name][tool]["ratio"]["median"] if tool in result[name] else NOTHING for name in names]
        for tool in every
    }
    return [bars("reown", f"Re-owning: time as a ratio to {BASE}", "ratio, below 1 is faster", names, series)]
