"""Tests lepton_lab.workshop.exercise_progress: every exercise of a copy, whatever its cells do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.workshop.exercise_progress import ExerciseProgress, exercise_progress
from tests.support import tiny_notebook
from tests.support.tiny_notebook import PADDED, XTIME, code, prose

COMMAND = str(Path(sys.executable).with_name("lepton-lab"))
IMPORT = "from lepton_lab.workshop import check"


def learners(tmp_path: Path, *cells: str) -> dict[str, ExerciseProgress]:
    """The progress of each exercise in a copy that holds these cells."""
    path = tiny_notebook.write(tmp_path / "00_copy.ipynb", [prose("# Mine"), *map(code, cells)])
    return {each.exercise: each for each in exercise_progress(path)}


def test_a_fresh_copy_has_nothing_done_although_the_solutions_are_in_it(tmp_path: Path) -> None:
    found = exercise_progress(tiny_notebook.write(tmp_path / "00_tiny.ipynb"))
    assert [(each.exercise, each.done) for each in found] == [
        ("aes.padded", False),
        ("aes.xtime", False),
    ]
    assert all("..." in each.hint for each in found)
    assert found[0].title == "How long is the ciphertext?"


def test_what_is_right_is_done_and_what_is_wrong_has_its_own_hint(tmp_path: Path) -> None:
    found = learners(
        tmp_path, IMPORT, "length = 48", PADDED, "def xtime(b):\n    return b << 1", XTIME
    )
    assert found["aes.padded"].done
    assert found["aes.padded"].hint == ""
    assert not found["aes.xtime"].done
    assert "bit 7" in found["aes.xtime"].hint


def test_a_cell_that_fails_stops_no_other(tmp_path: Path) -> None:
    found = learners(tmp_path, IMPORT, "1 / 0", XTIME, "length = 48", PADDED)
    assert "NameError" in found["aes.xtime"].hint
    assert found["aes.padded"].done


def test_a_kernel_that_dies_leaves_the_rest_unreached_and_says_so(tmp_path: Path) -> None:
    found = learners(tmp_path, IMPORT, "length = 48", PADDED, "import os\nos._exit(1)", XTIME)
    assert found["aes.padded"].done
    assert "died" in found["aes.xtime"].hint


def test_a_check_that_is_hidden_in_a_longer_cell_is_read_or_says_what_to_do(tmp_path: Path) -> None:
    assert learners(tmp_path, f"{IMPORT}\nlength = 48\n{PADDED}")["aes.padded"].done
    silent = learners(tmp_path, f"{IMPORT}\nlength = 48\n{PADDED};\nNone")["aes.padded"]
    assert "last line" in silent.hint
    both = learners(tmp_path, f"{IMPORT}\nlength = 48\nxtime = ...\n{PADDED}\n{XTIME}")
    assert "a cell for each" in both["aes.padded"].hint


def test_an_exercise_that_is_not_known_is_named(tmp_path: Path) -> None:
    assert (
        "did you mean" in learners(tmp_path, f'{IMPORT}\ncheck("aes.xtimes", 1)')["aes.xtimes"].hint
    )


def test_the_copy_is_not_changed(tmp_path: Path) -> None:
    path = tiny_notebook.write(tmp_path / "00_tiny.ipynb")
    before = path.read_bytes()
    exercise_progress(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["00_tiny.ipynb"]


def test_what_is_no_notebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        exercise_progress(tmp_path / "none.ipynb")
    for content in (
        "",
        "[]",
        '{"nbformat": 3, "cells": []}',
        '{"nbformat": 4, "cells": [1]}',
        '{"nbformat": 4}',
    ):
        (tmp_path / "bad.ipynb").write_text(content)
        with pytest.raises(InvalidParameter):
            exercise_progress(tmp_path / "bad.ipynb")


def test_the_command_prints_them_and_no_traceback(tmp_path: Path) -> None:
    tiny_notebook.write(
        tmp_path / "00.ipynb", [code(IMPORT), code("length = 48"), code(PADDED), code(XTIME)]
    )
    told = subprocess.run(
        [COMMAND, "exercises", "00.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0
    assert "How long is the ciphertext?" in told.stdout
    assert "1 of 2 done" in told.stdout
    assert told.stderr == ""
    refused = subprocess.run(
        [COMMAND, "exercises", "01.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
