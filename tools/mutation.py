"""`make mutation`: change one thing in a helper, run the helper's own tests, and count the changes
that they notice.

Every mutant is the module with one change: a comparison, an operator, a number, a condition, a
`raise` or a `return`. What no test of behaviour could tell is left alone: annotations, docstrings,
the words of error messages, `__repr__`. (mutmut runs here too; it leaves decorated functions and
the module's own level alone, where the code's matrix and the field's tables are made, and spends a
tenth of its mutants on words.)

A mutant runs in a fork of one process that has imported everything but the package, so it costs its
tests and no more. A sample is drawn by the SHA-256 of each mutant's name, the same every time. The
result is tests/mutation.json.
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
ARGUED = (
    ROOT / "tests" / "mutants_argued.toml"
)  # why a survivor changes nothing that a test should see
TESTS = {
    "aes": ["helpers/test_aes.py", "helpers/test_aes_stream.py"],
    "rsa": ["helpers/test_rsa.py", "helpers/test_pem.py"],
    "pem": ["helpers/test_pem.py", "helpers/test_rsa.py"],
    "shamir": ["helpers/test_shamir.py"],
    "erasure": ["helpers/test_erasure.py"],
}
# Left out to save time: they try sizes, not rules.
TOO_SLOW = "not slow and not 256_mib and not wide_codes and not constant_nonce"
PATIENCE = 45.0  # seconds of processor time; a mutant that loops is noticed by that
MEMORY = 8 << 30

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
    """One change: where, what stood there, and what stands there now."""

    module: str
    place: int  # the how-manieth change of this module
    line: int
    scope: str
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """Says what was changed without the line's number, which moves."""
        return f"{self.module}.{self.scope}: {self.before} → {self.after}"


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a helper, in the order of its text."""
    tree = ast.parse((ROOT / "lepton_lab" / f"{module}.py").read_text())
    found: list[Mutant] = []
    for node, scope in _places(tree, ()):
        for field, value in _changes(node):
            kept = getattr(node, field)
            before = _text(node)
            setattr(node, field, value)
            after = _text(node)
            where = ".".join(scope) or "module"
            line = getattr(node, "lineno", 0)
            found.append(Mutant(module, len(found), line, where, before, after, ast.unparse(tree)))
            setattr(node, field, kept)
        if isinstance(node, ast.Raise):
            place = copy.copy(node.__dict__)
            before, line = _text(node), node.lineno
            node.__class__, node.__dict__ = ast.Pass, {"lineno": line, "col_offset": 0}  # type: ignore[assignment]
            found.append(
                Mutant(
                    module,
                    len(found),
                    line,
                    ".".join(scope) or "module",
                    before,
                    "pass",
                    ast.unparse(tree),
                )
            )
            node.__class__, node.__dict__ = ast.Raise, place
    return found


def _text(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 90 else text[:89] + "…"


def _places(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Every node that may be changed, with the names of what it is in."""
    for field, value in ast.iter_fields(node):
        if field in (
            "annotation",
            "returns",
            "decorator_list",
            "bases",
            "keywords",
        ) and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(
                child, ast.Import | ast.ImportFrom | ast.JoinedStr
            ):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            if named and child.name == "__repr__":  # type: ignore[attr-defined]
                continue
            inner = (*scope, child.name) if named else scope  # type: ignore[attr-defined]
            if hasattr(child, "lineno"):
                yield child, inner
            if not isinstance(child, ast.Raise):
                yield from _places(child, inner)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:  # noqa: PLR0912 - one branch for each kind of change
    """(field, new value) for every change of this one node."""
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
    """`bytes | bytearray` in isinstance is a type, not arithmetic."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and isinstance(node.right, ast.Name)
    )


# --- running ---------------------------------------------------------------------------------


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant when the module is imported."""

    def __init__(self, module: str, source: str) -> None:
        self._name, self._source = f"lepton_lab.{module}", source

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, f"<mutant of {self._name}>", "exec"), module.__dict__)  # noqa: S102 - it is ours


