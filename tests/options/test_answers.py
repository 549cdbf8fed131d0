"""What is answered instead of a run."""

from pyinit import __version__
from tests.support import REPOSITORY, Pyinit


def test_version_and_license(pyinit: Pyinit) -> None:
    assert pyinit.run("-V") == (0, f"pyinit {__version__}\n", "")
    assert pyinit.run("-l") == (0, (REPOSITORY / "LICENSE").read_text(), "")


def test_help_that_cannot_be_written_is_an_error(pyinit: Pyinit) -> None:
    with open("/dev/full", "wb") as full:
        assert pyinit.run("--help", stdout=full)[0] == 1
