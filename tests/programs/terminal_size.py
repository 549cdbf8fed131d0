"""Say `ready`, then print each WINCH with the size that the terminal has by then. Ends on SIGTERM."""

import os
import signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH, signal.SIGTERM})
print("ready", flush=True)
while signal.sigwait({signal.SIGWINCH, signal.SIGTERM}) == signal.SIGWINCH:
    size = os.get_terminal_size()
    print(f"size {size.columns}x{size.lines}", flush=True)
print("end", flush=True)
