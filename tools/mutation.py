"""`make mutation`: count how many small changes to a helper its own tests notice.

Every mutant is the module with one change: to a comparison, an operator, a number, a condition, a
`raise` or a `return`. Annotations, docstrings, the words of error messages and `__repr__` are left
alone, because no test of behaviour could notice a change there. (mutmut could be used too. It does
not change decorated functions or the module's own level, where the code's matrix and the field's
tables are made, and it spends a tenth of its mutants on words.)

A mutant runs in a fork of one process that has imported everything but the package, so it costs the
time of its tests and no more. A sample is drawn by the SHA-256 of each mutant's name, so it is the
same every time. The result is tests/mutation.json.
"""

from __future__ import annotations

import argparse
import ast
import atexit
import copy
import gc
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "tests" / "mutation.json"
# Says of every survivor why it changes nothing that a test should notice.
ARGUED = ROOT / "tests" / "mutants_argued.toml"
TESTS = {
    "aes": ["helpers/test_aes.py", "helpers/test_aes_stream.py"],
    "rsa": ["helpers/test_rsa.py", "helpers/test_pem.py"],
    "pem": ["helpers/test_pem.py", "helpers/test_rsa.py"],
    "shamir": ["helpers/test_shamir.py"],
    "erasure": ["helpers/test_erasure.py"],
}
# Tests left out to save time: they try sizes, not rules.
TOO_SLOW = "not 256_mib and not wide_codes and not constant_nonce"
_USED_BY_TESTS = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.x509",
    "numpy",
    "zfec",
    "tink",
    "tink.proto",
    "Crypto.Cipher.AES",
    "hypothesis.strategies",
    "hypothesis.internal.conjecture.engine",
)
PATIENCE = 45.0  # seconds of processor time: a mutant that loops counts as noticed after that
MEMORY = 8 << 30  # bytes of address space, for the same reason

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitXor: ast.BitOr,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Pow: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change to a module: where it is, what stood there, and what stands there now."""

    module: str
    place: int  # its index among the module's mutants
    line: int
    scope: str
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """Say what was changed, without the line's number, which other edits move."""
        return f"{self.module}.{self.scope}: {self.before} → {self.after}"


def mutants_of(module: str) -> list[Mutant]:
    """List every mutant of a helper, in the order of its source."""
    tree = ast.parse((ROOT / "lepton_lab" / f"{module}.py").read_text())
    found: list[Mutant] = []
    for node, scope in _places(tree, ()):
        where = ".".join(scope) or "module"
        line = getattr(node, "lineno", 0)
        before = _text(node)
        for field, value in _changes(node):
            # change the node in place, print the whole module, and change it back
            kept = getattr(node, field)
            setattr(node, field, value)
            after = _text(node)
            found.append(Mutant(module, len(found), line, where, before, after, ast.unparse(tree)))
            setattr(node, field, kept)
        if isinstance(node, ast.Raise):
            # a `raise` becomes a `pass`: the same object, so that its parent holds it still
            fields = copy.copy(node.__dict__)
            node.__class__ = ast.Pass  # type: ignore[assignment]
            node.__dict__ = {"lineno": line, "col_offset": 0}
            source = ast.unparse(tree)
            found.append(Mutant(module, len(found), line, where, before, "pass", source))
            node.__class__ = ast.Raise
            node.__dict__ = fields
    return found


