"""Ends with status 0 if the server answers."""

from urllib.request import urlopen

urlopen("http://127.0.0.1:8000/", timeout=4)
