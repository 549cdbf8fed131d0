"""TERM and HUP end a command as Ctrl-C does: what it has begun is cleared away."""

import signal
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP)


def end_by_exception() -> None:
    """From now on they raise SystemExit. One that is ignored stays so: nohup."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
