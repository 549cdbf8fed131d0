"""Real servers with pyinit in front: they answer, reload, restart, come back after a kill, and end as their row says.

A few are tried each time, in the image of the container tests; with PYINIT_LONG=1 all, in one that has them.
`.ci/servers` tries all of them with other inits, too, and writes docs/servers.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .checks import problems
from .image import server_image
from .programs import PROGRAMS, Program
from .trials import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.container.support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(300, func_only=True)]

LONG = os.environ.get("TESTS_PYINIT_LONG") == "1"
QUICK = [program for program in PROGRAMS if program.quick]
OTHERS = [program for program in PROGRAMS if not program.quick]


def name(program: Program) -> str:
    return program.name.replace(" ", "-")


@pytest.mark.parametrize("program", QUICK, ids=name)
def test_server_lives_and_ends_as_its_row_says(containers: Containers, program: Program, served: Path) -> None:
    life = Bench(containers, containers.image, served).whole_life(program)
    assert problems(program, life) == []


@pytest.mark.long
@pytest.mark.skipif(not LONG, reason="takes half an hour: PYINIT_LONG=1")
@pytest.mark.parametrize("program", OTHERS, ids=name)
@pytest.mark.timeout(1800)
def test_every_server_lives_and_ends_as_its_row_says(
    engine: Engine, containers: Containers, program: Program, served: Path
) -> None:
    life = Bench(containers, server_image(engine), served).whole_life(program)
    assert problems(program, life) == []
