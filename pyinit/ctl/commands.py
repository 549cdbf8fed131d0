"""The commands of pyinitctl."""

import click

from pyinit import __version__
from pyinit.ctl.adopt.command import adopt
from pyinit.ctl.build import build
from pyinit.ctl.doctor.command import doctor
from pyinit.ctl.index import index
from pyinit.ctl.lab.commands import lab
from pyinit.ctl.options import prepare_output
from pyinit.ctl.timeline.command import timeline
from pyinit.ctl.timeline.report_page import report
from pyinit.ctl.top.command import top
from pyinit.ctl.tree import tree


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def pyinitctl(context: click.Context) -> None:
    """Build pyinit and look at what it does.

    \b
    Completion with Tab, for ~/.bashrc (zsh_source and fish_source are there, too):
        eval "$(_PYINITCTL_COMPLETE=bash_source pyinitctl)"

    \b
    Exit status of any command, besides its own: 2    standard output cannot be written
                                                 130  Ctrl-C
                                                 141  nobody reads standard output any more
    """
    prepare_output(context)


pyinitctl.add_command(adopt)
pyinitctl.add_command(build)
pyinitctl.add_command(doctor)
pyinitctl.add_command(index)
pyinitctl.add_command(lab)
pyinitctl.add_command(report)
pyinitctl.add_command(timeline)
pyinitctl.add_command(top)
pyinitctl.add_command(tree)
