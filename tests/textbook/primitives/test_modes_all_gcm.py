"""Every case of NIST's GCM sets through the textbook: minutes of work. textbook/primitives/test_modes.py takes samples of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest

from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.primitives import aes as tb_aes

pytestmark = pytest.mark.slow
GCM = Path(cryptography_vectors.__file__).parent / "ciphers" / "AES" / "GCM"


@pytest.fixture
def counted(record_property):
    """Show at the end of the run how many cases held."""

    def count(vectors: str, run: int, expected: int) -> None:
        assert run == expected
        record_property("vectors", (f"textbook: {vectors}", {"run": run, "left out": 0, "why": ""}))

    return count


def nist(name: str) -> Iterator[dict[str, bytes]]:
    for block in re.split(r"^Count", (GCM / name).read_text(), flags=re.MULTILINE)[1:]:
        lines = [
            line.partition("=") for line in block.splitlines() if line and not line.startswith("[")
        ]
        yield {key.strip(): bytes.fromhex(value) for key, _, value in lines[1:]}


@pytest.mark.parametrize("size", [128, 192, 256])
def test_all_of_nists_gcm_decryption(size: int, counted: Any) -> None:
    cases = [*nist(f"gcmDecrypt{size}.rsp")]
    for case in cases:
        sealed, length = case["CT"] + case["Tag"], len(case["Tag"])
        if "FAIL" in case:
            with pytest.raises(DecryptionError):
                tb_aes.gcm_decrypt(case["Key"], case["IV"], sealed, case["AAD"], length)
        else:
            assert (
                tb_aes.gcm_decrypt(case["Key"], case["IV"], sealed, case["AAD"], length).result
                == case["PT"]
            )
    counted(f"AES-{size}-GCM, NIST CAVP gcmDecrypt{size}.rsp", len(cases), 7875)


@pytest.mark.parametrize("size", [128, 192, 256])
def test_all_of_nists_gcm_encryption(size: int, counted: Any) -> None:
    cases = [*nist(f"gcmEncryptExtIV{size}.rsp")]
    for case in cases:
        trace = tb_aes.gcm(case["Key"], case["IV"], case["PT"], case["AAD"], len(case["Tag"]))
        assert trace.result == case["CT"] + case["Tag"]
    counted(f"AES-{size}-GCM, NIST CAVP gcmEncryptExtIV{size}.rsp", len(cases), 7875)
