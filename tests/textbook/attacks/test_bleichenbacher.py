"""Tests lepton_lab.textbook.attacks.bleichenbacher: it decrypts v1.5, and not the helper's OAEP."""

from __future__ import annotations

import pytest

from lepton_lab import rsa
from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.attacks import AttackFailed, bleichenbacher
from lepton_lab.textbook.primitives import pkcs1v15
from tests.support.textbook_keys import helper_rsa_key, helper_rsa_public, weak_rsa_key


@pytest.mark.parametrize("strict", [False, True])
def test_bleichenbachers_oracle_decrypts(strict: bool) -> None:
    key = weak_rsa_key(257, 65537)
    PS = bytes(range(1, key.public.k - 3 - 7 + 1))
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"secret!", PS=PS).result
    trace = bleichenbacher.decrypt(
        key.public, ciphertext, bleichenbacher.receiver(key, strict=strict)
    )
    assert trace.result == b"secret!"
    assert trace["EM"] == b"\0\2" + PS + b"\0secret!"


@pytest.mark.parametrize("which", range(4))
def test_bleichenbachers_oracle_decrypts_under_any_key(which: int) -> None:
    key = weak_rsa_key(250 + 8 * which, 65537, which)
    PS = bytes(7 * i % 255 + 1 for i in range(key.public.k - 3 - 3))
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"PIN", PS=PS).result
    assert (
        bleichenbacher.decrypt(key.public, ciphertext, bleichenbacher.receiver(key)).result
        == b"PIN"
    )


def test_the_helper_is_not_a_padding_oracle() -> None:
    def oracle(ciphertext: bytes) -> bool:
        try:
            rsa.decrypt(helper_rsa_key(), ciphertext)
        except DecryptionError:
            return False
        return True

    ciphertext = rsa.encrypt(helper_rsa_key().public_key(), b"a data key")
    with pytest.raises(AttackFailed, match="gave up after 300 queries"):
        bleichenbacher.decrypt(helper_rsa_public(), ciphertext, oracle, limit=300)


def test_an_oracle_that_always_says_the_same_gives_nothing() -> None:
    key = weak_rsa_key(257, 65537)
    ciphertext = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(key.public, b"PIN", PS=b"\1" * 27).result
    with pytest.raises(AttackFailed, match="does not accept a good ciphertext"):
        bleichenbacher.decrypt(key.public, ciphertext, lambda c: False)
    with pytest.raises(AttackFailed, match=r"contradict|gave up"):
        bleichenbacher.decrypt(key.public, ciphertext, lambda c: True, limit=5000)
