"""The experiments, in the order in which to learn from them."""

from pyinit.ctl.lab.experiment import Experiment
from pyinit.ctl.lab.experiments import (
    end,
    groups,
    orphans,
    owner,
    pid1,
    setuid,
    shells,
    statuses,
    term,
    terminal,
    zombies,
)

MODULES = (pid1, term, zombies, orphans, shells, groups, terminal, statuses, end, owner, setuid)

EXPERIMENTS: "tuple[Experiment, ...]" = tuple(module.EXPERIMENT for module in MODULES)

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
