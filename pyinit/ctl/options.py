"""What the commands have in common: `--json`, `--pid`, and colour only where it is wanted."""

import io
import json
import os
import sys

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


def prepare_output(context: click.Context) -> None:
    """No colour where NO_COLOR is set (no-color.org; click itself sees pipes), and `?` for what a terminal of another
    encoding cannot show."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def write_json(value: object) -> None:
    """One line of JSON, in ASCII: whatever bytes a command line has, it can be written anywhere."""
    click.echo(json.dumps(value))


def shown(command: "tuple[str, ...]") -> str:
    """A command line on one line; what could write on the terminal by itself is escaped."""
    return printable(" ".join(command))
