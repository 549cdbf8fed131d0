"""PARITY.md names tests that exist."""

import re

from tests.support import REPOSITORY


def test_every_test_that_the_parity_table_names_exists() -> None:
    table = (REPOSITORY / "tests/tables/PARITY.md").read_text()
    files = {path.name: path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py")}
    defined = {name for text in files.values() for name in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)}
    named = set(re.findall(r"`(?:tests/)?(test_\w+(?:\.py)?)`", table))
    assert len(named) > 20
    assert named - defined - set(files) == set()
