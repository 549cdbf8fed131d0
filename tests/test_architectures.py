"""The core tests on other processors: pyinit under an emulated Debian Python, everything else as it is.

With 64 bits, with 32, and with the other byte order. The interpreter comes from Debian's packages, unpacked and never
installed, and runs in qemu's user mode, which passes system calls on to the real kernel.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Pyinit, require_namespaces
from tests.test_hooks import *  # noqa: F403
from tests.test_reaping import *  # noqa: F403
from tests.test_secrets import *  # noqa: F403
from tests.test_signals import *  # noqa: F403
from tests.test_spawn import *  # noqa: F403

ARCHITECTURES = {"arm64": "aarch64", "armel": "arm", "s390x": "s390x"}  # Debian's name, and qemu's
PACKAGES = "libc6,libexpat1,libffi8,libpython3.11-minimal,libpython3.11-stdlib,python3.11-minimal,zlib1g"

# What qemu's user mode (seen with 7.2) is not like the kernel in.
LEFT_OUT = {
    "its vfork is a fork, so posix_spawn does not tell that the program cannot be executed": [
        "a_script_without_a_first_line_is_run_by_the_shell",
        "f20_a_bad_interpreter_line_gives_126",
        "f20_a_broken_binary_gives_126",
        "f20_a_missing_path_gives_127",
        "f20_a_missing_program_gives_127",
        "f20_what_is_no_program_gives_126",
        "one_that_is_not_there_ends_the_start_with_127",
        "path_is_searched_and_an_unusable_file_does_not_end_the_search",
        "what_execve_does_not_take_is_one_line",
    ],
    "it keeps the fault signals and some real-time ones for itself, and renumbers the others": [
        "a_program_killed_by_a_signal_gives_128_and_the_signal",
        "every_signal_arrives_once",
        "f04_sigpipe_has_its_default_disposition",
        "mask_and_dispositions_are_those_pyinit_was_started_with",
    ],
    "a start takes half a second, and these have hundreds": [
        "every_exit_status_is_passed_on",
        "f02_a_signal_around_fork_and_exec_is_not_lost",
    ],
}
for names in LEFT_OUT.values():
    for name in names:
        del globals()[f"test_{name}"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.environ.get("PYINIT_LONG") != "1", reason="takes minutes: PYINIT_LONG=1"),
    pytest.mark.timeout(300),
]


def unavailable(reason: str) -> None:
    if os.environ.get("PYINIT_REQUIRE_CONTAINERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def as_pid_1(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    if callspec and callspec.params.get("namespace") is False:
        pytest.skip("qemu's user mode does not know PR_SET_CHILD_SUBREAPER (seen with 7.2: EINVAL)")


@pytest.fixture(params=ARCHITECTURES, scope="module")
def emulated(request: pytest.FixtureRequest) -> "Iterator[str]":
    """The path of a script that runs such a Python, short enough for a first line."""
    emulator = f"qemu-{ARCHITECTURES[request.param]}-static"
    for program in ("mmdebstrap", emulator):
        if not shutil.which(program):
            unavailable(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="pyinit-") as directory:
        Path(directory).chmod(0o755)
        root = f"{directory}/root"
        # Nothing of it is run while it is unpacked, so the kernel need not know the emulator (binfmt_misc).
        command = ["mmdebstrap", "--quiet", "--skip=check/qemu", "--variant=extract"]
        command += [f"--architectures={request.param}", f"--include={PACKAGES}", "bookworm", root]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        if made.returncode:
            unavailable(f"no packages for {request.param}: {made.stderr}")
        script = Path(directory, "python")
        script.write_text(f'#!/bin/sh\nexec {emulator} -L {root} {root}/usr/bin/python3.11 "$@"\n')
        script.chmod(0o755)
        yield str(script)


@pytest.fixture(scope="module")
def pyinit(emulated: str, build: "Callable[[str], Pyinit]") -> Pyinit:
    require_namespaces()
    return build(emulated)


@pytest.fixture(scope="module")
def every_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit
