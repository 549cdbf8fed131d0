"""What must hold of each program with pyinit in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .programs import Program
    from .trials import Life

KILLED = 137  # 128 + KILL


def problems(program: Program, life: Life) -> list[str]:
    """What of its life with pyinit is not as its row says; that its requests were answered was seen before."""
    found = []
    if life.stop.status != program.status:
        found.append(f"a stop gives the status {life.stop.status}, and not {program.status}")
    if life.stop.killed:
        found.append(f"{life.stop.killed} of its processes had to be killed at the stop")
    if program.slow and program.answered not in (None, life.stop.answered):
        found.append(f"the request that the stop came into was{'' if life.stop.answered else ' not'} answered")
    if life.zombies:
        found.append(f"{life.zombies} zombies were left")
    if life.killed_status != KILLED:
        found.append(f"the status is {life.killed_status} when its program is killed")
    return found
