"""The commands of pyinitctl."""

import click

from pyinit import __version__
from pyinit.ctl.build import build
from pyinit.ctl.doctor.command import doctor
from pyinit.ctl.index import index
from pyinit.ctl.lab.commands import lab
from pyinit.ctl.options import prepare_output
from pyinit.ctl.timeline.command import timeline
from pyinit.ctl.top import top
from pyinit.ctl.tree import tree


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Build pyinit and look at what it does.

    \b
    Completion with Tab, for ~/.bashrc (zsh_source and fish_source are there, too):
        eval "$(_PYINITCTL_COMPLETE=bash_source pyinitctl)"
    """
    prepare_output(context)


main.add_command(build)
main.add_command(doctor)
main.add_command(index)
main.add_command(lab)
main.add_command(timeline)
main.add_command(top)
main.add_command(tree)


if __name__ == "__main__":
    main()
