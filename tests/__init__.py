"""Tests of pyinit. What their own variables say is known by other names from here on: pyinit, which inherits the
environment, would warn of a variable of its prefix that it does not know."""

import os

for name in ("PYINIT_REQUIRE_CONTAINERS", "PYINIT_TEST_WORKERS", "PYINIT_LONG", "PYINIT_COVERAGE_STEPS"):
    if name in os.environ:
        os.environ[f"TESTS_{name}"] = os.environ.pop(name)
