"""What tini, dumb-init and catatonit tell about a run, in their words. Imported only if it is asked for.

The loop knows nothing of it: these are the events of the journal, said otherwise.
"""

import posix

from pyinit.settings import ERROR, WARNING, Settings
from pyinit.tell.log import Log

_NO_TERMINAL = "(errno=25 Inappropriate ioctl for device)"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Narrator:
    """Takes the journal's events and says those that an init of another name says, in its words and at its levels."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._level = log.level
        self._says = NARRATIONS[settings.personality]
        # Of our own messages no more than without it.
        log.level = ERROR if settings.personality == "dumb-init" else WARNING

    def write(self, event: str, **details: "Any") -> None:
        ours, self._log.level = self._log.level, self._level
        for level, text in self._says(self._settings, event, details):
            self._log.write(level, text)
        self._log.level = ours


def _as_tini(settings: Settings, event: str, of: "dict[str, Any]") -> "Iterator[tuple[int, str]]":
    from _signal import strsignal

    from pyinit.tell.signal_names import number

    if event == "spawn":
        yield 2, f"Spawned child process '{settings.program[0]}' with pid '{of['pid']}'"
    elif event == "signal":
        yield 3, f"Passing signal: '{strsignal(number(of['signal']))}'"
    elif event == "reaped":
        yield 3, f"Reaped child with pid: '{of['pid']}'"
        if not of["orphan"] and of["signal"]:
            yield 2, f"Main child exited with signal (with signal '{strsignal(number(of['signal']))}')"
        elif not of["orphan"]:
            yield 2, f"Main child exited normally (with status '{of['status']}')"


def _as_dumb_init(settings: Settings, event: str, of: "dict[str, Any]") -> "Iterator[tuple[int, str]]":
    from pyinit.tell.signal_names import number

    if event == "start" and settings.verbosity > 2:  # by DUMB_INIT_DEBUG, and not by -v
        yield 0, "Running in debug mode."
        if not settings.session:
            yield 0, "Not running in setsid mode."
    if event == "start" and settings.session:
        yield 0, _hand_over_of_the_terminal()
    elif event == "spawn":
        yield 0, f"Child spawned with PID {of['pid']}."
        if settings.session and posix.isatty(0) and posix.getsid(0) == posix.getpid():
            for signal in (1, 18):  # HUP and CONT, which the kernel makes of it, and which pyinit takes back
                yield 0, f"Received signal {signal}."
                yield 0, f"Ignoring tty hand-off signal {signal}."
        if settings.session and not posix.isatty(0):
            yield 0, f"Unable to attach to controlling tty {_NO_TERMINAL}."
        if settings.session:
            yield 0, "setsid complete."
    elif event == "signal":
        yield 0, f"Received signal {number(of['signal'])}."
        yield from _rewritten(settings, number(of["signal"]))
    elif event == "forwarded":
        yield 0, f"Forwarded signal {number(of['signal'])} to children."
    elif event == "reaped":
        yield 0, "Received signal 17."
        how = (
            f"was terminated by signal {number(of['signal'])}"
            if of["signal"]
            else f"exited with exit status {of['status']}"
        )
        yield 0, f"A child with PID {of['pid']} {how}."
    elif event == "ended":
        yield from _rewritten(settings, 15)
        if settings.rewrite.get(15, 15):
            yield 0, f"Forwarded signal {settings.rewrite.get(15, 15)} to children."
        yield 0, f"Child exited with status {of['status']}. Goodbye."


def _hand_over_of_the_terminal() -> str:
    try:
        posix.tcgetpgrp(0)
    except OSError:
        return f"Unable to detach from controlling tty {_NO_TERMINAL}."
    if posix.getsid(0) != posix.getpid():
        return "Detached from controlling tty, but was not session leader."
    return "Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive."


def _rewritten(settings: Settings, received: int) -> "Iterator[tuple[int, str]]":
    if received in settings.rewrite:
        yield 0, f"Translating signal {received} to {settings.rewrite[received]}."
        if not settings.rewrite[received]:
            yield 0, "Not forwarding signal 0 to children (ignored)."


def _as_catatonit(settings: Settings, event: str, of: "dict[str, Any]") -> "Iterator[tuple[int, str]]":
    if event == "spawn":
        yield 3, f"pid1 ({of['pid']}) spawned: {settings.program[0]}"
    elif event == "reaped" and of["orphan"]:
        how = f"due to signal {of['status'] - 128}" if of["signal"] else f"with code {of['status']}"
        yield 3, f"child process {of['pid']} exited {how}"


NARRATIONS: "dict[str, Callable[[Settings, str, dict[str, Any]], Iterator[tuple[int, str]]]]" = {
    "tini": _as_tini,
    "dumb-init": _as_dumb_init,
    "catatonit": _as_catatonit,
}
