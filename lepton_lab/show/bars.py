"""Bars, lying, with their values written at their ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from matplotlib.axes import Axes

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.axes import axes, legend
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.numbers import rounded
from lepton_lab.show.style import COLOURS, style

Values = Mapping[str, float | None]

_THICKNESS = 0.8  # of the room that a label has
_HATCHES = ("", "///", "...", "xxx")  # a second sign besides the colour


def bars(
    values: Values | Mapping[str, Values],
    *,
    title: str,
    unit: str = "",
    log: bool = False,
    digits: int = 3,
    width: float = 7.5,
) -> Picture:
    """A bar for each label, from top to bottom, each with its number.

    `values` is label → number, or series → (label → number) to compare series: `{"reference run": {…}, "this machine":
    {…}}`. None stands for 'not measured'. `title` states the finding; `unit` labels the axis and the numbers; `log`
    takes a logarithmic axis (positive numbers only); fractions are rounded to `digits` significant ones; `width` is in
    inches. Raises InvalidParameter when there is nothing to draw.
    """
    series = _series(values)
    labels = list(dict.fromkeys(label for numbers in series.values() for label in numbers))
    measured = [
        number for numbers in series.values() for number in numbers.values() if number is not None
    ]
    if not measured or not all(math.isfinite(number) for number in measured):
        raise InvalidParameter("bars need at least one number, and every number finite")
    if log and min(measured) <= 0:
        raise InvalidParameter("a logarithmic axis shows positive numbers only")
    floor = 10.0 ** math.floor(math.log10(min(measured))) if log else 0.0
    height = 1.25 + len(labels) * max(0.36, 0.27 * len(series))
    fig, drawing = axes(
        title=title, x=unit, y="", log="x" if log else "", width=width, height=height
    )
    with style():
        _draw(drawing, series, labels, floor, digits)
        drawing.set_yticks(range(len(labels)), labels)
        drawing.tick_params(axis="y", length=0)
        drawing.grid(visible=False, axis="y")
        drawing.set_ylim(
            len(labels) - 0.5, -0.5
        )  # the first label on top, also where nothing was measured
        drawing.margins(x=0.12)
        if log:
            drawing.set_xlim(left=floor)
        legend(fig, series)
    return figure(fig, _alt(series, title, unit, digits))


def _draw(
    drawing: Axes, series: dict[str, Values], labels: list[str], floor: float, digits: int
) -> None:
    thickness = _THICKNESS / len(series)
    for row, (name, numbers) in enumerate(series.items()):
        places = [
            labels.index(label) + (row - (len(series) - 1) / 2) * thickness for label in numbers
        ]
        lengths = [math.nan if number is None else float(number) for number in numbers.values()]
        colour, hatch = COLOURS[row % len(COLOURS)], _HATCHES[row % len(_HATCHES)]
        drawing.barh(
            places,
            lengths,
            thickness * 0.92,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=name,
        )
        for place, number in zip(places, numbers.values(), strict=True):
            anchor = floor if number is None else max(float(number), floor)
            written = "not measured" if number is None else rounded(number, digits)
            drawing.annotate(
                written, (anchor, place), (4, 0), textcoords="offset points", va="center", size=9.5
            )


def _series(values: Values | Mapping[str, Values]) -> dict[str, Values]:
    if any(isinstance(value, Mapping) for value in values.values()):
        return dict(cast("Mapping[str, Values]", values))
    return {"": cast("Values", values)}


def _alt(series: dict[str, Values], title: str, unit: str, digits: int) -> str:
    said = []
    for name, numbers in series.items():
        parts = (
            f"{label} {'not measured' if n is None else rounded(n, digits)}"
            for label, n in numbers.items()
        )
        said.append((f"{name}: " if name else "") + ", ".join(parts))
    return f"Bar chart: {title.rstrip('.')}. {f'In {unit}. ' if unit else ''}{'; '.join(said)}."
