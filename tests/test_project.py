"""The frame: what the files at the top promise each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

import lepton_lab
from lepton_lab import data

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = re.findall(r"^([A-Za-z0-9_.\-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", LOCK, re.MULTILINE)
PINS.sort(key=lambda pin: not pin[2] or Marker(pin[2]).evaluate())  # one may be pinned twice: what is for here, last
LOCKED = {name.lower(): Version(found) for name, found, _ in PINS}


def requirements() -> list[Requirement]:
    extras = (lines for extra, lines in PROJECT["optional-dependencies"].items() if extra != "peers")
    return [Requirement(line) for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]]


def test_every_extra_but_the_peers_is_tested_and_so_in_the_lock():
    extras = PROJECT["optional-dependencies"]
    within = {extra for line in (*extras["test"], *extras["docs"]) for extra in Requirement(line).extras}
    assert within | {"test", "peers"} == set(extras)


def test_the_lock_satisfies_every_requirement():
    for requirement in requirements():
        if requirement.name != "lepton-lab":
            assert requirement.specifier.contains(LOCKED[requirement.name.lower()]), requirement


def test_the_lock_is_what_is_installed():
    for requirement in requirements():
        if requirement.name != "lepton-lab" and (requirement.marker is None or requirement.marker.evaluate()):
            assert str(LOCKED[requirement.name.lower()]) == version(requirement.name) or requirement.name == "numpy"


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
        assert data.octets(path.name) == path.read_bytes()


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import lepton_lab; print(sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['lepton_lab']"


TARGETS = "env lab demo test test-all notebooks slides student book nbgrader bundle bench lint clean system"


@pytest.mark.parametrize("target", TARGETS.split())
def test_make_has_every_target(target):
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_nothing_names_a_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in {".lock", ".csv", ".json", ".rsp"} or not path.exists() or name == "tests/test_project.py":
            continue
        text = path.read_text(errors="ignore")
        assert not re.search(r"/(root|work)/[a-z]|/tmp/[a-z]+_[a-z]|pythonhosted|--(extra-)?index-", text), name
