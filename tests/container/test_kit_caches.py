"""docker/caches: builds that take their packages from local caches, and images that do not know it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .support import Compose, built_image, example, once_more, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Container, Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(600, func_only=True)]

# What two builds write differently although the same is installed: a log has the time of each line, Python's byte code
# that of its source.
DIFFERS = ("var/log/", ".pyc")

# The host's certificates for the caches, as for the builds; their proxies come from the environment.
OVERRIDE = """\
services:
  apt: {volumes: ["/etc/ssl/certs:/etc/ssl/certs:ro"]}
  pypi: {volumes: ["/etc/ssl/certs:/etc/ssl/certs:ro"]}
"""

HTTPS = """\
FROM {image}
RUN sed -i '1s#http:#https:#' /etc/apt/sources.list \\
    && echo 'Acquire::Languages "none";' >/etc/apt/apt.conf.d/no-languages \\
    && echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io
"""


class Cache:
    """One of the caches, on a port of this host's that the engine chose."""

    def __init__(self, container: Container, port: int) -> None:
        self.container = container
        self.port = port

    def address(self) -> str:
        published = self.container.engine("port", self.container.name, f"{self.port}/tcp").stdout
        return f"127.0.0.1:{published.strip().rpartition(':')[2]}"

    def get(self, path: str) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.address()}/{path}", timeout=60) as answer:
            content: bytes = answer.read()
        return content

    def wait_until_ready(self, path: str) -> None:
        def answers() -> bool:
            try:
                self.get(path)
            except urllib.error.HTTPError:
                return True
            except OSError:
                return False
            return True

        wait_until(answers, f"an answer from {self.container.name}", 60)

    def log(self) -> list[str]:
        logs = self.container.logs()
        return [*logs.stdout.splitlines(), *logs.stderr.splitlines()]


class Caches(NamedTuple):
    apt: Cache
    pypi: Cache
    compose: Compose

    def wait_until_ready(self) -> None:
        self.apt.wait_until_ready("")
        self.pypi.wait_until_ready("health")

    def arguments(self) -> tuple[str, str]:
        """What a build is told."""
        return (
            f"--build-arg=LOCAL_APT_CACHE_URL=http://{self.apt.address()}",
            f"--build-arg=LOCAL_PYPI_CACHE_URL=http://{self.pypi.address()}/index/",
        )


class Built(NamedTuple):
    """Three images of one Dockerfile, and what the caches had said when the first one that used them was built."""

    without: str
    first: str
    second: str
    first_apt_log: list[str]
    first_pypi_log: list[str]


