"""RSA Laboratories' vectors for PKCS #1, as cryptography_vectors brings them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors

from lepton_lab.textbook.primitives import rsa as tb_rsa

RSA_LABS = Path(cryptography_vectors.__file__).parent / "asymmetric" / "RSA"
PKCS = RSA_LABS / "pkcs-1v2-1d2-vec"

RsaCase = dict[str, bytes]


def labelled(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of a file with its label: a line '# Label:', then lines of hexadecimal."""
    name = ""
    digits = ""
    for line in [*path.read_text().splitlines(), "# end:"]:
        if re.fullmatch(r"[0-9a-f ]+", line):
            digits += line.replace(" ", "")
        elif line.strip():
            # the next label ends the value before it
            if digits:
                yield name, bytes.fromhex("0" * (len(digits) % 2) + digits)
            name = line.strip("#: \t")
            digits = ""


def groups(path: Path, last: str) -> Iterator[tuple[tb_rsa.PrivateKey, list[RsaCase]]]:
    """Each key of a file with its examples; an example ends with the label `last`."""
    numbers: dict[str, int] = {}
    cases: list[RsaCase] = []
    case: RsaCase = {}
    # one more modulus, so that the last key ends as the others do
    for name, value in [*labelled(path), ("Modulus", b"\0")]:
        if name == "Modulus" and cases:
            yield _key(numbers), cases
            cases = []
        numbers[name] = int.from_bytes(value, "big")
        case[name] = value
        if name == last:
            cases.append(case)
            case = {}


def _key(numbers: dict[str, int]) -> tb_rsa.PrivateKey:
    return tb_rsa.PrivateKey(
        numbers["Modulus"],
        numbers["Public exponent"],
        numbers["Exponent"],
        numbers["Prime 1"],
        numbers["Prime 2"],
    )
