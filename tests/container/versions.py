"""The README's line of the engines that the tests run with: `python -m tests.container.versions` makes it here."""

import re

from tests.support import REPOSITORY

from .engines import program_version

README = REPOSITORY / "README.md"
LINE = re.compile(r"(?<=<!-- engines:begin -->\n).*(?=<!-- engines:end -->\n)", re.DOTALL)

COMMANDS = {
    "podman": "podman",
    "Docker": "/usr/bin/docker",
    "docker-compose": "/usr/bin/docker-compose",
    "runc": "runc",
}


def line() -> str:
    *names, last = (f"{name} {program_version(command)}" for name, command in COMMANDS.items())
    return f"They ran with {', '.join(names)} and {last}.\n"


if __name__ == "__main__":
    README.write_text(LINE.sub(line(), README.read_text()))
