"""Tests lepton_lab.shamir: published points, perfect secrecy counted out, every kind of forger."""

from __future__ import annotations

import hmac
import itertools
import json
import secrets
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import shamir
from lepton_lab.buffers import framed
from lepton_lab.errors import IntegrityError, InvalidParameter, LabError, NotEnoughShards
from lepton_lab.shamir import Share
from tests.support.paths import VECTORS

VECTORS = json.loads((VECTORS / "shamir_gf256.json").read_text())
SECRET = bytes(range(32))


def points(shares: dict[str, str]) -> dict[int, bytes]:
    return {int(x): bytes.fromhex(values) for x, values in shares.items()}


# --- the field and the published points ----------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "product"), VECTORS["products"])
def test_products_match_fips_197(a, b, product):
    assert (
        shamir._times(int(a, 16), int(b, 16), 1)
        == shamir._times(int(b, 16), int(a, 16), 1)
        == int(product, 16)
    )


@pytest.mark.parametrize("case", VECTORS["slip39"], ids=lambda case: case["source"])
def test_interpolation_matches_slip39(case):
    secret, digest = shamir._interpolated(points(case["shares"]), [255, 254])
    assert (secret.hex(), digest.hex()) == (case["secret_at_255"], case["digest_at_254"])
    assert hmac.digest(digest[4:], secret, "sha256")[:4] == digest[:4]


@pytest.mark.parametrize(("shares", "at_zero"), VECTORS["at_zero"])
def test_interpolation_matches_another_library(shares, at_zero):
    assert shamir._interpolated(points(shares), [0])[0].hex() == at_zero


LOG = {1: 0}
for exponent in range(1, 255):
    last = next(reversed(LOG))
    LOG[(last << 1) ^ last ^ (0x11B if last & 0x80 else 0)] = exponent
EXP = {exponent: element for element, exponent in LOG.items()}


def by_tables(a: int, b: int) -> int:
    """A second multiplication: logarithms to the base 3."""
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def test_every_product_and_every_inverse_agree_with_logarithm_tables():
    every = bytes(range(256))
    ones = int.from_bytes(b"\x01" * 256, "big")
    for constant in range(256):
        row = shamir._times(int.from_bytes(every, "big"), constant, ones).to_bytes(256, "big")
        assert list(row) == [by_tables(byte, constant) for byte in every]
    assert all(by_tables(element, inverse) == 1 for element, inverse in shamir._INVERSE.items())
    assert len(shamir._INVERSE) == 255


def plain_combine(shares: list[Share]) -> bytes:
    """A second implementation: Lagrange at 0 on every byte, by tables, then the payload's table."""
    payload = []
    for column in zip(*(share.values for share in shares), strict=True):
        total = 0
        for share, byte in zip(shares, column, strict=True):
            term = byte
            for other in shares:
                if other is not share:
                    quotient = EXP[(LOG[other.index] - LOG[other.index ^ share.index]) % 255]
                    term = by_tables(term, quotient)
            total ^= term
        payload.append(total)
    secret, r, tag = bytes(payload[:-64]), bytes(payload[-64:-32]), bytes(payload[-32:])
    first = shares[0]
    bound = framed(
        b"lepton_lab shamir v1", first.set_id, bytes((first.threshold, first.shares)), secret
    )
    assert hmac.digest(r, bound, "sha256") == tag
    return secret


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_second_implementation_combines_what_split_made(secret, data):
    shares = data.draw(st.integers(1, 12))
    threshold = data.draw(st.integers(1, shares))
    chosen = data.draw(st.permutations(shamir.split(secret, threshold, shares)))[:threshold]
    assert plain_combine(chosen) == shamir.combine(chosen) == secret


# --- it gives the secret back --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "shares"), [(k, n) for n in range(1, 7) for k in range(1, n + 1)]
)
def test_every_set_of_enough_shares_gives_the_secret_and_no_smaller_one(threshold, shares):
    made = shamir.split(SECRET, threshold, shares)
    assert [share.index for share in made] == list(range(1, shares + 1))
    for size in range(shares + 1):
        for chosen in itertools.combinations(made, size):
            if size >= threshold:
                assert shamir.combine(chosen) == SECRET
            else:
                with pytest.raises(NotEnoughShards) as caught:
                    shamir.combine(chosen)
                assert (caught.value.found, caught.value.needed) == (size, threshold if size else 1)


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=200), st.integers(1, 40), st.data())
def test_order_and_repetition_do_not_matter(secret, shares, data):
    threshold = data.draw(st.integers(1, shares))
    made = shamir.split(secret, threshold, shares)
    chosen = data.draw(st.permutations(made))[: data.draw(st.integers(threshold, shares))]
    assert shamir.combine(iter([*chosen, chosen[0]])) == secret


@pytest.mark.parametrize("size", [1, 2, 4096, 65536])
def test_a_secret_has_1_to_65536_bytes(size):
    secret = secrets.token_bytes(size)
    assert shamir.combine(shamir.split(secret, 2, 3)[1:]) == secret


