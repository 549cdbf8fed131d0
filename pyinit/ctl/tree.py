"""`pyinitctl tree`: the processes of a container, once."""

import sys

import click

from pyinit.ctl.options import container_options, json_option, write_json


@click.command()
@container_options
@json_option
def tree(pid: "int | None", as_json: bool) -> None:
    """Show the processes of a container as a tree.

    S is the state: R (runs), S or D (sleeps), T or t (stopped), I (idle) or Z (a zombie: ended, and not waited for);
    PGRP the process group, SID the session, TTY the terminal. SIGNALS says which are not left to the default action:
    caught by a handler, collected in a call (sigwaitinfo, a signalfd), ignored, or blocked.

    A process whose parent ended is adopted by PID 1. The kernel keeps no record of that. Below an init it is every
    child but the program; elsewhere a child of PID 1 in a process group that is neither PID 1's nor its own. From
    outside is what the engine has put in (exec). A group or session 0 is led by a process outside.

    \b
    Example: podman exec web pyinitctl tree
             pyinitctl tree --container web
    """
    from pyinit.ctl import console, forest
    from pyinit.ctl.container import look, more_rights

    container = look(pid)
    found = forest.rows(container)
    if as_json:
        write_json(forest.as_object(container, found))
        return
    out = console.output()
    width = console.width(out)
    lines = console.lines(out, forest.table(container, found, width), forest.commands(found, branches()), width)
    console.write(out, forest.coloured(lines, found))
    click.echo(forest.summary(found))
    hidden = sum(not row.process.is_open for row in found)
    if hidden:
        click.echo(f"not looked at: what {hidden} of them collect; {more_rights()}")


def branches() -> "tuple[str, ...]":
    """What the tree is drawn with, as far as standard output can say it."""
    from pyinit.ctl import forest

    try:
        "".join(forest.BRANCHES).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return forest.ASCII_BRANCHES
    return forest.BRANCHES