class _Hurried:
    """Once a property has failed the mutant is dead: no search for its smallest example."""

    @staticmethod
    def pytest_sessionstart() -> None:
        lab, phases = (
            hypothesis.settings.get_profile("lab"),
            (hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )
        hypothesis.settings.register_profile("mutants", lab, phases=phases, max_examples=40)
        hypothesis.settings.load_profile("mutants")


def _tested(module: str, source: str) -> int:
    """In a fork: the tests' exit code under this source."""
    sys.meta_path.insert(0, _Planted(module, source))
    tests = [str(ROOT / "tests" / test) for test in TESTS[module]]
    options = [
        "-x",
        "-q",
        "-k",
        TOO_SLOW.replace("not slow and ", ""),
        "-m",
        "not slow",
        "--hypothesis-seed=0",
    ]
    options += [
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "-p",
        "no:cacheprovider",
    ]  # hypothesis is there
    options += ["-p", "_hypothesis_pytestplugin"]
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
    """Whether each was noticed. A time-out and a crash are noticed too."""
    waiting, running, noticed = (
        list(mutants),
        dict[int, tuple[Mutant, float]](),
        dict[Mutant, bool](),
    )
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop(0)
            running[_start(mutant.module, mutant.source)] = (mutant, time.monotonic())
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
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
    """Run a sample of every module's mutants (--again: of the last run's survivors) and write the
    scores.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--sample", type=int, default=60, help="mutants of each module; 0 for all")
    parser.add_argument(
        "--again", action="store_true", help="only the survivors of the last run, after new tests"
    )
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = examples = tempfile.mkdtemp(
        prefix="lepton-lab-mutation-"
    )
    atexit.register(
        shutil.rmtree, examples, ignore_errors=True
    )  # forks leave by os._exit and do not
    os.environ |= {"LEPTON_LAB_COUNTING": os.devnull, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path[:] = [path for path in sys.path if path not in ("", str(ROOT))] + [str(ROOT)]
    _import_what_tests_use()
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {"modules": {}}
    result["how"] = " ".join((__doc__ or "").split())
    for module in asked.modules:
        original = ast.unparse(ast.parse((ROOT / "lepton_lab" / f"{module}.py").read_text()))
        _, status = os.waitpid(_start(module, original), 0)
        if status:
            print(f"the tests of {module} fail without any change")
            return 1
        before = result["modules"].get(module, {}) if asked.again else {}
        result["modules"][module] = _scored(module, asked.sample, before, asked.jobs)
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 0


def _scored(module: str, sample: int, before: dict[str, Any], jobs: int) -> dict[str, Any]:
    every = mutants_of(module)
    drawn = sorted(
        every, key=lambda mutant: hashlib.sha256(f"{mutant.place} {mutant.name}".encode()).digest()
    )
    drawn = drawn[: (before["tried"] if before else sample) or None]
    to_run = [mutant for mutant in drawn if not before or mutant.name in before["survivors"]]
    print(f"\n=== {module}: {len(to_run)} of {len(every)} mutants", flush=True)
    alive = {mutant for mutant, noticed in _run(to_run, jobs).items() if not noticed}
    killed = len(drawn) - len(alive)
    percent = round(100 * killed / len(drawn), 1)
    print(f"\n{module}: {killed} of {len(drawn)} noticed, {percent} %", flush=True)
    argued = tomllib.loads(ARGUED.read_text()).get(module, {})
    survivors = {
        name: argued.get(name.partition(".")[2], "")
        for name in sorted({mutant.name for mutant in alive})
    }
    return {
        "mutants": len(every),
        "tried": len(drawn),
        "killed": killed,
        "percent": percent,
        "survivors": survivors,
    }


def _import_what_tests_use() -> None:
    """Everything but the package, so that no fork has to."""
    for name in (
        "cryptography.hazmat.primitives.ciphers.aead",
        "cryptography.x509",
        "numpy",
        "zfec",
        "tink",
    ):
        importlib.import_module(name)
    for name in (
        "Crypto.Cipher.AES",
        "hypothesis.strategies",
        "hypothesis.internal.conjecture.engine",
        "tink.proto",
    ):
        importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
