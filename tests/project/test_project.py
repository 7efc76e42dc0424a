"""Tests that the files at the top of the project agree: pyproject.toml, locks, Makefile, .ci."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

import lepton_lab
from lepton_lab import data
from tests.support.paths import ROOT, VECTORS
from tools import checks

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = re.findall(r"^([A-Za-z0-9_.\-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", LOCK, re.MULTILINE)
# A package may be pinned once per platform: put the pin that is for this one last, where it wins.
PINS.sort(key=lambda pin: not pin[2] or Marker(pin[2]).evaluate())
LOCKED = {name.lower(): Version(found) for name, found, _ in PINS}


def requirements() -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra, more in PROJECT["optional-dependencies"].items():
        if extra != "peers":
            lines += more
    return [Requirement(line) for line in lines]


def test_every_extra_but_the_peers_is_tested_and_so_in_the_lock():
    extras = PROJECT["optional-dependencies"]
    within = set()
    for line in (*extras["test"], *extras["docs"]):
        within |= Requirement(line).extras
    assert within | {"test", "peers"} == set(extras)


def test_the_lock_satisfies_every_requirement():
    for requirement in requirements():
        if requirement.name != "lepton-lab":
            assert requirement.specifier.contains(LOCKED[requirement.name.lower()]), requirement


def test_the_lock_is_what_is_installed():
    for requirement in requirements():
        if requirement.name in ("lepton-lab", "numpy"):
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            assert str(LOCKED[requirement.name.lower()]) == version(requirement.name), requirement


def test_the_lock_has_hashes_and_names_no_host():
    assert LOCK.count("--hash=sha256:") >= len(LOCKED)
    assert not re.search(r"://|--index|--find-links|--extra", LOCK)


def test_the_conda_environment_agrees_with_the_project():
    environment = (ROOT / "environment.yml").read_text()
    assert f"python{PROJECT['requires-python']}" in environment
    conda = re.findall(r"^  - ([a-z-]+)", environment, re.MULTILINE)
    assert conda == ["conda-forge", "python", "pip", "redis-server", "pip"]
    installed = re.search(r"-e \.\[(\w+)\]", environment)
    assert installed
    assert installed[1] in PROJECT["optional-dependencies"]


def test_the_users_packages_are_there():
    names = {requirement.name for requirement in requirements()}
    assert {"jupyterlab", "cryptography", "phe", "redis", "matplotlib", "nbval"} <= names


def test_versions_agree():
    assert version("lepton-lab") == lepton_lab.__version__


def test_every_data_set_names_its_source_and_licence():
    text = (ROOT / "lepton_lab/data/SOURCES.md").read_text()
    for path in (ROOT / "lepton_lab/data").glob("*.csv"):
        section = text.split(f"## {path.name}")[1].split("\n## ")[0]
        assert "**Source**" in section
        assert "**Licence**" in section
        assert data.read(path.name) == path.read_bytes()


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import lepton_lab; "
        "print(sorted(set(sys.modules) - before))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "['lepton_lab']"


TARGETS = (
    "env lab demo test test-slow test-all notebooks slides student book nbgrader "
    "bundle bench lint clean system"
)


@pytest.mark.parametrize("target", TARGETS.split())
def test_make_has_every_target(target):
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_quick_and_slow_checks_are_all_of_them_and_share_no_test():
    quick, slow, every = (checks.PLANS[plan] for plan in ("quick", "slow", "all"))
    assert quick | {"tests": every["tests"]} == every
    assert quick["tests"] == [*every["tests"], "-m", "not slow"]
    assert slow == {"slow tests": [*every["tests"], "-m", "slow"]}
    assert list(quick)[-1] == "tests"  # so that its closing lines end the whole output


@pytest.mark.skipif(os.name == "nt", reason="a shell runs it: not on Windows")
@pytest.mark.parametrize(("user", "installs"), [("0", True), ("1000", False)])
def test_ci_runs_the_checks_strictly_whoever_runs_it(tmp_path, user, installs):
    """In place of make, id and apt-get stand programs that only say how they were called."""
    programs = {
        "make": 'echo "make $* LEPTON_LAB_STRICT=$LEPTON_LAB_STRICT"',
        "id": f"echo {user}",
        "apt-get": "",
    }
    for name, says in programs.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True
    )
    made = ["system"] * installs + ["test", "test-slow", "slides student book nbgrader"]
    assert done.stdout.splitlines() == [f"make {targets} LEPTON_LAB_STRICT=1" for targets in made]


WORKERS = ("-p", "xdist", "-n", "1")
MAY_SKIP = [
    "pytest.skip('only on Windows')",
    "pytest.importorskip('no_such_peer', reason='optional peer: none')",
]
MAY_NOT_SKIP = [
    "pytest.skip('no redis-server is on PATH: apt install redis-server')",
    "pytest.importorskip('no_such_package')",
    "pytest.skip('it runs only on Windows')",
]


def run_tests(folder, skips, *, strict, workers=()):
    """Run one test that passes and one for each skip, under this project's conftest.py."""
    (folder / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    tests = "".join(f"def test_{number}(): {call}\n" for number, call in enumerate(skips))
    (folder / "test_tiny.py").write_text(f"import pytest\ndef test_it(): pass\n{tests}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *workers, "."]
    environment = os.environ | {
        "LEPTON_LAB_STRICT": strict,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # pytest would load nbval, which takes seconds
        "PYTHONPATH": str(ROOT),  # conftest.py imports tests.support
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "skipped, and how to enable it" in done.stdout
    assert "1 passed" in done.stdout.splitlines()[-1]  # pytest's closing line still ends it all
    return done


@pytest.mark.parametrize("workers", [(), WORKERS], ids=["alone", "with workers"])
def test_a_strict_run_passes_with_what_may_be_skipped(tmp_path, workers):
    done = run_tests(tmp_path, MAY_SKIP, strict="1", workers=workers)
    assert done.returncode == 0, done.stdout
    assert "[required" not in done.stdout


@pytest.mark.parametrize("skip", MAY_NOT_SKIP)
def test_a_strict_run_fails_with_anything_else(tmp_path, skip):
    workers = WORKERS if "redis" in skip else ()
    done = run_tests(tmp_path, [*MAY_SKIP, skip], strict="1", workers=workers)
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("[required: this run has failed]") == 1


def test_a_whole_file_that_is_skipped_fails_a_strict_run_too(tmp_path):
    skip = "pytest.importorskip('no_such_package')"
    (tmp_path / "test_file.py").write_text(f"import pytest\n{skip}\ndef test(): pass\n")
    assert run_tests(tmp_path, [], strict="1").returncode == 1


def test_a_run_that_is_not_strict_passes_with_all_of_them(tmp_path):
    done = run_tests(tmp_path, [*MAY_SKIP, *MAY_NOT_SKIP], strict="")
    assert done.returncode == 0, done.stdout
    assert "[required" not in done.stdout


def test_nothing_names_a_machine():
    places = re.compile(r"/(root|work)/[a-z]|/tmp/[a-z]+_[a-z]|pythonhosted|--(extra-)?index-")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if not path.exists() or name == "tests/project/test_project.py":
            continue
        if path.suffix not in {".lock", ".csv", ".json", ".rsp"}:
            assert not places.search(path.read_text(errors="ignore")), name


def test_every_file_of_vectors_says_where_it_came_from():
    for path in VECTORS.iterdir():
        if path.suffix in {".txt", ".rsp"}:
            assert path.read_text().startswith("# "), path.name
            continue
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content = json.loads(archive.read("formats.json"))
        else:
            content = json.loads(path.read_text())
        assert content["provenance"], path.name
