"""Run the trials and write what came of them: `python -m tests.servers [NAME...]`; by default, all.

The results of those that were tried take their old ones' place in results.json, of which docs/servers.md is made.
Status 1 if something does not hold.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest

from pyinit.ctl import zipapp
from tests.container.engines import Podman, version
from tests.container.support import Containers

from .checks import problems
from .image import server_image
from .programs import PROGRAMS, Program
from .results import load, save
from .table import PAGE, page
from .trials import Bench, site


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--jobs", default=1, show_default=True, help="trials at a time; with more, the times say less")
def main(names: tuple[str, ...], jobs: int) -> None:
    chosen = [program for program in PROGRAMS if not names or program.name in names]
    with tempfile.TemporaryDirectory(prefix="pyinit-servers-") as name, site() as served:
        directory = Path(name)
        directory.chmod(0o755)
        engine = Podman(directory)
        file = directory / "pyinit"
        zipapp.build(file, "/usr/bin/python3")
        with Containers(engine, server_image(engine), file) as containers, ThreadPoolExecutor(jobs) as pool:
            bench = Bench(containers, containers.image, served)
            held = list(pool.map(lambda program: holds(bench, program), chosen))
    PAGE.write_text(page(load()))
    sys.exit(0 if all(held) else 1)


def holds(bench: Bench, program: Program) -> bool:
    """Try one program, keep its results, and say what does not hold."""
    try:
        lives = bench.lives(program)
    except (pytest.fail.Exception, subprocess.TimeoutExpired) as failure:
        found = [str(failure)]
    else:
        save(version("podman"), program.name, lives)
        found = problems(program, lives["pyinit"])
    print(f"{program.name}: {'; '.join(found) or 'as its row says'}", file=sys.stderr, flush=True)
    return not found


if __name__ == "__main__":
    main()
