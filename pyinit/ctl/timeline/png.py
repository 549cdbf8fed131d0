"""The scene as PNG, drawn by matplotlib, which brings its own font: twice as fine as the SVG's pixels."""

import io
import warnings
from typing import TYPE_CHECKING

from pyinit.ctl.timeline import scene
from pyinit.ctl.timeline.model import Timeline
from pyinit.ctl.timeline.scene import WIDTH, Bar, Box, Heading, Polygon, Scene, Shape, Stroke, Text
from pyinit.ctl.timeline.svg import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS_PER_INCH = 100  # a pixel of the scene is a hundredth of an inch
_FINER = 2
_FONT_SIZE = {"title": 11.0}
_SMALL = 8.6  # points


class MissingError(Exception):
    """matplotlib is not installed."""


def draw(timeline: Timeline, rows: int) -> bytes:
    """A whole PNG file. Raises MissingError."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError("PNG needs matplotlib: pip install matplotlib; .svg and .html need nothing") from None
    drawn = scene.make(timeline, rows)
    figure = Figure(figsize=(WIDTH / _DOTS_PER_INCH, drawn.height / _DOTS_PER_INCH), dpi=_DOTS_PER_INCH * _FINER)
    figure.set_facecolor(COLOURS["background"][0])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(drawn.height, 0)
    for item in drawn.items:
        for shape in item.shapes:
            _shape(axes, shape, drawn)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font lacks
        figure.savefig(file, format="png", facecolor=figure.get_facecolor())
    return file.getvalue()


def _shape(axes: "Axes", shape: Shape, drawn: Scene) -> None:
    if isinstance(shape, Box):
        _rectangle(axes, shape.x, shape.y, shape.width, shape.height, shape.style)
    elif isinstance(shape, Bar):
        left, right = (drawn.x(place) for place in (shape.left, shape.right))
        _rectangle(axes, left, shape.top, max(1, right - left), shape.height, shape.style)
    elif isinstance(shape, Stroke):
        left = drawn.x(shape.place) + shape.shift - shape.width / 2
        _rectangle(axes, left, shape.top, shape.width, shape.bottom - shape.top, shape.style)
    elif isinstance(shape, Polygon):
        from matplotlib import patches

        corners = [(drawn.x(shape.place) + x, y) for x, y in shape.corners]
        axes.add_patch(patches.Polygon(corners, facecolor=COLOURS[shape.style][0], linewidth=0))
    elif isinstance(shape, Text):
        x = shape.shift + (0 if shape.place is None else drawn.x(shape.place))
        _text(axes, x, shape.y, shape.text, shape.style, shape.anchor)
    else:
        _heading(axes, shape, drawn)


def _heading(axes: "Axes", heading: Heading, drawn: Scene) -> None:
    x, top = drawn.x(heading.place), scene.heading_top(heading.placed, drawn)
    _rectangle(axes, x - 0.75, top, 1.5, heading.bottom - top, heading.style)
    if heading.placed:
        _text(axes, x + 5, top + 12, heading.placed.text, heading.style)


def _rectangle(axes: "Axes", x: float, y: float, width: float, height: float, style: str) -> None:
    from matplotlib import patches

    if style in COLOURS:  # what is not is there to be pointed at
        axes.add_patch(patches.Rectangle((x, y), width, height, facecolor=COLOURS[style][0], linewidth=0))


def _text(axes: "Axes", x: float, y: float, text: str, style: str, anchor: str = "start") -> None:
    axes.text(
        x,
        y,
        text,
        color=COLOURS[style][0],
        fontsize=_FONT_SIZE.get(style, _SMALL),
        fontweight="bold" if style == "title" else "normal",
        horizontalalignment={"start": "left", "middle": "center", "end": "right"}[anchor],
        parse_math=False,
    )
