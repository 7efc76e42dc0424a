"""A blank drawing in the house's style."""

from __future__ import annotations

import textwrap
from collections.abc import Collection

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.style import style

_TITLE_WIDTH = 11  # letters of a title that fit in an inch
_LEGEND_WIDTH, _LEGEND_MARK = (
    12,
    7,
)  # letters of a legend that fit in an inch; what a mark takes of them


def axes(
    *, title: str, x: str, y: str, log: str = "", width: float = 7.5, height: float = 3.4
) -> tuple[Figure, Axes]:
    """A figure and its axes to draw on; then `show.figure(fig, alt)`.

    `title` states the finding. `x` and `y` are the labels, with their units: 'message / bytes'. `log` is '', 'x', 'y'
    or 'xy'. `width` and `height` are in inches. Raises InvalidParameter for another `log`. No global state is touched:
    the figure belongs to nobody, and nothing is shown twice.
    """
    if log not in {"", "x", "y", "xy"}:
        raise InvalidParameter(f"log is '', 'x', 'y' or 'xy', not {log!r}")
    with style():
        figure = Figure(figsize=(width, height))
        drawing = figure.add_subplot()
        figure.suptitle(
            "\n".join(textwrap.wrap(title, int(width * _TITLE_WIDTH))), x=0.01, ha="left"
        )
        drawing.set_xlabel(x)
        drawing.set_ylabel(y)
        if "x" in log:
            drawing.set_xscale("log")
        if "y" in log:
            drawing.set_yscale("log")
    return figure, drawing


def legend(figure: Figure, names: Collection[str]) -> None:
    """Below the drawing, what each of two or more series is, in as many columns as the figure is wide for."""
    if len(names) > 1:
        fit = int(figure.get_figwidth() * _LEGEND_WIDTH / (max(map(len, names)) + _LEGEND_MARK))
        figure.legend(loc="outside lower left", ncols=max(1, min(len(names), fit)))
