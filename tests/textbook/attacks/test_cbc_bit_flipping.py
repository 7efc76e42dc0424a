"""Tests lepton_lab.textbook.attacks.cbc_bit_flipping: it rewrites CBC, the helper notices."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, cbc_bit_flipping
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV, helper_accepts


def test_a_flipped_bit_makes_a_guest_an_admin() -> None:
    message = cbc_bit_flipping.seal(AES_KEY, IV, b"name=eve;padding=xxx;role=guest;")
    trace = cbc_bit_flipping.flip(message, 26, b"guest", b"admin", lambda m: True)
    plaintext = cbc_bit_flipping.unseal(AES_KEY, trace.result)
    assert plaintext[16:] == b"=xxx;role=admin;"
    assert plaintext[:16] != b"name=eve;padding"  # the price


def test_in_the_first_block_a_flipped_bit_has_no_price() -> None:
    message = cbc_bit_flipping.seal(AES_KEY, IV, b"name=eve;padding=xxx;role=guest;")
    forged = cbc_bit_flipping.flip(message, 5, b"eve", b"bob", lambda m: True).result
    plaintext = cbc_bit_flipping.unseal(AES_KEY, forged)
    assert plaintext == b"name=bob;padding=xxx;role=guest;"


def test_the_helper_notices_every_flipped_bit() -> None:
    message = aes.encrypt(HELPER_AES_KEY, b"name=eve;padding=xxx;role=guest;")
    for at in range(0, 32, 5):
        with pytest.raises(AttackFailed, match="noticed"):
            cbc_bit_flipping.flip(message, at, b"x", b"y", helper_accepts)


def test_flipping_refuses_what_crosses_a_block() -> None:
    message = cbc_bit_flipping.seal(AES_KEY, IV, bytes(40))
    for at, known, wanted in (
        (14, b"xxx", b"yyy"),
        (0, b"x", b"yy"),
        (-1, b"x", b"y"),
        (48, b"x", b"y"),
    ):
        with pytest.raises(InvalidParameter, match="one block"):
            cbc_bit_flipping.flip(message, at, known, wanted, lambda m: True)
