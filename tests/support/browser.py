"""A real browser for the tests: Chromium without a window, spoken to over two pipes."""

import base64
import contextlib
import json
import os
import select
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import DEADLINE, Pyinit, wait_until

_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-pipe",
]


class Browser:
    """One tab. It is told what to do in JSON, with a NUL behind each command: the DevTools protocol of Chromium
    (https://chromedevtools.github.io/devtools-protocol/)."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._received = b""
        self._number = 0
        self._session: "dict[str, str]" = {}
        self.complaints: "list[str]" = []  # of the page: exceptions, console errors, refused loads
        self.requests: "list[str]" = []  # addresses
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> "dict[str, Any]":
        """Give a command and wait for its result. Events that come meanwhile are noted."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._to_browser, json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: "dict[str, Any]" = message["result"]
                return result

    def open(self, page: Path, width: int = 1000, height: int = 700, scheme: str = "light") -> None:
        """Load a page whole, in a window of that size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=page.as_uri())
        wait_until(lambda: self.value("document.readyState === 'complete'"), "the page is loaded")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is, in the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def drawn(self) -> None:
        """Wait until what was asked for is on the screen."""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def press(self, key: str) -> None:
        """Press and let go a key, by its name, such as `ArrowLeft`, or its character."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"Tab": 9}.get(key, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.drawn()

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """A mouse event: mousePressed, mouseReleased, mouseMoved, mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.drawn()

    def middle(self, selector: str) -> "tuple[float, float]":
        """Where the middle of an element is."""
        box = f"const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        x, y = self.value(f"(() => {{ {box} return [box.x + box.width / 2, box.y + box.height / 2] }})()")
        return x, y

    def click(self, selector: str) -> None:
        x, y = self.middle(selector)
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def _message(self) -> "dict[str, Any]":
        end = time.monotonic() + DEADLINE
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._from_browser], [], [], max(0, end - time.monotonic()))
            data = os.read(self._from_browser, 1 << 20) if ready else b""
            if not data:
                pytest.fail("the browser says no more")
            self._received += data
        first, _, self._received = self._received.partition(b"\0")
        message: "dict[str, Any]" = json.loads(first)
        method = message.get("method")
        if method == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"]))
        return message


@contextlib.contextmanager
def chromium(pyinit: Pyinit, directory: Path) -> "Iterator[Browser]":
    """Chromium below a pyinit, with its files in `directory`. Without a Chromium the test is skipped, or fails where
    skipping is not allowed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        message = "pages are tested in Chromium (the package chromium)"
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    # It reads commands from its descriptor 3 and writes to 4.
    move = f"import os, sys; os.dup2({commands}, 3); os.dup2({answers}, 4); os.execv(sys.argv[1], sys.argv[1:])"
    words = ("--", sys.executable, "-ISc", move, program, *_OPTIONS, f"--user-data-dir={directory}")
    environment = {**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}
    options: "dict[str, Any]" = {"env": environment, "pass_fds": (commands, answers)}
    with open(directory / "errors", "wb") as errors, pyinit.start(*words, stderr=errors, **options):
        os.close(commands)
        os.close(answers)
        try:
            yield Browser(to_browser, from_browser)
        finally:
            os.close(to_browser)
            os.close(from_browser)
