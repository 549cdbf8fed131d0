"""Giving the user the host's IDs, and its files with it."""
