"""Images and engines that were made for another init, with pyinit in its file's place and nothing else changed."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

import pytest

from .support import (
    Container,
    Containers,
    Engine,
    Podman,
    assert_serves_as_the_engines_init,
    built_image,
    copied,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

# As such images have it, but for the file that is copied to the init's place.
DUMB_INIT = """\
FROM {base}
COPY pyinit /usr/bin/dumb-init
ENTRYPOINT ["dumb-init", "--rewrite", "15:3", "--"]
CMD ["python3", "/programs/signals.py"]
"""
TINI = """\
FROM {base}
COPY pyinit /sbin/tini
ENV TINI_KILL_PROCESS_GROUP=1
ENTRYPOINT ["/sbin/tini", "-g", "-e", "143", "--"]
CMD ["sleep", "1000"]
"""
CATATONIT = """\
FROM {base}
COPY pyinit /catatonit
"""


@pytest.fixture(scope="module")
def build_image(
    engine: Engine, image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Builds an image from the text of a Dockerfile; all are removed in the end."""
    with contextlib.ExitStack() as images:

        def build(text: str) -> str:
            context = tmp_path_factory.mktemp("context")
            copied(zipapp_for_containers, context)
            (context / "Dockerfile").write_text(text.format(base=image))
            return images.enter_context(built_image(engine, context))

        yield build


def start(containers: Containers, image: str, *words: str) -> Container:
    """A container with the image's own entry point."""
    return containers.start(*words, init=None, image=image)


def test_image_made_for_dumb_init(containers: Containers, build_image: Callable[[str], str]) -> None:
    container = start(containers, build_image(DUMB_INIT))
    container.wait_for_line("ready")
    container.kill("TERM")
    assert container.wait() == 3
    assert container.lines() == ["ready", "SIGQUIT"]


def test_image_made_for_tini(containers: Containers, build_image: Callable[[str], str]) -> None:
    image = build_image(TINI)
    container = start(containers, image, "sh", "-c", "echo ready; exec sleep 1000")
    container.wait_for_line("ready")
    container.kill("TERM")
    assert container.wait() == 0
    missing = containers.engine("run", "--label", containers.label, image, "no-such-program", check=False)
    assert missing.returncode == 127
    assert "exec no-such-program failed: No such file or directory" in missing.stderr


@pytest.fixture
def containers_with_our_catatonit(image: str, zipapp_for_containers: Path, tmp_path: Path) -> Iterator[Containers]:
    """Containers of an engine whose catatonit is pyinit."""
    catatonit = tmp_path / "catatonit"
    catatonit.write_bytes(zipapp_for_containers.read_bytes())
    catatonit.chmod(0o755)
    with Containers(Podman(tmp_path, f'init_path = "{catatonit}"'), image, zipapp_for_containers) as made:
        yield made


@pytest.mark.only("podman", "has another init: see test_docker.py")
def test_f07_as_the_catatonit_of_podman_run_init(containers_with_our_catatonit: Containers) -> None:
    container = containers_with_our_catatonit.start("python3", "/programs/signals.py", init=None, options=("--init",))
    container.wait_for_line("ready")
    assert_serves_as_the_engines_init(container)


@pytest.fixture
def pod(engine: Engine, build_image: Callable[[str], str]) -> Iterator[str]:
    """A pod with one PID namespace, which pyinit as catatonit holds open."""
    name = f"pyinit-test-{uuid.uuid4().hex[:12]}"
    infra = ("--infra-image", build_image(CATATONIT), "--infra-command", "/catatonit -P")
    engine("pod", "create", "--name", name, "--share", "pid,ipc,uts", *infra)
    try:
        yield name
    finally:
        engine("pod", "rm", "--force", "--time", "0", name)


@pytest.mark.only("podman", "has no pods")
def test_pause_of_a_pod_reaps_its_orphans_and_ends_with_it(containers: Containers, pod: str) -> None:
    engine = containers.engine
    container = containers.start("sleep", "1000", init=None, options=("--pod", pod))
    pause = container.exec("cat", "/proc/1/cmdline").stdout.split("\0")
    assert pause[-3:] == ["/catatonit", "-P", ""]
    orphan = container.exec("sh", "-c", "sleep 0.1 >/dev/null 2>&1 & echo $!").stdout.strip()
    # A zombie would still be there.
    wait_until(
        lambda: container.exec("test", "-e", f"/proc/{orphan}", check=False).returncode == 1, "the orphan to be reaped"
    )
    engine("pod", "stop", "--time", "10", pod)
    infra = engine("pod", "inspect", "--format", "{{.InfraContainerID}}", pod).stdout.strip()
    assert engine("inspect", "--format", "{{.State.ExitCode}}", infra).stdout.strip() == "0"
