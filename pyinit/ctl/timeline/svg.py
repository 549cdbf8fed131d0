"""The scene as SVG: a picture of its own, light or dark as its viewer is, or the inside of a page."""

from xml.sax.saxutils import escape, quoteattr

from pyinit.ctl.timeline import scene
from pyinit.ctl.timeline.model import Timeline
from pyinit.ctl.timeline.scene import WIDTH, Bar, Box, Heading, Item, Polygon, Scene, Shape, Stroke, Text

# What each style is filled with, in the light and in the dark.
COLOURS = {
    "background": ("#ffffff", "#15181d"),
    "title": ("#1f2328", "#e8eaed"),
    "label": ("#1f2328", "#d5d9de"),
    "outcome": ("#57606a", "#a5adb6"),
    "dim": ("#57606a", "#a5adb6"),
    "grid": ("#e3e6ea", "#2b3038"),
    "cut": ("#eef0f2", "#22262d"),
    "grace": ("#fdf0c8", "#352d14"),
    "unknown": ("#e0a552", "#8a6326"),
    "pyinit": ("#64748b", "#8593a6"),
    "program": ("#2563eb", "#6b9cff"),
    "hook": ("#0d9488", "#3cc4b2"),
    "orphan": ("#d97706", "#f0a03a"),
    "signal": ("#7c3aed", "#b493f7"),
    "drain": ("#b45309", "#fbbf4d"),
    "kill": ("#dc2626", "#ff6b6b"),
    "killed": ("#dc2626", "#ff6b6b"),
}
_FONT = "font: 13px system-ui, 'DejaVu Sans', sans-serif"


def draw(timeline: Timeline, rows: int) -> bytes:
    """A whole SVG file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element(scene.make(timeline, rows))}\n'.encode()


def element(drawn: Scene) -> str:
    """The svg element. `data-` attributes have the places on the time axis, for a page that zooms."""
    size = f'viewBox="0 0 {WIDTH} {drawn.height:g}" width="{WIDTH}" height="{drawn.height:g}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(drawn.title)}>',
            f"<style>{_style()}</style>",
            f'<rect class="background" width="{WIDTH}" height="{drawn.height:g}"/>',
            *(_item(item, drawn) for item in drawn.items),
            "</svg>",
        ]
    )


_FIXED = f"""\
text {{ {_FONT} }}
.title {{ font-size: 16px; font-weight: 600 }}
.hit {{ fill: transparent }}
.off {{ display: none }}
.outcome, .killed {{ paint-order: stroke; stroke-width: 3px }}"""


def _style() -> str:
    return f"{_FIXED}\n{_colours(0)}\n@media (prefers-color-scheme: dark) {{\n{_colours(1)}\n}}"


def _colours(scheme: int) -> str:
    """The rules for light (0) or dark (1). What says how a process ended has a rim, since lines may run behind it."""
    rules = [f".{style} {{ fill: {colours[scheme]} }}" for style, colours in COLOURS.items()]
    return "\n".join([*rules, f".outcome, .killed {{ stroke: {COLOURS['background'][scheme]} }}"])


def _item(item: Item, drawn: Scene) -> str:
    title = f"<title>{escape(chr(10).join(item.tip))}</title>" if item.tip else ""
    return f'<g class="{item.kind}">{title}{"".join(_shape(shape, drawn) for shape in item.shapes)}</g>'


def _shape(shape: Shape, drawn: Scene) -> str:
    if isinstance(shape, Box):
        return _rectangle(shape.x, shape.y, shape.width, shape.height, shape.style)
    if isinstance(shape, Bar):
        left, right = (drawn.x(place) for place in (shape.left, shape.right))
        data = f' data-from="{shape.left:.9g}" data-to="{shape.right:.9g}"'
        return _rectangle(left, shape.top, max(1, right - left), shape.height, shape.style, data)
    if isinstance(shape, Text) and shape.place is None:
        return _text(shape.shift, shape.y, shape.text, shape.style)
    return _at(shape.place or 0, drawn, _relative(shape, drawn))


def _relative(shape: Shape, drawn: Scene) -> str:
    """A shape at x 0, which is to be moved to its time."""
    if isinstance(shape, Stroke):
        return _rectangle(shape.shift - shape.width / 2, shape.top, shape.width, shape.bottom - shape.top, shape.style)
    if isinstance(shape, Polygon):
        points = " ".join(f"{x:g},{y:g}" for x, y in shape.corners)
        return f'<polygon class="{shape.style}" points="{points}"/>'
    if isinstance(shape, Text):
        return _text(shape.shift, shape.y, shape.text, shape.style, shape.anchor)
    assert isinstance(shape, Heading)
    top = scene.heading_top(shape.placed, drawn)
    line = _rectangle(-0.75, top, 1.5, max(0, shape.bottom - top), shape.style)
    text = (
        _text(5, top + 12, shape.placed.text, shape.style) if shape.placed else _text(5, top, "", f"{shape.style} off")
    )
    data = f"data-text={quoteattr(shape.label.text)} data-brief={quoteattr(shape.label.brief)}"
    return f'<g class="heading" {data} data-important="{shape.label.important:d}">{line}{text}</g>'


def _at(place: float, drawn: Scene, inside: str) -> str:
    move = f"translate({drawn.x(place):.2f} 0)"
    return f'<g class="at" data-at="{place:.9g}" transform="{move}">{inside}</g>'


def _rectangle(x: float, y: float, width: float, height: float, style: str, data: str = "") -> str:
    return f'<rect class="{style}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"{data}/>'


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{style}" x="{x:.2f}" y="{y:.2f}"{anchored}>{escape(text)}</text>'
