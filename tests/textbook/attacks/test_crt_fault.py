"""Tests lepton_lab.textbook.attacks.crt_fault: one faulty signature factors the key."""

from __future__ import annotations

import math
import secrets

import pytest

from lepton_lab import rsa
from lepton_lab.textbook.attacks import AttackFailed, crt_fault
from lepton_lab.textbook.primitives import pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import MESSAGE, helper_rsa_key, helper_rsa_public, weak_rsa_key


@pytest.mark.parametrize("bit", [0, 17, 300])
def test_one_faulty_signature_factors_the_key(bit: int) -> None:
    key = weak_rsa_key(e=65537)
    S = crt_fault.faulty_sign(key, MESSAGE, bit)
    assert set(crt_fault.factor(key.public, MESSAGE, S).result) == {key.p, key.q}


def test_no_fault_or_a_salt_leaks_nothing() -> None:
    key = weak_rsa_key(e=65537)
    right = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(key, MESSAGE).result
    with pytest.raises(AttackFailed, match="right"):
        crt_fault.factor(key.public, MESSAGE, right)
    # the same fault under PSS: the salt is unknown, so there is no m to compare with
    emBits = key.n.bit_length() - 1
    EM = tb_rsa.EMSA_PSS_ENCODE(MESSAGE, emBits, salt=secrets.token_bytes(32)).result
    m = tb_rsa.OS2IP(EM)
    dP, dQ, qInv = key.crt
    s_1 = pow(m, dP, key.p) ^ 1
    s_2 = pow(m, dQ, key.q)
    faulty = s_2 + key.q * ((s_1 - s_2) * qInv % key.p)
    # it would leak to anyone who knew m
    assert math.gcd(pow(faulty, key.e, key.n) - m, key.n) == key.q
    with pytest.raises(AttackFailed, match="salt"):
        crt_fault.factor(key.public, MESSAGE, tb_rsa.I2OSP(faulty, 128))
    with pytest.raises(AttackFailed, match="salt"):
        crt_fault.factor(helper_rsa_public(), MESSAGE, rsa.sign(helper_rsa_key(), MESSAGE))
