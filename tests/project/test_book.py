"""Tests tools.book, tools.book_widgets and tools.widgets: how the pages of the book are made.

The finished pages are tested by a browser, in tests/browser.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import nbformat
import pytest

from tests.support import tiny_notebook
from tools import book, book_widgets
from tools.widgets import makers, shows_a_widget

DRAWING = 'Before.\n\n```mermaid\ngraph LR\n  A --> B\n```\n\n*In words: A leads to "B".*\n\nAfter.'
STEPPER = """from lepton_lab.show import aes_stepper
from lepton_lab.textbook.primitives import aes as tb_aes

aes_stepper(tb_aes.encrypt_block(bytes(16), bytes(16)))"""


def test_a_drawing_becomes_a_picture_for_light_and_for_dark_that_says_what_it_shows() -> None:
    page = book.with_drawings(DRAWING)
    assert "mermaid\n" not in page
    assert page.count('alt="A leads to &quot;B&quot;."') == 2
    assert 'class="only-light"' in page
    assert 'class="only-dark"' in page
    assert '*In words: A leads to "B".*' in page
    svg = base64.b64decode(page.partition("base64,")[2].partition('"')[0])
    assert svg.startswith(b"<svg")
    assert b"http://www.w3.org" in svg


def test_a_drawing_with_a_fault_is_shown_in_the_error() -> None:
    note = "Note over C,S: both compute; all follows"
    with pytest.raises(book.BookFailed, match="both compute; all follows"):
        book.with_drawings(f"```mermaid\nsequenceDiagram\n  {note}\n```")


def test_links_lead_to_pages_of_the_book_or_are_words() -> None:
    page = (
        "[one](notebooks/01_aes.ipynb), [two](SECURITY.md#what), "
        "[three](../lepton_lab/aes.py), [four](https://x.org)"
    )
    assert book.with_links(page) == (
        "[one](notebooks/01_aes.ipynb), [two](SECURITY.md#what), three, [four](https://x.org)"
    )


def test_solutions_are_folded() -> None:
    notebook = nbformat.v4.new_notebook(cells=tiny_notebook.exercise(1, []))
    book.page_of(notebook)
    folded = ["hide-input" in cell.metadata.get("tags", []) for cell in notebook.cells]
    assert folded == [False, False, False, True]  # the solution is the last of the four cells


def test_every_part_of_the_benchmarks_has_its_table() -> None:
    page = book.benchmarks()
    for path in (book.ROOT / "lepton_lab" / "data" / "bench").glob("*.json"):
        assert f"## {path.stem.replace('_', ' ')}\n" in page
    assert page.count("<table") == page.count("\n## ")
    assert page.count("<img") == page.count("<img alt=") > 2


def test_the_makers_of_widgets_are_found_by_what_they_return() -> None:
    assert {"aes_stepper", "slider", "node_board"} <= makers()
    assert not {"bars", "table", "lines"} & makers()
    assert shows_a_widget("show.aes_stepper(trace)")
    assert not shows_a_widget("show.table(rows, columns)")


def test_a_widget_is_brought_to_life_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = [tiny_notebook.code("1"), tiny_notebook.code(STEPPER), tiny_notebook.code("1 / 0")]
    path = tiny_notebook.write(tmp_path / "00.ipynb", page)
    notebook = nbformat.read(path, 4)
    still = {"text/html": "<table>still</table>", "text/plain": "still"}
    shown = nbformat.v4.new_output("execute_result", data=dict(still), execution_count=1)
    notebook.cells[1].outputs = [shown]
    again = nbformat.reads(nbformat.writes(notebook), as_version=4)
    # the failing cell behind the widget is not run
    assert book_widgets.bring_to_life(notebook, path, tmp_path / "kept") == 1
    html = notebook.cells[1].outputs[0].data["text/html"]
    assert html.startswith('<div data-widget="still"><table>still</table><script')
    script = html.partition('<script type="application/json">')[2]
    carried = json.loads(script.removesuffix("</script></div>"))
    assert "ArrowRight" in carried["esm"]
    assert ".lepton-aes" in carried["css"]
    monkeypatch.setattr(book_widgets, "execute", None)  # running it again would fail now
    assert book_widgets.bring_to_life(again, path, tmp_path / "kept") == 1
    assert again.cells[1].outputs[0].data["text/html"] == html


def test_a_widget_that_needs_a_kernel_stays_still_and_says_so(tmp_path: Path) -> None:
    call = "show.node_board(3, 2, kill=print, restart=print, read=print)"
    board = f"from lepton_lab import show\n\n{call}"
    path = tiny_notebook.write(tmp_path / "00.ipynb", [tiny_notebook.code(board)])
    notebook = nbformat.read(path, 4)
    still = {"text/html": "<b>still</b>"}
    shown = nbformat.v4.new_output("execute_result", data=still, execution_count=1)
    notebook.cells[0].outputs = [shown]
    assert book_widgets.bring_to_life(notebook, path, tmp_path / "kept") == 0
    html = notebook.cells[0].outputs[0].data["text/html"]
    assert html.startswith("<b>still</b><p")
    assert "data-widget" not in html
