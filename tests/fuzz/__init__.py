"""Whatever is said to pyinit, or lies in its files: no traceback, no hanging, one clear line if it is wrong.

The short form, part of every run of the tests, tries the same examples each time: what fails was changed. With
PYINIT_LONG=1 there are many more, other ones each time, and hypothesis keeps what failed in `.hypothesis`. What was
found that way is in `corpus/`, and tried first, always. Where atheris is installed, guided.py lets the code that an
input reaches choose the next one.
"""
