"""Tests lepton_lab.textbook.attacks.common_modulus: two keys of one modulus are broken."""

from __future__ import annotations

import pytest

from lepton_lab import rsa
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, common_modulus
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import (
    MESSAGE,
    NUMBER,
    helper_rsa_ciphertext,
    helper_rsa_public,
    oaep,
    weak_rsa_key,
)


def two_keys_of_one_modulus() -> tuple[tb_rsa.PrivateKey, tb_rsa.PrivateKey]:
    key = weak_rsa_key(e=65537)
    return key, tb_rsa.key_from_primes(key.p, key.q, 257).result


def test_two_keys_of_one_modulus_give_the_message() -> None:
    one, two = (key.public for key in two_keys_of_one_modulus())
    ciphertexts = [tb_rsa.RSAEP(public, NUMBER).result for public in (one, two)]
    assert common_modulus.message(one, ciphertexts[0], two, ciphertexts[1]).result == NUMBER


def test_one_owner_factors_the_modulus() -> None:
    owner, victim = two_keys_of_one_modulus()
    assert set(common_modulus.factor(owner.public, owner.d).result) == {victim.p, victim.q}
    for not_d in (owner.d + 2, 3, 0, 1):
        with pytest.raises(AttackFailed, match="not the inverse"):
            common_modulus.factor(owner.public, not_d)


def test_padding_and_separate_moduli_defeat_it() -> None:
    one, two = (key.public for key in two_keys_of_one_modulus())
    with pytest.raises(AttackFailed, match="different numbers"):
        common_modulus.message(one, oaep(one, MESSAGE), two, oaep(two, MESSAGE))
    with pytest.raises(AttackFailed, match="moduli differ"):
        common_modulus.message(one, 1, weak_rsa_key(which=1).public, 1)
    # all keys of the helper have the same exponent
    with pytest.raises(AttackFailed, match="factor 65537"):
        common_modulus.message(
            helper_rsa_public(),
            helper_rsa_ciphertext(),
            helper_rsa_public(),
            helper_rsa_ciphertext(),
        )
    other = rsa.generate_private_key(2048).public_key().public_numbers()
    with pytest.raises(AttackFailed, match="moduli differ"):
        common_modulus.message(
            helper_rsa_public(), helper_rsa_ciphertext(), tb_rsa.PublicKey(other.n, other.e), 1
        )
    with pytest.raises(InvalidParameter, match="a prime of n"):
        common_modulus.message(two, two_keys_of_one_modulus()[0].p, one, 0)
