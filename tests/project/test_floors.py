"""Tests the floors of lepton_lab: an import only ever points down.

It also tests what no file of the package may do: `assert`, a bare `except`, too many lines.
"""

from __future__ import annotations

import ast
import graphlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "lepton_lab"

# A room is a module or folder at the package's root. The textbook's three parts are rooms of
# their own.
FLOORS = {
    **dict.fromkeys(["errors", "buffers", "capture", "files", "data"], 0),
    **dict.fromkeys(
        ["aes", "pem", "rsa", "paillier", "shamir", "erasure", "keyring", "nodes", "tls"], 1
    ),
    **dict.fromkeys(["sharding", "elections"], 2),
    **dict.fromkeys(["chaos", "cli", "demo", "lab", "numerals", "tables", "totals", "workshop"], 3),
}
TEXTBOOK = {
    "textbook",
    "textbook.trace",
    "textbook.primitives",
    "textbook.protocols",
    "textbook.attacks",
}
WING = {"show"} | TEXTBOOK
SIDEWAYS = {  # the imports between rooms of one floor that the design allows
    ("buffers", "errors"),
    ("files", "errors"),
    ("rsa", "pem"),
    ("keyring", "aes"),
    ("keyring", "rsa"),
    ("keyring", "shamir"),
    ("nodes", "tls"),
    ("cli", "demo"),
    ("cli", "lab"),
    ("cli", "chaos"),
    ("cli", "workshop"),
    ("lab", "workshop"),
    ("demo", "totals"),
    ("totals", "tables"),
    ("tables", "numerals"),
    ("show", "textbook.trace"),  # a notebook shows traces
}
WING_LIBRARIES = {
    "show": {"numpy", "matplotlib", "cycler", "ipywidgets", "anywidget"},
    "textbook.protocols": {"cryptography"},
    "textbook.attacks": {"cryptography"},
}
LAZY = {  # imported only inside functions of these names
    "phe": {"to_phe", "from_phe"},
    "bench": {"bench"},
    "fsspec": {"open_fsspec_node"},
    "pymongo": {"open_mongo_node", "_pymongo_errors"},
    "bson": {"_pymongo_errors"},
}
NEVER = {
    "pickle": "a format that runs code when it is read",
    "random": "it can be predicted; take randomness from secrets",
    "zfec": "it is under the GPL and serves tests and benchmarks only",
    "tools": "it stands beside the package and is not installed with it",
    "tests": "it stands beside the package and is not installed with it",
}
# These run notebooks, and are loaded only when one is run.
JUPYTER = {"IPython", "nbclient", "nbformat", "traitlets", "zmq"}
# A broad `except` must raise again. Two files may keep what they caught: a learner's answer may
# raise anything, and the check still ends in a verdict; and a store's worker hands what a call
# raised to the operation, which raises it again.
MAY_CATCH_ALL = {"workshop/checking.py", "sharding/workers.py"}
MOST_LINES = 400


@dataclass(frozen=True)
class Import:
    """One import: what is imported, and the functions around it, outermost first.

    TYPE_CHECKING stands among the functions of an import that only type checkers see.
    """

    target: str
    line: int
    functions: tuple[str, ...]


def imports_of(path: Path, package: Path) -> Iterator[Import]:
    """Yield every import of a file, with relative ones resolved.

    A call of `importlib.import_module` or `__import__` counts as an import.
    """
    module = ["lepton_lab", *path.relative_to(package).with_suffix("").parts]
    yield from _imports(ast.parse(path.read_text()), module, ())


def _imports(node: ast.AST, module: list[str], functions: tuple[str, ...]) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, functions) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module
            if child.level:  # `from ..nodes import x`: one level up for each dot
                base = ".".join([*module[: -child.level], *filter(None, [child.module])])
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, functions)
        elif isinstance(child, ast.Call) and _imports_by_name(child):
            target = _literal(child.args[0]) if child.args else ""
            yield Import(target, child.lineno, functions)
        inner = functions
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (*functions, child.name)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            inner = (*functions, "TYPE_CHECKING")
        yield from _imports(child, module, inner)


def _imports_by_name(call: ast.Call) -> bool:
    return ast.unparse(call.func).split(".")[-1] in {"import_module", "__import__"}


