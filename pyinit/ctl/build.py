"""`pyinitctl build`: make the zipapp or the standalone file, or look at one."""

import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyinit.ctl.options import CannotLook, json_option, working, write_json
from pyinit.tell.text import printable

if TYPE_CHECKING:
    from pyinit.ctl.check import Built, BuiltStandalone


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: pyinit.pyz; with --standalone, pyinit]",
)
@click.option(
    "--python",
    metavar="PATH",
    help="The interpreter that will run the file, as an absolute path there; '/usr/bin/env python3' looks it up in "
    "PATH (GNU env). --standalone puts it into the file, --check compares with it.  [default: the running one]",
)
@click.option(
    "--standalone",
    is_flag=True,
    help="Build the standalone file: one static executable with the interpreter in it, for images without Python.",
)
@click.option("--source-only", is_flag=True, help="Leave out the byte code: smaller, but slower to start.")
@click.option(
    "--early-signals",
    is_flag=True,
    help="Lose no signal while the interpreter starts: the first line has env block them (GNU env from coreutils 8.31 "
    "on, Linux 5.1). That costs one more exec, and the program starts with no signal blocked.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Build nothing: say whether FILE is what its own sources make, of which version, and for which interpreters.",
)
@json_option
@click.pass_context
def build(
    context: click.Context,
    output: "Path | None",
    python: "str | None",
    standalone: bool,
    source_only: bool,
    early_signals: bool,
    check: "Path | None",
    as_json: bool,
) -> None:
    """Build the zipapp: the one file that a container needs.

    Byte code is made by the interpreter of --python if it exists here, otherwise by the running one; an interpreter
    of another version runs the file from its sources. The same input gives the same bytes. The file is a zip archive of
    the sources as they are in the repository (unzip -p pyinit pyinit/supervise/loop.py) behind their byte code: --check
    builds it again out of the sources in it, and compares.

    With --standalone the interpreter's static library is linked with the modules, by the C compiler that CC names, or
    cc: for the architecture of the two, and for images that have neither an interpreter nor a C library.

    \b
    Example: pyinitctl build -o pyinit --python /usr/bin/python3
             pyinitctl build -o pyinit --python /usr/bin/python3 --standalone
             pyinitctl build --check pyinit

    \b
    Exit status: 0  the file is written, or is what its sources make
                 1  it cannot be built, or is not what its sources make
                 2  wrong usage, or FILE cannot be read
                 3  it is intact, but could not be compared
    """
    if check:
        for name in ("output", "standalone", "source_only", "early_signals"):
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise CannotLook(f"--check builds nothing, so leave out --{name.replace('_', '-')}")
        context.exit(look_at(check, python, as_json))
    if standalone and source_only:
        raise CannotLook("--standalone has no sources in it, so leave out --source-only")
    if standalone and early_signals:
        raise CannotLook("--standalone loses no signal anyway, so leave out --early-signals")
    from pyinit.ctl import standalone as one_file
    from pyinit.ctl import zipapp

    output = output or Path("pyinit" if standalone else "pyinit.pyz")
    try:
        if standalone:
            with working("compiling and linking the standalone file"):
                one_file.build(output, python)
        else:
            zipapp.build(output, python, source_only, early_signals)
    except zipapp.WrongName as error:
        raise CannotLook(str(error)) from None
    except zipapp.BuildError as error:
        raise click.ClickException(str(error)) from None
    size = output.stat().st_size
    if as_json:
        write_json({"file": str(output), "size": size})
    else:
        click.echo(f"{printable(str(output))}: {size} bytes")


def look_at(path: Path, python: "str | None", as_json: bool) -> int:
    """Say what a file is, and whether it is what its sources make. Returns the exit status. Raises CannotLook."""
    from pyinit.ctl import check, zipapp

    data = content_of(path, check.STANDALONE_LIMIT + 1)
    try:
        if data.startswith(b"\x7fELF"):
            with working("building the standalone file once more"):
                built = check.examine_standalone(data, python)
            return told_standalone(path, len(data), built, as_json)
        return told(path, len(data), check.examine(data, python), as_json)
    except zipapp.BuildError as error:
        raise CannotLook(str(error)) from None
    except check.Damaged as error:
        if as_json:
            write_json({"file": str(path), "intact": False, "problem": str(error)})
        else:
            click.echo(f"Error: {printable(f'{path}: {error}')}", err=True)
        return 1


def told(path: Path, size: int, built: "Built", as_json: bool) -> int:
    """Say what a zipapp is. Returns the exit status."""
    if as_json:
        write_json(
            {
                "file": str(path),
                "intact": True,
                "size": size,
                "version": built.version,
                "python": built.python,
                "byte_code": {"release": built.release, "proven": built.proven} if built.release else None,
                "early_signals": built.early_signals,
                "modules": built.modules,
            }
        )
    else:
        say(path, size, built)
    return 0 if built.proven else 3


def told_standalone(path: Path, size: int, built: "BuiltStandalone", as_json: bool) -> int:
    """Say what a standalone file is. Returns the exit status."""
    if as_json:
        write_json({"file": str(path), "intact": True, "size": size, "standalone": True, **asdict(built)})
    else:
        whose = "this pyinitctl's" if built.same_sources else "others than this pyinitctl's"
        result = f"not compared: {built.unproven}" if built.unproven else "is what they make"
        tell(
            f"{path}: intact, {size} bytes, standalone",
            ("version:", built.version),
            ("interpreter:", f"Python {built.release}, in the file, for {built.machine}"),
            ("sources:", whose),
            ("", result),
        )
    return 3 if built.unproven else 0


def content_of(path: Path, limit: int, option: str = "--check") -> bytes:
    """The content of a regular file, up to a limit. Raises CannotLook, which names the option."""
    try:
        # Without O_NONBLOCK a FIFO would keep us waiting.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CannotLook(f"{option}: {str(path)!r} is no regular file")
            return file.read(limit)
    except OSError as error:
        raise CannotLook(f"{option}: cannot read {str(path)!r}: {error.strerror}") from None


def say(path: Path, size: int, built: "Built") -> None:
    byte_code = f"for Python {built.series}; others from 3.9 on" if built.release else "none; 3.9 and newer"
    rows = [("version:", built.version), ("interpreter:", built.python)]
    if built.early_signals:
        rows.append(("signals:", "kept from the start of env on"))
    rows.append(("byte code:", f"{byte_code} run the sources"))
    if built.release and built.proven:
        rows.append(("", f"is what Python {built.release} makes of the sources"))
    elif built.release:
        rows.append(("", f"not compared: no Python {built.release} here (--python PATH names one)"))
    tell(f"{path}: intact, {size} bytes", *rows)


def tell(title: str, *rows: "tuple[str, str]") -> None:
    """A line, and a table of what there is to say."""
    from rich.text import Text

    from pyinit.ctl import console

    out = console.output()
    table = console.columns(1, "", left=("",))
    table.show_header = False
    for name, _ in rows:
        table.add_row(name)
    texts = [Text(printable(text)) for _, text in rows]
    console.write(out, [Text(printable(title), style="bold"), *console.lines(out, table, texts, console.UNLIMITED)])