def _text(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 90 else text[:89] + "…"


# Parts of a definition that say something about types or about the class, not what is done.
_DECLARING = ("annotation", "returns", "decorator_list", "bases", "keywords")


def _places(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Yield every node that may be changed, with the names of the scopes around it."""
    for field, value in ast.iter_fields(node):
        if field in _DECLARING and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.Import | ast.ImportFrom | ast.JoinedStr):
                continue  # f-strings are the words of messages
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            if named and child.name == "__repr__":  # type: ignore[attr-defined]
                continue
            inner = (*scope, child.name) if named else scope  # type: ignore[attr-defined]
            if hasattr(child, "lineno"):
                yield child, inner
            if not isinstance(child, ast.Raise):  # within a `raise` are the words of its message
                yield from _places(child, inner)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:  # noqa: PLR0912 - one branch for each kind of change
    """Yield (field, new value) for every change of this one node."""
    if isinstance(node, ast.Compare):
        for index, kind in enumerate(node.ops):
            yield "ops", [*node.ops[:index], COMPARISONS[type(kind)](), *node.ops[index + 1 :]]
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        if type(node.op) in OPERATORS and not _is_a_type(node):
            yield "op", OPERATORS[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        yield "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            yield "operand", ast.UnaryOp(ast.Not(), node.operand)
        elif isinstance(node.op, ast.USub):
            yield "op", ast.UAdd()
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "value", not node.value
        elif isinstance(node.value, int):
            yield "value", node.value + 1
        elif isinstance(node.value, bytes):
            yield "value", node.value + b"X"
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "test", ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "value", ast.Constant(None)


def _is_a_type(node: ast.AST) -> bool:
    """Whether this is a union such as `bytes | bytearray` in isinstance, and not arithmetic."""
    if not isinstance(node, ast.BinOp):
        return False
    return isinstance(node.op, ast.BitOr) and isinstance(node.right, ast.Name)


# --- running ------------------------------------------------------------------------------------


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """An importer that gives the mutant in place of its module."""

    def __init__(self, module: str, source: str) -> None:
        self._name = f"lepton_lab.{module}"
        self._source = source

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._source, f"<mutant of {self._name}>", "exec")
        exec(code, module.__dict__)  # noqa: S102 - the source is this project's own


class _Hurried:
    """A pytest plugin that does not shrink examples: the first failure settles a mutant."""

    @staticmethod
    def pytest_sessionstart() -> None:
        lab = hypothesis.settings.get_profile("lab")
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", lab, phases=phases, max_examples=40)
        hypothesis.settings.load_profile("mutants")


def _tested(module: str, source: str) -> int:
    """In a fork: run the module's tests on this source; return their exit code."""
    sys.meta_path.insert(0, _Planted(module, source))
    tests = [str(ROOT / "tests" / test) for test in TESTS[module]]
    options = ["-x", "-q", "-m", "not slow", "-k", TOO_SLOW, "--hypothesis-seed=0"]
    # hypothesis is imported before pytest begins, which pytest would warn of
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options += ["-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"]
    return int(pytest.main([*options, *tests], plugins=[_Hurried()]))


def _start(module: str, source: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 3
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(PATIENCE), int(PATIENCE) + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        status = _tested(module, source)
    finally:
        os._exit(status)


def _run(mutants: list[Mutant], jobs: int) -> dict[Mutant, bool]:
    """Run each mutant's tests, `jobs` at a time; return whether each was noticed.

    A mutant that times out or crashes counts as noticed.
    """
    waiting = list(mutants)
    running: dict[int, tuple[Mutant, float]] = {}
    noticed: dict[Mutant, bool] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop(0)
            running[_start(mutant.module, mutant.source)] = (mutant, time.monotonic())
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            # none has ended; RLIMIT_CPU does not stop a mutant that waits for ever
            for late, (_, since) in running.items():
                if time.monotonic() - since > 6 * PATIENCE:
                    os.kill(late, signal.SIGKILL)
            time.sleep(0.05)
            continue
        if pid in running:
            mutant, _ = running.pop(pid)
            noticed[mutant] = status != 0
            mark = "." if noticed[mutant] else f"\nsurvived, line {mutant.line}: {mutant.name}\n"
            print(mark, end="", flush=True)
    return noticed


def main() -> int:
    """Run a sample of every module's mutants and write the scores; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--sample", type=int, default=60, help="mutants of each module; 0 for all")
    parser.add_argument(
        "--again", action="store_true", help="only the survivors of the last run, after new tests"
    )
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    examples = tempfile.mkdtemp(prefix="lepton-lab-mutation-")
    atexit.register(shutil.rmtree, examples, ignore_errors=True)  # not in forks: os._exit skips it
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = examples
    os.environ |= {"LEPTON_LAB_COUNTING": os.devnull, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path[:] = [path for path in sys.path if path not in ("", str(ROOT))] + [str(ROOT)]
    _import_what_tests_use()
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {"modules": {}}
    result["how"] = " ".join((__doc__ or "").split())
    for module in asked.modules:
        original = ast.unparse(ast.parse((ROOT / "lepton_lab" / f"{module}.py").read_text()))
        _, status = os.waitpid(_start(module, original), 0)
        if status:
            print(f"the tests of {module} fail without any change; mend them first")
            return 1
        before = result["modules"].get(module, {}) if asked.again else {}
        result["modules"][module] = _scored(module, asked.sample, before, asked.jobs)
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 0


def _scored(module: str, sample: int, before: dict[str, Any], jobs: int) -> dict[str, Any]:
    def lot(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{mutant.place} {mutant.name}".encode()).digest()

    every = mutants_of(module)
    count = before["tried"] if before else sample
    drawn = sorted(every, key=lot)[: count or None]
    to_run = [mutant for mutant in drawn if not before or mutant.name in before["survivors"]]
    print(f"\n=== {module}: {len(to_run)} of {len(every)} mutants", flush=True)
    alive = {mutant for mutant, noticed in _run(to_run, jobs).items() if not noticed}
    killed = len(drawn) - len(alive)
    percent = round(100 * killed / len(drawn), 1)
    print(f"\n{module}: {killed} of {len(drawn)} noticed, {percent} %", flush=True)
    argued = tomllib.loads(ARGUED.read_text()).get(module, {})
    names = sorted({mutant.name for mutant in alive})
    survivors = {name: argued.get(name.partition(".")[2], "") for name in names}
    return {
        "mutants": len(every),
        "tried": len(drawn),
        "killed": killed,
        "percent": percent,
        "survivors": survivors,
    }


def _import_what_tests_use() -> None:
    """Import what the tests need beside the package, so that no fork has to."""
    for name in _USED_BY_TESTS:
        importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
