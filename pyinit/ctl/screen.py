"""A terminal that one command has to itself for a while, and that is afterwards as it was."""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from types import FrameType

# xterm's alternate screen, its cursor, and what clears (console_codes(4), ctlseqs of xterm).
ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
END_OF_LINE = "\x1b[K"
END_OF_SCREEN = "\x1b[J"


def size() -> "tuple[int, int]":
    """Columns and rows of standard output, a terminal. COLUMNS and LINES do not count: they do not follow it."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or 80, found.lines or 24


class Screen:
    """Standard output, a terminal, as a full screen; keys come from standard input if that is one, too.

    TERM and HUP end the command with 128 + their number, Ctrl-Z suspends it, each with the terminal as it was.
    """

    def __enter__(self) -> "Screen":
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before = termios.tcgetattr(self._keys) if self._keys is not None else None
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGTSTP, self._suspend)
        signal.signal(signal.SIGWINCH, lambda *_: None)  # it wakes `wait` up
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGWINCH):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.close(self._woken)
        os.close(self._wake)
        self._give_back()

    def draw(self, lines: "list[str]") -> None:
        """Show lines, which must not be wider than the screen, from the top on."""
        sys.stdout.write(HOME + "".join(line + END_OF_LINE + "\r\n" for line in lines) + END_OF_SCREEN)
        sys.stdout.flush()

    def wait(self, seconds: float) -> str:
        """Wait for a key, and return it; "" when it is time, or the size has changed; "q" at the end of input."""
        watched = [self._woken] if self._keys is None else [self._woken, self._keys]
        ready, _, _ = select.select(watched, [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 1024)
        if self._keys in ready and self._keys is not None:
            return os.read(self._keys, 1).decode(errors="replace") or "q"
        return ""

    def _take(self) -> None:
        if self._keys is not None:
            tty.setcbreak(self._keys)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _give_back(self) -> None:
        # The terminal may be gone.
        if self._keys is not None and self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        with contextlib.suppress(OSError):
            sys.stdout.write(LEAVE)
            sys.stdout.flush()

    def _end(self, number: int, _: "FrameType | None") -> None:
        sys.exit(128 + number)

    def _suspend(self, *_: object) -> None:
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
