"""Tests tools.notebook_lint and tools.notebook_page: every notebook keeps the rules of form.

Each rule finds what it is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.support import tiny_notebook
from tests.support.paths import ROOT
from tools import notebook_lint, notebooks
from tools.notebook_lint import RULES, faults
from tools.notebook_run import run

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

Notebook = nbformat.NotebookNode


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_notebook_is_in_form(path: Path) -> None:
    assert faults(path) == []


def test_the_list_of_ignored_outputs_names_only_cells_that_exist() -> None:
    listed = json.loads(notebook_lint.IGNORED.read_text())
    assert set(listed) <= {path.name for path in NOTEBOOKS}
    for name, ids in listed.items():
        cells = nbformat.read(ROOT / "notebooks" / name, 4).cells
        assert set(ids) <= {
            cell.id for cell in cells if "nbval-ignore-output" in cell.metadata.get("tags", [])
        }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tiny_notebook.write(tmp_path_factory.mktemp("page") / "91_tiny.ipynb")
    run(path)
    return path


def code(notebook: Notebook, source: str) -> Notebook:
    """The first code cell whose source holds some text."""
    return next(
        cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source
    )


def shown(notebook: Notebook, source: str) -> Notebook:
    """The data of that cell's first output."""
    return code(notebook, source).outputs[0].data


def rewrite(notebook: Notebook, old: str, new: str) -> None:
    cell = next(cell for cell in notebook.cells if old in cell.source)
    cell.source = cell.source.replace(old, new)


def tag(cell: Notebook, *tags: str) -> None:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), *tags]


def renumber(notebook: Notebook) -> None:
    for number, cell in enumerate([cell for cell in notebook.cells if cell.cell_type == "code"], 1):
        cell.execution_count = number


def drop(notebook: Notebook, source: str, *, is_code: bool = True) -> None:
    kind = "code" if is_code else "markdown"
    notebook.cells.remove(
        next(c for c in notebook.cells if c.cell_type == kind and source in c.source)
    )
    renumber(notebook)


def drop_prose(notebook: Notebook) -> None:
    for cell in [cell for cell in notebook.cells if cell.cell_type == "markdown"][1:-1]:
        notebook.cells.remove(cell)


def grow_all(notebook: Notebook, source: str) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = source


def insert(notebook: Notebook, place: int, cell: Notebook) -> None:
    notebook.cells.insert(place, cell)
    renumber(notebook)


def outside_the_section(notebook: Notebook) -> None:
    place = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("# Solution"))
    notebook.cells.insert(place, tiny_notebook.prose("## Elsewhere", "core"))


