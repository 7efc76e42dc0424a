"""Tests lepton_lab.elections.custody: enough custodians open a total in public, and fewer cannot.

What opens one number opens no other.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
from itertools import combinations

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.elections import ballot, custody
from lepton_lab.elections.ballot import BallotContext
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


# Which ciphertext is opened


def test_a_total_that_everybody_adds_up_alone_is_opened_as_it_is():
    box = [(who, ballot.cast(public, 1, BallotContext("e", who))) for who in ("ada", "ben")]
    contributions = [
        FIVE[i - 1].contribute(ballot.tally(public, "e", box), (1, 3, 5)) for i in (1, 3, 5)
    ]
    published = ballot.tally(public, "e", box)
    assert custody.open_number(public, published, custody.combine(public, contributions)) == 2


def test_a_result_gets_its_noise_once_and_is_opened_in_that_form():
    total = number(4) * 3
    bare = total.raw_ciphertext
    root = custody.root(private, total)
    assert total.raw_ciphertext != bare
    sent = paillier.EncryptedNumber.from_bytes(total.to_bytes(), public)
    assert custody.open_number(public, sent, root) == custody.open_number(public, total, root) == 12


def test_results_with_different_noise_are_not_one_ciphertext():
    one = number(4)
    two = number(5)
    contributions = [FIVE[i - 1].contribute(one + two, (1, 2, 3)) for i in (1, 2, 3)]
    with pytest.raises(IntegrityError, match="another ciphertext"):
        custody.open_number(public, one + two, custody.combine(public, contributions))


# Custodians' keys


def test_custodians_travel_as_bytes():
    read = [custody.Custodian.from_bytes(custodian.to_bytes(), public) for custodian in FIVE]
    assert read == FIVE
    total = number(-11)
    assert custody.open_number(public, total, released(total, (2, 4, 5), read)) == -11
    longest = custody.share(private, 5, 10)[9]
    assert custody.Custodian.from_bytes(longest.to_bytes(), public) == longest


def test_the_bytes_of_a_custodian_are_those_of_the_table():
    custodian = custody.share(private, 2, 3)[1]
    data = custodian.to_bytes()
    assert data[:4] == b"LPC\1"
    assert data[4:20] == public.key_id
    assert tuple(data[20:23]) == (2, 2, 3)
    parts = [custodian.parts[frozenset({1})], custodian.parts[frozenset({3})]]
    assert data[23:-16] == b"".join(int(part).to_bytes(public.size, "big") for part in parts)
    assert data[-16:] == hashlib.sha256(data[:-16]).digest()[:16]


def test_damaged_custodians_are_refused():
    data = custody.share(private, 2, 3)[1].to_bytes()
    places = [*range(23), 24, 300, len(data) - 17, len(data) - 1]
    flipped = []
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1
        flipped.append(bytes(altered))
    for bad in (*flipped, data[:-1], data + b"\0", b"", None, "text", data[:22]):
        with pytest.raises(IntegrityError):
            custody.Custodian.from_bytes(bad, public)
    with pytest.raises(IntegrityError):
        custody.Custodian.from_bytes(data, stranger)
    with pytest.raises(InvalidParameter):
        custody.Custodian.from_bytes(data, private)


@pytest.mark.parametrize(
    "numbers", [(0, 2, 3), (4, 2, 3), (2, 4, 3), (2, 0, 3), (2, 2, 11), (1, 1, 0)]
)
def test_numbers_that_no_custodian_has_are_refused_even_with_a_right_checksum(numbers):
    data = custody.share(private, 2, 3)[1].to_bytes()
    body = data[:20] + bytes(numbers) + data[23:-16]
    with pytest.raises(IntegrityError):
        custody.Custodian.from_bytes(body + hashlib.sha256(body).digest()[:16], public)


def test_a_part_out_of_range_is_refused_even_with_a_right_checksum():
    data = custody.share(private, 2, 3)[1].to_bytes()
    for part in (0, n):
        body = data[:23] + part.to_bytes(public.size, "big") + data[23 + public.size : -16]
        with pytest.raises(IntegrityError):
            custody.Custodian.from_bytes(body + hashlib.sha256(body).digest()[:16], public)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_custodian_is_never_pickled_or_copied(way):
    with pytest.raises(InvalidParameter, match="to_bytes"):
        way(FIVE[0])


def test_numpy_integers_may_say_how_many():
    made = custody.share(private, np.int64(1), np.uint8(2))
    assert [(c.threshold, c.custodians) for c in made] == [(1, 2), (1, 2)]
    made[0].to_bytes()
