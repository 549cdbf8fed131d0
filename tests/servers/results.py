"""What came of the trials, kept in results.json between runs."""

from __future__ import annotations

import json
import threading
from typing import Any, NamedTuple

from .trials import HERE, Life, Stop

FILE = HERE / "results.json"
_LOCK = threading.Lock()

Lives = dict[str, Life]  # by who is in front: see Bench.lives


class Results(NamedTuple):
    """Those of the last run of each program."""

    engine: str  # and its version
    lives: dict[str, Lives]  # by the program's name


def load() -> Results:
    kept = _read()
    lives = {name: {init: _life(life) for init, life in lives.items()} for name, lives in kept["lives"].items()}
    return Results(kept["engine"], lives)


def save(engine: str, name: str, lives: Lives) -> None:
    """Let one program's results take the place of its old ones."""
    with _LOCK:
        kept = _read()
        kept["engine"] = engine
        kept["lives"][name] = {init: {**life._asdict(), "stop": life.stop._asdict()} for init, life in lives.items()}
        FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _read() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"engine": "", "lives": {}}
    return kept


def _life(kept: dict[str, Any]) -> Life:
    return Life(**{**kept, "stop": Stop(**kept["stop"]), "command": tuple(kept["command"])})
