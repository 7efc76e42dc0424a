"""Widgets that move in the browser alone: what they share, and the simplest one, a slider.

Each carries all that it shows, and shows the same where scripts do not run. The larger widgets have
a file each: aes_stepper.py and byte_explorer.py; node_board.py needs a running kernel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import anywidget

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.table import Shown


class BrowserWidget(anywidget.AnyWidget):
    """A widget that needs no kernel; `text` and `html` stand in for it where scripts do not run."""

    def __init__(self, asset: str, still: Shown, **constants: object) -> None:
        """Load the script and style sheet called `asset`, beside this file.

        `still` is what is shown where scripts do not run. The script sees each of `constants` by
        its name: the data are part of the script, because data in the widget's traits would need a
        kernel to send them.
        """
        self.text = still.text
        self.html = still.html
        declared = ""
        for name, value in constants.items():
            declared += f"const {name} = {json.dumps(value)};\n"
        self._esm = declared + _read(f"{asset}.js")
        self._css = _read(f"{asset}.css")
        super().__init__()

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, "text/plain": self.text, "text/html": self.html}, metadata


def _read(name: str) -> str:
    return (files("lepton_lab.show") / name).read_text(encoding="utf-8")


class Slider(BrowserWidget):
    """The widget that `slider` returns."""

    def __init__(self, pictures: Mapping[str, Shown], label: str, still: Shown) -> None:
        pages = [{"name": name, "html": shown.html} for name, shown in pictures.items()]
        super().__init__("slider", still, PAGES=pages, LABEL=label)


def slider(pictures: Mapping[str, Shown], *, label: str, still: Shown) -> Slider:
    """Make a slider through finished pictures, name → picture; the arrow keys move it.

    `label` names what the slider changes. `still` says as much in one picture: a page without
    scripts shows it, and a blind reader hears it. Raises InvalidParameter for fewer than two
    pictures.
    """
    if len(pictures) < 2:
        raise InvalidParameter("a slider needs two pictures at least")
    return Slider(pictures, label, still)
