"""Sphinx's configuration: HTML of all pages or, with `-t man`, the manual pages of docs/man. See tools/docs."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from pyinit import __version__  # noqa: E402

project = "pyinit"
copyright = "the authors of pyinit; the license is MIT"
version = release = __version__

extensions = ["myst_parser", "sphinx_click", "pyinit_docs"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The manual pages have the options that the reference has: each builder sees its own pages, and nothing twice.
tags: Any  # Sphinx puts it here
if tags.has("man"):  # noqa: F821
    root_doc = "man/pyinit"
    include_patterns = ["man/*.md"]
else:
    exclude_patterns = ["man"]

nitpicky = True
smartquotes_action = "qe"  # an option's two hyphens stay what they are
highlight_language = "none"

# Where the repository's files can be read, such as https://forge.example/owner/pyinit/blob/main: their names are then
# links. Empty: nobody knows.
repository_url = ""

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["pyinit.css"]
html_title = f"pyinit {__version__}"
html_show_sphinx = False
html_copy_source = False

man_pages = [
    ("man/pyinit", "pyinit", "PID 1 for containers", "", "1"),
    ("man/pyinitctl", "pyinitctl", "build pyinit and look at what it does", "", "1"),
]
# In place of the day of the build, so that the same sources make the same pages.
today = f"version {__version__}"
