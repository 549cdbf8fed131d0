"""The core tests once more, with the standalone file instead of the zipapp."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity.matching.test_match import *  # noqa: F403
from tests.identity.test_user import *  # noqa: F403
from tests.options.test_inits import *  # noqa: F403
from tests.options.test_parity import *  # noqa: F403
from tests.options.test_parity_gosu import *  # noqa: F403
from tests.prepare.test_hooks import *  # noqa: F403
from tests.prepare.test_parent import *  # noqa: F403
from tests.prepare.test_secrets import *  # noqa: F403
from tests.start.test_bytes import *  # noqa: F403
from tests.start.test_exec import *  # type: ignore[assignment]  # noqa: F403
from tests.start.test_session import *  # noqa: F403
from tests.start.test_spawn import *  # noqa: F403
from tests.start.test_terminal import *  # noqa: F403
from tests.supervise.test_drain import *  # noqa: F403
from tests.supervise.test_races import *  # type: ignore[assignment]  # noqa: F403
from tests.supervise.test_reaping import *  # noqa: F403
from tests.supervise.test_signals import *  # noqa: F403
from tests.supervise.test_stopping import *  # noqa: F403
from tests.support import Pyinit, require_namespaces, standalone
from tests.tell.test_costs import *  # noqa: F403
from tests.tell.test_journal import *  # noqa: F403
from tests.tell.test_log import *  # noqa: F403

del test_f106_an_agent_that_no_variable_names_is_said  # noqa: F821  # nothing can be preloaded into it

del test_what_tells_costs_is_loaded_where_there_is_a_journal_alone  # noqa: F821  # it has all of it in it


@pytest.fixture(scope="session")
def pyinit() -> "Iterator[Pyinit]":
    """In a directory that every user may read."""
    require_namespaces()
    with tempfile.TemporaryDirectory(prefix="pyinit-tests-") as directory:
        Path(directory).chmod(0o755)
        file = Path(directory, "pyinit")
        yield Pyinit(standalone.build(file), "")


@pytest.fixture(scope="session")
def every_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit


@pytest.fixture(scope="session")
def shared_pyinit(pyinit: Pyinit) -> Pyinit:
    return pyinit