def test_the_widest_sharing():
    made = shamir.split(b"x", 255, 255)
    assert shamir.combine(made) == b"x"
    with pytest.raises(NotEnoughShards):
        shamir.combine(made[1:])
    assert shamir.combine(shamir.split(b"x", 2, 255)[253:]) == b"x"


def test_repeated_shares_do_not_count_twice():
    made = shamir.split(SECRET, 3, 5)
    with pytest.raises(NotEnoughShards) as caught:
        shamir.combine([made[0], made[1], made[0], Share.from_bytes(made[1].to_bytes())])
    assert caught.value.found == 2


@pytest.mark.parametrize(
    ("secret", "threshold", "shares"),
    [
        (b"", 2, 3),
        (bytes(65537), 2, 3),
        ("text", 2, 3),
        (None, 2, 3),
        (SECRET, 0, 3),
        (SECRET, -1, 3),
        (SECRET, 4, 3),
        (SECRET, 2, 256),
        (SECRET, 2.0, 3),
        (SECRET, 2, "3"),
        (SECRET, True, 3),
        (SECRET, 2, None),
    ],
)
def test_what_cannot_be_shared_is_refused(secret, threshold, shares):
    with pytest.raises(InvalidParameter):
        shamir.split(secret, threshold, shares)


@pytest.mark.parametrize("shares", [None, 5, "shares", [b"share"], [None]])
def test_only_shares_are_combined(shares):
    with pytest.raises(InvalidParameter):
        shamir.combine(shares)


# --- it says nothing before ----------------------------------------------------------------------


def all_polynomials(monkeypatch, secret: int, threshold: int, shares: int) -> list[bytes]:
    """The shares of one byte under each of its 256^(threshold − 1) coefficients, side by side."""
    choices = list(itertools.product(range(256), repeat=threshold - 1))
    columns = iter([bytes(column) for column in zip(*choices, strict=True)])
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "token_bytes", lambda _: next(columns))
        return shamir._shares_of(bytes((secret,)) * len(choices), threshold, shares)


def test_one_share_of_two_fits_every_secret_equally_often(monkeypatch):
    """Exhaustive: for each of 256 secrets, 256 polynomials give each value once, at every index."""
    for secret in range(256):
        for values in all_polynomials(monkeypatch, secret, 2, 5):
            assert sorted(values) == list(range(256))


@pytest.mark.parametrize("secret", [0, 1, 0x57, 0xFF])
def test_two_shares_of_three_fit_every_secret_equally_often(monkeypatch, secret):
    """Exhaustive over 65,536 polynomials: every pair of values comes once, whatever the secret."""
    made = all_polynomials(monkeypatch, secret, 3, 4)
    for one, two in itertools.combinations(made, 2):
        assert len(set(zip(one, two, strict=True))) == 65536