TALL = "\n".join(f"x{line} = {line}" for line in range(16))
LONG_FUNCTION = "def long():\n" + "\n".join(f"    x{line} = {line}" for line in range(12))
PLANTED: dict[str, tuple[Callable[[Notebook], object], str]] = {
    "a kernel of another name": (
        lambda n: n.metadata.kernelspec.update(name="conda"),
        "kernel is not python3",
    ),
    "a version": (lambda n: n.metadata.language_info.update(version="3.11"), "not normalised"),
    "timing": (lambda n: n.cells[1].metadata.update(execution={}), "carries execution"),
    "an unknown tag": (lambda n: tag(n.cells[1], "nbval-skip"), "the tag nbval-skip"),
    "nbval in a comment": (
        lambda n: rewrite(n, "len(lines);", "# NBVAL_SKIP\n1"),
        "speaks to nbval in a comment",
    ),
    "an unrun cell": (lambda n: code(n, "len(lines);").update(execution_count=None), "not all run"),
    "counts out of order": (
        lambda n: code(n, "len(lines);").update(execution_count=99),
        "not all run",
    ),
    "an empty cell": (lambda n: code(n, "len(lines);").update(source=" "), "is empty"),
    "a warning": (
        lambda n: code(n, "len(lines);").outputs.append(
            nbformat.v4.new_output("stream", name="stderr", text="old")
        ),
        "an error or a warning",
    ),
    "an error": (
        lambda n: code(n, "len(lines);").outputs.append(
            nbformat.v4.new_output("error", ename="E", evalue="")
        ),
        "an error or a warning",
    ),
    "tall cells": (lambda n: grow_all(n, TALL), "half of its code cells"),
    "a few very tall cells": (
        lambda n: [insert(n, 9, tiny_notebook.code(TALL, "core")) for _ in range(5)],
        "one in ten of its code cells",
    ),
    "a long function": (lambda n: rewrite(n, "len(lines);", LONG_FUNCTION), "long has 13 lines"),
    "too little prose": (drop_prose, "2 prose cells for"),
    "a path in a source": (
        lambda n: rewrite(n, "len(lines);", "open('/home/me/x')"),
        "'/home/' belongs to one machine",
    ),
    "a path in prose": (lambda n: rewrite(n, "A table", "See C:\\Users"), "belongs to one machine"),
    "a path in an output": (
        lambda n: shown(n, "show.table").update({"text/plain": "/usr/bin/redis-server"}),
        "text/plain: '/usr/' belongs",
    ),
    "this checkout": (lambda n: rewrite(n, "A table", f"See {ROOT}/notebooks"), f"'{ROOT}'"),
    "a host of this network": (
        lambda n: rewrite(n, "A table", "See http://10.1.2.3:8080/x"),
        "machine or network",
    ),
    "a host with a short name": (
        lambda n: rewrite(n, "A table", "See https://mirror:8443/x"),
        "machine or network",
    ),
    "a package index": (
        lambda n: rewrite(n, "A table", "pip --index" + "-url x"),
        "machine or network",
    ),
    "a mute picture": (
        lambda n: shown(n, "show.bars").update({"text/html": '<img alt=" " src="x">'}),
        "without an alt",
    ),
    "a mute picture in prose": (lambda n: rewrite(n, "A table", "![](x.svg)"), "without an alt"),
    "a bare picture": (
        lambda n: shown(n, "show.bars").update({"image/png": "AA"}),
        "a bare picture",
    ),
    "a picture without text": (
        lambda n: shown(n, "show.bars").pop("text/plain"),
        "without a text form",
    ),
    "no core": (
        lambda n: [cell.metadata.update(tags=[]) for cell in n.cells],
        "no cell is tagged core",
    ),
    "a hole in the core": (
        lambda n: n.cells[2].metadata.update(tags=[]),
        "the core does not come first",
    ),
    "too much in the core": (
        lambda n: [
            tag(cell, "core") for cell in n.cells if "core" not in cell.metadata.get("tags", [])
        ],
        "the core holds 4 exercises",
    ),
    "too few exercises": (
        lambda n: [drop(n, "def xtime(b):\n    ..."), drop(n, "length = ...")],
        "it has 2 exercises",
    ),
    "nothing to fill in": (lambda n: rewrite(n, "length = ...", "length = 1"), "without a ..."),
    "no check": (lambda n: drop(n, 'check("aes.padded"'), "the next code cell is not a line"),
    "a check of two lines": (
        lambda n: rewrite(n, 'check("aes.padded"', '1\ncheck("aes.padded"'),
        "is not a line",
    ),
    "an unknown exercise": (
        lambda n: [c.update(source=c.source.replace("aes.padded", "aes.paded")) for c in n.cells],
        "there is no exercise 'aes.paded'",
    ),
    "no solution": (
        lambda n: [drop(n, "# Solution\nlength"), drop(n, "# Solution\nlength")],
        "no solution ends with",
    ),
    "a solution elsewhere": (outside_the_section, "outside its exercise's section"),
    "a solution without its first line": (
        lambda n: rewrite(n, "# Solution\nlength", "length"),
        "not '# Solution'",
    ),
    "a solution in sight": (lambda n: code(n, "# Solution").metadata.pop("jupyter"), "at once"),
    "another check in the solution": (
        lambda n: rewrite(
            n, '# Solution\nlength = 48\ncheck("aes.padded", length)', "# Solution\nlength = 48\n1"
        ),
        "the last line of this solution is not the check",
    ),
    "a skeleton that is done": (
        lambda n: shown(n, 'check("aes.padded"').update({"text/plain": "done"}),
        "does not show 'not yet'",
    ),
    "a solution that is not": (
        lambda n: shown(n, "# Solution").update({"text/plain": "not yet: no"}),
        "does not show 'done'",
    ),
    "no title": (
        lambda n: rewrite(n, "# A tiny page", "A tiny page"),
        "does not begin with a title",
    ),
    "no aim": (lambda n: rewrite(n, "able to", "glad to"), "does not say 'able to'"),
    "no time": (lambda n: rewrite(n, "5 minutes", "a while"), "does not say 'minutes'"),
    "no closing": (
        lambda n: rewrite(n, "## Questions without", "## Some without"),
        "last sections are not",
    ),
    "four lines to remember": (
        lambda n: rewrite(n, "5. Five.\n", ""),
        "it has 4 lines to remember",
    ),
    "an ignored output nobody listed": (
        lambda n: tag(code(n, "show.bars"), "nbval-ignore-output"),
        "the cells whose output is ignored are ['cell03']",
    ),
    "too many ignored outputs": (
        lambda n: [
            tag(cell, "nbval-ignore-output") for cell in n.cells if cell.cell_type == "code"
        ],
        "3 at most",
    ),
}


