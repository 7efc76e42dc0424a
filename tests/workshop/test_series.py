"""Tests lepton_lab.workshop.series: the map holds every notebook of the folder, in order."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.workshop.series import chapters, series_map
from tests.support import tiny_notebook
from tests.support.paths import NOTEBOOKS


def test_a_chapter_is_a_file_with_its_title_and_first_paragraph(tmp_path: Path) -> None:
    tiny_notebook.write(tmp_path / "01_tiny.ipynb")
    tiny_notebook.write(tmp_path / "notes.ipynb")
    (chapter,) = chapters(tmp_path)
    assert chapter == (
        "01_tiny.ipynb",
        "A tiny page",
        "It matters because everything else is built like it.",
    )
    assert "A tiny page" in str(series_map(tmp_path))


def test_the_map_names_every_notebook_of_the_series() -> None:
    text = str(series_map(NOTEBOOKS))
    for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"):
        assert path.name in text
