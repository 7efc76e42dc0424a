"""Tests lepton_lab.paillier.linear and lepton_lab.paillier.multiexp: weighted sums are exact."""

from __future__ import annotations

import numpy as np
import pytest
from gmpy2 import invert, mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber
from lepton_lab.paillier.multiexp import power_product

public, private = paillier.generate_keypair(2048)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 10**40), st.integers(-(2**70), 2**70)), max_size=40))
def test_a_product_of_powers_is_that_of_the_powers(terms):
    modulus = mpz(2**521 - 1)
    expected = mpz(1)
    for base, exponent in terms:
        expected = expected * powmod(base, exponent, modulus) % modulus
    assert power_product([mpz(b) for b, _ in terms], [e for _, e in terms], modulus) == expected


@pytest.mark.parametrize("count", [1, 2, 300])
@pytest.mark.parametrize("exponent", [0, 1, -1, 127, 128, -128, -129, 2**64, -(2**64)])
def test_the_edges_of_signed_digits(count, exponent):
    modulus = mpz(2**127 - 1)
    base = mpz(3)
    product = power_product([base] * count, [exponent] * count, modulus)
    assert product == powmod(powmod(base, count, modulus), exponent, modulus)
    assert invert(product, modulus)


weights = st.integers(-(2**64), 2**64) | st.floats(-1e6, 1e6)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(-1000, 1000), st.integers(-(2**64), 2**64)), min_size=1, max_size=20
    )
)
def test_dot_products_of_integers_are_exact(terms):
    encrypted = [public.encrypt(x) for x, _ in terms]
    total = paillier.dot([w for _, w in terms], encrypted)
    assert private.decrypt(total) == sum(x * w for x, w in terms)
    assert total.exponent == encrypted[0].exponent


@settings(max_examples=15)
@given(st.lists(weights, min_size=3, max_size=3))
def test_dot_products_agree_with_one_product_after_the_other(row):
    encrypted = [
        public.encrypt(1.5),
        EncryptedNumber.from_phe(public.to_phe().encrypt(-2)),
        public.encrypt(7) * 3,
    ]
    one_by_one = sum(number * weight for number, weight in zip(encrypted, row, strict=True))
    assert private.decrypt(paillier.dot(row, encrypted)) == private.decrypt(one_by_one)


def test_a_matrix_times_an_encrypted_vector():
    matrix = np.array([[1, -2, 3], [0, 0, 0], [-7, 8, 9]])
    encrypted = [public.encrypt(x) for x in (0.5, -4, 2)]
    products = [private.decrypt(total) for total in paillier.matvec(matrix, encrypted)]
    assert products == (matrix @ [0.5, -4, 2]).tolist()
    floats = [private.decrypt(total) for total in paillier.matvec(matrix / 4, encrypted)]
    assert floats == (matrix / 4 @ [0.5, -4, 2]).tolist()
    assert paillier.matvec([], encrypted) == []


def test_a_weighted_sum_is_blinded_and_bounded():
    encrypted = [public.encrypt(x) for x in (1, 2)]
    assert paillier.dot([1, 0], encrypted).ciphertext() != encrypted[0].ciphertext()
    assert paillier.dot([1, 2], encrypted).bound == paillier.dot([-(2**64), 0], encrypted).bound
    with pytest.raises(PlaintextOverflow):
        paillier.dot([2**64 + 1, 1], encrypted)
    with pytest.raises(PlaintextOverflow):
        paillier.dot([1, 1], encrypted, limit=public.max_int)


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ([1], 2),
        ([1, 2, 3], 2),
        ([], 0),
        ([1, float("nan")], 2),
        ([1, "2"], 2),
        (5, 1),
        ([[1], [2]], 2),
    ],
)
def test_senseless_weights_are_refused(row, count):
    with pytest.raises(InvalidParameter):
        paillier.dot(row, [public.encrypt(1)] * count)
    for strangers in ([1, 2], [public.encrypt(1), paillier.generate_keypair(2048)[0].encrypt(1)]):
        with pytest.raises(InvalidParameter):
            paillier.dot([1, 2], strangers)
