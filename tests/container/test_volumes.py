"""Bind mount, named volume and tmpfs: which of them `--match-owner` follows, and which `--own` gives to the user."""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING

import pytest

from .support import REPOSITORY, built_image, copied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

GUIDE = (REPOSITORY / "docker/README.md").read_text()

DOCKERFILE = """\
FROM {base}
RUN useradd --create-home --uid 1000 dev && mkdir /data /image && touch /data/from-the-image && chown -R dev:dev /data
COPY pyinit /pyinit
ENTRYPOINT ["/pyinit", "--user", "dev"]
"""

SHOW = ("--", "sh", "-c", "id -u; stat -c %u /data; stat -c %u /data/* 2>/dev/null || echo empty")

# Of each kind of mount at /data: the user's number, the mount's owner, and the owner of what is in it.
WITHOUT = {"bind": (1000, 4242, "4242"), "volume": (1000, 1000, "1000"), "tmpfs": (1000, 0, "empty")}
MATCHED = {"bind": (4242, 4242, "4242"), "volume": (1000, 1000, "1000"), "tmpfs": (1000, 0, "empty")}
OWNED = {"bind": (1000, 4242, "4242"), "volume": (1000, 1000, "1000"), "tmpfs": (1000, 1000, "empty")}
# The user gets another number: what was its own follows where it is named.
MATCHED_AND_OWNED = {"volume": (4343, 4343, "4343"), "tmpfs": (4343, 4343, "empty")}


@pytest.fixture(scope="module")
def data_image(
    engine: Engine, image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image whose user has a file at /data, which is what a new volume there begins with."""
    context = tmp_path_factory.mktemp("context")
    copied(zipapp_for_containers, context)
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=image))
    with built_image(engine, context) as name:
        yield name


class Mounts:
    """Mounts at /data, by their kind."""

    def __init__(self, containers: Containers, image: str, directory: Path) -> None:
        self._containers = containers
        self._image = image
        self._bind = directory / "bind"
        self._bind.mkdir()
        (self._bind / "file").touch()
        for path in (self._bind, self._bind / "file"):
            os.chown(path, 4242, 4242)
        self.volume = f"pyinit-test-{uuid.uuid4().hex[:12]}"

    def show(self, kind: str, *options: str) -> tuple[int, int, str]:
        engine = self._containers.engine
        mount = {
            "bind": ("--volume", f"{self._bind}:/data"),
            "volume": ("--volume", f"{self.volume}:/data"),
            "tmpfs": ("--tmpfs", f"/data:mode=755{',notmpcopyup' if engine.name == 'podman' else ''}"),
        }[kind]
        shown = engine("run", "--rm", "--label", self._containers.label, *mount, self._image, *options, *SHOW)
        user, owner, inside = shown.stdout.split()
        return int(user), int(owner), inside


@pytest.fixture
def mounts(containers: Containers, data_image: str, tmp_path: Path) -> Iterator[Mounts]:
    made = Mounts(containers, data_image, tmp_path)
    yield made
    containers.engine("volume", "rm", "--force", made.volume)


def test_the_guide_has_a_line_for_each_kind() -> None:
    assert re.findall(r"^\| (bind mount|named volume|tmpfs) \|", GUIDE, re.MULTILINE) == [
        "bind mount",
        "named volume",
        "tmpfs",
    ]


@pytest.mark.parametrize("kind", WITHOUT)
def test_without_an_option_a_mount_is_whose_it_was(mounts: Mounts, kind: str) -> None:
    assert mounts.show(kind) == WITHOUT[kind]


@pytest.mark.parametrize("kind", MATCHED)
def test_match_owner_follows_the_owner_and_changes_nothing_in_the_mount(mounts: Mounts, kind: str) -> None:
    assert mounts.show(kind, "--match-owner", "/data") == MATCHED[kind]


@pytest.mark.parametrize("kind", OWNED)
def test_own_gives_the_user_what_is_roots_and_empty(mounts: Mounts, kind: str) -> None:
    assert mounts.show(kind, "--own", "/data") == OWNED[kind]


@pytest.mark.parametrize("kind", MATCHED_AND_OWNED)
def test_own_with_another_number_takes_along_what_was_the_users(mounts: Mounts, kind: str) -> None:
    assert mounts.show(kind, "--match", "4343:4343", "--own", "/data") == MATCHED_AND_OWNED[kind]
