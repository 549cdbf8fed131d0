"""The READMEs of docker/ word for word: what they say to type is typed, by a person who may use Docker and is not root.

`docker compose` is docker-compose 1.29 here, and what that has not is left out. See typed.py for what is compared.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from .support import Docker, Engine
from .typed import Shell, Step, steps

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(400, func_only=True),
    pytest.mark.only("docker", "is not what the READMEs say first"),
]

# Typed on a host that has nothing else on these ports, and a network. The others want a screen, the host's own socket,
# a cluster or another machine: their tests take each of their commands as it is, with names of their own.
TYPED = ["minimal", "devcontainer", "secrets"]
if os.environ.get("TESTS_PYINIT_LONG") == "1":  # a minute and a half each
    TYPED += ["launcher", "service"]

# Each README that has the first also has the second.
OTHER_WORDS = {" --wait": "docker-compose 1.29"}


@pytest.mark.parametrize("name", TYPED)
def test_what_the_readme_says_to_type_does_what_it_shows(engine: Engine, checkout: Path, name: str) -> None:
    assert isinstance(engine, Docker)
    folder = checkout / "docker" / name
    readme = (folder / "README.md").read_text()
    shell = Shell(engine, checkout)
    try:
        for block in re.findall(r"^```console\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL):
            for step in steps(block):
                shell.take(in_words_of_here(step, readme), may_fail="leaks.py" in step.command)
    finally:
        shell.close()
        if (folder / "compose.yaml").exists():
            variables = {"PASSWORD": "x", "TOKEN": "x"}
            down = [*engine.compose, "down", "--volumes", "--timeout", "0"]
            engine.run(down, folder, {**engine.environment, **variables}, check=False)


def in_words_of_here(step: Step, readme: str) -> Step:
    """Without what the compose of this host has not, which the README mentions."""
    for word, mentioned in OTHER_WORDS.items():
        if word in step.command:
            assert mentioned in readme
            step = step._replace(command=step.command.replace(word, ""))
    return step
