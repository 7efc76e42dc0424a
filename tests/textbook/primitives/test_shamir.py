"""Tests lepton_lab.textbook.primitives.shamir: counted out over small fields, and the helper's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import shamir as helper
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import shamir as tb_shamir
from lepton_lab.workshop.engine import find
from tests.support.paths import VECTORS

PUBLISHED = json.loads((VECTORS / "shamir_gf256.json").read_text())
F11 = tb_shamir.prime_field(11)
F257 = tb_shamir.prime_field(257)
LARGE_FIELD = tb_shamir.prime_field(2**127 - 1)
FIELDS = st.sampled_from([F11, F257, LARGE_FIELD, tb_shamir.GF256])


def test_the_published_shares_of_slip39_give_their_secrets() -> None:
    for vector in PUBLISHED["slip39"]:
        shares = {int(x): bytes.fromhex(values) for x, values in vector["shares"].items()}
        assert tb_shamir.combine_bytes(shares, 255).result.hex() == vector["secret_at_255"]
        assert tb_shamir.combine_bytes(shares, 254).result.hex() == vector["digest_at_254"]


def test_shares_that_others_made_give_their_secrets() -> None:
    for printed, secret in PUBLISHED["at_zero"]:
        shares = {int(x): int(value, 16) for x, value in printed.items()}
        assert tb_shamir.combine(shares).result == int(secret, 16)


@given(st.data(), FIELDS)
def test_any_threshold_of_shares_give_the_secret(
    data: st.DataObject, field: tb_shamir.FiniteField
) -> None:
    element = st.integers(0, field.size - 1)
    place = st.integers(1, min(field.size - 1, 300))
    xs = data.draw(st.lists(place, min_size=3, max_size=6, unique=True))
    secret = data.draw(element)
    coefficients = data.draw(st.lists(element, max_size=2))
    shares = tb_shamir.split(secret, coefficients, xs, field).result
    for chosen in combinations(xs, len(coefficients) + 1):
        assert tb_shamir.combine({x: shares[x] for x in chosen}, field).result == secret


@given(st.integers(0, 255), st.binary(max_size=3))
def test_coefficients_may_be_given_as_bytes(secret: int, coefficients: bytes) -> None:
    shares = tb_shamir.split(secret, coefficients, range(1, 6)).result
    for chosen in combinations(shares, len(coefficients) + 1):
        assert tb_shamir.combine({x: shares[x] for x in chosen}).result == secret


def test_fewer_shares_fit_every_secret_equally_often() -> None:
    for seen in ({1: 4, 5: 9}, {2: 0}, {}):
        fitting: Counter[int] = Counter()
        for secret, a, b in product(range(11), repeat=3):
            shares = tb_shamir.split(secret, [a, b], [1, 2, 5], F11).result
            fitting[secret] += all(shares[x] == y for x, y in seen.items())
        assert set(fitting.values()) == {11 ** (2 - len(seen))}


def test_one_share_of_two_fits_every_secret_exactly_once() -> None:
    for share in (0, 1, 0x53):
        fits = []
        for secret, coefficient in product(range(256), repeat=2):
            found = tb_shamir.split(secret, bytes([coefficient]), [3]).result
            if found[3] == share:
                fits.append(secret)
        assert fits == list(range(256))


def test_a_forged_share_moves_the_secret_by_what_the_forger_chose() -> None:
    shares = tb_shamir.split(7, [3, 5], [1, 2, 3], F11).result
    weight = tb_shamir.weights([1, 2, 3], F11)[2]
    forged = (shares[2] + 4 * F11.inverse(weight)) % 11
    assert tb_shamir.combine(shares | {2: forged}, F11).result == (7 + 4) % 11
    assert find("keys.secret").solution(shares, 11) == 7


def test_the_helpers_shares_are_read_by_the_textbook() -> None:
    secret = b"a master key"
    shares = helper.split(secret, 3, 5)[1:4]
    payload = tb_shamir.combine_bytes({share.index: share.values for share in shares}).result
    assert payload.startswith(secret)
    assert len(payload) == len(secret) + 64
    for place, byte in enumerate(secret):
        values = {share.index: share.values[place] for share in shares}
        assert tb_shamir.combine(values).result == byte


@pytest.mark.parametrize(
    "call",
    [
        lambda: tb_shamir.prime_field(15),
        lambda: tb_shamir.split(11, [1], [1], F11),
        lambda: tb_shamir.split(1, [1], [0, 1], F11),
        lambda: tb_shamir.split(1, [1], [1, 1], F11),
        lambda: tb_shamir.split(1, [1], [], F11),
        lambda: tb_shamir.split(256, b"a", [1]),
        lambda: tb_shamir.split(1, b"a", [0]),
        lambda: tb_shamir.evaluate("a", 1),
        lambda: tb_shamir.combine({}),
        lambda: tb_shamir.combine({}, F11),
        lambda: tb_shamir.combine({1: 11}, F11),
        lambda: tb_shamir.combine_bytes({}),
        lambda: tb_shamir.combine_bytes({1: b"a", 2: b"ab"}),
    ],
)
def test_what_cannot_be_shared_or_combined_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InvalidParameter):
        call()
