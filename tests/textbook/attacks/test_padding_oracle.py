"""Tests lepton_lab.textbook.attacks.padding_oracle: it opens CBC, and not the helper's messages."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import (
    AttackFailed,
    Counted,
    cbc_bit_flipping,
    padding_oracle,
    weak,
)
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV, helper_accepts


@pytest.mark.parametrize("length", [0, 1, 15, 16, 33])
def test_the_padding_oracle_decrypts(length: int) -> None:
    plaintext = bytes((5 * i + 1) % 256 for i in range(length))
    message = cbc_bit_flipping.seal(AES_KEY, IV, plaintext)
    trace = padding_oracle.decrypt(message, padding_oracle.receiver(AES_KEY))
    assert trace.result == plaintext
    assert trace["queries"] <= padding_oracle.QUERIES_A_BLOCK * (length // 16 + 1)


@pytest.mark.parametrize("last_two", [b"\x02\x02", b"\x02\x03", b"\x01\x01", b"\x03\x03"])
def test_the_padding_oracle_is_not_misled_by_lucky_guesses(last_two: bytes) -> None:
    block = weak.ecb_encrypt(AES_KEY, b"a block of 14 o"[:14] + last_two)
    receiver = padding_oracle.receiver(AES_KEY)
    assert padding_oracle.decrypted_block(block, receiver) == b"a block of 14 " + last_two


def test_the_padding_oracle_encrypts_too() -> None:
    wanted = b"transfer everything to mallory"
    forged = padding_oracle.encrypt(wanted, padding_oracle.receiver(AES_KEY)).result
    assert cbc_bit_flipping.unseal(AES_KEY, forged) == wanted


def test_the_helper_is_not_a_padding_oracle() -> None:
    # 12 + 20 + 16 bytes: as if it were an IV and two blocks
    message = aes.encrypt(HELPER_AES_KEY, bytes(20))
    ask = Counted(helper_accepts, 10_000)
    with pytest.raises(AttackFailed, match="no guess was accepted"):
        padding_oracle.decrypt(message, ask)
    assert ask.asked == 256


def test_an_oracle_that_always_says_the_same_gives_nothing() -> None:
    message = cbc_bit_flipping.seal(AES_KEY, IV, b"some secret text")
    for answer in (True, False):
        with pytest.raises(AttackFailed):
            padding_oracle.decrypt(message, lambda m, answer=answer: answer)  # type: ignore[misc]
    for wrong in (b"", bytes(16), bytes(33)):
        with pytest.raises(InvalidParameter):
            padding_oracle.decrypt(wrong, lambda m: True)
