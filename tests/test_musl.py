"""The core tests with musl instead of glibc, under a Python that tools/musl-python builds, which takes two minutes, and
with that Python in the standalone file.

The first has no ctypes, so what needs prctl is not among them. Nor are the tests that send every signal: musl keeps 34
for its threads, besides 32 and 33, so nobody under it can block or collect that one.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyinit.ctl import standalone
from tests.identity.matching.test_account_files import *  # noqa: F403
from tests.identity.matching.test_match import *  # noqa: F403
from tests.prepare.test_hooks import *  # noqa: F403
from tests.prepare.test_secrets import *  # noqa: F403
from tests.start.test_spawn import *  # noqa: F403
from tests.supervise.test_reaping import *  # noqa: F403
from tests.supervise.test_signals import (  # noqa: F401
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
from tests.support import REPOSITORY, Pyinit, require_namespaces
from tests.tell.test_journal import *  # noqa: F403
from tests.tell.test_log import *  # noqa: F403

del test_f115_what_is_on_an_overlay_follows_or_the_account_stays  # noqa: F821  # which takes ctypes or /proc
del test_a_full_socket_delays_nothing  # noqa: F821  # Python has no RWF_NOWAIT with musl before 1.2.5

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.environ.get("TESTS_PYINIT_LONG") != "1", reason="takes minutes: PYINIT_LONG=1"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def musl_python() -> "Iterator[str]":
    require_namespaces()
    if not shutil.which("musl-gcc"):
        message = "musl-tools is not installed"
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="pyinit-") as directory:  # short enough for a first line
        os.chmod(directory, 0o755)
        command = [str(REPOSITORY / "tools/musl-python"), directory]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr[-2000:]
        yield f"{directory}/python/python"


@pytest.fixture(scope="module", params=["zipapp", "standalone"])
def pyinit(request: pytest.FixtureRequest, musl_python: str, build: "Callable[[str], Pyinit]") -> Pyinit:
    if request.param == "zipapp":
        return build(musl_python)
    file = Path(musl_python).parents[1] / "standalone"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", "musl-gcc")
        standalone.build(file, musl_python)
    return Pyinit(file, "")


@pytest.fixture(scope="module")
def every_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit


@pytest.mark.parametrize("pyinit", ["standalone"], indirect=True)
def test_the_standalone_file_has_musl_in_it_and_says_so(pyinit: Pyinit) -> None:
    made_of = standalone.read_mark(pyinit.file.read_bytes())
    assert made_of and (made_of["c_library"], made_of["machine"]) == ("musl", "x86_64-linux-musl")
    status, output, _ = pyinit.run("--license")
    assert status == 0
    assert "musl as a whole is licensed under" in output and "GNU LESSER GENERAL PUBLIC LICENSE" not in output
    assert pyinit.file.stat().st_size <= 5_500_000
    assert b"INTERP" not in subprocess.check_output(["readelf", "--program-headers", pyinit.file])
