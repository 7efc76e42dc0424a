"""The charts of the notebooks: bars, lines, pictures made of numbers, and packed numbers in slots.

Each returns a `Picture` whose alt text reads its numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.figure import (
    COLOURS,
    DASHES,
    MARKERS,
    Picture,
    axes,
    figure,
    legend,
    style,
)
from lepton_lab.show.table import rounded

BarValues = Mapping[str, float | None]  # label → number; None stands for 'not measured'
LinePoints = tuple[Sequence[float], Sequence[float]]

_THICKNESS = 0.8  # of the room that a label has
_HATCHES = ("", "///", "...", "xxx")  # a second sign besides the colour
_READ_OUT = 12  # points of a line that the alt text names one by one
_MARKED = 40  # a line of more points than this is drawn without markers
_SLOT_HEIGHT = 0.62  # of the room that a row has


# --- bars ---------------------------------------------------------------------------------------


def bars(
    values: BarValues | Mapping[str, BarValues],
    *,
    title: str,
    unit: str = "",
    log: bool = False,
    digits: int = 3,
    width: float = 7.5,
) -> Picture:
    """Draw a horizontal bar for each label, from top to bottom, each with its number at its end.

    `values` is label → number, or series → (label → number) to compare series: `{"reference run":
    {…}, "this machine": {…}}`. None stands for 'not measured'. `title` states the finding; `unit`
    labels the axis and the numbers; `log` takes a logarithmic axis (positive numbers only);
    fractions are rounded to `digits` significant digits; `width` is in inches. Raises
    InvalidParameter when there is nothing to draw.
    """
    series = _series(values)
    # the labels of all series, each once, in order
    labels = list(dict.fromkeys(label for numbers in series.values() for label in numbers))
    measured = []
    for numbers in series.values():
        measured += [number for number in numbers.values() if number is not None]
    if not measured or not all(math.isfinite(number) for number in measured):
        raise InvalidParameter("bars need at least one number, and every number finite")
    if log and min(measured) <= 0:
        raise InvalidParameter("a logarithmic axis shows positive numbers only")
    # a logarithmic axis has no 0 for the bars to start from: they start at a power of 10
    floor = 10.0 ** math.floor(math.log10(min(measured))) if log else 0.0
    height = 1.25 + len(labels) * max(0.36, 0.27 * len(series))
    scale = "x" if log else ""
    fig, drawing = axes(title=title, x=unit, y="", log=scale, width=width, height=height)
    with style():
        _draw_bars(drawing, series, labels, floor, digits)
        drawing.set_yticks(range(len(labels)), labels)
        drawing.tick_params(axis="y", length=0)
        drawing.grid(visible=False, axis="y")
        # the first label on top, also where nothing was measured
        drawing.set_ylim(len(labels) - 0.5, -0.5)
        drawing.margins(x=0.12)
        if log:
            drawing.set_xlim(left=floor)
        legend(fig, series)
    return figure(fig, _bars_alt(series, title, unit, digits))


def _series(values: BarValues | Mapping[str, BarValues]) -> dict[str, BarValues]:
    if any(isinstance(value, Mapping) for value in values.values()):
        return dict(cast("Mapping[str, BarValues]", values))
    return {"": cast("BarValues", values)}


def _draw_bars(
    drawing: Axes, series: dict[str, BarValues], labels: list[str], floor: float, digits: int
) -> None:
    thickness = _THICKNESS / len(series)
    for row, (name, numbers) in enumerate(series.items()):
        # the bars of one label lie side by side, centred on the label
        offset = (row - (len(series) - 1) / 2) * thickness
        places = [labels.index(label) + offset for label in numbers]
        lengths = [math.nan if number is None else float(number) for number in numbers.values()]
        drawing.barh(
            places,
            lengths,
            thickness * 0.92,
            color=COLOURS[row % len(COLOURS)],
            hatch=_HATCHES[row % len(_HATCHES)],
            edgecolor="white",
            label=name,
        )
        for place, number in zip(places, numbers.values(), strict=True):
            anchor = floor if number is None else max(float(number), floor)
            drawing.annotate(
                _bar_number(number, digits),
                (anchor, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                size=9.5,
            )


def _bar_number(number: float | None, digits: int) -> str:
    return "not measured" if number is None else rounded(number, digits)


def _bars_alt(series: dict[str, BarValues], title: str, unit: str, digits: int) -> str:
    said = []
    for name, numbers in series.items():
        parts = [f"{label} {_bar_number(number, digits)}" for label, number in numbers.items()]
        listed = ", ".join(parts)
        said.append(f"{name}: {listed}" if name else listed)
    in_unit = f"In {unit}. " if unit else ""
    return f"Bar chart: {title.rstrip('.')}. {in_unit}{'; '.join(said)}."


# --- lines --------------------------------------------------------------------------------------


def lines(
    series: Mapping[str, LinePoints],
    *,
    title: str,
    x: str,
    y: str,
    log: str = "",
    digits: int = 3,
    width: float = 7.5,
    height: float = 3.4,
) -> Picture:
    """Draw a line through the points of each series.

    `series` is name → (xs, ys): `{"reference run": (xs, ys), "this machine": (xs, ys)}`. `title`
    states the finding; `x` and `y` are labels with units; `log` is '', 'x', 'y' or 'xy'; numbers in
    the alt text are rounded to `digits` significant digits; `width` and `height` are in inches. The
    alt text reads a line of up to 12 points out whole, a longer one by its ends and extremes.
    Raises InvalidParameter for a series without points or with xs and ys of different lengths.
    """
    points = {name: _points(name, xs, ys) for name, (xs, ys) in series.items()}
    if not points:
        raise InvalidParameter("there is no series to draw")
    fig, drawing = axes(title=title, x=x, y=y, log=log, width=width, height=height)
    with style():
        for row, (name, pairs) in enumerate(points.items()):
            xs, ys = zip(*pairs, strict=True)
            marker = MARKERS[row % len(MARKERS)] if len(pairs) <= _MARKED else ""
            drawing.plot(
                xs,
                ys,
                color=COLOURS[row % len(COLOURS)],
                linestyle=DASHES[row % len(DASHES)],
                marker=marker,
                label=name,
            )
        legend(fig, points)
    said = "; ".join(f"{name}: {_read_out(pairs, digits)}" for name, pairs in points.items())
    return figure(fig, f"Line chart: {title.rstrip('.')}. {y} against {x}. {said}.")


def _points(name: str, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    # len, not truth: xs and ys may be numpy arrays
    if len(xs) != len(ys) or len(xs) == 0:
        raise InvalidParameter(
            f"the line {name!r} has {len(xs)} xs and {len(ys)} ys; "
            "as many of each, and at least one"
        )
    return list(zip(xs, ys, strict=True))


def _read_out(pairs: list[tuple[float, float]], digits: int) -> str:
    def said(pair: tuple[float, float]) -> str:
        return f"{rounded(pair[0], digits)} → {rounded(pair[1], digits)}"

    if len(pairs) <= _READ_OUT:
        return ", ".join(map(said, pairs))
    lowest = min(pairs, key=lambda pair: pair[1])
    highest = max(pairs, key=lambda pair: pair[1])
    ends = f"{len(pairs)} points from {said(pairs[0])} to {said(pairs[-1])}"
    return f"{ends}, lowest {said(lowest)}, highest {said(highest)}"


# --- pictures made of numbers -------------------------------------------------------------------


def panels(
    pictures: Mapping[str, NDArray[Any]], *, title: str, said: str, width: float = 7.5
) -> Picture:
    """Draw two-dimensional arrays as pictures side by side, each under its name.

    They show a bitmap, what a cipher made of it, and what an attacker sees in that. Every different
    value has a shade of its own. `title` states the finding. `said` tells in words what the
    pictures show; the alt text adds the size of each and how many different values it holds.
    `width` is in inches. Raises InvalidParameter for no picture and for an array that is not
    two-dimensional.
    """
    shades = {name: _ranks(name, array) for name, array in pictures.items()}
    if not shades:
        raise InvalidParameter("there is no picture to draw")
    with style():
        drawing = Figure(figsize=(width, width / len(shades)))
        drawing.suptitle(title, x=0.01, ha="left")
        places = chain.from_iterable(drawing.subplots(1, len(shades), squeeze=False))
        for place, (name, ranks) in zip(places, shades.items(), strict=True):
            place.imshow(ranks, cmap="cividis", interpolation="nearest")
            place.set_title(name)
            place.set_axis_off()
    counted = []
    for name, ranks in shades.items():
        rows, columns = ranks.shape
        different = int(ranks.max()) + 1
        counted.append(f"{name}: {columns} by {rows}, {different:,} different values")
    alt = f"Pictures: {title.rstrip('.')}. {said} {'; '.join(counted)}."
    return figure(drawing, alt)


def _ranks(name: str, array: NDArray[Any]) -> NDArray[np.intp]:
    """Replace each value by its rank among the different ones, in ascending order."""
    if array.ndim != 2 or array.size == 0:
        raise InvalidParameter(
            f"the picture {name!r} must be a two-dimensional array, not of shape {array.shape}"
        )
    _, ranks = np.unique(array, return_inverse=True)
    return ranks.reshape(array.shape)


# --- packed numbers -----------------------------------------------------------------------------


def slots(
    rows: Mapping[str, Sequence[int]], *, bits: int, title: str, width: float = 7.5
) -> Picture:
    """Draw packed integers: for each large number a row of slots, every slot with its value.

    `slots({"Ada": [3, -1], "Ben": [4, 2], "sum": [7, 1]}, bits=8, title=…)`: `rows` is label → the
    values of its slots, the lowest first. The lowest slot is on the right, like a number's last
    digit. The bits that a value takes, its sign among them, are filled; those left for sums are
    hatched. A value too large for its slot is drawn in a warning colour across it. Raises
    InvalidParameter when rows are empty or of unequal lengths, or `bits` is below 2.
    """
    lengths = {len(values) for values in rows.values()}
    if len(lengths) != 1 or 0 in lengths or bits < 2:
        raise InvalidParameter(
            "slots need rows of the same length, at least one value in each, and 2 bits or more"
        )
    total = lengths.pop() * bits
    height = 1.3 + 0.5 * len(rows)
    fig, drawing = axes(title=title, x="place of the bit", y="", width=width, height=height)
    with style():
        for row, values in enumerate(rows.values()):
            for place, value in enumerate(values):
                _draw_slot(drawing, row, place * bits, value, bits)
        drawing.set_yticks(range(len(rows)), list(rows))
        drawing.set_xticks(range(0, total + 1, bits))
        drawing.set(xlim=(total, 0), ylim=(len(rows) - 0.5, -0.5))
        drawing.tick_params(axis="y", length=0)
        drawing.grid(visible=False)
        drawing.spines["left"].set_visible(False)
    said = "; ".join(f"{label}: {', '.join(map(str, values))}" for label, values in rows.items())
    return figure(fig, f"{title.rstrip('.')}. Slots of {bits} bits, the lowest first. {said}.")


def _draw_slot(drawing: Axes, row: int, start: int, value: int, bits: int) -> None:
    magnitude = value if value >= 0 else ~value
    used = magnitude.bit_length() + 1  # two's complement: the sign takes one
    colour = COLOURS[0] if used <= bits else COLOURS[2]
    corner = (start, row - _SLOT_HEIGHT / 2)
    room = Rectangle(
        corner, bits, _SLOT_HEIGHT, facecolor="white", edgecolor="#999999", hatch="////"
    )
    filled = Rectangle(corner, min(used, bits), _SLOT_HEIGHT, facecolor=colour)
    frame = Rectangle(corner, bits, _SLOT_HEIGHT, fill=False, edgecolor="black", linewidth=1.2)
    for patch in (room, filled, frame):
        drawing.add_patch(patch)
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
    drawing.text(start + bits / 2, row, str(value), ha="center", va="center", size=10, bbox=box)
