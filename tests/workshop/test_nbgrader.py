"""Tests lepton_lab.workshop.nbgrader: nbgrader itself releases, collects and grades."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.nbgrader import source_edition
from tests.support import tiny_notebook
from tests.support.paths import ROOT
from tools.nbgrader import write_course

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def edition(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The source edition of a notebook of these cells."""
    page = nbformat.writes(nbformat.v4.new_notebook(cells=list(cells)))
    return nbformat.reads(json.dumps(source_edition(json.loads(page))), as_version=4)


def test_a_skeleton_carries_its_solution_in_a_region_and_its_check_is_a_locked_test() -> None:
    text, answer, test = edition(*tiny_notebook.exercise(2, ["core"])).cells
    assert text.source.startswith("## Exercise 2")
    assert answer.source.splitlines() == [
        "def xtime(b):",
        "    ...",
        "",
        "### BEGIN SOLUTION",
        "def xtime(b):",
        "    return (b << 1) ^ (0x11B if b & 0x80 else 0)",
        "",
        "",
        "### END SOLUTION",
    ]
    assert test.source == 'verdict = check("aes.xtime", xtime)\nassert verdict.done, verdict'
    assert answer.metadata.nbgrader == {
        "schema_version": 3,
        "grade_id": "aes-xtime-answer",
        "solution": True,
        "grade": False,
        "locked": False,
        "task": False,
    }
    assert test.metadata.nbgrader == {
        "schema_version": 3,
        "grade_id": "aes-xtime-check",
        "solution": False,
        "grade": True,
        "locked": True,
        "task": False,
        "points": 1,
    }


def test_an_exercise_that_comes_twice_has_two_names() -> None:
    cells = edition(*tiny_notebook.exercise(1, []), *tiny_notebook.exercise(3, [])).cells
    names = [cell.metadata.nbgrader.grade_id for cell in cells if "nbgrader" in cell.metadata]
    assert names == [
        "aes-padded-answer",
        "aes-padded-check",
        "aes-padded-2-answer",
        "aes-padded-2-check",
    ]


def test_an_exercise_that_is_not_whole_is_refused() -> None:
    text, skeleton, check, solution = tiny_notebook.exercise(1, [])
    for cells in ((text, skeleton, solution), (text, skeleton, check), (skeleton,)):
        with pytest.raises(InvalidParameter, match="length = "):
            edition(*cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_of_every_notebook_is_there_and_no_output_is(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = nbformat.from_dict(source_edition(notebook)).cells
    skeletons = [
        cell for cell in notebook["cells"] if "exercise" in cell["metadata"].get("tags", [])
    ]
    tests = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(tests) == sum(cell["cell_type"] == "code" for cell in skeletons)
    assert not any(cell.get("outputs") for cell in cells)
    assert len({cell.metadata.nbgrader.grade_id for cell in tests}) == len(tests)


def nbgrader(course: Path, *arguments: str) -> None:
    """Run nbgrader in a course's folder, with that course's settings and database alone."""
    scripts = str(Path(sys.executable).parent)
    folders = {
        name: str(course / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    environment = os.environ | folders | {"PATH": scripts + os.pathsep + os.environ["PATH"]}
    command = [str(Path(scripts) / "nbgrader"), *arguments]
    done = subprocess.run(
        command, cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def marks(
    course: Path, assignment: str, submissions: dict[str, str]
) -> dict[str, tuple[float, float]]:
    """Release an assignment, hand in submissions, grade: (score, maximum) by learner."""
    nbgrader(course, "generate_assignment", assignment, "--create")
    released = (course / "release" / assignment / f"{assignment}.ipynb").read_text(encoding="utf-8")
    assert "SOLUTION" not in released
    for learner, text in submissions.items():
        folder = course / "submitted" / learner / assignment
        folder.mkdir(parents=True)
        (folder / f"{assignment}.ipynb").write_text(text or released, encoding="utf-8")
    nbgrader(course, "autograde", assignment, "--create")
    nbgrader(course, "export")
    with (course / "grades.csv").open(encoding="utf-8") as file:
        return {
            row["student_id"]: (float(row["score"]), float(row["max_score"]))
            for row in csv.DictReader(file)
        }


# Of those with exercises; nbgrader runs each from its first cell to its last for every
# submission, a minute or so.
GRADED = [path for path in NOTEBOOKS if path.stem in ("01_aes", "02_rsa", "04_keys")]


@pytest.mark.slow
@pytest.mark.parametrize("path", GRADED, ids=lambda path: path.stem)
def test_nbgrader_gives_full_marks_to_the_right_submission_and_none_to_the_empty_one(
    path: Path, tmp_path: Path
) -> None:
    assert write_course([path], tmp_path / "course") == 1
    right = (tmp_path / "course" / "source" / path.stem / path.name).read_text(encoding="utf-8")
    graded = marks(tmp_path / "course", path.stem, {"right": right, "empty": ""})
    most = right.count("assert verdict.done")
    assert most >= 4
    assert graded == {"right": (most, most), "empty": (0, most)}
