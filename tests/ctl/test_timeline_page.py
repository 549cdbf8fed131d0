"""The page that `pyinitctl timeline -o FILE.html` writes, in a real browser: what it shows, zoom, tooltips, keys."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyinit.ctl.commands import pyinitctl
from pyinit.ctl.timeline.svg import COLOURS
from tests.ctl.test_timeline import SMALL, texts
from tests.support import Pyinit
from tests.support.browser import Browser, chromium

# Left to the program's end: 21 and 22. The first is reaped at 7 of 10 s, the second at 9.5 s.
PROGRAM, WORKER, DEAF = (f"[...document.querySelectorAll('.row')][{row}]" for row in (1, 3, 4))
HOSTILE = "</pre><script>document.title = 'owned'</script>'\"&<img src=http://127.0.0.1:9/ onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(pyinit: Pyinit, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    with chromium(pyinit, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(tmp_path: Path) -> "Callable[[str], Path]":
    """Makes the page, and the SVG beside it, of a journal."""

    def make(journal: str) -> Path:
        (tmp_path / "journal").write_text(journal)
        for name in ("life.html", "life.svg"):
            done = CliRunner().invoke(pyinitctl, ["timeline", str(tmp_path / "journal"), "-o", str(tmp_path / name)])
            assert done.exit_code == 0, done.output
        return tmp_path / "life.html"

    return make


@pytest.fixture
def opened(browser: Browser, page: "Callable[[str], Path]") -> Browser:
    """The browser with the page of the small journal."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page(SMALL))
    return browser


def shown(browser: Browser, selector: str = "text") -> "list[str]":
    """What is written in the picture now."""
    found = f"[...document.querySelectorAll('#picture {selector}')].filter((each) => each.getClientRects().length)"
    written: "list[str]" = browser.value(f"{found}.map((each) => each.textContent)")
    return written


def tip(browser: Browser) -> str:
    """The tooltip that is shown, empty if there is none."""
    text: str = browser.value("document.getElementById('tip').checkVisibility() ? tip.textContent : ''")
    return text


def bar(browser: Browser, row: str, style: str) -> "tuple[float, float]":
    """From where to where a bar goes, in the picture's own pixels."""
    box = f"{row}.querySelector('rect.{style}')"
    left, width = browser.value(f"['x', 'width'].map((name) => Number({box}.getAttribute(name)))")
    return left, left + width


def test_the_page_loads_nothing_else_and_has_no_error(opened: Browser) -> None:
    assert [Path(address).name for address in opened.requests] == ["life.html"]
    assert opened.complaints == []


