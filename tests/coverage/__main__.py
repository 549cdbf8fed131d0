"""Turn the records of measured inits into a data file of coverage.py. Usage: python -m tests.coverage DIRECTORY FILE"""

import sys
from collections import defaultdict
from pathlib import Path

from coverage import CoverageData

from tests.support import REPOSITORY


def main(directory: str, file: str) -> None:
    steps: "dict[str, set[tuple[int, int]]]" = defaultdict(set)
    for record in Path(directory).iterdir():
        # Without the last, which a limit of the file's size may have cut.
        for line in record.read_text().split("\n")[:-1]:
            name, before, after = line.split(" ")
            steps[str(REPOSITORY / name)].add((int(before), int(after)))
    steps = {name: pairs for name, pairs in steps.items() if Path(name).is_file()}
    data = CoverageData(basename=file)
    data.add_arcs(steps)
    data.write()


if __name__ == "__main__":
    main(*sys.argv[1:])
