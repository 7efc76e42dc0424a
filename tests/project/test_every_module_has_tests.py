"""Tests that every module of lepton_lab is named in the docstring of a test file.

The docstring of a test file opens with the modules that it tests, by their dotted names.
"""

from __future__ import annotations

import ast
import re

from tests.support.paths import ROOT, TESTS

MODULE = re.compile(r"\blepton_lab(?:\.\w+)+")


def test_every_module_is_named_in_the_docstring_of_a_test_file() -> None:
    named: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        named.update(MODULE.findall(ast.get_docstring(ast.parse(path.read_text())) or ""))
    modules = set()
    for path in (ROOT / "lepton_lab").rglob("*.py"):
        if path.name != "__init__.py":  # it only hands on the names of other modules
            modules.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert sorted(modules - named) == [], "name these in the docstring of the file that tests them"
    missing = sorted(name for name in named if name.islower() and not _exists(name))
    assert missing == [], "test files name modules that are not there"


def _exists(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()
