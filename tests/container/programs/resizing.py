"""Say `ready`, then the terminal's new size each time it changes; end with the terminal's next line."""

import os
import signal


def show_size(*_: object) -> None:
    size = os.get_terminal_size()
    print(f"{size.columns}x{size.lines}", flush=True)


signal.signal(signal.SIGWINCH, show_size)
print("ready", flush=True)
input()
