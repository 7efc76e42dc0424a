"""Tests lepton_lab.textbook.attacks (its oracles) and lepton_lab.textbook.attacks.weak."""

from __future__ import annotations

import pytest

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives import aes as tb_aes
from tests.support.textbook_keys import AES_KEY, IV


def test_the_fast_forms_are_the_textbook_ones() -> None:
    blocks = bytes(range(64))
    assert weak.ecb_encrypt(AES_KEY, blocks) == tb_aes.ecb(AES_KEY, blocks).result
    assert weak.cbc_encrypt(AES_KEY, IV, blocks) == tb_aes.cbc(AES_KEY, IV, blocks).result
    assert weak.cbc_decrypt(AES_KEY, IV, blocks) == tb_aes.cbc_decrypt(AES_KEY, IV, blocks).result
    assert weak.ctr(AES_KEY, IV, blocks[:50]) == tb_aes.ctr(AES_KEY, IV, blocks[:50]).result


def test_an_oracle_is_counted_and_cut_off() -> None:
    ask = Counted(lambda x: x + 1, limit=2)
    assert (ask(1), ask(2), ask.asked) == (2, 3, 2)
    with pytest.raises(AttackFailed, match="gave up after 2 queries"):
        ask(3)
