"""Tests lepton_lab.textbook.attacks.article_rsa: encrypt(…, 32)[0] confirms guesses."""

from __future__ import annotations

import pytest
from Crypto.PublicKey import RSA as PYCRYPTODOME_RSA

from lepton_lab import rsa
from lepton_lab.textbook.attacks import AttackFailed, article_rsa
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import helper_rsa_key, helper_rsa_public, weak_rsa_key


def test_the_articles_encryption_is_raw_and_the_32_does_nothing() -> None:
    public = weak_rsa_key(e=65537).public
    assert article_rsa.encrypt(public, b"yes", 32) == article_rsa.encrypt(public, b"yes", 0)
    (ciphertext,) = article_rsa.encrypt(public, b"yes", 32)
    raw = pow(int.from_bytes(b"yes", "big"), 65537, public.n)
    assert tb_rsa.OS2IP(ciphertext) == raw


def test_pycryptodome_keeps_the_name_only_to_refuse() -> None:
    key = weak_rsa_key(e=65537)
    theirs = PYCRYPTODOME_RSA.construct((key.n, key.e, key.d))
    with pytest.raises(NotImplementedError, match=r"(?i)oaep"):
        theirs.encrypt(b"Hello, World!", 32)
    with pytest.raises(NotImplementedError):
        theirs.decrypt(b"")


def test_a_raw_ciphertext_confirms_the_right_guess() -> None:
    public = weak_rsa_key(e=65537).public
    ballots = [b"Ada Lovelace", b"Alan Turing", b"Grace Hopper"]
    (ciphertext,) = article_rsa.encrypt(public, ballots[2], 32)
    trace = article_rsa.confirm(public, ciphertext, ballots)
    assert (trace.result, trace["tried"]) == (ballots[2], 3)
    with pytest.raises(AttackFailed, match="none of 2 guesses"):
        article_rsa.confirm(public, ciphertext, ballots[:2])


def test_a_short_secret_is_met_in_the_middle() -> None:
    public = weak_rsa_key(e=65537).public
    pin = 7_907 * 8_101  # 26 bits, in 2 · 2^13 exponentiations
    c = article_rsa.encrypt(public, tb_rsa.I2OSP(pin, 4), 32)[0]
    trace = article_rsa.meet_in_the_middle(public, c, half_bits=13)
    assert trace.result == pin
    with pytest.raises(AttackFailed, match="not a product"):
        article_rsa.meet_in_the_middle(public, c, half_bits=8)


def test_numbers_that_share_a_prime_with_n_do_no_harm() -> None:
    tiny = tb_rsa.key_from_primes(61, 53, 17).result.public
    c = article_rsa.encrypt(tiny, b"\x06", 32)[0]
    assert article_rsa.meet_in_the_middle(tiny, c, half_bits=7).result % 3233 == 6


def test_the_helper_confirms_no_guess() -> None:
    votes = [b"yes", b"no"]
    ciphertext = rsa.encrypt(helper_rsa_key().public_key(), b"yes")
    with pytest.raises(AttackFailed, match="randomised"):
        article_rsa.confirm(helper_rsa_public(), ciphertext, votes)
    with pytest.raises(AttackFailed, match="padded"):
        article_rsa.meet_in_the_middle(helper_rsa_public(), ciphertext, half_bits=8)
