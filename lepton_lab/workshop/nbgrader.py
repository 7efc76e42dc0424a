"""The exercises of a notebook in nbgrader's source format, for courses that grade with it.

An exercise has three code cells here (skeleton, check, solution) and two there. The skeleton
keeps the learner's text and carries the solution behind it, in a region that nbgrader cuts out of
the released version. The check becomes a locked cell of tests worth one point, which fails with
the exercise's own hint. The format is schema 3 of nbgrader's cell metadata
(nbgrader.readthedocs.io, "The nbgrader cell metadata").
"""

from __future__ import annotations

import copy
import re
from typing import Any

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.copies import Notebook, clear_outputs

POINTS = 1
_SCHEMA = 3
_CHECK = re.compile(r'(?:workshop\.)?check\("(?P<id>[^"]*)", [^\n]+\)')
_BEGIN_SOLUTION = "### BEGIN SOLUTION"  # nbgrader's own marks
_END_SOLUTION = "### END SOLUTION"

Cell = dict[str, Any]


def source_edition(notebook: Notebook) -> Notebook:
    """A copy of a notebook as the source of an assignment. Outputs and execution counts are
    cleared.

    Raises InvalidParameter for an exercise without a check or a solution.
    """
    edition = copy.deepcopy(notebook)
    cells: list[Cell] = edition["cells"]
    # The last line of a solution is the check of its exercise, and so names the exercise.
    solutions = {_lines(cell)[-1]: cell for cell in cells if "solution" in _tags(cell)}
    used_names: set[str] = set()
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "code" and "exercise" in _tags(cell):
            check = _next_code_cell(cells, place)
            _mark_exercise(cell, check, solutions, used_names)
    edition["cells"] = [cell for cell in cells if "solution" not in _tags(cell)]
    clear_outputs(edition)
    return edition


def _next_code_cell(cells: list[Cell], place: int) -> Cell | None:
    for cell in cells[place + 1 :]:
        if cell["cell_type"] == "code":
            return cell
    return None


def _mark_exercise(
    skeleton: Cell, check: Cell | None, solutions: dict[str, Cell], used_names: set[str]
) -> None:
    """Turn a skeleton and its check into nbgrader's answer cell and test cell."""
    line = "\n".join(_lines(check)) if check else ""
    match = _CHECK.fullmatch(line)
    if check is None or match is None or line not in solutions:
        raise InvalidParameter(f"an exercise needs a check and a solution: {_lines(skeleton)[:1]}")
    name = _unused_name(re.sub(r"\W+", "-", match["id"]), used_names)
    solution = [
        text for text in _text(solutions[line]).splitlines() if text not in ("# Solution", line)
    ]
    answer = [_text(skeleton).rstrip(), "", _BEGIN_SOLUTION, *solution, _END_SOLUTION]
    skeleton["source"] = "\n".join(answer)
    skeleton["metadata"]["nbgrader"] = _metadata(f"{name}-answer", solution=True)
    check["source"] = f"verdict = {line}\nassert verdict.done, verdict"
    check["metadata"]["nbgrader"] = _metadata(f"{name}-check", solution=False) | {"points": POINTS}


def _metadata(grade_id: str, *, solution: bool) -> dict[str, Any]:
    return {
        "schema_version": _SCHEMA,
        "grade_id": grade_id,
        "solution": solution,
        "grade": not solution,
        "locked": not solution,
        "task": False,
    }


def _unused_name(name: str, used_names: set[str]) -> str:
    """A name that the notebook does not have yet: nbgrader wants each grade_id once."""
    unused = name
    number = 1
    while unused in used_names:
        number += 1
        unused = f"{name}-{number}"
    used_names.add(unused)
    return unused


def _tags(cell: Cell) -> list[str]:
    tags: list[str] = cell["metadata"].get("tags", [])
    return tags


def _text(cell: Cell) -> str:
    return "".join(cell["source"])


def _lines(cell: Cell) -> list[str]:
    return [line for line in _text(cell).splitlines() if line.strip()]
