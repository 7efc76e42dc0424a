"""A matplotlib figure as something that is shown everywhere and read by everyone."""

from __future__ import annotations

import base64
import io
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown
from lepton_lab.show.style import style


@dataclass(frozen=True, repr=False)
class Picture(Shown):
    """A drawing: `text` is its alt text, `svg` the picture itself, for slides and files."""

    svg: bytes = field(default=b"")

    def save(self, path: str | Path) -> None:
        """Write the picture to `path` as SVG. Raises OSError when that cannot be written."""
        Path(path).write_bytes(self.svg)


def figure(fig: Figure, alt: str) -> Picture:
    """Show a matplotlib figure with its alt text; the figure is closed.

    `alt` says what the picture shows, with the plotted numbers rounded (`show.rounded`): it is what a blind reader
    hears and what the check of a notebook compares. Raises InvalidParameter when it is empty.

    The picture is an SVG inside an `<img>`: a bare image/svg+xml output carries no alt text and is not shown in a
    notebook that is not trusted yet.
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
    svg = b"\n".join(line.strip() for line in sink.getvalue().splitlines()) + b"\n"
    source = "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
    html = (
        f'<img alt="{escape(alt)}" src="{source}" style="max-width: 100%; background-color: white">'
    )
    return Picture(alt, html, svg)


def _close(fig: Figure) -> None:
    """Let go of a figure that came from pyplot, which would else show it a second time below the cell."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
