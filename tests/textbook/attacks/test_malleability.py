"""Tests lepton_lab.textbook.attacks.malleability: a product is decrypted, except by the helper."""

from __future__ import annotations

import pytest

from lepton_lab import rsa
from lepton_lab.textbook.attacks import AttackFailed, malleability
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import (
    NUMBER,
    helper_rsa_ciphertext,
    helper_rsa_key,
    helper_rsa_public,
    weak_rsa_key,
)


def test_a_service_that_refuses_only_c_decrypts_c() -> None:
    key = weak_rsa_key(e=65537)
    c = tb_rsa.RSAEP(key.public, NUMBER).result
    assert malleability.decrypt(key.public, c, malleability.service(key, c)).result == NUMBER
    doubled = malleability.scale(key.public, c, 2)
    assert tb_rsa.RSADP(key, doubled).result == 2 * NUMBER


def test_the_helper_decrypts_no_product() -> None:
    k = helper_rsa_public().k

    def oracle(c: int) -> int:
        return tb_rsa.OS2IP(rsa.decrypt(helper_rsa_key(), tb_rsa.I2OSP(c, k)))

    with pytest.raises(AttackFailed, match="padding"):
        malleability.decrypt(helper_rsa_public(), helper_rsa_ciphertext(), oracle)
    with pytest.raises(AttackFailed, match="not m · s"):
        malleability.decrypt(helper_rsa_public(), helper_rsa_ciphertext(), lambda c: 42)
