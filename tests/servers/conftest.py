"""The engines' fixtures, which are those of the container tests, and a bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.container.conftest import (
    containers,
    engine,
    image,
    pytest_generate_tests,
    pytest_runtest_setup,
    zipapp_for_containers,
)

from .trials import site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["containers", "engine", "image", "pytest_generate_tests", "pytest_runtest_setup", "zipapp_for_containers"]


@pytest.fixture(scope="session")
def served() -> Iterator[Path]:
    """The directory that the servers serve."""
    with site() as directory:
        yield directory
