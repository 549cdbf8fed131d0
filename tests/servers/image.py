"""The image with all the servers, built once for its Dockerfile and the base image below it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.container.engines import Engine, locked
from tests.container.support import KEY, base_image, cache_directory, once_more, with_certificates

from .trials import FILES, HERE

CONTEXT = (HERE / "Dockerfile", FILES / "Server.java")
BUILD_DEADLINE = 1500  # seconds


def server_image(engine: Engine) -> str:
    """Return its name, building it first where it is missing; that takes minutes, and some 3 GB on the disk."""
    content = KEY.encode() + b"".join(path.read_bytes() for path in CONTEXT)
    key = hashlib.sha256(content).hexdigest()[:12]
    name = f"localhost/pyinit-servers:{key}"
    base = base_image(engine)
    with locked(cache_directory() / f"servers-{key}.{engine.name}.lock", "another run that builds the servers' image"):
        if engine("image", "inspect", name, check=False).returncode != 0:
            with tempfile.TemporaryDirectory() as directory:
                once_more(lambda: _build(engine, base, name, Path(directory)))
    return name


def _build(engine: Engine, base: str, name: str, context: Path) -> None:
    for path in CONTEXT:
        shutil.copy(path, context)
    dockerfile = context / "Dockerfile"
    dockerfile.write_text(with_certificates(dockerfile.read_text(), context))
    # What podman's own options mount cannot be written to, and Java adds its own form of the certificates.
    options = [] if engine.name == "podman" else engine.package_sources()
    build = ["build", *engine.build_options, *options, f"--build-arg=BASE={base}", "--tag", name, str(context)]
    engine(*build, seconds=BUILD_DEADLINE)
