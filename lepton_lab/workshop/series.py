"""The map of the series, made from the notebooks that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from lepton_lab import show


class Chapter(NamedTuple):
    """One notebook: its file, its title, and the sentence that says why it matters."""

    file: str
    title: str
    sentence: str


def chapters(folder: Path) -> list[Chapter]:
    """The notebooks of a folder whose names begin with two digits, in order."""
    return [_chapter(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def series_map(folder: Path = Path()) -> show.Shown:
    """A table of the notebooks that stand beside the one that asks."""
    return show.table(
        [(chapter.file, chapter.title, chapter.sentence) for chapter in chapters(folder)],
        ["notebook", "title", "why"],
        caption="The series, as far as it is written",
    )


def _chapter(path: Path) -> Chapter:
    """The title is the first heading, the sentence the first paragraph under it."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    opening = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    title, _, rest = opening.partition("\n")
    sentence = " ".join(rest.strip().split("\n\n")[0].split())
    return Chapter(path.name, title.lstrip("# ").strip(), re.sub(r"[*_`]", "", sentence))
