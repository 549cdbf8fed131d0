"""Build pyinit's file with the interpreter that runs this, and with nothing installed: for a stage of a Dockerfile.

    python3 -m pyinit.ctl.make [--standalone] FILE

`pyinitctl build` does more, and needs click.
"""

import argparse
import sys
from pathlib import Path

from pyinit.ctl import signals, standalone, zipapp


def main(arguments: "list[str] | None" = None) -> None:
    """Status 0; 1 with one line on standard error where it cannot be built; 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python3 -m pyinit.ctl.make", description="Build pyinit's file.")
    parser.add_argument("--standalone", action="store_true", help="one static executable, for images without Python")
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write it")
    chosen = parser.parse_args(arguments)
    signals.end_by_exception()
    try:
        (standalone if chosen.standalone else zipapp).build(chosen.file)
    except zipapp.BuildError as error:
        sys.exit(f"pyinit.ctl.make: {error}")


if __name__ == "__main__":
    main()
