"""The core tests with musl instead of glibc, under a Python that tools/musl-python builds, which takes two minutes.

It has no ctypes, so what needs prctl is not among them. Nor are the tests that send every signal: musl keeps 34 for its
threads, besides 32 and 33, so nobody under it can block or collect that one.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest

from tests.support import REPOSITORY, Pyinit, require_namespaces
from tests.test_hooks import *  # noqa: F403
from tests.test_journal import *  # noqa: F403
from tests.test_log import *  # noqa: F403
from tests.test_reaping import *  # noqa: F403
from tests.test_secrets import *  # noqa: F403
from tests.test_signals import (  # noqa: F401
    test_a_single_child_gets_it_alone,
    test_f02_a_signal_around_fork_and_exec_is_not_lost,
    test_f04_sigpipe_has_its_default_disposition,
    test_f05_a_program_that_ignores_term_is_named,
    test_f06_a_signal_is_rewritten,
    test_f07_tstp_and_cont_are_forwarded_as_they_came,
    test_pause_ends_on_term_and_reaps,
    test_signals_pass_while_orphans_storm_in,
    test_the_whole_process_group_gets_a_signal,
)
from tests.test_spawn import *  # noqa: F403

del test_a_full_socket_delays_nothing  # noqa: F821  # Python has no RWF_NOWAIT with musl before 1.2.5

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.environ.get("PYINIT_LONG") != "1", reason="takes minutes: PYINIT_LONG=1"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def pyinit(build: "Callable[[str], Pyinit]") -> "Iterator[Pyinit]":
    require_namespaces()
    if not shutil.which("musl-gcc"):
        message = "musl-tools is not installed"
        if os.environ.get("PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="pyinit-") as directory:  # short enough for a first line
        os.chmod(directory, 0o755)
        command = [str(REPOSITORY / "tools/musl-python"), directory]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr[-2000:]
        yield build(f"{directory}/python/python")


@pytest.fixture(scope="module")
def every_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit
