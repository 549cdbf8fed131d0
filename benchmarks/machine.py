"""What a run was measured on: without it figures cannot be compared."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pyinit

OLDEST = (3, 9)


def cpu_model() -> str:
    """As the kernel names the first processor; architectures other than x86 often have no name for it."""
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def memory() -> int:
    """In MB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def description() -> "dict[str, object]":
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": memory(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "load_before": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "pyinit": pyinit.__version__,
    }


def asked(python: str) -> "tuple[tuple[int, ...], str]":
    """The version and the real path of an interpreter, which may be behind a link or a script; else ((), "")."""
    script = "import sys; print(*sys.version_info[:3], sys.executable)"
    try:
        done = subprocess.run([python, "-ISc", script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        *version, path = done.stdout.split()
    except (OSError, ValueError):
        return (), ""
    return tuple(map(int, version)), os.path.realpath(path)


def interpreters() -> "dict[str, str]":
    """Each CPython that pyinit supports, {version: path}: the system's first, then those in PATH and pyenv's."""
    candidates = ["/usr/bin/python3"]
    candidates += [path for minor in range(OLDEST[1], 30) if (path := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += map(str, sorted(pyenv.glob("versions/3.*/bin/python3")))
    found: "dict[str, str]" = {}
    for candidate in candidates:
        version, path = asked(candidate)
        if version >= OLDEST:
            found.setdefault(".".join(map(str, version)), path)
    return found
