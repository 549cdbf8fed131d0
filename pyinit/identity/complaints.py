"""What could not be done: a warning, or with --strict the end."""

from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.log import Log


def complain(settings: Settings, log: Log, message: str) -> None:
    """Say what could not be done. With --strict that ends the run: raises Fatal with status 1."""
    if settings.strict:
        raise Fatal(message, 1)
    log.warning(message)
