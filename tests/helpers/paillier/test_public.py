"""Tests lepton_lab.paillier.public and lepton_lab.paillier.encoding: exact sums and products.

Exact over the whole declared range, with phe's traps closed.
"""

from __future__ import annotations

import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import phe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import (
    DecryptionError,
    InvalidParameter,
    LabError,
    MessageTooLarge,
    PlaintextOverflow,
)
from lepton_lab.paillier import EncryptedNumber, encoding

public, private = paillier.generate_keypair(2048)
phe_public = public.to_phe()
phe_private = private.to_phe()

LIMIT = 2**128
integers = st.integers(-LIMIT, LIMIT)
floats = st.floats(-float(LIMIT), float(LIMIT))
numbers = integers | floats
factors = st.integers(-(2**64), 2**64) | st.floats(-(2.0**64), 2.0**64)


def fixed(number: float, places: int = 128) -> Fraction:
    """The number as it is carried: the nearest multiple of 2^-places, ties to even."""
    return Fraction(round(Fraction(number) * 2**places), 2**places)


def read(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else value.numerator / value.denominator


# The laws, over the whole declared range


@settings(max_examples=60)
@given(numbers)
def test_decryption_gives_back_what_was_encrypted_to_the_nearest_2_to_the_minus_128(x):
    decrypted = private.decrypt(public.encrypt(x))
    assert decrypted == read(fixed(x))
    assert isinstance(decrypted, int) or not decrypted.is_integer() or abs(decrypted) >= 2**53


@settings(max_examples=30)
@given(numbers, numbers)
def test_sums_and_differences_are_exact(x, y):
    a = public.encrypt(x)
    b = public.encrypt(y)
    assert (
        private.decrypt(a + b)
        == private.decrypt(a + y)
        == private.decrypt(x + b)
        == read(fixed(x) + fixed(y))
    )
    assert (
        private.decrypt(a - b)
        == private.decrypt(a - y)
        == private.decrypt(x - b)
        == read(fixed(x) - fixed(y))
    )


@settings(max_examples=30)
@given(numbers, factors, factors)
def test_products_with_public_factors_are_exact(x, k, factor):
    encrypted = public.encrypt(x)
    assert (
        private.decrypt(encrypted * k)
        == private.decrypt(k * encrypted)
        == read(fixed(x) * fixed(k))
    )
    assert private.decrypt(encrypted * k - encrypted * factor) == read(
        fixed(x) * (fixed(k) - fixed(factor))
    )


EDGES = [
    0,
    1,
    -1,
    2**128,
    -(2**128),
    0.1,
    -0.1,
    1e-9,
    2.0**-75,
    1e-300,
    5e-324,
    2.0**128,
    2**60 + 1,
]


@pytest.mark.parametrize("x", EDGES)
def test_the_edges_of_the_range(x):
    assert private.decrypt(public.encrypt(x)) == read(fixed(x))


def test_a_large_integer_stays_exact_beside_a_half():
    assert private.decrypt((public.encrypt(2**60 + 1) + 0.5) * 2) == 2**61 + 3


def test_whole_numbers_come_back_as_int_whatever_they_were():
    assert [type(private.decrypt(public.encrypt(x))) for x in (2, 2.0, True, 2.5)] == [
        int,
        int,
        int,
        float,
    ]


def test_sum_works():
    terms = [public.encrypt(x) for x in (1, 2.5, -4)]
    assert private.decrypt(sum(terms)) == -0.5
    assert private.decrypt(sum(terms, start=10)) == 9.5


def test_division_multiplies_by_the_reciprocal():
    assert private.decrypt(public.encrypt(3) / 4) == 0.75
    assert private.decrypt(public.encrypt(1) / 3) == read(fixed(1 / 3))
    with pytest.raises(InvalidParameter, match="zero"):
        public.encrypt(3) / 0


def test_whole_number_protocols_may_fix_the_exponent_at_zero():
    huge = public.encrypt(-public.max_int, limit=public.max_int, exponent=0)
    assert private.decrypt(huge) == -public.max_int
    assert (
        private.decrypt(public.encrypt(2.5, exponent=0)) == 2
    )  # rounded as documented, ties to even
    assert private.decrypt(public.encrypt(48, exponent=1) + public.encrypt(1, exponent=0)) == 49


def test_the_owner_encrypts_by_the_chinese_remainder_theorem():
    for x in (0, -5, 3.25):
        number = private.encrypt(x)
        assert number.public_key is public
        assert private.decrypt(number) == phe_private.decrypt(number.to_phe()) == x


# What travels in the clear says nothing of the data


def test_exponent_and_bound_are_the_same_for_every_number():
    encrypted = [public.encrypt(x) for x in (1e-9, 0.5, 3.14, 1e6, 2, 7, True, 2**100)]
    assert (
        len({(number.exponent, number.bound, number.to_phe().exponent) for number in encrypted})
        == 1
    )
    leaky = {phe_public.encrypt(x).exponent for x in (1e-9, 0.5, 3.14)}
    assert len(leaky) == 3  # phe's trap, so that the line above means something


def test_bounds_grow_by_what_is_declared_not_by_what_is_there():
    e = public.encrypt(5)
    assert (e * 2).bound == (e * -(2**60)).bound == (e * 0).bound
    assert (e * 0.5).bound == (e * 1e18).bound
    assert (e + 1).bound == (e + 2**100).bound == (e - 0.1).bound
    assert e.times(3, limit=4).bound == e.times(0, limit=4).bound == 4 * e.bound


def test_a_factors_exponent_may_be_declared():
    e = public.encrypt(3)
    assert e.times(0.1, exponent=-16).exponent == e.exponent - 16
    assert private.decrypt(e.times(0.1, exponent=-16)) == read(3 * fixed(0.1, 64))
    assert private.decrypt(e.times(2.5, exponent=0)) == 6  # rounded as documented, ties to even
    with pytest.raises(InvalidParameter):
        e.times(2, exponent=10**6)


def test_a_ciphertext_says_nothing_about_equality():
    assert len({public.encrypt(1).ciphertext() for _ in range(20)}) == 20


# Overflow is raised at the operation that could pass the range


def test_max_int_three_times_is_refused_where_phe_wraps():
    theirs = phe_public.encrypt(phe_public.max_int)
    assert phe_private.decrypt(theirs + theirs + theirs) == 3 * phe_public.max_int - public.n < 0
    ours = EncryptedNumber.from_phe(theirs, bound=phe_public.max_int)
    assert private.decrypt(ours) == phe_public.max_int
    for overflow in (lambda: ours + ours, lambda: ours * 2, lambda: ours + 1, lambda: ours - ours):
        with pytest.raises(PlaintextOverflow):
            overflow()


def test_products_end_in_an_overflow_and_never_in_a_wrong_number():
    number = public.encrypt(1.5)
    expected = Fraction(3, 2)
    for _ in range(100):
        try:
            number = number * 1.25
        except PlaintextOverflow:
            break
        expected *= Fraction(5, 4)
        assert private.decrypt(number) == read(expected)
    else:
        pytest.fail("a hundred products fit")
    assert expected > 5


@pytest.mark.parametrize("error", [MessageTooLarge, PlaintextOverflow])
def test_a_number_beyond_its_limit_is_refused(error):
    for x in (2**128 + 1, -(2**128) - 1, 1e39, 1.7e308, 2**5000):
        with pytest.raises(error):
            public.encrypt(x)
    with pytest.raises(error):
        public.encrypt(2, limit=1)
    with pytest.raises(error):
        public.encrypt(1, limit=public.max_int)
    with pytest.raises(error):
        public.encrypt(5) * (2**64 + 1)
    with pytest.raises(error):
        public.encrypt(5) + 2**129


def test_the_range_is_checked_behind_the_rounding():
    assert private.decrypt(public.encrypt(7.5, limit=8, exponent=0)) == 8
    with pytest.raises(PlaintextOverflow):
        public.encrypt(7.5, limit=7, exponent=0)


def test_a_broken_promise_is_found_by_decryption():
    cheat = EncryptedNumber.from_phe(phe_public.encrypt(1001), bound=1000)
    with pytest.raises(PlaintextOverflow):
        private.decrypt(cheat)
    assert private.decrypt(EncryptedNumber.from_phe(phe_public.encrypt(-1000), bound=1000)) == -1000


def test_a_bound_near_the_primes_is_kept_too():
    for bits in (890, 895, 896, 897, 1000, 1022, 1023, 1024, 1500, 2040):
        for value in (
            2**bits,
            -(2**bits),
            2**bits - 1,
            1 - 2**bits,
            private.p % 2**bits,
            -private.q % 2**bits,
            0,
        ):
            number = public.encrypt(value, limit=2**bits, exponent=0)
            assert private.decrypt(number) == value
            assert private.decrypt_many([number], 2**bits) == [value]
        cheat = public.encrypt(2**bits + 1, limit=2**2045, exponent=0)
        cheat.bound = 2**bits
        with pytest.raises(PlaintextOverflow):
            private.decrypt(cheat)


def test_a_fraction_beyond_the_largest_float_raises():
    number = EncryptedNumber.from_phe(phe_public.encrypt(2**1030 + 1), bound=2**1031)
    with pytest.raises(PlaintextOverflow):
        private.decrypt(number * 0.5)
    assert private.decrypt(number * 0.5 * 2) == 2**1030 + 1


# Blinding


def test_every_way_out_of_a_result_is_blinded():
    e = public.encrypt(5)
    c = e.ciphertext()
    n_square = public.n**2
    assert (
        phe_public.encrypt(5).__mul__(0).ciphertext(be_secure=False) == 1
    )  # phe's raw result, for comparison
    for result, bare in (
        (e * 0, 1),
        (e * 1, c),
        (e * 2, c * c % n_square),
        (e + e, c * c % n_square),
        (e + 0, c),
    ):
        assert result.ciphertext() != bare
        assert EncryptedNumber.from_bytes(result.to_bytes(), public).ciphertext() != bare
    for way in (
        lambda number: number.to_phe().ciphertext(be_secure=False),
        lambda number: EncryptedNumber.from_json(number.to_json(), public).ciphertext(),
        lambda number: pickle.loads(pickle.dumps(number)).ciphertext(),
        lambda number: number.ciphertext(),
    ):
        assert way(e * 3) != c**3 % n_square
        assert way(-e) != pow(c, -1, n_square)
        assert way(e - 1) != c * (1 - public.n) % n_square


def test_a_number_keeps_its_blinded_form():
    result = public.encrypt(5) + 1
    assert result.ciphertext() == result.ciphertext() == result.to_phe().ciphertext(be_secure=False)
    assert private.decrypt(result) == 6


def test_unblinded_numbers_of_phe_are_blinded_on_the_way_on():
    bare = phe.EncryptedNumber(phe_public, 1 + 5 * public.n)
    passed_on = EncryptedNumber.from_phe(bare).ciphertext()
    assert passed_on != 1 + 5 * public.n
    assert phe_private.raw_decrypt(passed_on) == 5


# Kinds of numbers


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        (np.int64(-5), -5), (np.uint8(200), 200), (np.float32(0.5), 0.5), (np.float64(-0.1), -0.1),
        (np.float16(2.5), 2.5), (np.bool_(True), 1), (True, 1), (False, 0),
        (np.uint64(2**64 - 1), 2**64 - 1),
    ],
)  # fmt: skip
def test_numpy_scalars_and_truth_values_work_everywhere(scalar, value):
    assert private.decrypt(public.encrypt(scalar)) == value
    e = public.encrypt(3)
    assert private.decrypt(e * scalar) == read(3 * fixed(value))
    assert private.decrypt(e + scalar) == read(3 + fixed(value))
    assert private.decrypt(e - scalar) == read(3 - fixed(value))
    if not isinstance(
        scalar, np.bool_
    ):  # numpy forbids arithmetic on truth values before we are asked
        assert private.decrypt(scalar * e) == read(3 * fixed(value))
        assert private.decrypt(scalar + e) == read(3 + fixed(value))
        assert private.decrypt(scalar - e) == read(fixed(value) - 3)


