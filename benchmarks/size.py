"""Size: what has to be copied into an image, and what that makes its layer larger by, as registries store it.

Where a thing is a Python package, all of it counts. The interpreter does not: an image that has pyinit has it already.
The C library, which the others are linked with if they are not static, does not count either.
"""

import gzip
import io
import subprocess
import tarfile
from pathlib import Path

from benchmarks.plots import Figure, bars
from benchmarks.runner import Lab, Result
from benchmarks.table import Table, number

TITLE = "Size"


def files_of(binary: Path) -> "list[Path]":
    """The file; and of a script of a Python package of its own name, that package."""
    first_line = binary.read_bytes()[:200].split(b"\n")[0].decode(errors="replace")
    if not first_line.startswith("#!") or "python" not in first_line:
        return [binary]
    script = "import supervisor; print(supervisor.__path__[0])"
    if binary.name != "supervisord":
        return [binary]
    done = subprocess.run([*first_line[2:].split(), "-c", script], capture_output=True, text=True)
    package = Path(done.stdout.strip()) if done.returncode == 0 else binary
    return [binary, *sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)]


def layer(files: "list[Path]") -> int:
    """Bytes of a compressed layer that holds the files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            archive.add(file)
    return len(gzip.compress(buffer.getvalue(), 9))


def measure(lab: Lab) -> Result:
    binaries = {"pyinit": str(lab.pyinit), **{name: peer.binary for name, peer in lab.peers.items() if peer.binary}}
    binaries.update({f"pyinit ({version})": str(lab.built(version)) for version in list(lab.pythons)[1:]})
    found = {name: files_of(Path(binary)) for name, binary in binaries.items()}
    return {
        name: {"files": len(files), "bytes": sum(file.stat().st_size for file in files), "layer_bytes": layer(files)}
        for name, files in found.items()
    }


def table(result: Result) -> "list[Table]":
    rows = [
        [name, number(entry["files"], 0), number(entry["bytes"] / 1024, 1), number(entry["layer_bytes"] / 1024, 1)]
        for name, entry in sorted(result.items(), key=lambda item: item[1]["bytes"])
    ]
    return [Table("Size", ["", "files", "kB", "kB in an image's layer"], rows)]


def plot(result: Result) -> "list[Figure]":
    names = sorted((name for name in result if "(" not in name), key=lambda name: result[name]["bytes"])
    series = {
        "on disk": [result[name]["bytes"] / 1024 for name in names],
        "in a compressed layer": [result[name]["layer_bytes"] / 1024 for name in names],
    }
    return [bars("size", "What is copied into an image", "kB", names, series)]
