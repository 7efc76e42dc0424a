"""How far a learner has come: run a copy of a notebook without a browser and read every check.

The cells tagged `solution` are left out, so that only the learner's own answers count. The copy
itself is not changed.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.workshop.copies import Notebook, student_edition
from lepton_lab.workshop.engine import find

_CELL_SECONDS = 120
_CHECK = re.compile(r"""\bcheck\(\s*["'](?P<id>[\w.]+)["']\s*,""")


class ExerciseProgress(NamedTuple):
    """One exercise of a notebook: its id, its title, whether it is done, and a hint if not."""

    exercise: str
    title: str
    done: bool
    hint: str


def exercise_progress(notebook: Path) -> list[ExerciseProgress]:
    """Run a learner's copy from top to bottom and say of each exercise whether it is done.

    notebook: a copy that `lepton-lab lab` made, or one of the students' edition. It runs in its own
        folder, and nothing is written.

    A cell that fails does not stop the others. An exercise whose check could not be reached is
    not done, and the error is its hint. Raises NotFound when there is no such file or no Jupyter
    to run it, InvalidParameter when the file is not a notebook.
    """
    if find_spec("nbclient") is None:
        raise NotFound('running a notebook needs Jupyter; pip install "lepton-lab[lab]"')
    page = student_edition(_read_notebook(notebook))
    return _read_checks(_run_cells(page, notebook.resolve().parent))


def print_progress(notebook: Path, console: Console) -> None:
    """Print every exercise of a notebook, and how many are done. Raises as `exercise_progress`."""
    console.print(f"Running {escape(notebook.name)} …")
    found = exercise_progress(notebook)
    for exercise in found:
        if exercise.done:
            sign = "[green]✓[/]"
            said = "done"
        else:
            sign = "→"
            said = f"not yet: {exercise.hint}"
        title = escape(exercise.title or exercise.exercise)
        console.print(f"{sign} [bold]{title}[/] ({exercise.exercise})")
        console.print(f"  {escape(said)}")
    done = sum(exercise.done for exercise in found)
    console.print(f"{done} of {len(found)} done")


def _read_notebook(path: Path) -> Notebook:
    try:
        page = json.loads(path.read_bytes())
        is_notebook = page["nbformat"] == 4 and all(
            {"source", "metadata"} <= set(cell) for cell in page["cells"]
        )
    except FileNotFoundError:
        raise NotFound(
            f"there is no notebook {path}; `lepton-lab lab` makes copies in my/"
        ) from None
    except (ValueError, KeyError, TypeError):
        is_notebook = False
    if not is_notebook:
        raise InvalidParameter(f"{path} is not a notebook (nbformat 4)")
    found: Notebook = page
    return found


def _run_cells(page: Notebook, folder: Path) -> list[Any]:
    """The cells with their outputs. When a kernel dies or hangs, what came before still counts."""
    # Jupyter is an extra: it is imported only when a notebook is run.
    import nbformat  # noqa: PLC0415
    import zmq  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    notebook = nbformat.reads(json.dumps(page), as_version=4)  # type: ignore[no-untyped-call]
    # Without encryption a kernel warns that its messages cross the machine in clear. CurveZMQ is
    # missing in some builds of ZeroMQ.
    encryption = {"transport_encryption": "auto"} if zmq.has("curve") else {}
    client = NotebookClient(
        notebook,
        allow_errors=True,
        timeout=_CELL_SECONDS,
        interrupt_on_timeout=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        config=Config({"KernelManager": encryption}),
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        first_line = str(error).partition("\n")[0]
        _mark_not_reached(notebook.cells, first_line)
    cells: list[Any] = notebook.cells
    return cells


def _mark_not_reached(cells: list[Any], reason: str) -> None:
    """Give every code cell without an output the reason as its error."""
    error = {"output_type": "error", "ename": "not reached", "evalue": reason, "traceback": []}
    for cell in cells:
        if cell.cell_type == "code" and not cell.outputs:
            cell.outputs = [error]


def _read_checks(cells: list[Any]) -> list[ExerciseProgress]:
    """The exercises that the notebook checks, in order. The last check of an exercise counts."""
    found: dict[str, ExerciseProgress] = {}
    for cell in cells:
        if cell.cell_type != "code":
            continue
        names = _CHECK.findall(cell.source)
        for name in names:
            # Jupyter shows only the value of a cell's last line, so only the last check can be
            # read.
            found[name] = _read_check(name, cell, is_shown=name == names[-1])
    return list(found.values())


def _read_check(name: str, cell: Any, *, is_shown: bool) -> ExerciseProgress:
    try:
        title = find(name).title
    except InvalidParameter as unknown:
        return ExerciseProgress(name, "", False, str(unknown))
    if not is_shown:
        hint = "one cell shows one check; keep a cell for each"
        return ExerciseProgress(name, title, False, hint)
    said = _shown_verdict(cell)
    if said == "done":
        return ExerciseProgress(name, title, True, "")
    return ExerciseProgress(name, title, False, said.removeprefix("not yet: "))


def _shown_verdict(cell: Any) -> str:
    """What a check's cell shows last: 'done', 'not yet: …', or the error that came instead."""
    for output in reversed(cell.outputs):
        if output["output_type"] == "error":
            return f"the cell of its check stopped with {output['ename']}: {output['evalue']}"
        if "text/plain" in output.get("data", {}):
            return str(output["data"]["text/plain"])
    return "its check shows nothing: leave it as the last line of its cell"