def test_arrays_of_factors_multiply_one_by_one():
    products = np.array([1.5, -2.0]) * public.encrypt(3)
    assert [private.decrypt(product) for product in products] == [4.5, -6]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan"), np.inf])
def test_nan_and_infinities_raise(bad):
    e = public.encrypt(1)
    for attempt in (lambda: public.encrypt(bad), lambda: e + bad, lambda: e * bad, lambda: bad - e):
        with pytest.raises(InvalidParameter, match="NaN"):
            attempt()


@pytest.mark.parametrize(
    "bad", [Decimal("0.1"), Fraction(1, 3), 1j, "1", b"1", None, [1], np.longdouble(1)]
)
def test_other_kinds_of_numbers_raise(bad):
    e = public.encrypt(1)
    for attempt in (lambda: public.encrypt(bad), lambda: e + bad, lambda: e * bad, lambda: e - bad):
        with pytest.raises(InvalidParameter):
            attempt()


def test_two_encrypted_numbers_cannot_be_multiplied():
    with pytest.raises(InvalidParameter, match="cannot multiply"):
        public.encrypt(2) * public.encrypt(3)


@pytest.mark.parametrize("exponent", [9000, -9000, 1.5, None])
def test_a_senseless_exponent_is_refused(exponent):
    with pytest.raises(InvalidParameter):
        public.encrypt(1, exponent=exponent)


