"""A daemon's whole life where nothing else is: `unshare --net python -m tests.container.daemon_alone IMAGE-ARCHIVE`.

A container of the archive's `/catatonit -P` runs on a network of its own and publishes a port, beside one on the
default bridge; both are there when the daemon is stopped. Prints as JSON what there was before and after.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .engines import Daemon


def shown(*command: str) -> list[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def traces(word: str) -> dict[str, list[str]]:
    """What there is of the network here; of the host's processes, mounts and cgroups, those that have `word`."""
    processes = [path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline")]
    return {
        "links": [line.split(": ")[1] for line in shown("ip", "-oneline", "link")],
        "addresses": [line.split()[3] for line in shown("ip", "-oneline", "address")],
        "routes": shown("ip", "route"),
        "rules": [line for line in shown("iptables-save") if line.startswith("-A")],
        "policies": [line for line in shown("iptables-save") if line.startswith(":") and " ACCEPT" not in line],
        "namespaces": [
            link for link in shown("lsns", "--type", "net", "--noheadings", "--output", "NS,NSFS") if word in link
        ],
        "processes": [each for each in processes if word in each],
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if word in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{word}*")],
    }


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="pyinit-tests-", dir="/var/tmp"))
    word = directory.name[-8:]
    found = {"before": traces(word)}
    daemon = Daemon(directory)
    daemon.start()
    try:
        docker = daemon.docker
        docker("import", sys.argv[1], "pause")
        docker("network", "create", "other")
        docker("run", "--detach", "pause", "/catatonit", "-P")
        docker("run", "--detach", "--network", "other", "--publish", "8000:8000", "pause", "/catatonit", "-P")
        found["meanwhile"] = traces(word)
    finally:
        daemon.stop()
    found["after"] = traces(word)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
