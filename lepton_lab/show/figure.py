"""Figures: the look that all of them have, a blank drawing, and a finished drawing to show.

The look is legible on white paper, in a dark theme, and to colour-blind readers.
"""

from __future__ import annotations

import base64
import io
import sys
import textwrap
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.table import Shown

# Petroff's ten colours (arXiv:2107.02270) stay apart for the common kinds of colour blindness.
# Colour never stands alone all the same: lines also differ by marker and dash, bars carry their
# values.
COLOURS = tuple(to_hex(colour) for colour in mpl.color_sequences["petroff10"])
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

_STYLE = {
    "figure.figsize": (7.5, 3.4),
    # a white box of its own, so that black text can be read in a dark theme as well
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.15,
    # comes with matplotlib, so that it is the same font everywhere
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.titleweight": "bold",
    "figure.titlesize": 11.5,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
    "legend.frameon": False,
    # letters as outlines: a browser without the font shows the same picture
    "svg.fonttype": "path",
    # a fixed salt, and no date in the file: the same numbers give the same bytes
    "svg.hashsalt": "lepton_lab",
}

_TITLE_WIDTH = 11  # letters of a title that fit in an inch
_LEGEND_WIDTH = 12  # letters of a legend that fit in an inch
_LEGEND_MARK = 7  # of them, what the sample of a line or bar takes


@contextmanager
def style() -> Iterator[None]:
    """Draw with matplotlib's own defaults and this project's look on top, for a while.

    The reader's settings have no influence, and are restored afterwards.
    """
    with mpl.style.context(["default", _STYLE]):
        yield


def axes(
    *, title: str, x: str, y: str, log: str = "", width: float = 7.5, height: float = 3.4
) -> tuple[Figure, Axes]:
    """Make a blank figure and its axes to draw on; show it with `show.figure(fig, alt)`.

    `title` states the finding. `x` and `y` are the labels, with their units: 'message / bytes'.
    `log` names the logarithmic axes: '', 'x', 'y' or 'xy'. `width` and `height` are in inches.
    Raises InvalidParameter for another `log`. The figure is not registered with pyplot, so that it
    is not shown a second time.
    """
    if log not in {"", "x", "y", "xy"}:
        raise InvalidParameter(f"log is '', 'x', 'y' or 'xy', not {log!r}")
    with style():
        figure = Figure(figsize=(width, height))
        drawing = figure.add_subplot()
        title_lines = textwrap.wrap(title, int(width * _TITLE_WIDTH))
        figure.suptitle("\n".join(title_lines), x=0.01, ha="left")
        drawing.set_xlabel(x)
        drawing.set_ylabel(y)
        if "x" in log:
            drawing.set_xscale("log")
        if "y" in log:
            drawing.set_yscale("log")
    return figure, drawing


def legend(figure: Figure, names: Collection[str]) -> None:
    """Add a legend of two or more series, in as many columns as the figure is wide enough for."""
    if len(names) < 2:
        return
    longest = max(map(len, names))
    fit = int(figure.get_figwidth() * _LEGEND_WIDTH / (longest + _LEGEND_MARK))
    columns = max(1, min(len(names), fit))
    figure.legend(loc="outside lower left", ncols=columns)


@dataclass(frozen=True, repr=False)
class Picture(Shown):
    """A drawing: `text` is its alt text, `svg` the picture itself, for slides and files."""

    svg: bytes = field(default=b"")

    def save(self, path: str | Path) -> None:
        """Write the picture to `path` as SVG. Raises OSError when that cannot be written."""
        Path(path).write_bytes(self.svg)


def figure(fig: Figure, alt: str) -> Picture:
    """Show a matplotlib figure with its alt text; the figure is closed.

    `alt` says what the picture shows, with the plotted numbers rounded (`show.rounded`): a blind
    reader hears it and the check of a notebook compares it. Raises InvalidParameter when it is
    empty.

    The picture is an SVG inside an `<img>`: a bare image/svg+xml output carries no alt text and is
    not shown in a notebook that is not trusted yet.
    """
    alt = " ".join(alt.split())
    if not alt:
        raise InvalidParameter(
            "a figure needs an alt text that says what it shows, its numbers included"
        )
    sink = io.BytesIO()
    with style():
        fig.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    _close(fig)
    lines = [line.strip() for line in sink.getvalue().splitlines()]
    svg = b"\n".join(lines) + b"\n"
    source = "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
    look = "max-width: 100%; background-color: white"
    html = f'<img alt="{escape(alt)}" src="{source}" style="{look}">'
    return Picture(alt, html, svg)


def _close(fig: Figure) -> None:
    """Close a figure that came from pyplot, which would else show it again below the cell."""
    # pyplot itself is never imported here
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
