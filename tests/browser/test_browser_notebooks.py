"""Tests every notebook in a real JupyterLab and browser: it runs, and its widgets move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser import jupyterlab
from tests.browser.pages import STOPS, Watched, moves
from tools.widgets import shows_a_widget

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_PANEL = ".jp-OutputArea-output.lm-Panel"  # where JupyterLab draws a widget


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    with jupyterlab.running(folder) as found:
        yield found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_and_its_widgets_move_by_the_keyboard(
    notebook: Path, address: str, watched: Watched
) -> None:
    jupyterlab.open_notebook(watched.page, address, notebook.name)
    # nbgrader's own panels are for a grader, not for a learner
    assert watched.page.get_by_text("nbgrader").count() == 0
    assert jupyterlab.run_all(watched.page) == []
    # a progress bar has no controls, so it does not count
    widgets = watched.page.locator(_PANEL).filter(has=watched.page.locator(STOPS))
    for number in range(widgets.count()):
        stuck = f"widget {number} of {notebook.name} does not move"
        assert moves(watched.page, widgets.nth(number)), stuck
    sources = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    assert widgets.count() >= sum(map(shows_a_widget, sources))
    assert watched.left == []
