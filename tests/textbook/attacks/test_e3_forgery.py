"""Tests lepton_lab.textbook.attacks.e3_forgery: only a sloppy verifier is deceived."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from lepton_lab import rsa
from lepton_lab.errors import InvalidKey, InvalidSignature
from lepton_lab.textbook.attacks import AttackFailed, e3_forgery
from lepton_lab.textbook.primitives import pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import helper_rsa_key, helper_rsa_public, weak_rsa_key


@pytest.mark.parametrize("bits", [2048, 3072])
def test_a_sloppy_verifier_takes_a_cube_root_for_a_signature(bits: int) -> None:
    public = (
        weak_rsa_key(2048).public
        if bits == 2048
        else tb_rsa.PublicKey(weak_rsa_key(2048).n << 1024 | 1, 3)
    )
    forged = e3_forgery.forge(public, b"I owe mallory 100").result
    e3_forgery.sloppy_verify(public, b"I owe mallory 100", forged)
    with pytest.raises(InvalidSignature):
        e3_forgery.sloppy_verify(public, b"I owe mallory 200", forged)
    with pytest.raises(InvalidSignature):  # the whole encoding compared, as the standard says
        pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, b"I owe mallory 100", forged)


def test_a_sloppy_verifier_takes_the_right_signature_as_well() -> None:
    key = weak_rsa_key(2048)
    e3_forgery.sloppy_verify(key.public, b"m", pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(key, b"m").result)


def test_the_helper_and_cryptography_refuse_the_forgery() -> None:
    public = weak_rsa_key(2048).public
    forged = e3_forgery.forge(public, b"I owe mallory 100").result
    with pytest.raises(Mismatch):
        RSAPublicNumbers(3, public.n).public_key().verify(
            forged, b"I owe mallory 100", PKCS1v15(), SHA256()
        )
    with pytest.raises(InvalidKey):  # the helper takes no key with e = 3
        rsa.verify(RSAPublicNumbers(3, public.n).public_key(), b"I owe mallory 100", forged)
    with pytest.raises(AttackFailed, match="e is too large"):
        e3_forgery.forge(helper_rsa_public(), b"I owe mallory 100")
    with pytest.raises(InvalidSignature):
        rsa.verify(helper_rsa_key().public_key(), b"I owe mallory 100", forged)


@pytest.mark.parametrize(("bits", "e"), [(480, 3), (512, 3), (1024, 3), (2048, 17)])
def test_the_forgery_needs_room(bits: int, e: int) -> None:
    with pytest.raises(AttackFailed, match="room"):
        e3_forgery.forge(tb_rsa.PublicKey(2**bits - 1, e), b"m")
