"""Tests tools.notebooks and tools.notebook_run: run, normalise and strictly check notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.support import tiny_notebook
from tests.support.paths import ROOT
from tools import notebooks
from tools.notebook_run import NotebookFailed, normalise, run


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny notebook, run and normalised, beside the files that guard the strict run."""
    folder = tmp_path_factory.mktemp("project") / "notebooks"
    folder.mkdir()
    for guard in ("conftest.py", "sanitize.cfg"):
        shutil.copy(ROOT / "notebooks" / guard, folder)
    shutil.copy(ROOT / "pyproject.toml", folder.parent)
    (folder.parent / "ipython").mkdir()
    path = tiny_notebook.write(folder / "00_tiny.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder.parent / "ipython"))
        assert run(path)
    return path


def strict(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the same command as `make test`, in the project's folder."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-sanitize-with", "notebooks/sanitize.cfg", "notebooks"]
    project = path.parent.parent
    environment = os.environ | {"IPYTHONDIR": str(project / "ipython")}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def altered(executed: Path, tmp_path: Path) -> tuple[Path, nbformat.NotebookNode]:
    """A copy of the executed notebook's project, and the notebook to change in it."""
    folder = tmp_path / "project"
    shutil.copytree(executed.parent.parent, folder)
    path = folder / "notebooks" / executed.name
    return path, nbformat.read(path, 4)


def cell_with(notebook: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if source in cell.source)


def test_a_second_run_leaves_no_difference(executed: Path) -> None:
    before = executed.read_bytes()
    assert not run(executed)
    assert executed.read_bytes() == before
    assert before.endswith(b"}\n")


@pytest.mark.slow
def test_an_ignored_output_is_rewritten_when_more_than_its_numbers_change(tmp_path: Path) -> None:
    timing = (
        "import random\n\nfrom lepton_lab import show\n\n"
        "value = random.random() * 10.0 ** random.randint(-9, 9)\n"
        "print(random.random())\n"
        "show.bars({'put': value}, title='Live', unit='ms')"
    )
    path = tiny_notebook.write(
        tmp_path / "live.ipynb", [tiny_notebook.code(timing, "nbval-ignore-output")]
    )
    assert run(path)
    assert not run(path)
    notebook = nbformat.read(path, 4)
    notebook.cells[0].outputs = []  # as if it had been cleared by hand
    nbformat.write(notebook, path)
    assert run(path)
    notebook = nbformat.read(path, 4)
    assert notebook.cells[0].outputs
    notebook.cells[0].source = timing.replace("Live", "New")
    notebook.cells.insert(0, tiny_notebook.code("1"))
    nbformat.write(notebook, path)
    assert run(path)
    live = nbformat.read(path, 4).cells[1]
    assert "New" in live.outputs[1].data["text/plain"]
    assert live.outputs[1].execution_count == 2
    assert not run(path)


def test_what_varies_is_not_kept(executed: Path) -> None:
    notebook = nbformat.read(executed, 4)
    text = executed.read_text()
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widget" not in text
    assert "iopub" not in text
    assert sys.version.split()[0] not in text
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in tiny_notebook.cells()]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(
        cell.metadata.jupyter.source_hidden
        for cell in code
        if "solution" in cell.metadata.get("tags", [])
    )


def test_a_cell_runs_in_its_notebooks_folder_as_in_jupyterlab(executed: Path) -> None:
    notebook = nbformat.read(executed, 4)
    assert cell_with(notebook, "resolve().name").outputs[0].data["text/plain"] == "'notebooks'"


def test_the_strict_run_is_green_sees_every_cell_and_compares_no_pictures_bytes(
    executed: Path, tmp_path: Path
) -> None:
    path, notebook = altered(executed, tmp_path)
    data = cell_with(notebook, "show.bars").outputs[0].data
    start = data["text/html"].index("base64,") + len("base64,")
    data["text/html"] = data["text/html"][:start] + "AAAA" + data["text/html"][start + 4 :]
    nbformat.write(notebook, path)
    result = strict(path)
    assert result.returncode == 0, result.stdout
    code = sum(cell.cell_type == "code" for cell in tiny_notebook.cells())
    assert f"{code} passed" in result.stdout
    # No history or settings of the reader are used.
    assert list((path.parent.parent / "ipython").iterdir()) == []


@pytest.mark.slow
def test_the_command_checks_a_file_that_lies_elsewhere(executed: Path, tmp_path: Path) -> None:
    path, notebook = altered(executed, tmp_path)
    (path.parent / "conftest.py").unlink()
    assert notebooks.main(["check", str(path)]) == 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    assert notebooks.main(["check", str(path)]) != 0


def test_the_strict_run_refuses_a_notebook_whose_outputs_were_stripped(
    executed: Path, tmp_path: Path
) -> None:
    path, notebook = altered(executed, tmp_path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    result = strict(path)
    assert result.returncode != 0
    assert "without having been run" in result.stdout


def test_the_strict_run_compares_every_text_form_and_bare_pictures(
    executed: Path, tmp_path: Path
) -> None:
    path, notebook = altered(executed, tmp_path)
    picture = (
        'from IPython.display import Image\n\nImage(data=b"\\x89PNG\\r\\n\\x1a\\n" + bytes(60))'
    )
    notebook.cells.append(tiny_notebook.code(picture))
    nbformat.write(notebook, path)
    run(path)
    notebook = nbformat.read(path, 4)
    for source, kind, old, new in (
        ("show.bars", "text/plain", "second 2", "second 3"),
        ("show.table", "text/html", "570", "571"),
        ("show.hexdump", "text/html", "version", "Version"),
        ("resolve().name", "text/plain", "notebooks", "elsewhere"),
        ("IPython.display", "image/png", "iVBO", "AAAA"),
    ):
        data = cell_with(notebook, source).outputs[0].data
        assert old in data[kind]
        data[kind] = data[kind].replace(old, new)
    nbformat.write(notebook, path)
    result = strict(path)
    assert result.returncode != 0
    assert "5 failed" in result.stdout


FAILING = {
    "an error": ("1 / 0", "ZeroDivisionError"),
    "a warning": ('import warnings\n\nwarnings.warn("old")', "standard error"),
    "a line on the standard error": (
        'import sys\n\nprint("psst", file=sys.stderr)',
        "standard error",
    ),
    "a kernel that dies": ("import os\n\nos._exit(1)", "Kernel died"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_notebook_that_fails_or_warns_stays_as_it_was(tmp_path: Path, kind: str) -> None:
    source, said = FAILING[kind]
    path = tiny_notebook.write(
        tmp_path / "bad.ipynb", [tiny_notebook.code("x = 1"), tiny_notebook.code(source)]
    )
    before = path.read_bytes()
    with pytest.raises(NotebookFailed, match=said) as failure:
        run(path)
    assert "bad.ipynb, cell 1" in str(failure.value)
    assert path.read_bytes() == before


def test_an_error_that_a_tag_allows_is_refused_as_well(tmp_path: Path) -> None:
    path = tiny_notebook.write(
        tmp_path / "bad.ipynb", [tiny_notebook.code("1 / 0", "raises-exception")]
    )
    with pytest.raises(NotebookFailed):
        run(path)


def test_after_one_failure_the_others_still_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tiny_notebook.write(tmp_path / "bad.ipynb", [tiny_notebook.code("1 / 0")])
    good = tiny_notebook.write(tmp_path / "good.ipynb", [tiny_notebook.code("1 + 1")])
    assert notebooks.main(["run", str(bad), str(good)]) == 1
    assert "good.ipynb: written" in capsys.readouterr().out
    assert notebooks.main(["run", str(good)]) == 0
    assert "good.ipynb: unchanged" in capsys.readouterr().out


def test_widgets_leave_their_text_and_nothing_else() -> None:
    cell = tiny_notebook.code("slider")
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "random"}}
    cell.outputs = [
        nbformat.v4.new_output("display_data", data=widget | {"text/plain": "IntSlider(value=0)"}),
        nbformat.v4.new_output("display_data", data=dict(widget)),
    ]
    cell.metadata = {"execution": {"iopub.status.busy": "now"}, "collapsed": True, "tags": ["core"]}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})
    normalise(notebook)
    assert [dict(output.data) for output in cell.outputs] == [{"text/plain": "IntSlider(value=0)"}]
    assert cell.metadata == {"tags": ["core"]}
    assert "widgets" not in notebook.metadata


def test_the_students_edition_is_written_and_runs(
    executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "STUDENT", ROOT / "build" / f"student-{os.getpid()}")
    try:
        assert notebooks.main(["student", str(executed)]) == 0
        edition = notebooks.STUDENT / executed.name
        assert "# Solution" not in edition.read_text()
        copy = shutil.copy(edition, tmp_path)
        assert run(Path(copy))
        shown = json.dumps(nbformat.read(copy, 4))
        assert "not yet" in shown
        assert '"done"' not in shown
    finally:
        shutil.rmtree(notebooks.STUDENT, ignore_errors=True)


def test_without_a_notebook_there_is_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    assert notebooks.main(["check"]) == 0
