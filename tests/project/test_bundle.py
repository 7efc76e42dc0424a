"""Tests tools.bundle and `make env OFFLINE=1`: wheels are fetched by hash and set up from.

No network is used: the packages come from a folder that stands in for an index.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools import bundle

TINY_PROJECT = """
[build-system]
requires = ["tiny_builder"]
build-backend = "tiny_builder"

[project]
name = "tiny"
version = "1"
requires-python = ">=3.11"
"""
# A package that builds packages (PEP 517, PEP 660): with it pip can install the project above as
# editable, without any other package.
TINY_BUILDER = """
from pathlib import Path
from zipfile import ZipFile

def build_editable(folder, settings=None, metadata=None):
    name = "tiny-1-py3-none-any.whl"
    with ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tiny.pth", str(Path.cwd()))
        metadata = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"
        about = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr("tiny-1.dist-info/METADATA", metadata)
        wheel.writestr("tiny-1.dist-info/WHEEL", about)
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
"""


needs_make = pytest.mark.skipif(
    shutil.which("make") is None,
    reason="make is not on this system; use the plain pip lines of the README",
)


def write_wheel(folder: Path, name: str, code: str) -> str:
    """Write a wheel of one module; return the line of a lock that names it."""
    path = folder / f"{name}-1-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    about = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{name}-1.dist-info/METADATA", metadata)
        wheel.writestr(f"{name}-1.dist-info/WHEEL", about)
        wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with this one's Makefile and a lock of two packages, and an index of them."""
    (tmp_path / "index").mkdir()
    lines = [write_wheel(tmp_path / "index", "tiny_builder", TINY_BUILDER)]
    lines += [write_wheel(tmp_path / "index", "tiny_helper", "ANSWER = 42")]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.lock").write_text("".join(lines))
    (folder / "pyproject.toml").write_text(TINY_PROJECT)
    (folder / "tiny.py").write_text("from tiny_helper import ANSWER")
    (folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    return folder


def fetch(project: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> list[str]:
    """Fetch from the folder that stands in for an index; return the names of the wheels."""
    index = str(project.parent / "index")
    environment = without_a_network(PIP_NO_INDEX="1", PIP_FIND_LINKS=index)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bundle.fetch_wheels(project / "wheelhouse", list(options), [project / "requirements.lock"])
    return sorted(path.name for path in (project / "wheelhouse").iterdir())


def without_a_network(**settings: str) -> dict[str, str]:
    """Return an environment whose only package index does not answer, with these settings."""
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
    }
    return os.environ | nowhere | settings


def test_every_lock_names_all_its_files_by_hash():
    for lock in bundle.LOCKS:
        entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n?", "", lock.read_text()).strip())
        assert entries
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    # setuptools builds packages as well, and is in the first lock already
    assert re.search(r"^setuptools==", bundle.LOCKS[0].read_text(), re.MULTILINE)


@pytest.mark.slow
def test_what_the_lock_names_is_fetched_by_its_hash_and_nothing_else(project, monkeypatch):
    write_wheel(project.parent / "index", "a_stranger", "")
    wheels = ["tiny_builder-1-py3-none-any.whl", "tiny_helper-1-py3-none-any.whl"]
    assert fetch(project, monkeypatch) == wheels
    shutil.rmtree(project / "wheelhouse")
    assert fetch(project, monkeypatch, "--platform=win_amd64", "--python-version=3.12") == wheels
    shutil.rmtree(project / "wheelhouse")
    # the same name and version with other bytes
    write_wheel(project.parent / "index", "tiny_helper", "ANSWER = 41")
    with pytest.raises(subprocess.CalledProcessError):
        fetch(project, monkeypatch)


@pytest.mark.slow
@needs_make
def test_make_sets_up_from_the_wheelhouse_and_asks_no_network(project, monkeypatch):
    fetch(project, monkeypatch)

    def make(*settings: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "env", f"PYTHON={sys.executable}", *settings]
        environment = without_a_network()
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )

    online = make()
    assert online.returncode != 0
    assert "Could not find a version" in online.stdout + online.stderr
    assert not (project / ".venv" / "ready").exists()
    offline = make("OFFLINE=1")
    assert offline.returncode == 0, offline.stdout + offline.stderr
    python = project / ".venv" / "bin" / "python"
    ask = [python, "-I", "-c", "import tiny; print(tiny.ANSWER, tiny.__file__)"]
    found = subprocess.run(ask, cwd=project.parent, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["42", str(project / "tiny.py")]
    assert "Setting up" not in make("OFFLINE=1").stdout  # it is done once
