"""docker/desktop: a window of a container's program on the host's X server, with the cookie of the host's user."""

from __future__ import annotations

import os
import secrets
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from .support import Container, built_image, example, unavailable, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .support import Containers, Engine, Finished

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

UID, GID = 4242, 4343  # the host's user, whom the image does not know
HOST = "desktop-host"  # the name that the cookie is filed under
BLUE = 0x2050A0  # of the example's window, 320 x 200


class Screen:
    """An X server whose screen is in memory, and the cookie that it asks for."""

    def __init__(self, directory: Path) -> None:
        """Start Xvfb on a display that is free; it is ready when it has named that display."""
        self.picture = directory / "Xvfb_screen0"
        self.cookie = directory / "cookie"
        secret = secrets.token_hex(16)
        self._file_cookie(0, secret)
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
        command += ["-auth", str(self.cookie), "-fbdir", str(directory)]
        self._server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._server.stdout is not None
        self.display = int(self._server.stdout.readline())
        self._file_cookie(self.display, secret)
        os.chown(self.cookie, UID, GID)

    def _file_cookie(self, display: int, secret: str) -> None:
        command = ["xauth", "-q", "-f", str(self.cookie), "add", f"{HOST}/unix:{display}", ".", secret]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)

    def colours(self) -> set[int]:
        """The colours that the screen shows."""
        return set(self.pixels())

    def pixels(self) -> tuple[int, ...]:
        """Every pixel of the screen as 0xRRGGBB: the XWD file that the server draws into."""
        picture = self.picture.read_bytes()
        header = struct.unpack(">25I", picture[:100])  # /usr/include/X11/XWDFile.h
        header_size, height, bytes_per_line, colours = header[0], header[5], header[12], header[19]
        start = header_size + 12 * colours
        lines = picture[start : start + bytes_per_line * height]
        return tuple(pixel & 0xFFFFFF for pixel in struct.unpack(f"<{len(lines) // 4}I", lines))

    def close(self) -> None:
        """End the server, which removes its socket."""
        self._server.terminate()
        self._server.communicate(timeout=30)


@pytest.fixture(scope="module")
def desktop_image(
    engine: Engine, package_image: str, zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    context = example("desktop", tmp_path_factory.mktemp("context"), zipapp_for_containers)
    with built_image(
        engine, context, f"--build-arg=BASE={package_image}", *engine.package_sources(), seconds=180
    ) as name:
        yield name


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    for program in ("Xvfb", "xauth"):
        if not shutil.which(program):
            unavailable(f"{program}, which the host's screen needs, is not installed")
    started = Screen(tmp_path)
    try:
        yield started
    finally:
        started.close()


class Desktop:
    """The example's image as its README starts it, without a network: only files lead to the screen."""

    def __init__(self, containers: Containers, image: str, screen: Screen) -> None:
        self.containers = containers
        self.image = image
        self.label = f"--label={containers.label}"
        self.parts = {
            "display": f"--env=DISPLAY=:{screen.display}",
            "name": f"--hostname={HOST}",
            "socket": "--volume=/tmp/.X11-unix:/tmp/.X11-unix:ro",
            "cookie": f"--volume={screen.cookie}:/xauthority:ro",
        }

    def start(self) -> Container:
        options = ("--detach", "--network=none", self.label, *self.parts.values())
        return Container(self.containers.engine, self.containers.engine("run", *options, self.image).stdout.strip())

    def run_without(self, part: str, *words: str) -> Finished[str]:
        given = [option for name, option in self.parts.items() if name != part]
        return self.containers.engine("run", "--network=none", self.label, *given, self.image, *words, check=False)


@pytest.fixture
def desktop(containers: Containers, desktop_image: str, screen: Screen) -> Desktop:
    return Desktop(containers, desktop_image, screen)


@pytest.mark.parametrize(("signal_name", "status"), [("TERM", 143), ("INT", 130)])
def test_the_hosts_screen_shows_the_window_of_the_hosts_user_until_it_is_stopped(
    desktop: Desktop, screen: Screen, signal_name: str, status: int
) -> None:
    assert screen.colours() == {0}, "the screen is blank before"
    container = desktop.start()
    # Where the name is written, the blue is mixed with white.
    wait_until(lambda: 60_000 < screen.pixels().count(BLUE) < 64_000, "a blue window of 320 x 200 with its text")
    wait_until(lambda: 0xFFFFFF in screen.colours(), "the window's text")
    assert [(each.user, each.group) for each in container.processes() if "window" in each.arguments][-1] == (UID, GID)
    container.kill(signal_name)
    assert container.wait() == status
    wait_until(lambda: screen.colours() == {0}, "the window to go")


def test_without_the_cookie_nothing_starts(desktop: Desktop) -> None:
    finished = desktop.run_without("cookie")
    assert finished.returncode == 2
    assert finished.stderr == "pyinit: --match-owner: '/xauthority': No such file or directory\n"


def test_a_cookie_of_a_wrong_content_is_refused(desktop: Desktop, screen: Screen, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(screen.cookie.read_bytes()[:-16] + secrets.token_bytes(16))
    os.chown(wrong, UID, GID)
    desktop.parts["cookie"] = f"--volume={wrong}:/xauthority:ro"
    assert "Invalid MIT-MAGIC-COOKIE-1 key" in desktop.run_without("nothing").stderr


def test_a_user_who_is_not_the_cookies_owner_is_refused(desktop: Desktop) -> None:
    desktop.parts["entry point"] = "--entrypoint=/pyinit"
    finished = desktop.run_without("nothing", "--user", "dev", "--", "window")
    assert finished.returncode == 1
    assert "Authorization required" in finished.stderr


def test_the_cookie_is_filed_under_the_hosts_name(desktop: Desktop) -> None:
    assert "Authorization required" in desktop.run_without("name").stderr


def test_without_the_servers_socket_there_is_no_display(desktop: Desktop, screen: Screen) -> None:
    finished = desktop.run_without("socket")
    assert finished.returncode == 1
    assert f'couldn\'t connect to display ":{screen.display}"' in finished.stderr
    assert "Authorization" not in finished.stderr