@pytest.fixture(scope="module")
def context(zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = example("caches", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    (directory / "compose.override.yaml").write_text(OVERRIDE)
    return directory


@pytest.fixture(scope="module")
def https_image(engine: Engine, package_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base image with its first package source, where the example's package is from, reached by HTTPS.

    As in Debian's own image, there are no translated descriptions, and dpkg does not wait for the disk: it takes half
    the time.
    """
    context = tmp_path_factory.mktemp("https")
    (context / "Dockerfile").write_text(HTTPS.format(image=package_image))
    with built_image(engine, context) as name:
        yield name


@pytest.fixture(scope="module")
def caches(engine: Engine, https_image: str, context: Path) -> Iterator[Caches]:
    tag = uuid.uuid4().hex[:12]
    compose = Compose(engine, context, BASE=https_image, TAG=tag, APT_PORT="", PYPI_PORT="")
    try:
        compose.build(seconds=300)
        compose("up", "--detach", "--no-build")
        started = Caches(Cache(compose.container("apt"), 3142), Cache(compose.container("pypi"), 5000), compose)
        started.wait_until_ready()
        yield started
    finally:
        compose.remove()
        engine("rmi", "--force", *(f"pyinit-{name}-cache:{tag}" for name in ("apt", "pypi")), check=False)


@pytest.fixture(scope="module")
def built(engine: Engine, https_image: str, context: Path, caches: Caches) -> Iterator[Built]:
    options = (f"--build-arg=BASE={https_image}", *engine.package_sources())
    with ExitStack() as images:

        def build(*arguments: str) -> str:
            words = ("--no-cache", *options, *arguments)
            return once_more(lambda: images.enter_context(built_image(engine, context, *words, seconds=240)))

        without = build()
        first = build(*caches.arguments())
        logs = caches.apt.log(), caches.pypi.log()
        yield Built(without, first, build(*caches.arguments()), *logs)


def apt_requests(log: list[str]) -> list[tuple[str, str]]:
    """From the lines TIME|I or O|BYTES|CLIENT|PATH of apt-cacher-ng: I is what it fetched, O what it gave out."""
    fields = [line.split("|") for line in log if line.count("|") == 4]
    return [(direction, path) for _, direction, _, _, path in fields]


def packages(requests: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the indexes; of a package, only the name."""
    return [(direction, path.rpartition("/")[2].partition("_")[0]) for direction, path in requests if "/pool/" in path]


def test_the_second_build_is_given_the_debian_package_that_the_first_one_fetched(caches: Caches, built: Built) -> None:
    first = apt_requests(built.first_apt_log)
    second = apt_requests(caches.apt.log())[len(first) :]
    assert packages(first) == [("I", "hello"), ("O", "hello")]
    assert packages(second) == [("O", "hello")]
    fetched = [path for direction, path in second if direction == "I"]
    assert all(path.endswith("/InRelease") for path in fetched), "of the indexes, only their dates are asked for anew"


def test_a_repository_is_cached_although_it_is_reached_by_https(caches: Caches, built: Built) -> None:
    assert built.second
    show = "grep -rh X-Original-Source --include 'hello_*.head' /var/cache/apt-cacher-ng"
    source = caches.apt.container.exec("sh", "-c", show).stdout
    assert source.startswith("X-Original-Source: https://")


def test_the_second_build_is_given_the_pypi_package_that_the_first_one_fetched(caches: Caches, built: Built) -> None:
    log = caches.pypi.log()
    second = list(log)
    for line in built.first_pypi_log:
        second.remove(line)
    given = [line for line in log if "GET /index/cowsay/" in line and line.endswith(".whl 200")]
    assert len(given) == 2
    assert sum("Downloading" in line and "cowsay" in line for line in built.first_pypi_log) == 1
    assert not any("Downloading" in line or "Refreshing" in line for line in second)


class Layers:
    """What an image adds to its base."""

    def __init__(self, engine: Engine, image: str, base: str, directory: Path) -> None:
        below = len(json.loads(engine("inspect", "--format", "{{json .RootFS.Layers}}", base).stdout))
        archive = directory / f"{uuid.uuid4().hex}.tar"
        engine("save", "--output", str(archive), image, seconds=180)
        with tarfile.open(archive) as members:
            (manifest,) = json.loads(content(members, "manifest.json"))
            self.configuration = content(members, manifest["Config"])
            self.layers = [content(members, name) for name in manifest["Layers"][below:]]
        archive.unlink()

    def files(self) -> dict[str, tuple[object, ...]]:
        """Of each file: kind, mode, owner, and what is in it or where it leads."""
        found: dict[str, tuple[object, ...]] = {}
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as members:
                for each in members:
                    digest = hashlib.sha256(content(members, each)).hexdigest() if each.isreg() else each.linkname
                    found[each.name] = (each.type, each.mode, each.uid, each.gid, digest)
        return found


def content(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def differs_by_nature(name: str) -> bool:
    return any(part in name for part in DIFFERS)


def test_the_image_has_the_same_files_as_without_caches_and_names_none(
    engine: Engine, https_image: str, caches: Caches, built: Built, tmp_path: Path
) -> None:
    without = Layers(engine, built.without, https_image, tmp_path)
    cached = Layers(engine, built.second, https_image, tmp_path)
    expected, found = without.files(), cached.files()
    assert {"usr/bin/hello", "opt/app/bin/cowsay", "pyinit"} <= expected.keys()
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name] and not differs_by_nature(name)] == []
    for trace in (caches.apt.address(), caches.pypi.address(), "HTTPS///", "LOCAL_APT", "LOCAL_PYPI"):
        for part in (cached.configuration, *cached.layers):
            assert trace.encode() not in part, trace


def test_the_image_works(engine: Engine, built: Built) -> None:
    for name in (built.without, built.first, built.second):
        assert "| Hello, world! |" in engine("run", "--rm", name).stdout


def test_the_caches_are_users_without_rights_end_when_told_to_and_keep_what_they_have(
    caches: Caches, built: Built
) -> None:
    assert built.second
    path = next(path for _, path in apt_requests(caches.apt.log()) if "/hello_" in path)
    package = caches.apt.get(path)
    wheel = caches.pypi.get("index/cowsay/cowsay-6.1-py3-none-any.whl")
    for cache, user in ((caches.apt, "apt-cacher-ng"), (caches.pypi, "proxpi")):
        users = [each.user for each in cache.container.processes()]
        assert users[0] == 0  # pyinit
        assert set(users[1:]) == {int(cache.container.exec("id", "-u", user).stdout)}
    caches.compose("stop")
    assert [cache.container.inspect("{{.State.ExitCode}}") for cache in (caches.apt, caches.pypi)] == ["0", "0"]
    before = len(apt_requests(caches.apt.log())), sum("Downloading" in line for line in caches.pypi.log())
    caches.compose("start")
    caches.wait_until_ready()
    assert caches.apt.get(path) == package
    assert caches.pypi.get("index/cowsay/cowsay-6.1-py3-none-any.whl") == wheel
    # A request is logged when the client has left.
    wait_until(lambda: apt_requests(caches.apt.log())[before[0] :], "the request in the log of apt-cacher-ng")
    assert apt_requests(caches.apt.log())[before[0] :] == [("O", path)]
    assert sum("Downloading" in line for line in caches.pypi.log()) == before[1]
