"""One look for every figure: legible on white paper, in a dark theme, and to colour-blind readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.style
from cycler import cycler
from matplotlib.colors import to_hex

# Petroff's ten colours (arXiv:2107.02270) stay apart for the common kinds of colour blindness. Colour never stands
# alone all the same: lines also differ by marker and dash, bars carry their values.
COLOURS = tuple(to_hex(colour) for colour in mpl.color_sequences["petroff10"])
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

_STYLE = {
    "figure.figsize": (7.5, 3.4),
    "figure.facecolor": "white",  # a box of its own, so that black text is read in a dark theme as well
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.15,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that it is the same font everywhere
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
    "svg.fonttype": "path",  # letters as outlines: a browser without the font shows the same picture
    "svg.hashsalt": "lepton_lab",  # with no date either, the same numbers give the same bytes
}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's own defaults with this project's look on top, whatever the reader's settings; undone afterwards."""
    with mpl.style.context(["default", _STYLE]):
        yield
