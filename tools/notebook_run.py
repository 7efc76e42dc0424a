"""Run a notebook and write it back normalised, so that a second run leaves no difference.

Cells keep their ids, sources and tags, whether the source is folded, and their outputs. Timing,
versions, the state of widgets (whose ids are random) and an editor's own metadata are dropped. An
output that is not compared (`nbval-ignore-output`) stays as it was, if the new one differs in its
numbers alone.
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
# A kernel warns when its messages are sent in clear, even on one machine. CurveZMQ encrypts them.
_ENCRYPTION = {"KernelManager": {"transport_encryption": "auto"}}
_PRIVATE_CHANNELS = Config(_ENCRYPTION if zmq.has("curve") else {})
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
    """A notebook raised an error or printed a warning; the message names the cell and shows it."""


def run(path: Path) -> bool:
    """Run the notebook at `path` in its folder and write it back; return whether it has changed.

    The file stays as it was if only outputs that are not compared are different (a time, a random
    number). It also stays as it was when a cell raises an error or writes to the standard error;
    then NotebookFailed is raised.
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
    """Return the page as it is compared: of an output that is not, only whether there is one."""
    notebook = nbformat.reads(page.decode(), as_version=4)
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.metadata["shows"] = bool(cell.outputs)
            cell.outputs = []
    return notebook


def execute(notebook: nbformat.NotebookNode, path: Path, *, keep_widgets: bool = False) -> None:
    """Run every cell as JupyterLab would, in the folder of `path`.

    keep_widgets: leave the state of the widgets in the notebook's metadata.
    Raises NotebookFailed when a cell raises an error, writes to the standard error or takes more
    than _CELL_SECONDS seconds.
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
        # also where a tag allows errors: a cell whose subject is an error catches it
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
                    f"{path.name}, cell {number} ({cell.id}) writes to the standard error, where "
                    "warnings name paths of this machine. Remove the cause of the warning; "
                    f"do not silence it:\n{output.text}"
                )


@contextmanager
def _own_profile() -> Iterator[None]:
    """Give the run an IPython folder of its own, without the user's settings and history."""
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
    notebook.nbformat = 4
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
        cell.metadata = nbformat.from_dict(_kept(cell.metadata))
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            outputs = map(_without_widget, cell.outputs)
            cell.outputs = [output for output in outputs if output is not None]


def keep_where_only_numbers_vary(
    notebook: nbformat.NotebookNode, before: dict[str, list[Any]]
) -> None:
    """Put back the earlier outputs of a cell if the new ones differ in their numbers alone.

    That is done for cells tagged `nbval-ignore-output`, which show time or randomness: they would
    leave a difference in every run. before: the earlier outputs by cell id.
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
    """Return the outputs as text, without their numbers and pictures."""
    plain = json.dumps([{**output, "execution_count": None} for output in outputs], sort_keys=True)
    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", plain)
    return re.sub(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", "#", without_pictures)


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a cell's metadata: its tags, and whether its source is folded.

    The source of a solution is always folded, whatever editor wrote it.
    """
    tags = list(dict.fromkeys(metadata.get("tags", [])))
    folded = "solution" in tags or metadata.get("jupyter", {}).get("source_hidden", False)
    kept: dict[str, Any] = {}
    if tags:
        kept["tags"] = tags
    if folded:
        kept["jupyter"] = {"source_hidden": True}
    return kept


def _without_widget(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return the output without a widget's random id, or None when nothing else is in it."""
    data = output.get("data")
    if data is None or _WIDGET not in data:
        return output
    del data[_WIDGET]
    return output if data else None
