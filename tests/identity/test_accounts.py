"""The account files: what is read from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinit.identity.accounts import Accounts, fields, identifier
from tests.support.identity import ODD


def test_only_valid_lines_are_accounts_and_the_first_of_a_name_counts() -> None:
    found = Accounts(ODD, b"")
    assert [account.name for account in found.users()] == ["latin", "few", "spaces", "dev", "dev", "last"]
    account = found.user("dev")
    assert account is not None
    assert (account.uid, account.home) == (1000, "/home/dev")
    few = found.user("1003")
    assert few is not None
    assert (few.home, few.shell) == ("", "")


def test_members_of_a_group_are_read_and_empty_ones_are_not() -> None:
    found = Accounts(b"dev:x:1000:1000::/:\n", b"a:x:1:dev\nb:x:2:x,dev,,y\nc:x:3:devx\nd:x:4\n\ne:x:x:dev\n")
    assert found.groups_of(found.user("dev")) == {1000, 1, 2}


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("4294967294", 4294967294), ("65536", 65536)])
def test_a_number_that_the_kernel_has_is_an_identifier(text: str, number: int) -> None:
    assert identifier(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1 ", "1.0", "4294967295", "99999999999", "²", "0x1", "1_0"])
def test_anything_else_is_not(text: str) -> None:
    assert identifier(text) == -1


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_content_of_the_files_is_an_error(data: bytes) -> None:
    found = Accounts(data, data)
    assert all(fields(line) == [] or line for line in data.split(b"\n"))
    for account in found.users():
        assert found.user(account.name) is not None
        assert account.gid in found.groups_of(account)
