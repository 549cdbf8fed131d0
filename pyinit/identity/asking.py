"""Somebody asks to end while there is work before the program: it is given up where nothing is half done."""

from pyinit.kernel import waiting
from pyinit.settings import Settings
from pyinit.tell import Fatal, signal_names

# What asks to end if no option says otherwise.
USUAL = Settings().ends_start


def give_up_if_asked(
    signals: "tuple[int, ...]", seconds: float = 0, also: "tuple[int, ...]" = (), what: str = ""
) -> None:
    """Wait for these signals, which are blocked, at most so long; one of `also` ends the wait.

    Raises Fatal with 128 + the signal if one comes that asks to end. `what` is the work that is given up.
    """
    info = waiting.wait((*signals, *also), seconds)
    if info and info.si_signo not in also:
        name = signal_names.name(info.si_signo)
        message = f"{what}: ended by {name}" if what else f"ended by {name} before the program started"
        raise Fatal(message, 128 + info.si_signo)
