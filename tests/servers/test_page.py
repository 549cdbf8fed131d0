"""One truth: the rows that were tried, what came of it, docs/servers.md, and what pyinitctl knows of servers."""

from __future__ import annotations

import pytest

from pyinit.ctl.servers import SERVERS, Server, known

from .checks import problems
from .programs import PROGRAMS, Program
from .results import load
from .table import PAGE, page

RESULTS = load()


def programs_of(server: Server) -> list[Program]:
    return [program for program in PROGRAMS if (program.server or program.name) == server.name]


def test_page_is_what_came_of_the_trials() -> None:
    assert PAGE.read_text() == page(RESULTS), "python -m tests.servers makes it"


def test_each_program_was_tried() -> None:
    assert set(RESULTS.lives) == {program.name for program in PROGRAMS}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_what_came_of_it_holds(program: Program) -> None:
    assert problems(program, RESULTS.lives[program.name]["pyinit"]) == []


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_what_is_known_of_a_server_was_tried(server: Server) -> None:
    tried = programs_of(server)
    assert server.stop_signal in {program.stop_signal for program in tried}
    assert bool(server.group_harms) <= all(program.single for program in tried)


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_server_is_known_by_its_real_command_line(server: Server) -> None:
    for program in programs_of(server):
        assert known(RESULTS.lives[program.name]["pyinit"].command) is server
