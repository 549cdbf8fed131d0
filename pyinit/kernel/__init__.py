"""What the kernel offers: signals, waiting, /proc, system calls, descriptors."""

import sys

# Whether this runs in the standalone file (pyinit/ctl/main.c), which brings along what the standard library lacks.
IS_STANDALONE = "_pyinit" in sys.builtin_module_names
