"""The students' edition of a notebook: the same pages without the solutions, and nothing run yet."""

from __future__ import annotations

import copy
from typing import Any


def student_edition(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of a notebook (nbformat 4, as parsed JSON) without the cells tagged `solution`.

    Outputs and counts are cleared: in class a page is predicted first and run then.
    """
    edition = copy.deepcopy(notebook)
    edition["cells"] = [
        cell for cell in edition["cells"] if "solution" not in cell["metadata"].get("tags", [])
    ]
    for cell in edition["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return edition