def test_the_page_shows_what_the_picture_shows(opened: Browser, tmp_path: Path) -> None:
    """The script lays out ticks and labels anew: in the same way."""
    assert sorted(shown(opened)) == sorted(texts(tmp_path / "life.svg"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screenshot_shows_the_bars_in_light_and_in_dark(
    browser: Browser, page: "Callable[[str], Path]", tmp_path: Path, scheme: str
) -> None:
    image = pytest.importorskip("matplotlib.image")
    browser.open(page(SMALL), 1000, 500, scheme)
    (tmp_path / "screenshot.png").write_bytes(browser.screenshot())
    pixels = (image.imread(io.BytesIO((tmp_path / "screenshot.png").read_bytes()))[:, :, :3] * 255).round().astype(int)
    assert pixels.shape[:2] == (500, 1000)

    def colour(style: str) -> "list[int]":
        value = COLOURS[style][scheme == "dark"]
        return [int(value[place : place + 2], 16) for place in (1, 3, 5)]

    assert pixels[499, 5].tolist() == colour("background")
    for row, style in ((PROGRAM, "program"), (DEAF, "orphan")):
        box = browser.value(
            f"(() => {{ const box = {row}.querySelector('rect.{style}').getBoundingClientRect(); "
            "return [box.x + box.width / 4, box.y + box.height / 2] })()"
        )
        assert pixels[round(box[1]), round(box[0])].tolist() == colour(style)
    for style in ("pyinit", "unknown", "grace", "signal", "drain", "kill"):
        assert (pixels == colour(style)).all(axis=2).sum() > 10, style


def test_the_buttons_zoom(opened: Browser) -> None:
    before = bar(opened, WORKER, "orphan")
    opened.click("#in")
    left, right = bar(opened, WORKER, "orphan")
    assert right - left == pytest.approx(2 * (before[1] - before[0]), rel=0.01)
    opened.click("#out")
    assert bar(opened, WORKER, "orphan") == pytest.approx(before)
    opened.click("#in")
    opened.press("ArrowRight")
    assert opened.value("[from, to]") == pytest.approx([0.35, 0.85])
    opened.click("#in")
    opened.click("#whole")
    assert bar(opened, WORKER, "orphan") == pytest.approx(before)


def test_zoomed_in_only_what_is_there_is_shown(opened: Browser) -> None:
    """From 3.75 to 6.25 s: the signal is there, the kill and the start are not."""
    opened.click("#in")
    opened.click("#in")
    written = shown(opened)
    assert "TERM from outside" in written
    assert not any(text.startswith("KILL") for text in written)
    ticks = [float(text.split()[0]) for text in shown(opened, ".tick text")]
    assert len(ticks) > 4
    assert 3.7 < min(ticks) <= max(ticks) < 6.3
    chart = opened.value("[layout.left, layout.left + layout.chart]")
    assert bar(opened, PROGRAM, "program") == pytest.approx((chart[0], chart[0] + 0.9 * (chart[1] - chart[0])))
    assert opened.value(f"{WORKER}.querySelector('rect.orphan').getClientRects().length") == 1


@pytest.mark.parametrize("days", [400, 2_800_000])
def test_at_the_closest_zoom_of_a_long_life_there_are_few_ticks(
    browser: Browser, page: "Callable[[str], Path]", days: int
) -> None:
    """A time of 400 days has no room left for parts of a nanosecond, and a loop over them no end."""
    end = days * 86400.0
    at = (0.0, 0.0009, end, end + 0.0004)
    details = (
        {"event": "start", "pid": 1, "arguments": ["pyinit", "--", "x"]},
        {"event": "spawn", "pid": 2, "program": ["x"]},
        {"event": "signal", "signal": "SIGTERM", "sender_pid": 0, "sender_uid": 0},
        {"event": "ended", "status": 143},
    )
    lines = [json.dumps({"time": time, "monotonic": time, **each}) + "\n" for time, each in zip(at, details)]
    browser.complaints.clear()
    browser.open(page("".join(lines)))
    for length in (0.1, 0.01, 1e-3, 1e-4, 0):
        for start in (0, 0.95, 1):
            browser.value(f"show({start}, {length})")
            browser.drawn()
            labels = shown(browser, ".tick text")
            assert len(labels) <= 11
            assert len(set(labels)) == len(labels) or days > 400
    assert browser.complaints == []


def test_the_wheel_with_control_zooms_where_the_pointer_is(opened: Browser) -> None:
    x, y = opened.middle(".heading rect")  # the signal at 4 s
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300, modifiers=2)
    opened.drawn()
    assert opened.value("to - from") == pytest.approx(0.2231, rel=0.01)
    assert opened.middle(".heading rect")[0] == pytest.approx(x, abs=3)  # a pointer is on a whole pixel
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    assert opened.value("to - from") == pytest.approx(0.2231, rel=0.01)


def test_dragging_moves_the_picture(opened: Browser) -> None:
    opened.click("#in")
    before = opened.value("[from, to]")
    x, y = opened.middle("#picture .hit")
    opened.mouse("mousePressed", x, y, button="left", clickCount=1)
    opened.mouse("mouseMoved", x - 50, y, button="left", buttons=1)
    opened.mouse("mouseMoved", x - 100, y, button="left", buttons=1)
    opened.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    after = opened.value("[from, to]")
    assert after[0] > before[0] + 0.05
    assert after[1] - after[0] == pytest.approx(before[1] - before[0])
    opened.mouse("mouseMoved", x, y)
    assert opened.value("[from, to]") == after


def test_pointing_at_something_tells_what_it_is(opened: Browser) -> None:
    assert tip(opened) == ""
    opened.mouse("mouseMoved", *opened.middle(".row .hit"))
    assert tip(opened).startswith("1 pyinit: pyinit")
    x, y = opened.value(f"(() => {{ const box = {DEAF}.getBoundingClientRect(); return [box.x + 60, box.y + 8] }})()")
    opened.mouse("mouseMoved", x, y)
    assert tip(opened).splitlines() == [
        "22 deaf: orphan",
        "there at 6.000 s, since when is not known",
        "still there when the program had ended",
        "ignored its signal, got KILL at 9.000 s",
        "adopted by then, and reaped at 9.500 s: ended by KILL, status 137",
    ]
    x, y = opened.middle(".heading text")
    opened.mouse("mouseMoved", x, y)
    assert tip(opened) == "at 4.000 s: TERM from outside, forwarded as TERM to process group 7"
    assert float(opened.value("document.getElementById('time').textContent").split()[0]) > 4
    opened.mouse("mouseMoved", 1, 1)
    assert tip(opened) == ""


def test_everything_can_be_done_with_keys(opened: Browser) -> None:
    opened.press("Tab")
    opened.press("Tab")
    assert opened.value("document.activeElement.id") == "picture"
    opened.press("+")
    opened.press("+")
    assert opened.value("[from, to]") == [0.375, 0.625]
    opened.press("ArrowRight")
    assert opened.value("[from, to]") == pytest.approx([0.425, 0.675])
    opened.press("ArrowLeft")
    opened.press("-")
    assert opened.value("[from, to]") == pytest.approx([0.25, 0.75])
    opened.press("0")
    assert opened.value("[from, to]") == [0, 1]
    told = []
    for _ in range(8):
        opened.press("ArrowDown")
        told.append(tip(opened).splitlines()[0])
    assert told[:5] == [
        "1 pyinit: pyinit",
        "7 serve: program",
        "20 date: orphan",
        "21 worker: orphan",
        "22 deaf: orphan",
    ]
    assert [text.partition(":")[0] for text in told[5:]] == ["at 4.000 s", "at 6.000 s", "at 9.000 s"]
    opened.press("ArrowUp")
    assert tip(opened).startswith("at 6.000 s")
    assert opened.value("document.activeElement.getAttribute('aria-label')").startswith("at 6.000 s")
    opened.press("Escape")
    assert tip(opened) == ""
    opened.press("Tab")
    assert opened.value("document.activeElement.tagName") == "SUMMARY"


def test_the_tooltip_stays_in_the_window(opened: Browser) -> None:
    opened.press("Tab")
    opened.press("Tab")
    for _ in range(8):
        opened.press("ArrowDown")
        left, right, width = opened.value(
            "(() => { const box = tip.getBoundingClientRect(); return [box.left, box.right, innerWidth] })()"
        )
        assert 0 <= left < right <= width


def test_the_text_is_in_the_page_too(opened: Browser) -> None:
    text = opened.value("document.querySelector('pre').textContent")
    assert "KILL to 22 (deaf, ignores it)" in text
    assert "\x1b" not in text


def test_a_hostile_name_does_nothing(browser: Browser, page: "Callable[[str], Path]") -> None:
    browser.requests.clear()
    browser.complaints.clear()
    hostile = SMALL
    for name in ("serve", "deaf", "SIGTERM"):
        assert f'"{name}"' in hostile
        hostile = hostile.replace(f'"{name}"', json.dumps(HOSTILE))
    browser.open(page(hostile))
    assert any(HOSTILE in each for each in browser.value("items.map((item) => item.dataset.tip)"))
    assert browser.value("document.title") != "owned"
    assert browser.value("document.scripts.length") == 1
    assert browser.value("document.images.length") == 0
    assert [Path(address).name for address in browser.requests] == ["life.html"]
    assert browser.complaints == []


def test_a_narrow_window_shows_all_of_it(browser: Browser, page: "Callable[[str], Path]") -> None:
    browser.open(page(SMALL), 400, 700)
    assert browser.value("document.documentElement.scrollWidth") <= 400
    browser.open(page(SMALL))
