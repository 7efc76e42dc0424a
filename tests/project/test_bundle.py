"""The bundle for a place without a network: fetched by hash, here from a folder, and set up from by
`make env`.
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
# A package that builds packages (PEP 517, PEP 660), for pip to install editable what needs nothing
# else.
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


def write_wheel(folder: Path, name: str, code: str) -> str:
    """A wheel of one module; the line of a lock that names it."""
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(
            f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        )
        wheel.writestr(
            f"{name}-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this one's Makefile, a lock of two packages, and an index beside it that has
    them.
    """
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
    """Fetch from the index that is a folder, and from nowhere else; the wheels that came."""
    for name, value in without_a_network(
        PIP_NO_INDEX="1", PIP_FIND_LINKS=str(project.parent / "index")
    ).items():
        monkeypatch.setenv(name, value)
    bundle.fetch_wheels(project / "wheelhouse", list(options), [project / "requirements.lock"])
    return sorted(path.name for path in (project / "wheelhouse").iterdir())


def without_a_network(**settings: str) -> dict[str, str]:
    """An environment in which pip knows one index, where nobody answers."""
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    return (
        os.environ
        | nowhere
        | {"PIP_RETRIES": "0", "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
        | settings
    )


def test_every_lock_names_all_its_files_by_hash():
    for lock in bundle.LOCKS:
        entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n?", "", lock.read_text()).strip())
        assert entries
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert re.search(
        r"^setuptools==", bundle.LOCKS[0].read_text(), re.MULTILINE
    )  # the other builder


@pytest.mark.slow
def test_what_the_lock_names_is_fetched_by_its_hash_and_nothing_else(project, monkeypatch):
    write_wheel(project.parent / "index", "a_stranger", "")
    wheels = ["tiny_builder-1-py3-none-any.whl", "tiny_helper-1-py3-none-any.whl"]
    assert fetch(project, monkeypatch) == wheels
    shutil.rmtree(project / "wheelhouse")
    assert fetch(project, monkeypatch, "--platform=win_amd64", "--python-version=3.12") == wheels
    shutil.rmtree(project / "wheelhouse")
    write_wheel(
        project.parent / "index", "tiny_helper", "ANSWER = 41"
    )  # the same name and version, other bytes
    with pytest.raises(subprocess.CalledProcessError):
        fetch(project, monkeypatch)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("make") is None,
    reason="make is not on this system; the plain pip lines serve there",
)
def test_make_sets_up_from_the_wheelhouse_and_asks_no_network(project, monkeypatch):
    fetch(project, monkeypatch)

    def make(*settings: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "env", f"PYTHON={sys.executable}", *settings]
        return subprocess.run(
            command,
            cwd=project,
            env=without_a_network(),
            capture_output=True,
            text=True,
            check=False,
        )

    online = make()
    assert online.returncode != 0
    assert "Could not find a version" in online.stdout + online.stderr
    assert not (project / ".venv" / "ready").exists()
    offline = make("OFFLINE=1")
    assert offline.returncode == 0, offline.stdout + offline.stderr
    found = subprocess.run(
        [project / ".venv" / "bin" / "python", "-I", "-c", "import tiny; "
"print(tiny.ANSWER, tiny.__file__)"],
        cwd=project.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == ["42", str(project / "tiny.py")]
    assert "Setting up" not in make("OFFLINE=1").stdout  # once is enough
