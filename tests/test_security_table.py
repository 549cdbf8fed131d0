"""SECURITY.md: each threat has a defence, and each defence a test that exists."""

import re

from tests.support import REPOSITORY

LINES = (REPOSITORY / "SECURITY.md").read_text().splitlines()
HEADER = "| threat | defence | test |"


def rows() -> "list[list[str]]":
    """The cells of each row of the tables, without the two lines above them."""
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in LINES if line.startswith("|")]
    return [row for row in cells if row[0] not in ("threat", "---")]


def defined(file: str) -> "set[str]":
    return set(re.findall(r"^def (test_\w+)\(", (REPOSITORY / "tests" / file).read_text(), re.MULTILINE))


def test_every_kind_of_attacker_has_a_table() -> None:
    sections = "\n".join(LINES).split("\n## ")
    with_table = [section.split(":")[0].split(" of ")[0] for section in sections if HEADER in section]
    assert with_table == ["Hostile volume", "Hostile program", "Hostile environment", "Hostile caller"]


def test_every_row_has_a_threat_a_defence_and_a_test() -> None:
    assert len(rows()) > 50
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row
        names = row[2].split(", ")
        assert all(re.fullmatch(r"`[\w/]+\.py::test_\w+`", name) for name in names), row


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", "\n".join(LINES))
    missing = [f"{file}::{name}" for file, name in named if name not in defined(file)]
    assert missing == []
