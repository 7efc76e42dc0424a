"""Tests lepton_lab.workshop.copies: the learner's copies, and the students' edition."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from lepton_lab.workshop.copies import copy_notebooks, newer_pages, student_edition
from tests.support import paths
from tools.notebook_run import execute

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def notebook(*sources: str, output: str = "", tags: tuple[str, ...] = ()) -> str:
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else []
    cell = {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "outputs": outputs,
        "execution_count": 1,
    }
    return json.dumps(
        {
            "cells": [cell | {"source": [source]} for source in sources],
            "metadata": {},
            "nbformat": 4,
        }
    )


def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, mine = tmp_path / "notebooks", tmp_path / "deep" / "my"
    source.mkdir()
    (source / "00.ipynb").write_text(notebook("a = 1"))
    (source / "GLOSSARY.md").write_text("words")
    (source / "conftest.py").write_text("")
    return source, mine


def test_notebooks_and_the_pages_they_link_to_are_copied_once(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    assert copy_notebooks(source, mine) == [mine / "00.ipynb", mine / "GLOSSARY.md"]
    assert copy_notebooks(source, mine) == []
    assert (mine / "00.ipynb").read_bytes() == (source / "00.ipynb").read_bytes()
    assert not (mine / "conftest.py").exists()


def test_an_edited_copy_is_never_touched(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (mine / "00.ipynb").write_text(notebook("a = 2  # mine"))
    (source / "00.ipynb").write_text(notebook("a = 3"))
    assert copy_notebooks(source, mine) == []
    assert "mine" in (mine / "00.ipynb").read_text()
    assert newer_pages(source, mine) == [mine / "00.ipynb"]


def test_a_copy_that_was_only_run_gives_way_to_a_newer_one_and_is_kept_aside(
    tmp_path: Path,
) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    for generation in (2, 3):
        ran = notebook(f"a = {generation - 1}", output="run by me")
        (mine / "00.ipynb").write_text(ran)
        (source / "00.ipynb").write_text(notebook(f"a = {generation}"))
        assert newer_pages(source, mine) == [mine / "00.ipynb"]
        assert copy_notebooks(source, mine) == [mine / "00.ipynb"]
        assert f"a = {generation}" in (mine / "00.ipynb").read_text()
        assert (mine / "older" / f"00.{generation - 1}.ipynb").read_text() == ran
        assert newer_pages(source, mine) == []


def test_without_its_record_every_copy_counts_as_edited(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (source / "00.ipynb").write_text(notebook("a = 3"))
    for damage in ("", "[]", '{"00.ipynb": 3}'):
        (mine / ".copies.json").write_text(damage)
        assert copy_notebooks(source, mine) == []
        assert newer_pages(source, mine) == [mine / "00.ipynb"]
    assert "a = 1" in (mine / "00.ipynb").read_text()


def test_a_copy_that_is_no_notebook_any_more_is_left_alone(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (mine / "00.ipynb").write_bytes(b"\xff half a noteb")
    (source / "00.ipynb").write_text(notebook("a = 3"))
    assert copy_notebooks(source, mine) == []


def test_the_students_edition_has_no_solutions_and_nothing_run() -> None:
    page = json.loads(notebook("b = ...", output="not yet", tags=("exercise",)))
    page["cells"] += json.loads(notebook("# Solution\nb = 2", output="done", tags=("solution",)))[
        "cells"
    ]
    before = json.dumps(page)
    edition = student_edition(page)
    assert [cell["source"] for cell in edition["cells"]] == [["b = ..."]]
    assert edition["cells"][0]["outputs"] == []
    assert edition["cells"][0]["execution_count"] is None
    assert json.dumps(page) == before


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_reaches_the_end_of_the_students_edition_before_anything_is_solved(
    path: Path,
) -> None:
    page = json.dumps(student_edition(json.loads(path.read_text(encoding="utf-8"))))
    edition = nbformat.reads(page, as_version=4)
    execute(edition, path)  # raises where a cell does
    shown = [
        output.get("data", {}).get("text/plain", "")
        for cell in edition.cells
        for output in cell.get("outputs", [])
    ]
    verdicts = [text for text in shown if text.startswith("not yet: ")]
    skeletons = [cell for cell in edition.cells if "exercise" in cell.metadata.get("tags", [])]
    assert len(verdicts) == sum(cell.cell_type == "code" for cell in skeletons)
