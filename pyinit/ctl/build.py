"""`pyinitctl build`: make the zipapp, or look at one."""

from pathlib import Path

import click

from pyinit.ctl.options import CannotLook, json_option, write_json
from pyinit.message import printable


@click.command()
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
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Build nothing: say whether FILE is as it was built, of which version, and for which interpreters.",
)
@json_option
@click.pass_context
def build(
    context: click.Context,
    output: Path,
    python: "str | None",
    source_only: bool,
    check: "Path | None",
    as_json: bool,
) -> None:
    """Build the zipapp: the one file that a container needs.

    Byte code is made by the interpreter of --python if it exists here, otherwise by the running one; an interpreter
    of another version runs the file from its source. The same input gives the same bytes.

    \b
    Example: pyinitctl build -o pyinit --python /usr/bin/python3
             pyinitctl build --check pyinit

    \b
    Exit status: 0  the file is written, or is as it was built
                 1  it cannot be built, or is not as it was built
                 2  wrong usage, or FILE cannot be read
    """
    if check:
        for name in ("output", "python", "source_only"):
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise CannotLook(f"--check builds nothing, so leave out --{name.replace('_', '-')}")
        context.exit(0 if look_at(check, as_json) else 1)
    from pyinit.ctl import zipapp

    try:
        zipapp.build(output, python, source_only)
    except zipapp.BuildError as error:
        raise click.ClickException(str(error)) from None
    size = output.stat().st_size
    if as_json:
        write_json({"file": str(output), "size": size})
    else:
        click.echo(f"{output}: {size} bytes")


def look_at(path: Path, as_json: bool) -> bool:
    """Say what a file is; whether it is as it was built. Raises CannotLook."""
    from pyinit.ctl import check

    try:
        with open(path, "rb") as file:
            data = file.read(check.SIZE_LIMIT)
    except OSError as error:
        raise CannotLook(f"--check: cannot read {str(path)!r}: {error.strerror}") from None
    try:
        built = check.examine(data)
    except check.Damaged as error:
        if as_json:
            write_json({"file": str(path), "intact": False, "problem": str(error)})
        else:
            click.echo(f"Error: {printable(str(path))}: {error}", err=True)
        return False
    if as_json:
        write_json(
            {
                "file": str(path),
                "intact": True,
                "size": len(data),
                "version": built.version,
                "python": built.python,
                "byte_code": {"magic": built.magic, "release": built.release or None} if built.magic else None,
                "modules": built.modules,
            }
        )
        return True
    release = f"Python {built.release}" if built.release else f"the Python with the magic number {built.magic}"
    byte_code = (
        f"for {release}; others from 3.9 on run the source" if built.magic else "none; 3.9 and newer run the source"
    )
    click.echo(f"{printable(str(path))}: intact, {len(data)} bytes")
    click.echo(f"version:     {built.version}")
    click.echo(f"interpreter: {printable(built.python)}")
    click.echo(f"byte code:   {byte_code}")
    return True
