"""Plots, in one style: readable at the width of a README, in SVG and PNG."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import figure as drawn
from matplotlib import pyplot

WIDTH = 8.0  # inches
RESOLUTION = 110  # dots an inch: 880 dots, about as wide as a README
COLOURS = {
    "pyinit": "#d62728",
    "tini": "#1f77b4",
    "dumb-init": "#2ca02c",
    "catatonit": "#9467bd",
    "none": "#7f7f7f",
    "the floor": "#ff7f0e",
    "sh -c": "#8c564b",
    "my_init": "#e377c2",
    "supervisord": "#bcbd22",
    "python3 FILE": "#ff9896",
    "pyinit, one worker": "#ff9896",
    "pyinit, two workers": "#d62728",
}
LEGEND: Any = {
    "loc": "outside lower center",
    "frameon": False,
    "fontsize": 10,
    "columnspacing": 1.2,
    "handlelength": 1.4,
}
SHADES = ("#1f77b4", "#8fbbda", "#ff7f0e", "#2ca02c")
STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.hashsalt": "pyinit",  # the same names for the same plot
    "figure.constrained_layout.use": True,
}


class Figure:
    """A plot under the name of its files."""

    def __init__(self, name: str, figure: "drawn.Figure") -> None:
        self.name = name
        self._figure = figure

    def save(self, directory: Path, *suffixes: str) -> None:
        """In these forms, by default in both."""
        for suffix in suffixes or ("svg", "png"):
            self._figure.savefig(directory / f"{self.name}.{suffix}", dpi=RESOLUTION)
        pyplot.close(self._figure)


NOTHING = math.nan  # stands for what was not measured


def shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(name: str, title: str, axis: str, labels: "Sequence[str]", series: "Mapping[str, Sequence[float]]") -> Figure:
    """Horizontal bars with their values, for each label one of each series."""
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(WIDTH, 1.2 + 0.3 * len(labels) * len(series)))
        height = 0.8 / len(series)
        for number, (label, values) in enumerate(series.items()):
            places = [place + number * height for place in range(len(labels))]
            colour = COLOURS.get(label, SHADES[number % len(SHADES)])
            drawn_bars = axes.barh(places, values, height, label=label, color=colour)
            axes.bar_label(drawn_bars, list(map(shown, values)), padding=3, fontsize=9)
        axes.set_yticks([place + 0.4 - height / 2 for place in range(len(labels))], labels)
        for text in axes.get_yticklabels():
            text.set_fontweight("bold" if text.get_text().startswith("pyinit") else "normal")
        axes.set_ylim(len(labels) - height / 2, -0.2 - height / 2)  # the first at the top
        axes.grid(axis="y", visible=False)
        axes.set(title=title, xlabel=axis)
        axes.margins(x=0.12)
        if len(series) > 1:
            figure.legend(ncols=min(5, len(series)), **LEGEND)
        return Figure(name, figure)


def cumulative(name: str, title: str, axis: str, panels: "Mapping[str, Mapping[str, Sequence[float]]]") -> Figure:
    """The share of values that are no larger, one panel beside the other; the horizontal axis is logarithmic."""
    with pyplot.rc_context(STYLE):
        figure, every = pyplot.subplots(1, len(panels), figsize=(WIDTH, 3.8), sharey=True, squeeze=False)
        for axes, (panel, lines) in zip(every[0], panels.items()):
            for label, values in lines.items():
                ordered = sorted(values)
                shares = [(number + 1) / len(ordered) for number in range(len(ordered))]
                thick = 2.2 if label == "pyinit" else 1.3
                axes.step(ordered, shares, where="post", label=label, color=COLOURS.get(label), linewidth=thick)
            axes.set_xscale("log")
            axes.set_title(panel.replace(", ", ",\n"), fontsize=10)
            axes.set_xlabel(axis)
        every[0][0].set_ylabel("share of signals")
        handles, labels = every[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, ncols=len(labels), **LEGEND)
        figure.suptitle(title)
        return Figure(name, figure)


def lines(
    name: str,
    title: str,
    axes_labels: "tuple[str, str]",
    series: "Mapping[str, tuple[Sequence[float], Sequence[float]]]",
) -> Figure:
    """Lines over a common axis."""
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(WIDTH, 3.8))
        for label, (places, values) in series.items():
            thick = 2.2 if label == "pyinit" else 1.3
            axes.plot(places, values, label=label, color=COLOURS.get(label), linewidth=thick)
        axes.set(title=title, xlabel=axes_labels[0], ylabel=axes_labels[1])
        figure.legend(ncols=min(7, len(series)), **LEGEND)
        return Figure(name, figure)
