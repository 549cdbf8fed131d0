"""The command's options and its help."""

import click

from pyinit import signal_names
from pyinit.ctl.options import json_option, pid_option, write_json


def signal_number(context: click.Context, parameter: click.Parameter, text: str) -> int:
    try:
        return signal_names.number(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command()
@pid_option
@click.option(
    "--stop-signal",
    callback=signal_number,
    default="TERM",
    show_default=True,
    metavar="SIGNAL",
    help="What the engine sends to stop the container: the image's STOPSIGNAL.",
)
@json_option
@click.pass_context
def doctor(context: click.Context, pid: "int | None", stop_signal: int, as_json: bool) -> None:
    """Say what is wrong in a container, and what to do.

    It looks for what goes wrong without a proper init: twice within a second, at PID 1, the program, all processes,
    mounts and rights, and changes nothing. Each finding comes with its evidence, which is what /proc says, and a fix.
    Errors and warnings are wrong; notes are good to know. It says what it may not read. Run it in the container, or on
    the host with a process of the container.

    \b
    Example: podman exec web pyinitctl doctor
             pyinitctl doctor --pid $(podman inspect -f '{{.State.Pid}}' web)

    \b
    Exit status: 0  nothing is wrong
                 1  there are errors or warnings
                 2  there is no such process, or wrong usage
    """
    from pyinit.ctl.doctor import examination  # imported here: what only one command needs keeps no other waiting

    patient = examination.look_twice(pid, stop_signal)
    found = examination.findings(patient)
    if as_json:
        write_json(examination.as_object(patient, found))
    else:
        examination.show(patient, found)
    context.exit(1 if examination.number_wrong(found) else 0)
