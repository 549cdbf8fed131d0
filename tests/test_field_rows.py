"""FIELD.md lists what users ran into, and for each a test or the reason why there is none."""

import pytest

from tests.tables.field import ROWS, TABLE, names_by_row, table


def test_table_is_up_to_date() -> None:
    assert TABLE.read_text() == table(), "python -m tests.tables.field makes it"


def test_rows_are_in_order() -> None:
    assert list(ROWS) == sorted(ROWS)


@pytest.mark.parametrize("number", ROWS)
def test_each_row_has_a_test_or_a_reason(number: int) -> None:
    assert bool(names_by_row().get(number)) != bool(ROWS[number].reason)


def test_no_test_carries_a_number_that_is_no_row() -> None:
    assert set(names_by_row()) <= set(ROWS)
