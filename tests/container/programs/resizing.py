"""Say `ready`, then the terminal's new size each time it changes; end with the terminal's next line."""

import os
import signal


def show_size(*_: object) -> None:
    size = os.get_terminal_size()
    # Not print: in a signal handler that may be within another print, which buffered streams refuse.
    os.write(1, b"%dx%d\n" % (size.columns, size.lines))


signal.signal(signal.SIGWINCH, show_size)
print("ready", flush=True)
input()
