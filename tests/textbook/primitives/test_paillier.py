"""Tests lepton_lab.textbook.primitives.paillier: a worked example, all of a toy key, and peers.

The peers are phe and the helper.
"""

from __future__ import annotations

import math
import secrets

import phe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, MessageTooLarge
from lepton_lab.textbook.primitives import paillier as tb_paillier

TOY = tb_paillier.key_from_primes(7, 11).result
PUBLIC, PRIVATE = paillier.generate_keypair(2048)
LARGE = tb_paillier.key_from_primes(PRIVATE.p, PRIVATE.q).result
UNITS = [r for r in range(1, 77) if math.gcd(r, 77) == 1]


def test_the_worked_example_of_okeeffe():
    """Michael O'Keeffe, The Paillier Cryptosystem, The College of New Jersey, 2008."""
    trace = tb_paillier.key_from_primes(7, 11, g=5652)
    assert (trace["n"], trace["λ"], trace["g^λ mod n²"], trace["μ"]) == (77, 30, 3928, 74)
    assert tb_paillier.encrypt(trace.result.public, 42, r=23).result == 4624
    assert tb_paillier.decrypt(trace.result, 4624).result == 42
    assert tb_paillier.decrypt(trace.result, 4624, crt=True).result == 42


def test_every_message_under_every_noise_is_a_ciphertext_of_its_own():
    seen = {tb_paillier.encrypt(TOY.public, m, r).result: m for m in range(77) for r in UNITS}
    assert len(seen) == 77 * len(UNITS)  # a bijection onto (Z/n²)*, the paper's lemma 3
    assert all(math.gcd(c, 77) == 1 for c in seen)
    for c, m in seen.items():
        assert (
            tb_paillier.decrypt(TOY, c).result == tb_paillier.decrypt(TOY, c, crt=True).result == m
        )


@pytest.mark.parametrize(
    "g", [g for g in range(2, 200) if pow(g, 30, 5929) % 77 == 1 and pow(g, 30, 5929) != 1]
)
def test_any_base_of_the_right_order_serves_and_no_other(g):
    logarithm = (pow(g, 30, 5929) - 1) // 77
    if math.gcd(logarithm, 77) == 1:
        key = tb_paillier.key_from_primes(7, 11, g).result
        assert tb_paillier.decrypt(key, tb_paillier.encrypt(key.public, 50, 5).result).result == 50
    else:
        with pytest.raises(InvalidKey):
            tb_paillier.key_from_primes(7, 11, g)


@settings(max_examples=60)
@given(
    st.integers(0, 76),
    st.integers(0, 76),
    st.integers(-500, 500),
    st.sampled_from(UNITS),
    st.sampled_from(UNITS),
)
def test_the_homomorphic_laws_modulo_n(m1, m2, k, r1, r2):
    public = TOY.public
    c1, c2 = tb_paillier.encrypt(public, m1, r1).result, tb_paillier.encrypt(public, m2, r2).result
    opened = {
        tb_paillier.add(public, c1, c2).result: m1 + m2,
        tb_paillier.add_plain(public, c1, k).result: m1 + k,
        tb_paillier.multiply(public, c1, k).result: m1 * k,
        tb_paillier.blind(public, c1, r2).result: m1,
    }
    for c, m in opened.items():
        assert tb_paillier.decrypt(TOY, c).result == m % 77


@given(st.integers(2, 10**6), st.integers(0, 64))
def test_the_binomial_step(n, m):
    trace = tb_paillier.binomial(n, m)
    assert trace.result == pow(1 + n, m, n**2) == (1 + m * n) % n**2
    assert len(trace) == m + 2
    assert all(step.value == 0 for step in trace.steps[2:-1])


def test_signed_numbers_fill_both_halves():
    assert [tb_paillier.signed(TOY.public, m) for m in (0, 1, 38, 39, 76)] == [0, 1, 38, -38, -1]


def test_it_agrees_with_the_helper_and_with_phe_on_a_real_key():
    theirs, public = PUBLIC.to_phe(), LARGE.public
    for m in (0, 1, PUBLIC.n - 1, secrets.randbelow(PUBLIC.n)):
        r = secrets.randbelow(PUBLIC.n - 1) + 1
        c = tb_paillier.encrypt(public, m, r).result
        assert c == theirs.raw_encrypt(m, r)
        assert (
            tb_paillier.decrypt(LARGE, c).result
            == tb_paillier.decrypt(LARGE, c, crt=True).result
            == m
        )
        assert PRIVATE.to_phe().raw_decrypt(c) == m
    number = PUBLIC.encrypt(-42, exponent=0)
    assert tb_paillier.signed(public, tb_paillier.decrypt(LARGE, number.ciphertext()).result) == -42
    c = tb_paillier.encrypt(public, 42, secrets.randbelow(PUBLIC.n)).result
    assert PRIVATE.decrypt(paillier.EncryptedNumber(PUBLIC, c, exponent=0)) == 42
    assert PRIVATE.decrypt(paillier.EncryptedNumber.from_phe(phe.EncryptedNumber(theirs, c))) == 42


def test_the_trace_shows_the_papers_steps():
    trace = tb_paillier.encrypt(TOY.public, 5, 2)
    assert trace.names() == ["g^m mod n²", "r", "r^n mod n²", "c"]
    assert trace["g^m mod n²"] == 1 + 5 * 77
    assert tb_paillier.decrypt(TOY, trace.result).names() == [
        "c",
        "c^λ mod n²",
        "L(c^λ mod n²)",
        "m",
    ]
    assert "p: h" in tb_paillier.decrypt(TOY, trace.result, crt=True).names()
    assert "lam" not in repr(TOY)


@pytest.mark.parametrize(
    ("p", "q"), [(7, 7), (7, 29), (15, 77), (8, 11), (1, 7), (7, "11"), (True, 7)]
)
def test_primes_that_make_no_key_are_refused(p, q):
    with pytest.raises((InvalidKey, InvalidParameter)):
        tb_paillier.key_from_primes(p, q)


@pytest.mark.parametrize("g", [0, 1, 7, 5928, 77**2, -5, 1.5])
def test_bases_of_a_wrong_order_are_refused(g):
    with pytest.raises((InvalidKey, InvalidParameter)):
        tb_paillier.key_from_primes(7, 11, g)


@pytest.mark.parametrize("c", [0, 7, 77, 5929, 5930, -1, 1.0, None])
def test_what_is_no_ciphertext_is_refused(c):
    for crt in (False, True):
        with pytest.raises(DecryptionError):
            tb_paillier.decrypt(TOY, c, crt=crt)
    for operation in (
        tb_paillier.add,
        tb_paillier.add_plain,
        tb_paillier.multiply,
        tb_paillier.blind,
    ):
        with pytest.raises(InvalidParameter):
            operation(TOY.public, c, 5)


@pytest.mark.parametrize("r", [0, 7, 11, 77, 78, -1, 2.0])
def test_noise_that_is_no_unit_is_refused(r):
    with pytest.raises(InvalidParameter):
        tb_paillier.encrypt(TOY.public, 5, r)


def test_messages_out_of_range_are_refused():
    with pytest.raises(MessageTooLarge):
        tb_paillier.encrypt(TOY.public, 77, 5)
    for m in (-1, 1.5, None):
        with pytest.raises(InvalidParameter):
            tb_paillier.encrypt(TOY.public, m, 5)
    for u in (0, 2, 77):
        with pytest.raises(InvalidParameter):
            tb_paillier.L(u, 77)
