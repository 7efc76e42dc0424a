"""The exercises of a notebook in nbgrader's source format, for courses that grade with it.

An exercise is three cells here (skeleton, check, solution) and two there. The skeleton keeps the learner's text and
carries the solution behind it, in a region that nbgrader cuts out of the released version; the check becomes a locked
cell of tests, worth one point, which fails with the exercise's own hint. The format is schema 3 of nbgrader's cell
metadata (nbgrader.readthedocs.io, "The nbgrader cell metadata").
"""

from __future__ import annotations

import copy
import re
from typing import Any

from lepton_lab.errors import InvalidParameter

POINTS = 1
_SCHEMA = 3
_CHECK = re.compile(r'(?:workshop\.)?check\("(?P<id>[^"]*)", [^\n]+\)')
_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's own marks

Cell = dict[str, Any]


def source_edition(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of a notebook (nbformat 4, as parsed JSON) as an assignment's source; outputs and counts are cleared.

    Raises InvalidParameter for an exercise without a check or a solution.
    """
    edition = copy.deepcopy(notebook)
    cells: list[Cell] = edition["cells"]
    solutions = {_lines(cell)[-1]: cell for cell in cells if "solution" in _tags(cell)}
    used: set[str] = set()
    for place, cell in enumerate(cells):
        if "exercise" in _tags(cell) and cell["cell_type"] == "code":
            check = next(
                (later for later in cells[place + 1 :] if later["cell_type"] == "code"), None
            )
            _grade(cell, check, solutions, used)
    edition["cells"] = [cell for cell in cells if "solution" not in _tags(cell)]
    for cell in edition["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return edition


def _grade(skeleton: Cell, check: Cell | None, solutions: dict[str, Cell], used: set[str]) -> None:
    """Turn a skeleton and its check into an answer and its test."""
    line = "\n".join(_lines(check)) if check else ""
    match = _CHECK.fullmatch(line)
    if check is None or match is None or line not in solutions:
        raise InvalidParameter(f"an exercise needs a check and a solution: {_lines(skeleton)[:1]}")
    name = _unused(re.sub(r"\W+", "-", match["id"]), used)
    answer = [
        text for text in _text(solutions[line]).splitlines() if text not in ("# Solution", line)
    ]
    skeleton["source"] = "\n".join([_text(skeleton).rstrip(), "", _BEGIN, *answer, _END])
    check["source"] = f"verdict = {line}\nassert verdict.done, verdict"
    skeleton["metadata"]["nbgrader"] = _marks(f"{name}-answer", solution=True)
    check["metadata"]["nbgrader"] = _marks(f"{name}-check", solution=False) | {"points": POINTS}


def _marks(name: str, *, solution: bool) -> dict[str, Any]:
    return {
        "schema_version": _SCHEMA,
        "grade_id": name,
        "solution": solution,
        "grade": not solution,
        "locked": not solution,
        "task": False,
    }


def _unused(name: str, used: set[str]) -> str:
    """A name that the notebook has not yet: nbgrader wants each once."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free


def _tags(cell: Cell) -> list[str]:
    tags: list[str] = cell["metadata"].get("tags", [])
    return tags


def _text(cell: Cell) -> str:
    return "".join(cell["source"])


def _lines(cell: Cell) -> list[str]:
    return [line for line in _text(cell).splitlines() if line.strip()]
