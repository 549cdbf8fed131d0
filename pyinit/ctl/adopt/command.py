"""`pyinitctl adopt`: put pyinit into an image that is there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyinit.ctl.options import CannotLook, json_option, shown, write_json
from pyinit.tell.text import printable

if TYPE_CHECKING:
    from pyinit.ctl.adopt.engine import Engine
    from pyinit.ctl.adopt.file import File
    from pyinit.ctl.adopt.image import Image
    from pyinit.ctl.adopt.plan import Plan


@click.command()
@click.argument("image")
@click.option(
    "-o",
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the Dockerfile and pyinit's file into this directory.",
)
@click.option("-t", "--tag", metavar="TAG", help="Build the image, and give it this name.")
@click.option("-u", "--user", metavar="USER[:GROUP]", help="Run the program as this user.  [default: the image's]")
@click.option(
    "--engine", "engine_name", type=click.Choice(["docker", "podman"]), help="Ask this one.  [default: which has IMAGE]"
)
@click.option(
    "--python",
    metavar="PATH",
    help="The interpreter in the image that is to run the file; with --standalone, the one of this machine that goes "
    "into it.  [default: what is found]",
)
@click.option("--standalone", is_flag=True, help="Take the standalone file, also where the image has an interpreter.")
@click.option(
    "--file",
    "file_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take this file of pyinit's, such as one that was built on a machine of another architecture.",
)
@click.option("--force", is_flag=True, help="Replace what is there: the files in DIR, and the image that has TAG.")
@json_option
def adopt(
    image: str,
    directory: Path | None,
    tag: str | None,
    user: str | None,
    engine_name: str | None,
    python: str | None,
    standalone: bool,
    file_path: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Put pyinit into IMAGE: write a Dockerfile that begins with it, or build that.

    The engine is asked what the image starts, as whom, and with which signal it is stopped. What that means, and what
    is changed for it, stands in the Dockerfile as comments; what cannot be known is marked as a doubt.

    Files are read out of a container that is never started. Only an interpreter of the image is run, to ask for its
    version and to make the byte code of its kind: run --rm --network none --cap-drop ALL --entrypoint PYTHON IMAGE.
    Without one that is 3.9 or newer the standalone file is built, as by `pyinitctl build --standalone`.

    \b
    Example: pyinitctl adopt nginx:1.25 -t nginx-with-pyinit
             pyinitctl adopt registry/shop:3 -o shop-with-pyinit --user shop

    \b
    Exit status: 0  it is written, or built
                 1  it cannot be built
                 2  wrong usage, or an image that cannot be adopted
    """
    check_usage(directory, tag, python, standalone, file_path)
    import tempfile

    from pyinit.ctl.adopt import content, engine, file, plan
    from pyinit.ctl.adopt import image as images

    found, told = engine.find(image, engine_name)
    about = images.read(image, told)
    check_output(found, about, directory, tag, force)
    with content.opened(found, about) as files:
        planned = plan.make(about, files, user)
        pyinit = (
            file.given(file_path, about, files) if file_path else file.make(found, about, files, python, standalone)
        )
    reckon_with(planned, about, pyinit)
    with contextlib.ExitStack() as stack:
        try:
            where = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyinit-adopt-")))
        except OSError as error:
            raise click.ClickException(f"-t: no directory to build in: {error.strerror}") from None
        write(where, about, planned, pyinit)
        if tag:
            build(found, where, about, tag)
    say(found, about, planned, pyinit, directory, tag, as_json)


def check_usage(
    directory: Path | None, tag: str | None, python: str | None, standalone: bool, file_path: Path | None
) -> None:
    """Raises CannotLook for options that do not go together."""
    if not directory and not tag:
        raise CannotLook("say where it is to go: -o DIR writes a Dockerfile, -t TAG builds the image")
    if file_path and (standalone or python):
        raise CannotLook(f"--file is that file already, so leave out {'--standalone' if standalone else '--python'}")
    if python and not python.startswith("/"):
        raise CannotLook(f"--python: {python!r} is no absolute path")


