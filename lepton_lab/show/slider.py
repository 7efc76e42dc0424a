"""A slider through finished pictures: they move in the browser itself, with no kernel behind the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import anywidget

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown


class Slider(anywidget.AnyWidget):
    """The widget that `slider` returns; `text` and `html` are what stands in for it where scripts do not run."""

    def __init__(self, pictures: Mapping[str, Shown], label: str, still: Shown) -> None:
        self.text, self.html = still.text, still.html
        pages = json.dumps([{"name": name, "html": shown.html} for name, shown in pictures.items()])
        self._esm = f"const PAGES = {pages};\nconst LABEL = {json.dumps(label)};\n{_asset('slider.js')}"
        self._css = _asset("slider.css")
        super().__init__()

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, "text/plain": self.text, "text/html": self.html}, metadata


def slider(pictures: Mapping[str, Shown], *, label: str, still: Shown) -> Slider:
    """A slider labelled `label` with a place for each of `pictures`; the arrow keys move it.

    `still` says as much in one picture: it is what a page without scripts shows and what a blind reader hears. Raises
    InvalidParameter for fewer than two pictures.
    """
    if len(pictures) < 2:
        raise InvalidParameter("a slider needs two pictures at least")
    return Slider(pictures, label, still)


@cache
def _asset(name: str) -> str:
    return (files("lepton_lab.show") / name).read_text(encoding="utf-8")
