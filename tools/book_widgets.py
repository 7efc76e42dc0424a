"""Make the widgets of the book move: run the cells that show one and put its state into the page.

Committed notebooks hold only the still form of a widget, because a widget's ids are random. So a
notebook is run up to its last cell with a widget. The result is kept in build/ and used again until
the notebook or the code that draws has changed.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import nbformat

import lepton_lab.show
from tools.notebook_run import execute
from tools.widgets import shows_a_widget

_STATE = "application/vnd.jupyter.widget-state+json"
_VIEW = "application/vnd.jupyter.widget-view+json"
# What every widget's state holds beside the widget's own values.
_BESIDE = {"_anywidget_id", "_dom_classes", "_esm", "_css", "layout", "tabbable", "tooltip"}


def bring_to_life(notebook: nbformat.NotebookNode, path: Path, kept: Path) -> int:
    """Add the moving form of every anywidget to its cell; return how many cells have one.

    path: where the notebook came from; it is run in that folder. kept: the folder where results are
    kept. A widget of another kind needs a kernel: it stays still, and a line below it says so.
    Raises NotebookFailed when a cell raises an error or prints a warning.
    """
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in code_cells if shows_a_widget(cell.source)]
    if not cells:
        return 0
    alive = _states(notebook, path, kept, last=cells[-1].id)
    for cell in cells:
        for output in cell.outputs:
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = _place(output.data["text/html"], alive.get(cell.id))
    return len(alive)


def _place(still: str, state: dict[str, Any] | None) -> str:
    if state is None:
        note = "This moves in the lab only, because it needs a running kernel."
        return f'{still}<p class="widget-note">{note}</p>'
    carried = json.dumps({"esm": state["_esm"], "css": state.get("_css", ""), "state": _own(state)})
    carried = carried.replace("</", r"<\/")  # a "</script>" inside would end the script early
    script = f'<script type="application/json">{carried}</script>'
    return f'<div data-widget="still">{still}{script}</div>'


def _own(state: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in state if name not in _BESIDE and not name.startswith("_")]
    return {name: state[name] for name in names}


def _states(notebook: nbformat.NotebookNode, path: Path, kept: Path, last: str) -> dict[str, Any]:
    """Return the state of each shown anywidget by cell id, from `kept` if nothing has changed."""
    place = kept / f"{path.stem}-{_version(notebook)}.json"
    if not place.exists():
        found = _run(notebook, path, last)
        kept.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(found))
    states: dict[str, Any] = json.loads(place.read_text())
    return states


def _version(notebook: nbformat.NotebookNode) -> str:
    """Return a digest of what widgets depend on: the notebook's cells and the code that draws."""
    digest = hashlib.sha256(json.dumps([cell.source for cell in notebook.cells]).encode())
    for file in sorted(Path(lepton_lab.show.__path__[0]).iterdir()):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _run(notebook: nbformat.NotebookNode, path: Path, last: str) -> dict[str, Any]:
    page = copy.deepcopy(notebook)
    end = next(place for place, cell in enumerate(page.cells) if cell.id == last)
    page.cells = page.cells[: end + 1]
    execute(page, path, keep_widgets=True)
    models = page.metadata.widgets[_STATE]["state"]
    found = {}
    for cell in page.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(_VIEW)
            state = models.get(view["model_id"], {}).get("state", {}) if view else {}
            if "_esm" in state:
                found[cell.id] = state
    return found
