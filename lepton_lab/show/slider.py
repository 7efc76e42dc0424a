"""A slider through finished pictures: they move in the browser itself, with no kernel behind the page."""

from __future__ import annotations

from collections.abc import Mapping

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown
from lepton_lab.show.moving import Moving


class Slider(Moving):
    """The widget that `slider` returns; `text` and `html` are what stands in for it where scripts do not run."""

    def __init__(self, pictures: Mapping[str, Shown], label: str, still: Shown) -> None:
        pages = [{"name": name, "html": shown.html} for name, shown in pictures.items()]
        super().__init__("slider", still, PAGES=pages, LABEL=label)


def slider(pictures: Mapping[str, Shown], *, label: str, still: Shown) -> Slider:
    """A slider labelled `label` with a place for each of `pictures`; the arrow keys move it.

    `still` says as much in one picture: it is what a page without scripts shows and what a blind reader hears. Raises
    InvalidParameter for fewer than two pictures.
    """
    if len(pictures) < 2:
        raise InvalidParameter("a slider needs two pictures at least")
    return Slider(pictures, label, still)
