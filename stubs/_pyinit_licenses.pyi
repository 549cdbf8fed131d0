"""Made by pyinit/ctl/standalone.py, in the standalone file alone."""

TEXT: str