def _literal(node: ast.expr) -> str:
    """Return the fixed beginning of a module's name, or "?" when the source does not show one."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]  # of an f-string, the part before the first placeholder
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rstrip(".")
    return "?"


def room_of(path: Path, package: Path) -> str:
    """Return the room that a file stands in: 'aes', 'nodes', 'textbook.attacks'.

    The package's own `__init__.py` stands in the room ''.
    """
    parts = path.relative_to(package).with_suffix("").parts
    if parts[0] == "textbook" and len(parts) > 1 and parts[1] != "__init__":
        return f"textbook.{parts[1]}"
    return "" if parts[0] == "__init__" else parts[0]


def room_named(target: str) -> str:
    """Return the room that a dotted name `lepton_lab.…` leads into, or '' when it names none."""
    parts = target.split(".")[1:]
    part_of_textbook = ".".join(parts[:2])
    if part_of_textbook in TEXTBOOK:
        return part_of_textbook
    if parts and (parts[0] in FLOORS or parts[0] in WING):
        return parts[0]
    return ""


def may_import(room: str, other: str) -> bool:
    """Whether the design allows an import from one room into another."""
    if room == other or not other or (room, other) in SIDEWAYS or {room, other} <= TEXTBOOK:
        return True
    if room == "":  # `import lepton_lab` loads nothing else
        return False
    if room in WING:  # the wing stands on floor 0 alone
        return FLOORS.get(other) == 0
    if other in WING:  # only floor 3 uses the wing
        return FLOORS[room] == 3
    return FLOORS[other] < FLOORS[room]


def declared_libraries() -> set[str]:
    """Return the third-party packages that the helpers may import, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"]
    return {re.match(r"[A-Za-z0-9_]+", line)[0] for line in lines}  # type: ignore[index]


def faults_in(package: Path) -> list[str]:
    """List every place where a package's files break the design, as 'file:line: what'."""
    return [fault for path in sorted(package.rglob("*.py")) for fault in faults_of(path, package)]


def faults_of(path: Path, package: Path) -> list[str]:
    """List the faults of one file."""
    name = path.relative_to(package).as_posix()
    room = room_of(path, package)
    if room and room not in FLOORS and room not in WING:
        return [f"{name}: {room!r} stands on no floor; give it one in FLOORS of this test"]
    libraries = declared_libraries()
    found = list(habits(path, name))
    for each in imports_of(path, package):
        found.append((each.line, import_fault(room, each, libraries)))
    return [f"{name}:{line}: {what}" for line, what in found if what]


def import_fault(room: str, found: Import, libraries: set[str]) -> str:
    """Say why an import is not allowed; '' when it is allowed."""
    top = found.target.partition(".")[0]
    importer = room or "the package itself"
    if top == "lepton_lab":
        other = room_named(found.target)
        return "" if may_import(room, other) else f"{importer} may not import {other}"
    if top in NEVER:
        return f"imports {top}: {NEVER[top]}"
    if top in LAZY:
        inside = bool(LAZY[top] & set(found.functions))
        return "" if inside else f"imports {top} outside of {' and '.join(sorted(LAZY[top]))}"
    if top in sys.stdlib_module_names or top == "_typeshed":
        return ""
    if top == "?":
        return "imports a module whose name cannot be read in the source; write it out"
    if room in WING:
        allowed = WING_LIBRARIES.get(room, set())
    elif room == "workshop":
        allowed = libraries | JUPYTER | {"OpenSSL"}
    else:
        allowed = libraries
    return "" if top in allowed else f"{importer} may not import {top}"