def test_the_highest_coefficient_may_be_zero(monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    made = shamir.split(b"S", 3, 5)
    assert {share.values for share in made} == {made[0].values}
    assert shamir.combine(made[:3]) == b"S"


def test_every_splitting_is_fresh():
    first, second = shamir.split(SECRET, 2, 2), shamir.split(SECRET, 2, 2)
    assert first[0].set_id != second[0].set_id
    assert all(a.values != b.values for a, b in zip(first, second, strict=True))
    assert not any(SECRET in share.values for share in first)


def test_a_share_does_not_show_its_values():
    share = shamir.split(SECRET, 2, 2)[0]
    assert "values" not in repr(share)
    assert repr(share.values) not in repr(share)


# --- forgers -------------------------------------------------------------------------------------


def forged(share: Share, delta: bytes) -> Share:
    """The same share, moved: it XORs `delta` onto the payload when the others are honest."""
    moved = bytes(
        a ^ b for a, b in zip(share.values, delta.ljust(len(share.values), b"\x00"), strict=True)
    )
    return replace(share, values=moved)


def test_the_scheme_alone_would_believe_a_forger():
    """Tompa and Woll: without the tag, one forged share gives another secret, and no error."""
    made = shamir.split(SECRET, 3, 5)
    values = {share.index: share.values for share in (forged(made[0], b"\x01"), *made[1:3])}
    assert shamir._interpolated(values, [0])[0][:32] not in (SECRET, b"")
    peer = pytest.importorskip(
        "Crypto.Protocol.SecretSharing", reason="pip install -e .[test] brings PyCryptodome"
    )
    (index, value), *others = peer.Shamir.split(3, 5, SECRET[:16])
    believed = peer.Shamir.combine([(index, bytes((value[0] ^ 1,)) + value[1:]), *others[:2]])
    assert believed != SECRET[:16]
    assert peer.Shamir.combine([(index, value), *others[:2]]) == SECRET[:16]


@pytest.mark.parametrize("cheaters", [1, 2])
def test_fewer_cheaters_than_the_threshold_are_found_out(cheaters):
    made = shamir.split(SECRET, 3, 5)
    for chosen in itertools.combinations(range(5), 3):
        for size in (3, 4, 5):
            group = [*chosen, *(index for index in range(5) if index not in chosen)][:size]
            lies = dict(
                zip(group[:cheaters], (b"\x01", b"\x00\x01"), strict=False)
            )  # in two places: none cancels
            shares = [forged(made[i], lies.get(i, b"")) for i in group]
            with pytest.raises(IntegrityError):
                shamir.combine(shares)


def test_an_alteration_anywhere_is_found():
    made = shamir.split(SECRET, 2, 3)
    for position in range(len(made[0].values)):
        with pytest.raises(IntegrityError):
            shamir.combine([forged(made[0], bytes(position) + b"\x80"), made[1]])


def test_a_forged_surplus_share_is_found():
    made = shamir.split(SECRET, 2, 4)
    for index in range(4):
        shares = [forged(share, b"\x01") if share.index == index + 1 else share for share in made]
        with pytest.raises(IntegrityError):
            shamir.combine(shares)


def test_as_many_colluders_as_the_threshold_can_forge():
    """Not covered, and asserted so that nobody claims it: k colluders can make another payload."""
    made = shamir.split(SECRET, 2, 3)
    first = made[0]
    other = [replace(share, set_id=first.set_id) for share in shamir.split(b"another secret", 2, 3)]
    r = bytes(32)
    payload = b"a" * 32 + r + shamir._tag(r, first.set_id, 2, 3, b"a" * 32)
    values = shamir._shares_of(payload, 2, 3)
    lies = [replace(share, values=raw) for share, raw in zip(made, values, strict=True)]
    assert shamir.combine(lies[:2]) == b"a" * 32
    with pytest.raises(IntegrityError):
        shamir.combine([lies[0], lies[1], made[2]])  # an honest third is enough to see it
    with pytest.raises(IntegrityError):
        shamir.combine(other[:2])  # and nobody else's shares pass under this set id


def test_shares_of_two_splittings_do_not_mix():
    first, second = shamir.split(SECRET, 2, 3), shamir.split(SECRET, 2, 3)
    for shares in (
        [first[0], second[1]],
        [*first, second[0]],
        [first[0], replace(second[1], set_id=first[0].set_id)],
    ):
        with pytest.raises(IntegrityError):
            shamir.combine(shares)


def test_numbers_on_a_share_cannot_be_changed():
    made = shamir.split(SECRET, 3, 5)
    for changes in ({"threshold": 2}, {"shares": 4}, {"set_id": bytes(16)}):
        changed = [replace(share, **changes) for share in made[:3]]
        with pytest.raises(IntegrityError):
            shamir.combine(changed)
        with pytest.raises(IntegrityError):
            shamir.combine([changed[0], *made[1:3]])
    with pytest.raises(IntegrityError):
        shamir.combine([replace(made[0], index=4), *made[1:3]])
    with pytest.raises(IntegrityError):
        shamir.combine([replace(made[0], values=made[0].values[:-1]), *made[1:3]])
    with pytest.raises(IntegrityError):
        shamir.combine([replace(share, values=share.values[:-1]) for share in made[:3]])
    with pytest.raises(IntegrityError):
        shamir.combine([made[0], replace(made[1], index=1), made[2], made[3]])


# --- carried -------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=100), st.integers(1, 9))
def test_a_share_is_read_as_it_was_written(secret, threshold):
    for share in shamir.split(secret, threshold, 9):
        raw = share.to_bytes()
        assert Share.from_bytes(raw) == Share.from_bytes(bytearray(raw)) == share
        assert raw[0] == 1
        assert raw[1:17] == share.set_id
        assert raw[17:20] == bytes((threshold, 9, share.index))
        assert len(raw) == 20 + len(secret) + 64


@given(st.binary(max_size=200))
def test_what_is_no_share_is_refused(raw):
    with pytest.raises(IntegrityError):
        Share.from_bytes(b"\x02" + raw)
    try:
        share = Share.from_bytes(b"\x01" + raw)
    except IntegrityError:
        return
    assert share.to_bytes() == b"\x01" + raw
    with pytest.raises(LabError):
        shamir.combine([share])


def test_impossible_numbers_are_refused():
    raw = shamir.split(SECRET, 2, 3)[0].to_bytes()
    for threshold, shares, index in [(0, 3, 1), (4, 3, 1), (2, 3, 0), (2, 3, 4), (2, 0, 1)]:
        with pytest.raises(IntegrityError):
            Share.from_bytes(raw[:17] + bytes((threshold, shares, index)) + raw[20:])
    for size in range(len(raw)):
        if size <= 84:
            with pytest.raises(IntegrityError):
                Share.from_bytes(raw[:size])
    for numbers in (
        {"shares": 256},
        {"shares": 256, "index": 256},
        {"threshold": 256, "shares": 256},
    ):
        with pytest.raises(IntegrityError):
            replace(Share.from_bytes(raw), **numbers)
    with pytest.raises(IntegrityError):
        Share.from_bytes(raw + bytes(65536))
    for changes in ({"set_id": "0" * 16}, {"values": None}, {"threshold": "2"}, {"index": 1.0}):
        with pytest.raises(InvalidParameter):
            replace(Share.from_bytes(raw), **changes)
    with pytest.raises(InvalidParameter):
        Share.from_bytes("text")
