"""Tests lepton_lab.textbook.primitives.modes at length: every case of NIST's GCM sets.

That is minutes of work; test_modes.py takes samples of the same sets.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.primitives import aes as tb_aes
from tests.support.vectors import cavp

pytestmark = pytest.mark.slow

Counting = Callable[[str, int, int], None]


def nist(name: str) -> list[dict[str, bytes]]:
    cases = []
    for case in cavp("ciphers", "AES", "GCM", name):
        cases.append({field: bytes.fromhex(value) for field, value in case.items()})
    return cases


@pytest.mark.parametrize("size", [128, 192, 256])
def test_all_of_nists_gcm_decryption(size: int, counted: Counting) -> None:
    cases = nist(f"gcmDecrypt{size}.rsp")
    for case in cases:
        sealed = case["CT"] + case["Tag"]
        arguments = (case["Key"], case["IV"], sealed, case["AAD"], len(case["Tag"]))
        if "FAIL" in case:
            with pytest.raises(DecryptionError):
                tb_aes.gcm_decrypt(*arguments)
        else:
            assert tb_aes.gcm_decrypt(*arguments).result == case["PT"]
    counted(f"AES-{size}-GCM, NIST CAVP gcmDecrypt{size}.rsp", len(cases), 7875)


@pytest.mark.parametrize("size", [128, 192, 256])
def test_all_of_nists_gcm_encryption(size: int, counted: Counting) -> None:
    cases = nist(f"gcmEncryptExtIV{size}.rsp")
    for case in cases:
        trace = tb_aes.gcm(case["Key"], case["IV"], case["PT"], case["AAD"], len(case["Tag"]))
        assert trace.result == case["CT"] + case["Tag"]
    counted(f"AES-{size}-GCM, NIST CAVP gcmEncryptExtIV{size}.rsp", len(cases), 7875)
