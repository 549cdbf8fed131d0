"""The scene as one page that needs nothing else: the SVG, and a script that zooms it and shows what things are."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template

from click import unstyle

from pyinit.ctl.timeline import scene, svg, text
from pyinit.ctl.timeline.labels import CHARACTER, GAP, INSET, LEVELS
from pyinit.ctl.timeline.model import Timeline
from pyinit.ctl.timeline.scene import LABELS_TOP, LEVEL, WIDTH, Scene

_TEXT_WIDTH = 100  # columns


def draw(timeline: Timeline, rows: int) -> bytes:
    """A whole HTML page. A journal may hold anything, so the page may run this one script and load nothing at all."""
    drawn = scene.make(timeline, rows, zoom=True)
    here = files("pyinit.ctl.timeline")
    script = (here / "page.js").read_text("utf-8")
    page = Template((here / "page.html").read_text("utf-8")).substitute(
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        title=escape(drawn.title),
        layout=escape(json.dumps(_layout(drawn))),
        picture=svg.element(drawn),
        text=escape(unstyle(text.draw(timeline, _TEXT_WIDTH, rows))),
        script=script,
    )
    return page.encode()


def _layout(drawn: Scene) -> "dict[str, object]":
    """What the script has to know to lay out the time axis again."""
    return {
        "left": drawn.left,
        "chart": drawn.chart,
        "width": WIDTH,
        "labelsTop": LABELS_TOP,
        "level": LEVEL,
        "levels": LEVELS,
        "character": CHARACTER,
        "gap": GAP,
        "inset": INSET,
        "barsTop": drawn.bars_top,
        "barsBottom": drawn.bars_bottom,
        "pieces": [[piece.start, piece.end, piece.left, piece.right, piece.cut] for piece in drawn.scale.pieces],
    }
