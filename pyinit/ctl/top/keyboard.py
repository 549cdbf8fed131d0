"""The keys of a terminal, and the signals that matter while it is ours: what rich does not do."""

import codecs
import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty

# What a terminal sends for keys without a character (ctlseqs of xterm; terminfo's kcuu1, khome and so on).
NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
    "\x1b[F": "end",
    "\x1bOF": "end",
    "\x1b[4~": "end",
    "\x1bOR": "/",  # F3 and so on, as in htop
    "\x1b[13~": "/",
    "\x1bOS": "/",
    "\x1b[14~": "/",
    "\x1b[15~": "t",
    "\x1b[17~": "s",
    "\x1b[20~": "k",
    "\x1b[21~": "q",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x15": "clear",  # Ctrl-U, as terminals have it
}

KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|.", re.DOTALL)

UNFINISHED = re.compile(r"\x1b(\[[0-9;]*|O)?$")

SPLIT = 0.05  # seconds; the rest of a key's sequence is there by then, or it was Escape

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Keyboard:
    """Standard input, if it is a terminal: keys one by one, without echo. Afterwards it is as it was.

    A signal is only noted, and `wait` returns: whoever draws acts when the screen is whole. A handler that raised an
    exception or wrote could come in the middle of a line, or of setting the terminal back.
    """

    def __init__(self) -> None:
        self.ended_by = 0  # the signal that is to end us
        self.is_suspended = False  # by Ctrl-Z: `give_back`, stop, and `take`

    def __enter__(self) -> "Keyboard":
        self._keys = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
        self._before = termios.tcgetattr(self._keys) if self._keys is not None else None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._handlers = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGTSTP, signal.SIGWINCH)}
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number, handler in self._handlers.items():
            if handler is not signal.SIG_IGN:  # nohup, or a shell's background
                signal.signal(number, self._note)
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self._woken)
        os.close(self._wake)

    def take(self) -> None:
        """Have keys without waiting for Enter; Ctrl-C and Ctrl-Z are signals still.

        A read waits for nothing (VMIN of 0): Ctrl-C empties the queue, also between select and the read (man 3 termios,
        NOFLSH).
        """
        if self._keys is not None:
            with contextlib.suppress(termios.error):
                tty.setcbreak(self._keys)
                modes = termios.tcgetattr(self._keys)
                modes[6][termios.VMIN] = 0
                termios.tcsetattr(self._keys, termios.TCSANOW, modes)

    def give_back(self) -> None:
        if self._keys is not None and self._before is not None:
            with contextlib.suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> "list[str]":
        """Wait for keys: names such as "up", or characters. None when it is time, or a signal came."""
        if not self._is_typed(seconds):
            return []
        text = self._read()
        while UNFINISHED.search(text) and self._is_typed(SPLIT):
            text += self._read()
        return [NAMES.get(key, key) for key in KEY.findall(text)]

    def _is_typed(self, seconds: float) -> bool:
        watched = [self._woken] if self._keys is None else [self._woken, self._keys]
        ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 1024)
        return self._keys in ready

    def _read(self) -> str:
        """What was typed, or nothing. A terminal that is gone is a hang-up, also where nobody sends the signal."""
        if self._keys is None:
            return ""
        try:
            data = os.read(self._keys, 1024)
        except OSError:  # EIO
            data = b""
        if not data and self._is_gone(self._keys):
            self.ended_by = self.ended_by or signal.SIGHUP
        return self._decoder.decode(data)

    @staticmethod
    def _is_gone(descriptor: int) -> bool:
        asked = select.poll()
        asked.register(descriptor, 0)  # it tells of a hang-up in any case
        return bool(asked.poll(0))

    def _note(self, number: int, _: object) -> None:
        if number in ENDING:
            self.ended_by = number
        elif number == signal.SIGTSTP:
            self.is_suspended = True
