"""Shamir's scheme, bare: counted out over small fields, and read by the helper's shares."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import shamir as helper
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import shamir
from lepton_lab.workshop.engine import find
from tests.support.paths import VECTORS

VECTORS = json.loads((VECTORS / "shamir_gf256.json").read_text())
F11 = shamir.prime_field(11)
FIELDS = st.sampled_from(
    [F11, shamir.prime_field(257), shamir.prime_field(2**127 - 1), shamir.GF256]
)


def test_the_published_shares_of_slip39_give_their_secrets() -> None:
    for vector in VECTORS["slip39"]:
        shares = {int(x): bytes.fromhex(values) for x, values in vector["shares"].items()}
        assert shamir.combine_bytes(shares, 255).result.hex() == vector["secret_at_255"]
        assert shamir.combine_bytes(shares, 254).result.hex() == vector["digest_at_254"]


@given(st.data(), FIELDS)
def test_any_threshold_of_shares_give_the_secret(
    data: st.DataObject, field: shamir.FiniteField
) -> None:
    element = st.integers(0, field.size - 1)
    xs = data.draw(
        st.lists(st.integers(1, min(field.size - 1, 300)), min_size=3, max_size=6, unique=True)
    )
    secret, coefficients = data.draw(element), data.draw(st.lists(element, max_size=2))
    shares = shamir.split(secret, coefficients, xs, field).result
    for chosen in combinations(xs, len(coefficients) + 1):
        assert shamir.combine({x: shares[x] for x in chosen}, field).result == secret


def test_fewer_shares_fit_every_secret_equally_often() -> None:
    for seen in ({1: 4, 5: 9}, {2: 0}, {}):
        fitting: Counter[int] = Counter()
        for secret, a, b in product(range(11), repeat=3):
            shares = shamir.split(secret, [a, b], [1, 2, 5], F11).result
            fitting[secret] += all(shares[x] == y for x, y in seen.items())
        assert set(fitting.values()) == {11 ** (2 - len(seen))}


def test_a_forged_share_moves_the_secret_by_what_the_forger_chose() -> None:
    shares = shamir.split(7, [3, 5], [1, 2, 3], F11).result
    moved = shares[2] + 4 * F11.inverse(shamir.weights([1, 2, 3], F11)[2])
    assert shamir.combine(shares | {2: moved % 11}, F11).result == (7 + 4) % 11
    assert find("keys.secret").solution(shares, 11) == 7


def test_the_helpers_shares_are_read_by_the_textbook() -> None:
    shares = helper.split(b"a master key", 3, 5)
    payload = shamir.combine_bytes({share.index: share.values for share in shares[1:4]}).result
    assert payload.startswith(b"a master key")
    assert len(payload) == len(b"a master key") + 64


@pytest.mark.parametrize(
    "call",
    [
        lambda: shamir.prime_field(15),
        lambda: shamir.split(11, [1], [1], F11),
        lambda: shamir.split(1, [1], [0, 1], F11),
        lambda: shamir.split(1, [1], [1, 1], F11),
        lambda: shamir.split(1, [1], [], F11),
        lambda: shamir.combine({}, F11),
        lambda: shamir.combine({1: 11}, F11),
        lambda: shamir.combine_bytes({}),
        lambda: shamir.combine_bytes({1: b"a", 2: b"ab"}),
    ],
)
def test_what_is_no_sharing_is_refused(call: object) -> None:
    with pytest.raises(InvalidParameter):
        call()  # type: ignore[operator]
