"""Reed–Solomon and Shamir by hand: against their definitions, the helpers, and all subsets."""

from __future__ import annotations

import json
from functools import reduce
from itertools import combinations
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import shamir
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import gf256, reed_solomon
from lepton_lab.textbook.primitives import shamir as tb_shamir
from tests.support.paths import VECTORS

BYTE = st.integers(0, 255)


@given(st.binary(min_size=1, max_size=5), st.integers(0, 4), st.data())
@settings(max_examples=60)
def test_any_k_symbols_give_the_message_back(
    message: bytes, more: int, data: st.DataObject
) -> None:
    k, n = len(message), len(message) + more
    codeword = reed_solomon.encode(message, n).result
    assert codeword[:k] == message
    kept = data.draw(st.sets(st.integers(0, n - 1), min_size=k))
    assert reed_solomon.decode({at: codeword[at] for at in kept}, k).result == message


@given(st.binary(min_size=1, max_size=4))
def test_a_codeword_is_the_values_of_one_polynomial(message: bytes) -> None:
    codeword = reed_solomon.encode(message, 8).result
    for coefficients in _all_fits(message):
        assert codeword == bytes(_value(coefficients, x) for x in range(8))


def _value(coefficients: bytes, x: int) -> int:
    return reduce(
        xor,
        (reed_solomon.multiply(c, gf256.power(x, i, 0x11D)) for i, c in enumerate(coefficients)),
    )


def _all_fits(message: bytes) -> list[bytes]:
    """The coefficients, by solving the equations P(i) = message[i]: another way than Lagrange's."""
    k = len(message)
    vandermonde = [[gf256.power(x, i, 0x11D) for i in range(k)] for x in range(k)]
    return [reed_solomon.times(reed_solomon.invert(vandermonde).result, message)]


def test_lagranges_weights_are_a_scaled_cauchy_matrix() -> None:
    k, n = 3, 6
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
                inverse = reed_solomon.invert(square).result
                for unit in range(size):
                    column = [row[unit] for row in inverse]
                    assert reed_solomon.times(square, column) == bytes(
                        int(i == unit) for i in range(size)
                    )


@pytest.mark.parametrize(
    "wrong",
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
        lambda: tb_shamir.split(256, b"a", [1]),
        lambda: tb_shamir.split(1, b"a", [0]),
        lambda: tb_shamir.combine({}),
        lambda: tb_shamir.evaluate("a", 1),
    ],
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(InvalidParameter):
        wrong()


@given(BYTE, st.binary(max_size=3))
def test_any_threshold_shares_give_the_secret(secret: int, coefficients: bytes) -> None:
    shares = tb_shamir.split(secret, coefficients, range(1, 6)).result
    for kept in combinations(shares, len(coefficients) + 1):
        assert tb_shamir.combine({x: shares[x] for x in kept}).result == secret


def test_one_share_of_two_fits_every_secret_exactly_once() -> None:
    for share in (0, 1, 0x53):
        fits = [
            s
            for s in range(256)
            for c in range(256)
            if tb_shamir.split(s, bytes([c]), [3]).result[3] == share
        ]
        assert fits == list(range(256))


def test_it_opens_the_helpers_shares_byte_by_byte() -> None:
    shares = shamir.split(b"lepton", 3, 5)[1:4]
    for place, byte in enumerate(b"lepton"):
        assert (
            tb_shamir.combine({share.index: share.values[place] for share in shares}).result == byte
        )


def test_it_opens_shares_that_others_made() -> None:
    vectors = json.loads((VECTORS / "shamir_gf256.json").read_text())
    for case in vectors["slip39"]:
        shares = {int(x): bytes.fromhex(values) for x, values in case["shares"].items()}
        for place, byte in enumerate(bytes.fromhex(case["secret_at_255"])):
            values = {x: share[place] for x, share in shares.items()}
            assert reed_solomon.interpolate(values, 255, gf256.AES_POLYNOMIAL).result == byte
    for shares, secret in vectors["at_zero"]:
        found = tb_shamir.combine({int(x): int(value, 16) for x, value in shares.items()}).result
        assert found == int(secret, 16)