def check_output(engine: Engine, image: Image, directory: Path | None, tag: str | None, force: bool) -> None:
    """Raises CannotLook where something is in the way."""
    from pyinit.ctl.adopt.dockerfile import FILE

    for name in (FILE, "Dockerfile") if directory and not force else ():
        if directory and os.path.lexists(directory / name):
            raise CannotLook(f"-o: {str(directory / name)!r} is there already: --force replaces it")
    if tag and not force and engine.inspect(tag):
        raise CannotLook(f"-t: {engine.name} has an image {tag!r} already: --force replaces it")
    if tag and image.on_build and image.on_build_is_certain:
        raise CannotLook(
            f"IMAGE: {image.name!r} has ONBUILD steps, which would run in this build: adopt the image that you have "
            "built of it (-o writes a Dockerfile all the same)"
        )


def reckon_with(plan: Plan, image: Image, file: File) -> None:
    """What the file brings to the plan: what people should know, and variables that are the program's alone."""
    for text in file.said:
        plan.note(text)
    for text in file.doubts:
        plan.doubt(text)
    if file.without:
        plan.entrypoint[:0] = ["env", *(f"{name}={image.environment[name]}" for name in file.without)]
        plan.environment.update(dict.fromkeys(file.without, ""))


def write(directory: Path, image: Image, plan: Plan, file: File) -> None:
    """Write the two files. Raises CannotLook."""
    from pyinit.ctl.adopt import dockerfile
    from pyinit.ctl.adopt.file import image_is_foreign
    from pyinit.ctl.files import replace
    from pyinit.ctl.zipapp import EXECUTABLE

    platform = f"{image.system}/{image.architecture}" if image_is_foreign(image) else ""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        replace(directory / dockerfile.FILE, file.data, EXECUTABLE)
        replace(directory / "Dockerfile", dockerfile.write(image, plan, platform).encode())
    except OSError as error:
        raise CannotLook(f"-o: cannot write into {str(directory)!r}: {error.strerror}") from None


def build(engine: Engine, directory: Path, image: Image, tag: str) -> None:
    """Build the image. Raises ClickException with what the engine says."""
    from pyinit.ctl.adopt.engine import BUILD_SECONDS
    from pyinit.ctl.engine import last_line

    options = []
    if engine.name == "podman":
        # OCI's format has no HEALTHCHECK; and no images of single steps stay behind.
        options = ["--layers=false", "--format", "docker" if image.is_dockers_format else "oci"]
    done = engine("build", *options, "--tag", tag, str(directory), seconds=BUILD_SECONDS)
    if done.returncode != 0:
        raise click.ClickException(f"{engine.name} build failed: {last_line(done.stderr)}")


def say(
    engine: Engine, image: Image, plan: Plan, file: File, directory: Path | None, tag: str | None, as_json: bool
) -> None:
    """What was done, and what stands in the Dockerfile as comments."""
    from pyinit.ctl.adopt import dockerfile

    entrypoint = dockerfile.entrypoint(plan)
    if as_json:
        write_json(
            {
                "image": image.name,
                "engine": engine.name,
                "directory": str(directory) if directory else None,
                "tag": tag,
                "entrypoint": entrypoint,
                "cmd": plan.cmd,
                "user": plan.user or image.user,
                "file": file.form,
                "python": file.python or None,
                "remarks": [{"kind": remark.kind, "text": remark.text} for remark in plan.remarks],
            }
        )
        return
    click.echo(f"{printable(image.name)} ({engine.name}): starts {shown((*entrypoint, *plan.cmd))}")
    for remark in plan.remarks:
        click.echo(f"{remark.kind}: {remark.text}")
    if directory:
        click.echo(
            f"written: {printable(str(directory / 'Dockerfile'))}, {printable(str(directory / dockerfile.FILE))}"
        )
    if tag:
        click.echo(f"built: {printable(tag)}")