@pytest.mark.parametrize("limit", [-1, 1.5, True, None])
def test_a_senseless_limit_is_refused(limit):
    with pytest.raises(InvalidParameter):
        public.encrypt(0, limit=limit)


def test_distant_exponents_overflow_instead_of_wrapping():
    far = (
        EncryptedNumber.from_phe(phe_public.encrypt(1e300)),
        EncryptedNumber.from_phe(phe_public.encrypt(1e-300)),
    )
    with pytest.raises(PlaintextOverflow):
        far[0] + far[1]
    assert private.decrypt(far[0]) == int(1e300)
    assert private.decrypt(far[1]) == 1e-300


# Malformed ciphertexts


@pytest.mark.parametrize(
    "malformed",
    [
        0,
        private.p,
        private.q,
        public.n,
        3 * private.p,
        public.n**2,
        public.n**2 + 5,
        -5,
        5 - public.n**2,
    ],
    ids=["0", "p", "q", "n", "3p", "n²", "above n²", "negative", "below -n"],
)
def test_a_malformed_ciphertext_never_becomes_a_number(malformed):
    with pytest.raises(DecryptionError):
        EncryptedNumber(public, malformed)
    with pytest.raises(DecryptionError):
        EncryptedNumber.from_phe(phe.EncryptedNumber(phe_public, malformed))
    if 0 <= malformed < public.n**2:
        data = public.encrypt(1).to_bytes()
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(data[:-512] + malformed.to_bytes(512, "big"), public)


