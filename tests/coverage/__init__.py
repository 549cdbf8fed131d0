"""Measuring which lines and branches of pyinit the tests run: see tools/coverage."""
