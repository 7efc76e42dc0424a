"""`make evidence`: write down what each helper was checked against.

It reads tests/evidence.toml and tests/mutation.json, and runs the tests that count published
vectors. It writes lepton_lab/data/evidence.json, which the notebooks show, and tests/EVIDENCE.md.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
DATA = ROOT / "lepton_lab" / "data" / "evidence.json"
PAGE = TESTS / "EVIDENCE.md"
# The files whose tests count published vectors, and the tests among them that do.
COUNTING = [
    "tests/helpers/test_aes.py",
    "tests/helpers/test_rsa.py",
    "tests/helpers/test_vectors.py",
]
WHICH_COUNT = "vectors or match or nist or wycheproof or pss"
Evidence = dict[str, Any]


def counted() -> dict[str, Any]:
    """Run the tests that count published vectors; return the counts of every set, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-k", WHICH_COUNT, *COUNTING]
        environment = {**os.environ, "LEPTON_LAB_COUNTING": str(counts)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(counts.read_text())
        return found


def gathered(vectors: dict[str, Any]) -> Evidence:
    """Return the evidence of every helper, with these counts of vectors.

    Raises LookupError when tests/evidence.toml names a test or fuzz target that is not there, or
    when a set of vectors belongs to no helper.
    """
    claims = tomllib.loads((TESTS / "evidence.toml").read_text())
    mutation = json.loads((TESTS / "mutation.json").read_text())["modules"]
    helpers = {name: _checked(claim, vectors, mutation) for name, claim in claims.items()}
    claimed = tuple(prefix for claim in claims.values() for prefix in claim.get("vectors", ()))
    unclaimed = [name for name in vectors if not name.startswith(claimed)]
    if unclaimed:
        raise LookupError(
            f"no helper claims these vectors: {unclaimed}; name them in tests/evidence.toml"
        )
    return {"helpers": helpers, "vectors": vectors}


def _checked(
    claim: dict[str, Any], vectors: dict[str, Any], mutation: dict[str, Any]
) -> dict[str, Any]:
    claimed = tuple(claim.get("vectors", ()))
    sets = {name: found for name, found in vectors.items() if name.startswith(claimed)}
    for copy in claim.get("copies", ()):
        file, _, key = copy.partition(": ")
        cases = json.loads((TESTS / "vectors" / file).read_text())[key]
        sets[f"tests/vectors/{copy}"] = {"run": len(cases), "left out": 0, "why": ""}
    return {
        "standards": claim["standards"],
        "vectors": sets,
        "peers": {
            peer: [_sentence(test) for test in tests]
            for peer, tests in claim.get("peers", {}).items()
        },
        "properties": [_sentence(test) for test in claim["properties"]],
        "fuzz": [_target(name) for name in claim.get("fuzz", ())],
        "mutation": {module: mutation[module] for module in claim.get("mutation", ())},
    }


def _sentence(test: str) -> str:
    """Return a test's name as a sentence. Raises LookupError when there is no such test."""
    file, _, name = test.partition("::")
    functions = {
        node.name
        for node in ast.parse((TESTS / file).read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    if name not in functions:
        raise LookupError(f"tests/evidence.toml names {test}, which is not there")
    return name.removeprefix("test_").replace("_", " ")


def _target(name: str) -> str:
    if f'"{name}": Target(' not in (TESTS / "fuzz" / "targets.py").read_text():
        raise LookupError(f"tests/evidence.toml names the fuzz target {name}, which is not there")
    return name


def page(evidence: Evidence) -> str:
    """Return the text of tests/EVIDENCE.md."""
    run = sum(found["run"] for found in evidence["vectors"].values())
    lines = [
        "# Evidence",
        "Why trust which helper: what it was checked against. Written by `make evidence`; "
        "edit tests/evidence.toml.",
        "",
        f"Published cases that run in every `make test`: {run:,}, and all of them hold. "
        "A run prints them set",
        "by set. The copies in tests/vectors/ are small parts of the whole sets, "
        "kept so that something always runs.",
        "",
        "| helper | standards | vectors: run, held, left out | peers | properties "
        "| fuzz targets | mutants noticed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, helper in evidence["helpers"].items():
        total = sum(found["run"] for found in helper["vectors"].values())
        out = sum(found["left out"] for found in helper["vectors"].values())
        cells = [
            f"`{name}`",
            "; ".join(helper["standards"]),
            f"{total:,}, {total:,}, {out:,}" if total else "–",
            ", ".join(helper["peers"]),
            str(len(helper["properties"])),
            str(len(helper["fuzz"])) if helper["fuzz"] else "–",
            ", ".join(map(_score, helper["mutation"].values())) or "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for name, helper in evidence["helpers"].items():
        lines += ["", f"## {name}", *_details(helper)]
    return "\n".join(lines) + "\n"


def _details(helper: dict[str, Any]) -> list[str]:
    lines = []
    if helper["vectors"]:
        lines += ["", "| vectors | run | held | left out | why |", "|---|---|---|---|---|"]
        for name, found in helper["vectors"].items():
            run = f"{found['run']:,}"
            out = f"{found['left out']:,}"
            # every case that was run has held, or its test would have failed
            lines.append(f"| {name} | {run} | {run} | {out} | {found['why']} |")
    lines += ["", "Peers:"]
    lines += [f"- {peer}: {'; '.join(tests)}" for peer, tests in helper["peers"].items()]
    lines += ["", "Properties:", *(f"- {sentence}" for sentence in helper["properties"])]
    if helper["fuzz"]:
        lines += ["", f"Fuzzed: {', '.join(helper['fuzz'])}."]
    for module, score in helper["mutation"].items():
        lines += ["", f"Mutants of `{module}.py`: {_score(score)}. Left:"]
        lines += [f"- `{name}`: {why}" for name, why in score["survivors"].items()] or ["- none"]
    return lines


def _score(score: dict[str, Any]) -> str:
    return f"{score['killed']} of {score['tried']} ({score['percent']} %) of {score['mutants']}"


def main() -> int:
    """Count the vectors again and write both files of evidence."""
    evidence = gathered(counted())
    DATA.write_text(json.dumps(evidence, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(evidence))
    return 0


if __name__ == "__main__":
    sys.exit(main())
