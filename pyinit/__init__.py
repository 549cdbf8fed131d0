"""pyinit: PID 1 for containers. The stages of a run are listed in `pyinit.__main__`."""

__version__ = "0.1.0"