def habits(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield what no file of the package may do: assert, catch everything, pass MOST_LINES lines."""
    source = path.read_text()
    lines = len(source.splitlines())
    if lines > MOST_LINES:
        yield lines, f"{lines} lines are more than {MOST_LINES}; split the file in two"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            yield node.lineno, "an assert vanishes under python -O; raise an error instead"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            broad = bool(re.search(r"\b(Base)?Exception\b", caught))
            raises_again = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if not caught:
                yield node.lineno, "a bare except hides unexpected errors; name what it catches"
            elif broad and not raises_again and name not in MAY_CATCH_ALL:
                why = "hides unexpected errors; name what it catches, or raise again"
                yield node.lineno, f"except {caught} without raising again {why}"


def test_every_import_points_down_and_every_file_keeps_the_habits() -> None:
    assert faults_in(PACKAGE) == []


def circle_in(package: Path) -> list[str]:
    """Return modules that import each other in a circle, the first of them twice; [] if none do.

    Imports inside functions count, those for type checkers do not.
    """
    modules = {
        ".".join(["lepton_lab", *path.relative_to(package).with_suffix("").parts]).removesuffix(
            ".__init__"
        ): path
        for path in package.rglob("*.py")
    }
    arrows: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = [
            each for each in imports_of(path, package) if "TYPE_CHECKING" not in each.functions
        ]
        # `from a.b import c` names the module a.b.c, or the c that the module a.b defines
        found = {
            each.target if each.target in modules else each.target.rpartition(".")[0]
            for each in targets
        }
        arrows[name] = (found & modules.keys()) - {name}
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle(tmp_path: Path) -> None:
    assert circle_in(PACKAGE) == []
    (tmp_path / "a.py").write_text("from lepton_lab import b\n")
    (tmp_path / "b.py").write_text("def later():\n    from lepton_lab.a import x\n")
    assert sorted(set(circle_in(tmp_path))) == ["lepton_lab.a", "lepton_lab.b"]


def test_every_room_and_every_sideways_import_of_the_tables_is_there() -> None:
    """A line that outlives its room or its import would permit what nothing needs."""
    rooms = set()
    arrows = set()
    for path in PACKAGE.rglob("*.py"):
        room = room_of(path, PACKAGE)
        rooms.add(room)
        for found in imports_of(path, PACKAGE):
            if found.target.startswith("lepton_lab."):
                arrows.add((room, room_named(found.target)))
    assert sorted({*FLOORS, *WING} - rooms) == []
    assert sorted(SIDEWAYS - arrows) == []


def output_of(code: str) -> list[str]:
    """Run some code in a new interpreter; return the words that it prints."""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return run.stdout.split()


def test_importing_the_package_imports_no_third_party_module() -> None:
    code = (
        "import sys; before = set(sys.modules); import lepton_lab; "
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(tops - sys.stdlib_module_names))"
    )
    assert output_of(code) == ["lepton_lab"]


@pytest.mark.parametrize(
    "code",
    [
        "import lepton_lab.sharding",
        "from lepton_lab.nodes import DirectoryNode, MemoryNode, open_nodes",
        "from lepton_lab.nodes import as_node; as_node({}, 'a dict')['key'] = b'value'",
    ],
)
def test_a_store_over_dicts_or_folders_loads_neither_redis_nor_x509_nor_matplotlib(
    code: str,
) -> None:
    heavy = ("redis", "cryptography.x509", "matplotlib", "pymongo", "fsspec")
    ask = f"print(*[name for name in {heavy!r} if name in sys.modules])"
    assert output_of(f"import sys; {code}; {ask}") == []


PLANTED = {
    "up": ("errors.py", "from lepton_lab import aes", "errors may not import aes"),
    "up, relative": ("errors.py", "from .aes import encrypt", "errors may not import aes"),
    "up, from a folder": (
        "nodes/memory.py",
        "from ..sharding import ShardedStore",
        "nodes may not import sharding",
    ),
    "up, inside a function": (
        "files.py",
        "def f():\n    import lepton_lab.cli",
        "files may not import cli",
    ),
    "up, while running": (
        "erasure.py",
        "import importlib\nimportlib.import_module('lepton_lab.cli')",
        "import cli",
    ),
    "hidden": (
        "erasure.py",
        "import importlib\nimportlib.import_module(NAME)",
        "cannot be read in the source",
    ),
    "sideways": ("rsa.py", "from lepton_lab import aes", "rsa may not import aes"),
    "into the wing": (
        "sharding/extra.py",
        "from lepton_lab.textbook.primitives import aes",
        "import textbook.primitives",
    ),
    "out of the wing": ("show/extra.py", "from lepton_lab import aes", "show may not import aes"),
    "out of the textbook": (
        "textbook/attacks/extra.py",
        "from lepton_lab import tls",
        "may not import tls",
    ),
    "a library in the primitives": (
        "textbook/primitives/extra.py",
        "import cryptography",
        "may not import cryptography",
    ),
    "a library that is not declared": ("aes.py", "import requests", "aes may not import requests"),
    "phe at the top": (
        "paillier/extra.py",
        "import phe",
        "imports phe outside of from_phe and to_phe",
    ),
    "phe in another function": (
        "paillier/extra.py",
        "def f():\n    import phe",
        "imports phe outside",
    ),
    "what stands beside": ("demo.py", "import tools.notebooks", "stands beside the package"),
    "the package's own __init__": (
        "__init__.py",
        "from lepton_lab import aes",
        "the package itself may not import aes",
    ),
    "a new room": ("cellar.py", "", "'cellar' stands on no floor"),
    "pickle": ("keyring/extra.py", "import pickle", "imports pickle"),
    "random": ("aes.py", "from random import randbytes", "imports random"),
    "assert": ("shamir.py", "assert True", "an assert vanishes"),
    "bare except": ("tls/extra.py", "try:\n    pass\nexcept:\n    pass", "a bare except"),
    "broad except": (
        "tls/extra.py",
        "try:\n    pass\nexcept (OSError, Exception):\n    pass",
        "without raising again",
    ),
    "length": ("buffers.py", "\n" * 401, "split the file in two"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house") / "lepton_lab"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_in_a_copy_is_found(house: Path, planted: str) -> None:
    file, lines, expected = PLANTED[planted]
    path = house / file
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before or ''}\n{lines}\n")
    try:
        found = faults_of(path, house)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert any(expected in fault for fault in found), found


def test_what_the_design_allows_is_let_through() -> None:
    allowed = [
        ("keyring", "aes"),
        ("nodes", "tls"),
        ("sharding", "nodes"),
        ("cli", "show"),
        ("workshop", "textbook.attacks"),
    ]
    assert all(may_import(room, other) for room, other in allowed)
    assert import_fault("paillier", Import("phe", 1, ("to_phe",)), set()) == ""
    assert import_fault("textbook.protocols", Import("cryptography.hazmat", 1, ()), set()) == ""
