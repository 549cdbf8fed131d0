"""The experiments, in the order in which to learn from them."""

from pyinit.ctl.lab.experiment import Experiment
from pyinit.ctl.lab.experiments import pid1, term, zombies

EXPERIMENTS: "tuple[Experiment, ...]" = tuple(module.EXPERIMENT for module in (pid1, term, zombies))

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
