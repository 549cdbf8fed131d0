"""The commands of pyinitctl."""

from pathlib import Path

import click

from pyinit import __version__
from pyinit.ctl import zipapp
from pyinit.ctl.doctor.command import doctor
from pyinit.ctl.index import index
from pyinit.ctl.options import prepare_output
from pyinit.ctl.top import top
from pyinit.ctl.tree import tree


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Build pyinit and look at what it does."""
    prepare_output(context)


@main.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("pyinit.pyz"),
    show_default=True,
    help="The file to write.",
)
@click.option(
    "--python",
    metavar="PATH",
    help="The interpreter that will run the file, as an absolute path there; '/usr/bin/env python3' looks it up in "
    "PATH (GNU env).  [default: the running one]",
)
@click.option("--source-only", is_flag=True, help="Leave out the byte code: smaller, but slower to start.")
def build(output: Path, python: "str | None", source_only: bool) -> None:
    """Build the zipapp: the one file that a container needs.

    Byte code is made by the interpreter of --python if it exists here, otherwise by the running one; an interpreter
    of another version runs the file from its source. The same input gives the same bytes.

    Example: pyinitctl build -o pyinit --python /usr/bin/python3
    """
    try:
        zipapp.build(output, python, source_only)
    except zipapp.BuildError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{output}: {output.stat().st_size} bytes")


main.add_command(doctor)
main.add_command(index)
main.add_command(top)
main.add_command(tree)


if __name__ == "__main__":
    main()
