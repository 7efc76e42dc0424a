"""What every helper of this package returns: one thing to see, and the same thing to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class Shown:
    """Something to look at: `html` for the eye, `text` for a terminal, a screen reader and the check of a notebook.

    Left as the last value of a cell, it is displayed. The HTML keeps to what JupyterLab also shows in a notebook that
    is not trusted yet, which is how every fresh clone opens: inline styles, no script, pictures inside `<img>`.
    """

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # Jupyter filters what it gets
        return {"text/plain": self.text, "text/html": self.html}
