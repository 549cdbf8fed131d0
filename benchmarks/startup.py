"""Start-up: the time from exec to the end of `true` under pyinit, as a ratio to the bare interpreter's.

    python -m benchmarks.startup [--runs N] [--python PATH]

Every command runs as PID 1 of a PID namespace, which adds the same to each. The runs are interleaved and their order is
shuffled, so that a machine whose speed drifts does not favour one of them. Needs root.
"""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import click

from pyinit.ctl import zipapp

NAMESPACE = ["/usr/bin/unshare", "--pid", "--fork"]


def seconds(command: "list[str]") -> float:
    """How long a command runs."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    if os.waitpid(pid, 0)[1]:
        raise click.ClickException(f"failed: {' '.join(command)}")
    return time.perf_counter() - start


@click.command()
@click.option("--runs", default=100, show_default=True, help="How often each command runs.")
@click.option("--python", default="/usr/bin/python3", show_default=True, help="The interpreter to measure with.")
def main(runs: int, python: str) -> None:
    """Compare pyinit's start-up with the bare interpreter's and tini's."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "pyinit")
        zipapp.build(file, python)
        commands = {
            "python3 -IS -c pass": [*NAMESPACE, python, "-IS", "-c", "pass"],
            "pyinit -- true": [*NAMESPACE, str(file), "--", "/bin/true"],
            "pyinit -w -- true": [*NAMESPACE, str(file), "-w", "--", "/bin/true"],
            "pyinit -u nobody -- true": [*NAMESPACE, str(file), "-u", "nobody", "--", "/bin/true"],
            "true": [*NAMESPACE, "/bin/true"],
        }
        if Path("/usr/bin/tini").exists():
            commands["tini -- true"] = [*NAMESPACE, "/usr/bin/tini", "--", "/bin/true"]
        times: "dict[str, list[float]]" = {name: [] for name in commands}
        for _ in range(runs):
            for name in random.sample(list(commands), len(commands)):
                times[name].append(seconds(commands[name]))
    base = statistics.median(times["python3 -IS -c pass"])
    for name, values in times.items():
        median = statistics.median(values)
        click.echo(f"{name:25} median {median * 1000:6.2f} ms   ratio {median / base:5.3f}")


if __name__ == "__main__":
    main()
