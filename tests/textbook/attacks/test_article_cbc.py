"""Tests lepton_lab.textbook.attacks.article_cbc: the three bugs of the article's AES."""

from __future__ import annotations

import base64

import pytest
from Crypto.Cipher import AES as PYCRYPTODOME_AES

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, article_cbc, weak
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV


def test_the_articles_encryption_takes_whole_blocks_only() -> None:
    with pytest.raises(InvalidParameter, match="13 bytes"):
        article_cbc.symmetric_encrypt("Hello, World!", AES_KEY, IV)
    with pytest.raises(ValueError, match="padded to 16 byte boundary"):  # the real one
        PYCRYPTODOME_AES.new(AES_KEY, PYCRYPTODOME_AES.MODE_CBC, IV).encrypt(b"Hello, World!")


def test_what_the_articles_encryption_returns_its_decryption_cannot_take() -> None:
    sealed = article_cbc.symmetric_encrypt("Hello, World!!!!", AES_KEY, IV)
    iv = base64.b64encode(IV).decode()
    with pytest.raises(InvalidParameter, match="base64 text"):
        article_cbc.symmetric_decrypt(sealed, AES_KEY, iv)  # type: ignore[arg-type]
    # decoded, but with its IV in front: one block too many
    raw = base64.b64decode(sealed)
    with pytest.raises(DecryptionError, match="UTF-8"):
        article_cbc.symmetric_decrypt(raw, AES_KEY, iv)
    assert article_cbc.symmetric_decrypt(raw[16:], AES_KEY, iv) == "Hello, World!!!!"


MEMO = b"Pay to Alice:   the sum of 100 euros, today.    "


def article_message() -> bytes:
    return IV + weak.cbc_encrypt(AES_KEY, IV, MEMO)


def article_opens(message: bytes) -> bytes:
    return article_cbc.repaired_decrypt(message, AES_KEY)


def test_a_wrong_iv_loses_the_first_block_and_no_more() -> None:
    trace = article_cbc.wrong_iv(article_message(), bytes(16), article_opens)
    assert trace.result == MEMO[16:]
    assert trace["P_1"] != MEMO[:16]


def test_the_first_block_is_rewritten_and_the_end_cut_off() -> None:
    message = article_message()
    rewritten = article_cbc.rewrite(message, b"Pay to Alice:", b"Pay to Mallo:", article_opens)
    forged = rewritten.result
    assert article_opens(forged) == MEMO.replace(b"Alice", b"Mallo")
    shorter = article_cbc.cut(article_message(), 1, article_opens).result
    assert article_opens(shorter) == MEMO[:32]


def test_the_helper_refuses_the_wrong_nonce_the_rewriting_and_the_cut() -> None:
    def opens(message: bytes) -> bytes:
        return aes.decrypt(HELPER_AES_KEY, message)

    message = aes.encrypt(HELPER_AES_KEY, MEMO)
    for attack in (
        lambda: article_cbc.wrong_iv(message, bytes(16), opens),
        lambda: article_cbc.rewrite(message, b"Pay to Alice:", b"Pay to Mallo:", opens),
        lambda: article_cbc.cut(message, 1, opens),
    ):
        with pytest.raises(AttackFailed, match="authenticated"):
            attack()
    with pytest.raises(AttackFailed, match="does not reach"):
        article_cbc.rewrite(message, b"known", b"other", lambda m: b"something else")