@pytest.mark.parametrize("malformed", [1.5, "7", None])
def test_a_ciphertext_is_an_integer(malformed):
    with pytest.raises(DecryptionError):
        EncryptedNumber(public, malformed)
    with pytest.raises(InvalidParameter):
        EncryptedNumber(malformed, 5)


def test_every_error_is_one_of_ours():
    assert issubclass(encoding.NumberTooLarge, LabError)


# numpy's kinds of numbers


def test_a_masked_value_is_refused():
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    e = public.encrypt(1)
    for bad in (masked[0], masked[:1], np.ma.masked):
        for attempt in (lambda bad=bad: public.encrypt(bad), lambda bad=bad: e + bad):
            with pytest.raises(InvalidParameter):
                attempt()


def test_numpy_integers_serve_where_whole_numbers_are_asked_for():
    key = paillier.generate_keypair(np.int64(2048))[0]
    assert key.bits == 2048
    key.precompute(count=np.int32(3))
    number = public.encrypt(5, limit=np.int64(100), exponent=np.int8(-2))
    assert (number.exponent, type(number.exponent)) == (-2, int)
    assert private.decrypt(number) == 5
    assert private.decrypt(number.times(3, limit=np.uint8(4), exponent=np.int8(0))) == 15
    assert private.decrypt_many([number], np.int64(100 << 8)) == [5]


@pytest.mark.parametrize("bad", [True, 2.0, "2", None, -1, np.bool_(True)])
def test_a_count_must_be_a_whole_number(bad):
    with pytest.raises(InvalidParameter):
        public.precompute(bad)
    with pytest.raises(InvalidParameter):
        paillier.generate_keypair(bad)
