"""Compose files that merge, and what their services share: read alike by the compose of each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .support import Compose

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(60, func_only=True)]

BASE = """\
x-init: &init
  image: service
  environment: {PYINIT_GRACE: "5", LEVEL: base}
  stop_grace_period: 30s

services:
  web:
    <<: *init
    command: [web]
  worker:
    <<: *init
    environment: {LEVEL: worker}
"""

OVERRIDE = """\
services:
  web:
    environment: {LEVEL: override}
    command: [other]
"""


def environment(service: dict[str, object]) -> dict[str, str]:
    """A map, or a list of NAME=VALUE: each compose shows it in its own way."""
    found = service["environment"]
    if isinstance(found, list):
        found = dict(each.split("=", 1) for each in found)
    assert isinstance(found, dict)
    return found


def test_a_second_file_adds_to_maps_and_replaces_the_command(engine: Engine, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    (tmp_path / "compose.yaml").write_text(BASE)
    (tmp_path / "override.yaml").write_text(OVERRIDE)
    shown = Compose(engine, tmp_path)("-f", "compose.yaml", "-f", "override.yaml", "config").stdout
    web, worker = (yaml.safe_load(shown)["services"][name] for name in ("web", "worker"))
    assert environment(web) == {"PYINIT_GRACE": "5", "LEVEL": "override"}
    assert web["command"] == ["other"]
    assert environment(worker) == {"LEVEL": "worker"}, "YAML's << takes a map as it is, and merges nothing below it"
    assert (web["stop_grace_period"], worker["stop_grace_period"]) == ("30s", "30s")
