"""The command's options and its help."""

import click

from pyinit.ctl.options import container_options, json_option, write_json
from pyinit.tell import signal_names


def signal_number(context: click.Context, parameter: click.Parameter, text: "str | None") -> "int | None":
    try:
        return None if text is None else signal_names.number(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command()
@container_options
@click.option(
    "--stop-signal",
    callback=signal_number,
    metavar="SIGNAL",
    help="What the engine stops the container with: the image's STOPSIGNAL.  [default: what the engine says of the "
    "--container, what pyinit was told, or TERM]",
)
@json_option
@click.pass_context
def doctor(context: click.Context, pid: "int | None", stop_signal: "int | None", as_json: bool) -> None:
    """Say what is wrong in a container, and what to do.

    It looks for what goes wrong without a proper init: twice within a second, at PID 1, the program, all processes,
    mounts and rights, and changes nothing. Each finding comes with its evidence, which is what /proc says, and a fix.
    Errors and warnings are wrong; notes are good to know. It says what it may not read. Run it in the container, or on
    the host with --container.

    \b
    Example: podman exec web pyinitctl doctor
             pyinitctl doctor --container web

    \b
    Exit status: 0  nothing is wrong
                 1  there are errors or warnings
                 2  there is no such process, or wrong usage
    """
    from pyinit.ctl import engine  # imported here: what only one command needs keeps no other waiting
    from pyinit.ctl.doctor import examination

    container = context.params["container"]
    if container and not stop_signal:
        stop_signal = engine.stop_signal_of(container)
    patient = examination.look_twice(pid, stop_signal)
    found = examination.findings(patient)
    if as_json:
        write_json(examination.as_object(patient, found))
    else:
        examination.show(patient, found)
    context.exit(1 if examination.number_wrong(found) else 0)
