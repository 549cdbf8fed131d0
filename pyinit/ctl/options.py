"""What the commands have in common: `--json`, `--pid`, and colour only where it is wanted."""

import json
import os

import click

from pyinit.message import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")

pid_option = click.option(
    "--pid",
    type=click.IntRange(min=1),
    metavar="N",
    help="A process of the container, as it is numbered here.  [default: the container that this runs in]",
)


class CannotLook(click.ClickException):
    """Nothing can be said. Status 2, since a status of 1 says that something is wrong."""

    exit_code = 2


def without_colour_if_asked(context: click.Context) -> None:
    """No colour in this command and those below it where NO_COLOR is set (no-color.org); click sees pipes itself."""
    if os.environ.get("NO_COLOR"):
        context.color = False


def write_json(value: object) -> None:
    """One line of JSON, in ASCII: whatever bytes a command line has, it can be written anywhere."""
    click.echo(json.dumps(value))


def shown(command: "tuple[str, ...]") -> str:
    """A command line on one line; what could write on the terminal by itself is escaped."""
    return printable(" ".join(command))
