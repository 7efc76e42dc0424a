"""Run a notebook from top to bottom and write it back normalised, so that a second run leaves no
difference.

Kept of a notebook: cells with their ids and sources, their tags, whether a source is folded, and
the outputs. Not kept: timing, versions, the state of widgets (their ids are random), and whatever
an editor left behind. An output that is not compared (`nbval-ignore-output`) stays as it was where
this run differs from it in numbers alone.
"""

from __future__ import annotations

import copy
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from lepton_lab.files import write_atomically

_CELL_SECONDS = 300
_WIDGET = "application/vnd.jupyter.widget-view+json"
# A kernel warns when what is typed and shown crosses the machine in clear. CurveZMQ keys settle
# that.
_PRIVATE_CHANNELS = Config(
    {"KernelManager": {"transport_encryption": "auto"}} if zmq.has("curve") else {}
)
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}


class NotebookFailed(Exception):
    """A notebook raised an error or printed a warning; the message names the cell and says what it
    was.
    """


def run(path: Path) -> bool:
    """Execute the notebook at `path` in its own folder and write it back normalised; whether the
    file has changed.

    Where only outputs that are not compared came out otherwise (a time, a random number), the file
    stays as it was. Raises NotebookFailed, and leaves the file as it was, when a cell raises or
    writes to the standard error.
    """
    before = path.read_bytes()
    notebook = nbformat.reads(before.decode(), as_version=4)
    shown_before = {cell.id: cell.get("outputs", []) for cell in copy.deepcopy(notebook.cells)}
    execute(notebook, path)
    normalise(notebook)
    keep_where_only_numbers_vary(notebook, shown_before)
    after = nbformat.writes(notebook).rstrip("\n").encode() + b"\n"
    if _compared(after) == _compared(before):
        return False
    write_atomically(path, after, mode=0o644)
    return True


def _compared(page: bytes) -> nbformat.NotebookNode:
    """The page without the outputs that its check does not compare, but for whether there are
    any.
    """
    notebook = nbformat.reads(page.decode(), as_version=4)
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.metadata["shows"], cell.outputs = bool(cell.outputs), []
    return notebook


def execute(notebook: nbformat.NotebookNode, path: Path, *, keep_widgets: bool = False) -> None:
    """Run every cell, in the folder of `path`, as JupyterLab would. Raises NotebookFailed.

    With keep_widgets the notebook's metadata hold the state of its widgets at the end.
    """
    reached = "before the first cell"

    def remember(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal reached
        reached = f"cell {cell_index} ({cell.id})"

    client = NotebookClient(
        notebook,
        on_cell_execute=remember,
        timeout=_CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=keep_widgets,
        coalesce_streams=True,
        # also where a tag allows them: an error that is the point is caught by its cell
        force_raise_errors=True,
        resources={"metadata": {"path": str(path.parent.resolve())}},
        config=_PRIVATE_CHANNELS,
    )
    with _own_profile():
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise NotebookFailed(f"{path.name}, {reached}: {error}") from None
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise NotebookFailed(
                    f"{path.name}, cell {number} ({cell.id}) writes to the standard error, "
                    "where warnings name paths "
                    f"of a machine. Cause none and silence none:\n{output.text}"
                )


@contextmanager
def _own_profile() -> Iterator[None]:
    """An IPython folder for this run alone: neither the reader's settings nor their history have a
    part in it.
    """
    before = os.environ.get("IPYTHONDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("IPYTHONDIR")
            if before is not None:
                os.environ["IPYTHONDIR"] = before


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Take out what another run or another machine would write differently."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
        cell.metadata = nbformat.from_dict(_kept(cell.metadata))
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs = [
                output for output in map(_without_widget, cell.outputs) if output is not None
            ]


def keep_where_only_numbers_vary(
    notebook: nbformat.NotebookNode, before: dict[str, list[Any]]
) -> None:
    """Put back what a cell tagged `nbval-ignore-output` showed before, where this run differs in
    its numbers alone.

    Such a cell shows time or randomness, and would leave a difference in every run. `before` is
    outputs by cell id.
    """
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            earlier = before.get(cell.id, [])
            if _form(earlier) == _form(cell.outputs):
                cell.outputs = earlier
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count


def _form(outputs: list[Any]) -> str:
    """What outputs look like when numbers and pictures are left out of account."""
    plain = json.dumps([{**output, "execution_count": None} for output in outputs], sort_keys=True)
    return re.sub(
        r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", "#", re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", plain)
    )


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    """A cell's tags, and a folded source: solutions always are, wherever they were written."""
    tags = list(dict.fromkeys(metadata.get("tags", [])))
    folded = "solution" in tags or metadata.get("jupyter", {}).get("source_hidden", False)
    return ({"tags": tags} if tags else {}) | (
        {"jupyter": {"source_hidden": True}} if folded else {}
    )


def _without_widget(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """The output without a widget's random id: what remains is its text. None when nothing
    remains.
    """
    data = output.get("data")
    if data is None or _WIDGET not in data:
        return output
    del data[_WIDGET]
    return output if data else None
