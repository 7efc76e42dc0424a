"""A slider through finished pictures: they move in the browser itself, with no kernel behind the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown


class Slider(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The widget that `slider` returns; `text` and `html` are what stands in for it where scripts do not run."""

    def __init__(self, pictures: Mapping[str, Shown], label: str, still: Shown) -> None:
        self.text, self.html = still.text, still.html
        steps = ipywidgets.SelectionSlider(
            options=list(pictures),
            description=label,
            style={"description_width": "initial"},
            layout={"width": "28em", "max_width": "100%"},
        )
        pages = ipywidgets.Stack([ipywidgets.HTML(shown.html) for shown in pictures.values()], selected_index=0)
        super().__init__([steps, pages])
        self.tie = ipywidgets.jslink((steps, "index"), (pages, "selected_index"))

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        data = super()._repr_mimebundle_(**options) or {}
        return {**data, "text/plain": self.text, "text/html": self.html}


def slider(pictures: Mapping[str, Shown], *, label: str, still: Shown) -> Slider:
    """A slider labelled `label` with a place for each of `pictures`; the arrow keys move it.

    `still` says as much in one picture: it is what a page without scripts shows and what a blind reader hears. Raises
    InvalidParameter for fewer than two pictures.
    """
    if len(pictures) < 2:
        raise InvalidParameter("a slider needs two pictures at least")
    return Slider(pictures, label, still)
