"""How far a learner has come: a copy of a notebook is run without a browser, and every exercise's check is read.

The cells tagged `solution` are left out, so that only the learner's own answers count. The copy itself is not changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.workshop.catalogue import find
from lepton_lab.workshop.student import student_edition

_CELL_SECONDS = 120
_CHECK = re.compile(r"""\bcheck\(\s*["'](?P<id>[\w.]+)["']\s*,""")
_SHOWN = "text/plain"


class Standing(NamedTuple):
    """One exercise of a notebook: its name, its title, whether it is done, and the hint when it is not."""

    exercise: str
    title: str
    done: bool
    hint: str


def standings(notebook: Path) -> list[Standing]:
    """Run a learner's copy from top to bottom, in its own folder, and say of each exercise how it stands.

    notebook: a copy as `lepton-lab lab` makes it, or one of the students' edition. A cell that fails does not stop the
    others; an exercise whose check could not be reached is 'not yet', with the error as its hint. Nothing is written.
    Raises NotFound when there is no such file or no Jupyter to run it, InvalidParameter when it is no notebook.
    """
    if find_spec("nbclient") is None:
        raise NotFound('running a notebook needs Jupyter; pip install "lepton-lab[lab]"')
    page = student_edition(_read(notebook))
    return list(_read_checks(_executed(page, notebook.resolve().parent)))


def show_standings(notebook: Path, console: Console) -> None:
    """Print every exercise of a notebook with its standing, and how many are done. Raises as `standings`."""
    console.print(f"Running {escape(notebook.name)} …")
    found = standings(notebook)
    for exercise in found:
        sign, said = (
            ("[green]✓[/]", "done") if exercise.done else ("→", f"not yet: {exercise.hint}")
        )
        console.print(
            f"{sign} [bold]{escape(exercise.title or exercise.exercise)}[/] ({exercise.exercise})"
        )
        console.print(f"  {escape(said)}")
    console.print(f"{sum(exercise.done for exercise in found)} of {len(found)} done")


def _read(notebook: Path) -> dict[str, Any]:
    try:
        page = json.loads(notebook.read_bytes())
        if page["nbformat"] != 4 or not all(
            {"source", "metadata"} <= set(cell) for cell in page["cells"]
        ):
            raise ValueError
    except FileNotFoundError:
        raise NotFound(
            f"there is no notebook {notebook}; `lepton-lab lab` makes copies in my/"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InvalidParameter(f"{notebook} is no notebook (nbformat 4)") from None
    found: dict[str, Any] = page
    return found


def _executed(page: dict[str, Any], folder: Path) -> list[Any]:
    """The cells with their outputs. A kernel that dies or hangs ends the run; what came before still counts."""
    import nbformat  # noqa: PLC0415  # Jupyter is an extra: only who asks for it loads it
    import zmq  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    notebook = nbformat.reads(json.dumps(page), as_version=4)  # type: ignore[no-untyped-call]
    # a kernel warns when what it is told crosses the machine in clear; keys of CurveZMQ settle that
    private = Config(
        {"KernelManager": {"transport_encryption": "auto"}} if zmq.has("curve") else {}
    )
    client = NotebookClient(
        notebook,
        allow_errors=True,
        timeout=_CELL_SECONDS,
        interrupt_on_timeout=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        config=private,
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        _say_why(notebook.cells, str(error).partition("\n")[0])
    cells: list[Any] = notebook.cells
    return cells


def _say_why(cells: list[Any], reason: str) -> None:
    """Give every cell that was not reached the reason as its error."""
    for cell in cells:
        if cell.cell_type == "code" and not cell.outputs:
            cell.outputs = [
                {"output_type": "error", "ename": "not reached", "evalue": reason, "traceback": []}
            ]


def _read_checks(cells: list[Any]) -> Iterator[Standing]:
    """One standing for each exercise that the notebook checks, in order; the last check of an exercise counts."""
    found: dict[str, Standing] = {}
    for cell in cells:
        if cell.cell_type == "code" and (names := _CHECK.findall(cell.source)):
            for name in names:
                found[name] = _standing(name, cell, last=name == names[-1])
    yield from found.values()


def _standing(name: str, cell: Any, *, last: bool) -> Standing:
    try:
        title = find(name).title
    except InvalidParameter as unknown:
        return Standing(name, "", False, str(unknown))
    said = _said(cell) if last else "not yet: one cell shows one check; keep a cell for each"
    return Standing(
        name, title, said == "done", "" if said == "done" else said.removeprefix("not yet: ")
    )


def _said(cell: Any) -> str:
    """What the check's cell shows last: 'done', 'not yet: …', or the error that came instead."""
    for output in reversed(cell.outputs):
        if output["output_type"] == "error":
            return f"the cell of its check stopped with {output['ename']}: {output['evalue']}"
        if _SHOWN in output.get("data", {}):
            return str(output["data"][_SHOWN])
    return "its check shows nothing: leave it as the last line of its cell"
