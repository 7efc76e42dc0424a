"""Tests lepton_lab.elections.custody: enough custodians open a total in public, and fewer cannot.

What opens one number opens no other.
"""

from __future__ import annotations

from itertools import combinations

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.elections import custody
from lepton_lab.errors import IntegrityError, InvalidParameter, PlaintextOverflow

public, private = paillier.generate_keypair(2048)
stranger, its_private = paillier.generate_keypair(2048)
n = public.n
n_square = public.n**2
FIVE = custody.share(private, 3, 5)


def number(value: int, key: paillier.PublicKey = public) -> paillier.EncryptedNumber:
    return key.encrypt(value, limit=1 << 200, exponent=0)


def released(total: paillier.EncryptedNumber, group: tuple[int, ...], custodians=FIVE) -> int:
    return custody.combine(public, [custodians[i - 1].contribute(total, group) for i in group])


@settings(max_examples=6)
@given(st.integers(-(1 << 200), 1 << 200))
def test_the_published_root_opens_the_number_for_everybody(value):
    total = number(value)
    root = custody.root(private, total)
    assert custody.open_number(public, total, root) == value == private.decrypt(total)
    assert total.ciphertext() == (1 + value * n) * pow(root, n, n_square) % n_square


def test_the_root_is_the_noise_that_the_sender_drew():
    """phe lets the noise be chosen, so that the root is known beforehand."""
    drawn = 0xC0FFEE
    raw = mpz(public.to_phe().raw_encrypt(42, r_value=drawn))
    as_it_came = paillier.EncryptedNumber.unchecked(public, raw, 0, 100, is_blinded=True)
    assert custody.root(private, as_it_came) == drawn


def test_every_group_of_three_of_five_opens_and_so_do_more():
    total = number(17) + number(-4)
    groups = [group for size in (3, 4, 5) for group in combinations(range(1, 6), size)]
    assert {custody.open_number(public, total, released(total, group)) for group in groups} == {13}


@pytest.mark.parametrize(
    ("threshold", "custodians"), [(1, 1), (1, 3), (2, 2), (2, 3), (3, 3), (4, 7)]
)
def test_other_thresholds(threshold, custodians):
    made = custody.share(private, threshold, custodians)
    total = number(5)
    group = tuple(range(custodians - threshold + 1, custodians + 1))
    assert custody.open_number(public, total, released(total, group, made)) == 5


def test_two_of_three_needed_miss_a_part_that_nothing_else_tells():
    for pair in combinations(FIVE, 2):
        held = {absent for custodian in pair for absent in custodian.parts}
        every = {absent for custodian in FIVE for absent in custodian.parts}
        assert every - held == {frozenset(custodian.index for custodian in pair)}
    again = custody.share(private, 3, 5)
    for old, new in zip(FIVE, again, strict=True):
        assert all(old.parts[absent] != new.parts[absent] for absent in old.parts)


def test_no_two_custodians_open_it():
    total = number(9)
    for pair in combinations(range(1, 6), 2):
        with pytest.raises(InvalidParameter, match="3 custodians"):
            released(total, pair)
        some = [
            FIVE[i - 1].contribute(total, (*pair, next(j for j in range(1, 6) if j not in pair)))
            for i in pair
        ]
        with pytest.raises(IntegrityError):
            custody.open_number(public, total, custody.combine(public, some))


def test_a_custodian_that_lies_is_noticed():
    total = number(9)
    honest = [FIVE[i - 1].contribute(total, (1, 2, 3)) for i in (1, 2, 3)]
    for lies in (
        [honest[0], honest[1], honest[2] ^ 1],
        [honest[0], honest[1], n - honest[2]],
        honest[:2],
        honest * 2,
    ):
        with pytest.raises(IntegrityError):
            custody.open_number(public, total, custody.combine(public, lies))


def test_a_root_opens_one_ciphertext_and_no_other():
    one = number(9)
    same = number(9)
    root = custody.root(private, one)
    for other in (same, number(10), one + 1):
        with pytest.raises(IntegrityError):
            custody.open_number(public, other, root)
    for false in (root + 1 if root + 1 < n else 1, n - root, 1, private.p):
        with pytest.raises(IntegrityError):
            custody.open_number(public, one, false)


def test_a_total_beyond_its_bound_is_not_told():
    stuffed = paillier.EncryptedNumber(public, number(1000).ciphertext(), 0, bound=10)
    with pytest.raises(PlaintextOverflow):
        custody.open_number(public, stuffed, custody.root(private, stuffed))


def test_custodians_keep_their_parts_out_of_sight():
    assert "parts" not in repr(FIVE[0])
    assert all(str(part) not in repr(FIVE[0]) for part in FIVE[0].parts.values())


def test_wrong_use_is_refused():
    total = number(1)
    for threshold, custodians in ((0, 3), (4, 3), (1, 11), (1.0, 2), (True, 2), (2, None)):
        with pytest.raises(InvalidParameter):
            custody.share(private, threshold, custodians)
    with pytest.raises(InvalidParameter):
        custody.share(public, 1, 1)
    for present in ([1, 2, 6], [2, 3, 4], [0, 1, 2], []):
        with pytest.raises(InvalidParameter):
            FIVE[0].contribute(total, present)
    for strange in (number(1, stranger), 5, None):
        with pytest.raises(InvalidParameter):
            FIVE[0].contribute(strange, [1, 2, 3])
        with pytest.raises(InvalidParameter):
            custody.open_number(public, strange, 5)
    for wrong in (0, n, -1, 0.5, None):
        with pytest.raises(InvalidParameter):
            custody.combine(public, [wrong])
        with pytest.raises(InvalidParameter):
            custody.open_number(public, total, wrong)
    with pytest.raises(InvalidParameter):
        custody.combine(private, [1])
