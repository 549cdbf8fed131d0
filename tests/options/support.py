"""A command line read as at the start of a run."""

from pyinit.options import choose
from pyinit.settings import Settings


def read(*words: str, name: str = "/pyinit", **environment: str) -> Settings:
    return choose([name, *words], {key.encode(): value.encode() for key, value in environment.items()})