def lint(notebook: Notebook, folder: Path) -> list[str]:
    """The faults of a notebook. It is written as JSON, because nbformat would repair it."""
    path = folder / "91_tiny.ipynb"
    path.write_text(json.dumps(notebook))
    return faults(path)


def test_the_tiny_page_is_in_form(page: Path) -> None:
    assert faults(page) == []


@pytest.mark.filterwarnings("ignore:Cell is missing an id field")
@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(page: Path, tmp_path: Path, planted: str) -> None:
    plant, expected = PLANTED[planted]
    notebook = nbformat.read(page, 4)
    plant(notebook)
    found = lint(notebook, tmp_path)
    assert any(expected in fault for fault in found), found


def test_every_rule_is_exercised_by_what_is_planted(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rule in RULES:
        monkeypatch.setattr(
            notebook_lint, "RULES", tuple(other for other in RULES if other is not rule)
        )
        missed = []
        for plant, expected in PLANTED.values():
            notebook = nbformat.read(page, 4)
            plant(notebook)
            missed += [
                expected
                for _ in [0]
                if not any(expected in fault for fault in lint(notebook, tmp_path))
            ]
        assert missed, f"{rule.__name__} finds nothing that another rule would miss"


@pytest.mark.parametrize("name", ["00_start.ipynb", "12_cases.ipynb", "13_article.ipynb"])
def test_three_notebooks_need_no_exercises(page: Path, tmp_path: Path, name: str) -> None:
    notebook = nbformat.read(page, 4)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not re.match(r"## Ex|def|length|check|# Sol", cell.source)
    ]
    renumber(notebook)
    nbformat.write(notebook, tmp_path / name)
    assert faults(tmp_path / name) == []
    assert lint(notebook, tmp_path) != []


@pytest.mark.parametrize(
    "harmless",
    [
        "https://www.rfc-editor.org/rfc/rfc8446",
        "https://example.com:8443/simple-things",
        "http://localhost:8888/lab and https://127.0.0.1:6379",
        "the node at 10.0.0.1, port 6379",
        "n/a, and/or, r/w; time / ms",
        "a simple / plain one",
    ],
)
def test_public_addresses_and_plain_slashes_are_left_alone(
    page: Path, tmp_path: Path, harmless: str
) -> None:
    notebook = nbformat.read(page, 4)
    rewrite(notebook, "A table", harmless)
    assert lint(notebook, tmp_path) == []


def test_a_path_inside_a_picture_is_found_and_chance_in_its_base64_is_not(
    page: Path, tmp_path: Path
) -> None:
    notebook = nbformat.read(page, 4)
    shown(notebook, "show.bars")["text/html"] = (
        '<img alt="a" src="data:image/svg+xml;base64,AA/tmp/AAA==">'
    )
    assert lint(notebook, tmp_path) == []
    shown(notebook, "show.bars")["text/html"] = (
        '<img alt="a" src="data:image/svg+xml;base64,L2hvbWUvbWU=">'
    )
    assert any("'/home/'" in fault for fault in lint(notebook, tmp_path))


def test_the_command_lists_every_fault_and_fails(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = nbformat.read(page, 4)
    rewrite(notebook, "# A tiny page", "A tiny page")
    rewrite(notebook, "able to", "glad to")
    path = tmp_path / "91_tiny.ipynb"
    nbformat.write(notebook, path)
    assert notebooks.main(["lint", str(path)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert notebooks.main(["lint", str(page)]) == 0
