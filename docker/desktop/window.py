#!/usr/bin/env python3
"""A window that says whose it is."""

import getpass
import os
import signal
import tkinter

BACKGROUND = "#2050a0"

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would look at Ctrl-C when the next event of the window comes

window = tkinter.Tk()
window.title("desktop")
window.geometry("320x200")
window.configure(background=BACKGROUND)
whose = f"{getpass.getuser()} is {os.getuid()}:{os.getgid()}"
tkinter.Label(window, text=whose, background=BACKGROUND, foreground="white").pack(expand=True)
window.mainloop()
