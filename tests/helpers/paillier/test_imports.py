"""Tests lepton_lab.paillier: each of its modules can be the first to be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lepton_lab import paillier

FOLDER = Path(paillier.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def test_any_module_can_be_the_first_to_be_imported():
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [m for m in sys.modules if m.startswith('lepton_lab')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(f'lepton_lab.paillier.{name}')\n"
    )
    subprocess.run([sys.executable, "-c", code, *MODULES], check=True)
