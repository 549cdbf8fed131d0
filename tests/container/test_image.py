"""An image as its author writes it, and the one file that goes into it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from .support import built_image, copied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers

pytestmark = [pytest.mark.container, pytest.mark.timeout(120, func_only=True)]

CONTAINERFILE = """\
FROM {base}
COPY pyinit /pyinit
ENTRYPOINT ["/pyinit", "--"]
CMD ["sh", "-c", "echo as the image says; exit 4"]
"""


@pytest.fixture
def own_image(containers: Containers, image: str, zipapp_for_containers: Path, tmp_path: Path) -> Iterator[str]:
    """An image with pyinit copied into it; it goes when the test ends."""
    copied(zipapp_for_containers, tmp_path)
    (tmp_path / "Dockerfile").write_text(CONTAINERFILE.format(base=image))
    with built_image(containers.engine, tmp_path) as name:
        yield name
        containers.remove()


def test_image_with_the_entry_point_runs_its_program(containers: Containers, own_image: str) -> None:
    bare = ("--label", containers.label, own_image)
    own = containers.engine("run", *bare, check=False)
    assert (own.returncode, own.stdout, own.stderr) == (4, "as the image says\n", "")
    other = containers.engine("run", *bare, "sh", "-c", "echo $$ $PPID", check=False)
    assert other.returncode == 0
    assert other.stdout.split()[1] == "1"


def test_f53_file_holds_nothing_but_its_own_source_and_byte_code(zipapp_for_containers: Path) -> None:
    with zipfile.ZipFile(zipapp_for_containers) as archive:
        files = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    assert {name.rpartition(".")[2] for name in files} == {"py"}
    assert not [name for name, content in files.items() if content.startswith(b"\x7fELF")]
    assert not [name for name in files if "ctl" in name.split("/") or "click" in name or "psutil" in name]
    assert zipapp_for_containers.stat().st_size <= 475 * 1024
