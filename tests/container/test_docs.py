"""The pages of docs/ word for word: what they say to write is written, and what they say to type is typed.

Each page is worked through from its beginning in a copy of the repository; tests/support/pages.py finds what it says,
and typed.py says what is compared. The image `pyinit` is there, made as the first how-to page makes it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.pages import DOCS, File, pages, typed

from .typed import UID, Shell, copy_of_the_repository, steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(900, func_only=True)]


@pytest.fixture(scope="module")
def checkout(slim_images: Engine) -> Iterator[Path]:
    """The copy, and the image."""
    with copy_of_the_repository() as copy:
        slim_images("build", "--tag", "pyinit", str(copy))
        yield copy


@pytest.mark.parametrize("name", [name for name in pages() if typed(DOCS / name)])
def test_what_the_page_says_to_do_comes_to_what_it_shows(own_engine: Engine, checkout: Path, name: str) -> None:
    shell = Shell(own_engine, checkout)
    try:
        for part in typed(DOCS / name):
            if isinstance(part, File):
                write(checkout, part)
            else:
                for step in steps(part.text):
                    shell.take(step)
    finally:
        shell.close()


def write(checkout: Path, file: File) -> None:
    """As an editor of the person's does."""
    path = checkout / file.path
    path.parent.mkdir(exist_ok=True)
    path.write_text(file.text)
    for each in (path.parent, path):
        os.chown(each, UID, UID)
