"""Lines: how one quantity follows another, one line a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.axes import axes, legend
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.numbers import rounded
from lepton_lab.show.style import COLOURS, DASHES, MARKERS, style

Points = tuple[Sequence[float], Sequence[float]]

_READ_OUT = 12  # points of a line that the alt text names one by one
_MARKED = 40  # a line of more points than this is drawn without markers


def lines(
    series: Mapping[str, Points],
    *,
    title: str,
    x: str,
    y: str,
    log: str = "",
    digits: int = 3,
    width: float = 7.5,
    height: float = 3.4,
) -> Picture:
    """A line through the points of each series: `{"reference run": (xs, ys), "this machine": (xs, ys)}`.

    `title` states the finding; `x` and `y` are labels with units; `log` is '', 'x', 'y' or 'xy'; numbers in the alt
    text are rounded to `digits` significant ones. A line of up to 12 points is read out whole, a longer one by its ends
    and extremes. Raises InvalidParameter for a series without points or with xs and ys of different lengths.
    """
    points = {name: _points(name, xs, ys) for name, (xs, ys) in series.items()}
    if not points:
        raise InvalidParameter("there is no series to draw")
    fig, drawing = axes(title=title, x=x, y=y, log=log, width=width, height=height)
    with style():
        for row, (name, pairs) in enumerate(points.items()):
            drawing.plot(
                *zip(*pairs, strict=True),
                color=COLOURS[row % len(COLOURS)],
                linestyle=DASHES[row % len(DASHES)],
                marker=MARKERS[row % len(MARKERS)] if len(pairs) <= _MARKED else "",
                label=name,
            )
        legend(fig, points)
    said = "; ".join(f"{name}: {_read_out(pairs, digits)}" for name, pairs in points.items())
    return figure(fig, f"Line chart: {title.rstrip('.')}. {y} against {x}. {said}.")


def _points(name: str, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    if len(xs) != len(ys) or len(xs) == 0:
        raise InvalidParameter(
            f"the line {name!r} has {len(xs)} xs and {len(ys)} ys; as many of each, and at least one"
        )
    return list(zip(xs, ys, strict=True))


def _read_out(pairs: list[tuple[float, float]], digits: int) -> str:
    def said(pair: tuple[float, float]) -> str:
        return f"{rounded(pair[0], digits)} → {rounded(pair[1], digits)}"

    if len(pairs) <= _READ_OUT:
        return ", ".join(map(said, pairs))
    lowest, highest = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda pair: pair[1])
    return (
        f"{len(pairs)} points from {said(pairs[0])} to {said(pairs[-1])}, "
        f"lowest {said(lowest)}, highest {said(highest)}"
    )
