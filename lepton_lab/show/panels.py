"""Pictures made of numbers, side by side: a bitmap, what a cipher made of it, what an attacker sees in that."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.figure import Picture, figure
from lepton_lab.show.style import style


def panels(
    pictures: Mapping[str, NDArray[Any]], *, title: str, said: str, width: float = 7.5
) -> Picture:
    """Draw each two-dimensional array as a picture under its name, every different value in a shade of its own.

    `title` states the finding, `said` is what the pictures show, for whoever does not see them; the alt text adds the
    size of each and how many different values it holds. `width` is in inches. Raises InvalidParameter for no picture
    and for an array that is not two-dimensional.
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
    counted = "; ".join(
        f"{name}: {ranks.shape[1]} by {ranks.shape[0]}, {int(ranks.max()) + 1:,} different values"
        for name, ranks in shades.items()
    )
    return figure(drawing, f"Pictures: {title.rstrip('.')}. {said} {counted}.")


def _ranks(name: str, array: NDArray[Any]) -> NDArray[np.intp]:
    """Each value's place among the different ones, in ascending order."""
    if array.ndim != 2 or array.size == 0:
        raise InvalidParameter(
            f"the picture {name!r} must be a two-dimensional array, not of shape {array.shape}"
        )
    return np.unique(array, return_inverse=True)[1].reshape(array.shape)
