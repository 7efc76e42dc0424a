"""Tests lepton_lab.textbook.attacks.small_exponent: roots are taken, except of padded numbers."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from lepton_lab import rsa
from lepton_lab.errors import InvalidKey
from lepton_lab.textbook.attacks import AttackFailed, small_exponent
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import (
    MESSAGE,
    NUMBER,
    helper_rsa_ciphertext,
    helper_rsa_public,
    oaep,
    weak_rsa_key,
)


def test_a_small_message_is_a_cube_root_away() -> None:
    public = weak_rsa_key().public
    trace = small_exponent.root(public, tb_rsa.RSAEP(public, NUMBER).result)
    assert trace.result.to_bytes(len(MESSAGE), "big") == MESSAGE


def test_a_message_to_three_receivers_is_read_without_any_key() -> None:
    # as long as the moduli, so that a cube root alone does not do it
    message = int.from_bytes(b"x" * 127, "big")
    receivers = [weak_rsa_key(which=i).public for i in range(3)]
    sent = [(public, tb_rsa.RSAEP(public, message).result) for public in receivers]
    assert small_exponent.broadcast(sent).result == message
    with pytest.raises(AttackFailed, match="not an e-th power"):
        small_exponent.root(*sent[0])
    for too_few in (sent[:2], sent[:0]):
        with pytest.raises(AttackFailed, match="receivers"):
            small_exponent.broadcast(too_few)


def test_padding_leaves_no_root_to_take() -> None:
    sent = [
        (weak_rsa_key(which=i).public, oaep(weak_rsa_key(which=i).public, MESSAGE))
        for i in range(3)
    ]
    with pytest.raises(AttackFailed, match="reduced"):
        small_exponent.root(*sent[0])
    with pytest.raises(AttackFailed, match="different numbers"):
        small_exponent.broadcast(sent)


def test_the_helper_pads_and_refuses_small_exponents() -> None:
    with pytest.raises(AttackFailed):
        small_exponent.root(helper_rsa_public(), helper_rsa_ciphertext())
    with pytest.raises(AttackFailed, match="65537"):
        small_exponent.broadcast([(helper_rsa_public(), helper_rsa_ciphertext())] * 3)
    with pytest.raises(InvalidKey, match="65537"):
        rsa.encrypt(RSAPublicNumbers(3, weak_rsa_key(2048).n).public_key(), MESSAGE)
