"""Tests lepton_lab.textbook.primitives.reed_solomon: definitions, and all subsets of symbols."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import gf256, reed_solomon
from tests.support.paths import VECTORS


@given(st.binary(min_size=1, max_size=5), st.integers(0, 4), st.data())
@settings(max_examples=60)
def test_any_k_symbols_give_the_message_back(
    message: bytes, more: int, data: st.DataObject
) -> None:
    k = len(message)
    n = k + more
    codeword = reed_solomon.encode(message, n).result
    assert codeword[:k] == message
    kept = data.draw(st.sets(st.integers(0, n - 1), min_size=k))
    assert reed_solomon.decode({at: codeword[at] for at in kept}, k).result == message


@given(st.binary(min_size=1, max_size=4))
def test_a_codeword_is_the_values_of_one_polynomial(message: bytes) -> None:
    codeword = reed_solomon.encode(message, 8).result
    coefficients = _coefficients(message)
    assert codeword == bytes(_value(coefficients, x) for x in range(8))


def _coefficients(message: bytes) -> bytes:
    """Solve the equations P(i) = message[i]: another way than Lagrange's."""
    k = len(message)
    vandermonde = [[gf256.power(x, i, 0x11D) for i in range(k)] for x in range(k)]
    return reed_solomon.times(reed_solomon.invert(vandermonde).result, message)


def _value(coefficients: bytes, x: int) -> int:
    value = 0
    for i, coefficient in enumerate(coefficients):
        value ^= reed_solomon.multiply(coefficient, gf256.power(x, i, 0x11D))
    return value


def test_lagranges_weights_are_a_scaled_cauchy_matrix() -> None:
    k = 3
    n = 6
    cauchy = reed_solomon.cauchy(range(k, n), range(k))
    for x, row in zip(range(k, n), cauchy, strict=True):
        weights = reed_solomon.lagrange_weights(range(k), x).result
        above = reduce(reed_solomon.multiply, (x ^ y for y in range(k)))
        for y in range(k):
            below = reduce(reed_solomon.multiply, (y ^ other for other in range(k) if other != y))
            scale = reed_solomon.multiply(above, reed_solomon.inverse(below))
            assert weights[y] == reed_solomon.multiply(scale, row[y])


def test_every_square_of_a_cauchy_matrix_has_an_inverse() -> None:
    matrix = reed_solomon.cauchy(range(4, 8), range(4))
    for size in (1, 2, 3, 4):
        for rows in combinations(range(4), size):
            for columns in combinations(range(4), size):
                square = [[matrix[r][c] for c in columns] for r in rows]
                _check_inverse(square)


def _check_inverse(square: list[list[int]]) -> None:
    inverse = reed_solomon.invert(square).result
    for unit in range(len(square)):
        column = [row[unit] for row in inverse]
        expected = bytes(int(i == unit) for i in range(len(square)))
        assert reed_solomon.times(square, column) == expected


def test_interpolation_in_the_field_of_aes_opens_the_shares_of_slip39() -> None:
    published = json.loads((VECTORS / "shamir_gf256.json").read_text())
    for case in published["slip39"]:
        shares = {int(x): bytes.fromhex(values) for x, values in case["shares"].items()}
        for place, byte in enumerate(bytes.fromhex(case["secret_at_255"])):
            values = {x: share[place] for x, share in shares.items()}
            assert reed_solomon.interpolate(values, 255, gf256.AES_POLYNOMIAL).result == byte


@pytest.mark.parametrize(
    "call",
    [
        lambda: reed_solomon.encode(b"", 3),
        lambda: reed_solomon.encode(b"abc", 2),
        lambda: reed_solomon.encode(b"abc", 257),
        lambda: reed_solomon.encode("abc", 5),
        lambda: reed_solomon.decode({0: 1}, 2),
        lambda: reed_solomon.decode({0: 1, 300: 2}, 2),
        lambda: reed_solomon.decode({0: 1, 1: 256}, 2),
        lambda: reed_solomon.interpolate({}, 0),
        lambda: reed_solomon.interpolate({1: 2}, 256),
        lambda: reed_solomon.lagrange_weights([1, 1], 0),
        lambda: reed_solomon.cauchy([1, 2], [2, 3]),
        lambda: reed_solomon.times([[1, 2]], [1]),
        lambda: reed_solomon.invert([[1, 2], [1, 2]]),
        lambda: reed_solomon.invert([[1, 2]]),
    ],
)
def test_what_cannot_be_coded_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InvalidParameter):
        call()
