"""Tests lepton_lab.paillier: its modules import each other one way only."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from lepton_lab import paillier

FOLDER = Path(paillier.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def imported_by(source: str) -> set[str]:
    """The modules of the package that a file imports when it is loaded itself."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "lepton_lab.paillier":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.rpartition(".")
            if package == "lepton_lab.paillier":
                found.add(module)
    return found


def test_no_module_imports_itself_through_others():
    arrows = {name: imported_by((FOLDER / f"{name}.py").read_text()) for name in MODULES}
    order = list(TopologicalSorter(arrows).static_order())
    assert {"public", "vectors", "private"} < set(order)
    assert order.index("noise") < order.index("public") < order.index("vectors")
    assert order.index("vectors") < order.index("private")


def test_a_circle_would_be_found():
    circle = "from lepton_lab.paillier.vectors import Layout\n"
    with pytest.raises(CycleError):
        TopologicalSorter({"public": imported_by(circle), "vectors": {"public"}}).prepare()


def test_any_module_can_be_the_first_to_be_imported():
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [m for m in sys.modules if m.startswith('lepton_lab')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(f'lepton_lab.paillier.{name}')\n"
    )
    subprocess.run([sys.executable, "-c", code, *MODULES], check=True)
