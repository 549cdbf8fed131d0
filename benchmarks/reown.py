"""Re-owning: the time that a tree takes pyinit, as a ratio to `chown -R --from=OLD NEW` on the same tree.

    python -m benchmarks.reown [--files N] [--runs N] [--python PATH] [--directory PATH]

pyinit's part is `pyinit.identity.own.reown` in a fresh interpreter, whose start counts; with each number of workers.
Every run changes the whole tree, to other IDs and back in turn; the file system's caches are warm. The runs are
interleaved and their order is shuffled, so that a machine whose speed drifts does not favour one of them. Needs root.
"""

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import click

REPOSITORY = Path(__file__).resolve().parent.parent
IDS = (61000, 62000)  # of nobody on any machine
FILES_A_DIRECTORY = 100
DIRECTORIES_A_DIRECTORY = 10

# Blocks the signals as pyinit's boot does. Arguments: this repository, the tree, old and new ID, workers.
REOWN = """
import _signal, sys
sys.path.insert(0, sys.argv[1])
_signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
from pyinit.identity.own import Change, Tree, reown
from pyinit.log import Log
old, new, workers = map(int, sys.argv[3:])
print(reown([Tree(sys.argv[2].encode(), Change(old, new, old, new))], Log(0), workers).changed)
"""


def make(top: Path, files: int) -> int:
    """Make a tree of that many files, and return how many entries it has."""
    entries = 1
    for number in range(files):
        directory, name = divmod(number, FILES_A_DIRECTORY)
        parent = top / str(directory // DIRECTORIES_A_DIRECTORY) / str(directory)
        if name == 0:
            entries += 1 + (not parent.parent.exists())
            parent.mkdir(parents=True)
        (parent / str(name)).touch()
    subprocess.run(["chown", "-R", f"{IDS[0]}:{IDS[0]}", top], check=True)
    return entries + files


def seconds(command: "list[str]", expected: str) -> float:
    """How long a command runs that writes what is expected."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    end = time.perf_counter()
    if done.returncode or done.stdout != expected:
        raise click.ClickException(f"failed: {' '.join(command)}: {done.stdout}")
    return end - start


@click.command()
@click.option("--files", default=100_000, show_default=True, help="How many files the tree has.")
@click.option("--runs", default=20, show_default=True, help="How often each command runs.")
@click.option("--python", default="/usr/bin/python3", show_default=True, help="The interpreter to measure with.")
@click.option("--directory", type=click.Path(file_okay=False), help="Where to make the tree.")
def main(files: int, runs: int, python: str, directory: "str | None") -> None:
    """Compare re-owning a tree with what coreutils need for it."""
    if os.geteuid() != 0:
        raise click.ClickException("changing owners needs root")
    top = Path(tempfile.mkdtemp(dir=directory))
    try:
        changed = f"{make(top, files)}\n"
        old, new = IDS
        times: "dict[str, list[float]]" = {"chown -R --from": [], "pyinit, one worker": [], "pyinit, two workers": []}
        for _ in range(runs):
            for name in random.sample(list(times), len(times)):
                if name.startswith("chown"):
                    command = ["chown", "-R", f"--from={old}:{old}", f"{new}:{new}", str(top)]
                    times[name].append(seconds(command, ""))
                else:
                    workers = "1" if "one" in name else "2"
                    command = [python, "-ISc", REOWN, str(REPOSITORY), str(top), str(old), str(new), workers]
                    times[name].append(seconds(command, changed))
                old, new = new, old
    finally:
        shutil.rmtree(top)
    base = statistics.median(times["chown -R --from"])
    for name, values in times.items():
        median = statistics.median(values)
        click.echo(f"{name:20} median {median * 1000:7.1f} ms   ratio {median / base:5.3f}")


if __name__ == "__main__":
    main()
