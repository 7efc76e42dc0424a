"""The map of the series: a table made from the notebooks that exist."""

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
    """The notebooks in a folder whose names begin with two digits, in order."""
    return [_read_chapter(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def series_map(folder: Path = Path()) -> show.Shown:
    """A table of the notebooks in a folder, by default the one of the calling notebook."""
    rows = [(chapter.file, chapter.title, chapter.sentence) for chapter in chapters(folder)]
    heads = ["notebook", "title", "why"]
    return show.table(rows, heads, caption="The series, as far as it is written")


def _read_chapter(path: Path) -> Chapter:
    """The title is the first heading, the sentence is the first paragraph under it."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    opening = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading, _, below = opening.partition("\n")
    title = heading.lstrip("# ").strip()
    first_paragraph = below.strip().split("\n\n")[0]
    one_line = " ".join(first_paragraph.split())
    without_markup = re.sub(r"[*_`]", "", one_line)
    return Chapter(path.name, title, without_markup)
