"""Tasks for celery: one that answers, and one that takes its time and leaves a file."""

from __future__ import annotations

import time
from pathlib import Path

from celery import Celery  # type: ignore[import-not-found]

app = Celery("tasks", broker="redis://127.0.0.1:6379/0", backend="redis://127.0.0.1:6379/1")


@app.task  # type: ignore[untyped-decorator]
def add(one: int, other: int) -> int:
    return one + other


@app.task  # type: ignore[untyped-decorator]
def slow(directory: str) -> None:
    Path(directory, "begun").touch()
    time.sleep(2)
    Path(directory, "done").touch()
