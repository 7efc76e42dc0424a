"""Numbers side by side in one large one: a row of slots for each, every slot with its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.axes import axes
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.style import COLOURS, style

_TALL = 0.62  # of the room that a row has


def slots(
    rows: Mapping[str, Sequence[int]], *, bits: int, title: str, width: float = 7.5
) -> Picture:
    """A drawing of packed integers: `slots({"Ada": [3, -1], "Ben": [4, 2], "sum": [7, 1]}, bits=8, title=…)`.

    `rows` is label → the values of its slots, the lowest first; it stands on the right, as a number's last digit does.
    The bits that the value takes, its sign among them, are filled; those left for sums are hatched. A value too large
    for its slot is drawn in a warning colour across it. Raises InvalidParameter when rows are empty or of unequal
    lengths, or `bits` is below 2.
    """
    lengths = {len(values) for values in rows.values()}
    if len(lengths) != 1 or not (count := lengths.pop()) or bits < 2:
        raise InvalidParameter(
            "slots need rows of the same length, at least one value in each, and 2 bits or more"
        )
    fig, drawing = axes(
        title=title, x="place of the bit", y="", width=width, height=1.3 + 0.5 * len(rows)
    )
    with style():
        for row, values in enumerate(rows.values()):
            for place, value in enumerate(values):
                _draw(drawing, row, place * bits, value, bits)
        drawing.set_yticks(range(len(rows)), list(rows))
        drawing.set_xticks(range(0, count * bits + 1, bits))
        drawing.set(xlim=(count * bits, 0), ylim=(len(rows) - 0.5, -0.5))
        drawing.tick_params(axis="y", length=0)
        drawing.grid(visible=False)
        drawing.spines["left"].set_visible(False)
    said = "; ".join(f"{label}: {', '.join(map(str, values))}" for label, values in rows.items())
    return figure(fig, f"{title.rstrip('.')}. Slots of {bits} bits, the lowest first. {said}.")


def _draw(drawing: Axes, row: int, start: int, value: int, bits: int) -> None:
    used = (
        value if value >= 0 else ~value
    ).bit_length() + 1  # two's complement: the sign takes one
    corner, fits = row - _TALL / 2, used <= bits
    colour = COLOURS[0 if fits else 2]
    drawing.add_patch(
        Rectangle(
            (start, corner), bits, _TALL, facecolor="white", edgecolor="#999999", hatch="////"
        )
    )
    drawing.add_patch(Rectangle((start, corner), min(used, bits), _TALL, facecolor=colour))
    drawing.add_patch(
        Rectangle((start, corner), bits, _TALL, fill=False, edgecolor="black", linewidth=1.2)
    )
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
    drawing.text(start + bits / 2, row, str(value), ha="center", va="center", size=10, bbox=box)
