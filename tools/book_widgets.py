"""The book's widgets: cells that show one are run again, and what makes them move is put into the
page.

Committed notebooks hold no widget, only its still form, for a widget's ids are random. A notebook
is run up to its last such cell, once for each of its versions: what came of it is kept in build/.
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
_BESIDE = {
    "_anywidget_id",
    "_dom_classes",
    "_esm",
    "_css",
    "layout",
    "tabbable",
    "tooltip",
}  # not a widget's own


def bring_to_life(notebook: nbformat.NotebookNode, path: Path, kept: Path) -> int:
    """Put the moving form around the still one, in every cell that shows an anywidget; returns how
    many do.

    path: where the notebook came from; it is run there. kept: the folder where results are kept. A
    widget of another kind needs a kernel behind it: it stays still, and a line says so. Raises
    NotebookFailed.
    """
    cells = [
        cell for cell in notebook.cells if cell.cell_type == "code" and shows_a_widget(cell.source)
    ]
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
        return (
            f'{still}<p class="widget-note">In the lab this moves: it needs a kernel behind it.</p>'
        )
    carried = json.dumps({"esm": state["_esm"], "css": state.get("_css", ""), "state": _own(state)})
    carried = carried.replace("</", r"<\/")  # nothing in it may end the script
    script = f'<script type="application/json">{carried}</script>'
    return f'<div data-widget="still">{still}{script}</div>'


def _own(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in state.items()
        if name not in _BESIDE and not name.startswith("_")
    }


def _states(notebook: nbformat.NotebookNode, path: Path, kept: Path, last: str) -> dict[str, Any]:
    """By cell id, the state of the anywidget that it shows; from `kept` when nothing has changed
    since.
    """
    place = kept / f"{path.stem}-{_version(notebook)}.json"
    if not place.exists():
        found = _run(notebook, path, last)
        kept.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(found))
    states: dict[str, Any] = json.loads(place.read_text())
    return states


def _version(notebook: nbformat.NotebookNode) -> str:
    """A digest of what the widgets are made of: the notebook's sources, and the code that draws."""
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
