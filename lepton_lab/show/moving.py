"""What the widgets of this package share: each carries all that it shows, and says the same where nothing moves."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import anywidget

from lepton_lab.show.display import Shown


class Moving(anywidget.AnyWidget):
    """A widget that moves in the browser alone; `text` and `html` stand in for it where scripts do not run."""

    def __init__(self, asset: str, still: Shown, **constants: object) -> None:
        """`asset` names its script and style sheet beside this file; the script sees each of `constants` by its name.

        The data ride in the script: with no traits to keep in step, a page without a kernel is no special case.
        """
        self.text, self.html = still.text, still.html
        said = "".join(
            f"const {name} = {json.dumps(value)};\n" for name, value in constants.items()
        )
        self._esm = said + _read(f"{asset}.js")
        self._css = _read(f"{asset}.css")
        super().__init__()

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, "text/plain": self.text, "text/html": self.html}, metadata


def _read(name: str) -> str:
    return (files("lepton_lab.show") / name).read_text(encoding="utf-8")
