"""Tests the wheel outside the checkout: it is complete, runs the demo and copies notebooks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lepton_lab
from tests.support.paths import ROOT
from tools import bundle

NOTEBOOKS = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
TRY = "import sys; sys.path[:0] = {!r}; from lepton_lab.cli import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    build += ["--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with pip in a folder of its own; return the folder."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--target", str(folder), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    return folder


def outside(
    installed: Path, needed: Path, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the command from the wheel, where only the packages that it declares can be imported.

    With -I and -S Python finds no package but the standard library by itself.
    """
    code = TRY.format([str(installed), str(needed)])
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds only the package's dependencies and theirs, by links."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = tmp_path_factory.mktemp("needed")
    for name in closure(project["dependencies"]):
        for file in distribution(name).files or []:
            top = file.parts[0]
            if top in ("..", "__pycache__") or top.endswith(".pth"):
                continue  # scripts and what changes Python's path are not part of a package
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    return folder


def closure(requirements: list[str]) -> set[str]:
    """Return the distributions that these requirements need on this machine."""
    todo = [(line, "") for line in requirements]
    done = set()
    while todo:
        line, extra = todo.pop()
        asked = Requirement(line)
        if asked.marker is not None and not asked.marker.evaluate({"extra": extra}):
            continue
        for wanted in {"", *asked.extras}:
            if (asked.name, wanted) not in done:
                done.add((asked.name, wanted))
                todo += [(needed, wanted) for needed in distribution(asked.name).requires or []]
    return {name for name, _ in done}


@pytest.mark.slow
def test_the_wheel_carries_notebooks_data_and_scripts_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"lepton_lab/notebooks/{name}" for name in NOTEBOOKS} <= names
    for path in (ROOT / "lepton_lab").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"lepton_lab", f"lepton_lab-{lepton_lab.__version__}.dist-info"}
    of_notebooks = [name for name in names if name.startswith("lepton_lab/notebooks/")]
    assert not any(name.endswith((".py", ".cfg")) for name in of_notebooks)


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_with_its_dependencies_alone(
    installed: Path, needed: Path, tmp_path: Path
) -> None:
    names = {path.name for path in needed.iterdir()}
    assert {"cryptography", "hiredis", "numpy", "redis", "rich", "tqdm", "typer"} <= names
    assert not {"IPython", "matplotlib", "phe", "packaging", "pytest", "lepton_lab"} & names
    done = outside(installed, needed, tmp_path, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shred the key" in done.stdout


@pytest.mark.slow
def test_without_jupyter_what_needs_it_says_in_one_line_what_to_install(
    installed: Path, needed: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.ipynb").write_text('{"nbformat": 4, "cells": []}')
    for arguments in (["lab"], ["exercises", "one.ipynb"]):
        done = outside(installed, needed, tmp_path, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("lepton-lab: ")
        assert done.stderr.endswith('; pip install "lepton-lab[lab]"\n')
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "my").exists()


@pytest.mark.slow
def test_the_package_alone_is_not_enough_for_the_demo(installed: Path, tmp_path: Path) -> None:
    done = outside(installed, tmp_path, tmp_path, "demo")
    # so the tests above found no package of this environment by accident
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.slow
def test_the_notebooks_are_copied_from_the_wheel_and_nothing_is_opened(
    installed: Path, needed: Path, tmp_path: Path
) -> None:
    done = outside(installed, needed, tmp_path, "lab", "--copy", "lessons")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "lessons").glob("*.ipynb")} == NOTEBOOKS
    assert "new in lessons/: 00_start_here.ipynb" in done.stdout
    again = outside(installed, needed, tmp_path, "lab", "--copy", "lessons")
    assert (again.returncode, again.stdout) == (0, "")


def test_the_version_is_the_same_everywhere() -> None:
    version = lepton_lab.__version__
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert not released or released[0] == version
    assert "## [Unreleased]" in changelog


def test_the_project_needs_a_python_that_the_workflow_tries() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    workflow = (ROOT / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8")
    least = project["requires-python"].removeprefix(">=")
    assert f'"{least}"' in workflow
    for system in ("ubuntu", "macos", "windows"):
        assert f"{system}-latest" in workflow
    assert sysconfig.get_python_version() >= least


@pytest.mark.slow
def test_the_bundle_carries_all_that_is_committed(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    bundle.carry_project(stick)
    carried = {path.relative_to(stick).as_posix() for path in stick.rglob("*")}
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    there = [name for name in listed.splitlines() if (ROOT / name).exists()]
    assert [name for name in there if name not in carried] == []
    assert not any(name.startswith((".venv", "my/", "build/")) for name in carried)


@pytest.mark.skipif(
    shutil.which("make") is None,
    reason="make is not on this system; use the plain pip lines of the README",
)
def test_without_a_network_make_sets_up_from_the_wheelhouse_alone(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "wheelhouse").mkdir()

    def recipe(*settings: str) -> str:
        make = ["make", "--dry-run", "env", *settings]
        return subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "--no-index --find-links wheelhouse --require-hashes" in recipe("OFFLINE=1")
    assert "--no-index" not in recipe()
    assert "--find-links elsewhere" in recipe("OFFLINE=1", "WHEELHOUSE=elsewhere")
