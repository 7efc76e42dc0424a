"""Paillier's keys and single numbers: exact over the declared range, phe's traps closed, phe itself as the peer."""

from __future__ import annotations

import json
import math
import pickle
import random
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import phe
import pytest
from gmpy2 import gcd, is_prime
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    LabError,
    MessageTooLarge,
    PlaintextOverflow,
)
from lepton_lab.paillier import EncryptedNumber, PrivateKey, PublicKey
from tests.support.paths import VECTORS

VECTORS = json.loads((VECTORS / "paillier_phe.json").read_text())
public, private = paillier.generate_keypair(2048)
phe_public, phe_private = public.to_phe(), private.to_phe()
other_public, other_private = paillier.generate_keypair(2048)

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
    a, b = public.encrypt(x), public.encrypt(y)
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


def test_an_byte_of_a_ciphertext_says_nothing_about_equality():
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
    number, expected = public.encrypt(1.5), Fraction(3, 2)
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
    c, n_square = e.ciphertext(), public.n**2
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
        (np.float16(2.5), 2.5), (np.bool_(True), 1), (True, 1), (False, 0), (np.uint64(2**64 - 1), 2**64 - 1),
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


# Keys


def test_generated_keys_meet_the_condition_of_fixed_base_noise():
    for bits in (2048, 2050):
        key = paillier.generate_keypair(bits)[1]
        assert key.public_key.n.bit_length() == bits
        assert key.p % 4 == key.q % 4 == 3
        assert gcd(key.p - 1, key.q - 1) == 2
        assert is_prime(key.p, 40)
        assert is_prime(key.q, 40)
        assert gcd(key.public_key.n, (key.p - 1) * (key.q - 1)) == 1


def test_the_default_is_3072_bits():
    assert paillier.generate_keypair()[0].bits == 3072


@pytest.mark.parametrize("bits", [64, 1024, 2047, 2049, 16386, 0, -2048, 2048.0, "2048", None])
def test_other_sizes_are_refused(bits):
    with pytest.raises(InvalidParameter):
        paillier.generate_keypair(bits)


def weak_moduli() -> dict[str, object]:
    p, q = private.p, private.q
    return {
        "short": 15 * 77,
        "even": public.n * 2,
        "negative": -public.n,
        "zero": 0,
        "a prime": 2**2203 - 1,
        "a square": p * p,
        "a cube": (2**1279 - 1) ** 3,
        "a small factor": public.n * 32749,
        "too long to be honest": 3**11000,
        "a float": 1.5,
        "text": "n",
        "nothing": None,
        "a list": [1],
        "three times a key": 3 * p * q,
    }


@pytest.mark.parametrize("kind", weak_moduli())
def test_weak_and_malformed_moduli_are_refused(kind):
    n = weak_moduli()[kind]
    with pytest.raises(InvalidKey):
        PublicKey(n)
    if isinstance(n, int):
        with pytest.raises(InvalidKey):
            PublicKey.from_phe(phe.PaillierPublicKey(n))


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (private.p, private.p), (15, 77), (private.p, other_private.q * 3), (private.p, 2**2203 - 1), (private.p, 4),
        (-private.p, -private.q), (0, private.q), (private.p, 1.5), (None, None), (2**521 - 1, 2**1279 - 1),
    ],
    ids=range(10),
)  # fmt: skip
def test_weak_and_malformed_primes_are_refused(p, q):
    with pytest.raises(InvalidKey):
        PrivateKey(p, q)


def test_primes_with_a_factor_in_common_with_phi_are_refused():
    # q = 2kp + 1 makes gcd(n, φ(n)) = p
    p = private.p
    q = next(q for q in (2 * k * p + 1 for k in range(1, 4000)) if is_prime(q))
    with pytest.raises(InvalidKey, match="φ"):
        PrivateKey(p, q)


def test_keys_are_equal_by_n():
    assert public == PublicKey(public.n, "long") == private.public_key
    assert hash(public) == hash(PublicKey(public.n))
    assert public != other_public
    assert public != public.n
    assert private == PrivateKey(private.q, private.p)
    assert private != other_private
    assert len({public, PublicKey(public.n), other_public}) == 2


def test_numbers_of_another_key_are_refused():
    with pytest.raises(InvalidParameter):
        public.encrypt(1) + other_public.encrypt(1)
    with pytest.raises(DecryptionError):
        private.decrypt(other_public.encrypt(1))
    with pytest.raises(DecryptionError):
        private.decrypt_many([public.encrypt(1), other_public.encrypt(1)], 10)
    with pytest.raises(DecryptionError):
        EncryptedNumber.from_bytes(public.encrypt(1).to_bytes(), other_public)
    for foreign in (5, None, phe_public.encrypt(1)):
        with pytest.raises(InvalidParameter):
            private.decrypt(foreign)


def test_a_private_key_is_never_pickled_nor_printed():
    with pytest.raises(InvalidParameter):
        pickle.dumps(private)
    for shown in (repr(private), str(private), repr(public), repr(public.encrypt(123456))):
        assert not any(
            secret in shown
            for secret in (str(private.p), f"{private.p:x}", str(private.q), "123456")
        )


def test_a_public_key_travels_without_its_tables():
    public.precompute(100)
    assert len(pickle.dumps(public)) < 1000
    copy = pickle.loads(pickle.dumps(public))
    assert copy == public
    assert private.decrypt(copy.encrypt(7)) == 7
    read_back = PublicKey.from_bytes(public.to_bytes())
    assert read_back == public
    assert private.decrypt(read_back.encrypt(-7.5)) == -7.5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"LPK\1",
        public.to_bytes()[:-1],
        b"LPK\2" + public.to_bytes()[4:],
        b"LPK\1\0" + public.to_bytes()[4:],
        None,
    ],
)
def test_a_damaged_public_key_is_refused(data):
    with pytest.raises(InvalidKey):
        PublicKey.from_bytes(data)


def test_a_key_from_elsewhere_uses_uniform_noise_unless_asked():
    assert (
        PublicKey.from_phe(phe_public)._kind
        == PublicKey.from_bytes(public.to_bytes())._kind
        == "uniform"
    )
    assert PublicKey.from_phe(phe_public, "long")._kind == "long"
    with pytest.raises(InvalidParameter):
        PublicKey(public.n, "none")


# Bytes and JSON


def test_bytes_and_json_bring_a_number_back():
    for number in (
        public.encrypt(-2.75),
        public.encrypt(3) * 1.5 + 1,
        public.encrypt(5, limit=9, exponent=0),
    ):
        for copy in (
            EncryptedNumber.from_bytes(number.to_bytes(), public),
            EncryptedNumber.from_json(number.to_json(), public),
            pickle.loads(pickle.dumps(number)),
        ):
            assert (copy.bound, copy.exponent, copy.ciphertext()) == (
                number.bound,
                number.exponent,
                number.ciphertext(),
            )
            assert private.decrypt(copy) == private.decrypt(number)


def test_damaged_bytes_raise():
    data = public.encrypt(5).to_bytes()
    for length in (0, 3, 19, 24, 26, 40, len(data) - 1):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(data[:length], public)
    for malformed in (data + b"\0", data[:24] + b"\xff\xff" + data[26:], None, "text", 5):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(malformed, public)
    for place in range(22):  # marker, key id, and an exponent beyond all sense
        altered = bytearray(data)
        altered[place] ^= 0x80
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(bytes(altered), public)


def test_a_hostile_exponent_costs_nothing():
    data = public.encrypt(5).to_bytes()
    with pytest.raises(DecryptionError):
        EncryptedNumber.from_bytes(data[:20] + (2**31 - 1).to_bytes(4, "big") + data[24:], public)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe.EncryptedNumber(phe_public, 5, -(10**9)))
    with pytest.raises(PlaintextOverflow):
        EncryptedNumber(public, 5, 8192) + EncryptedNumber(public, 5, -8192)


def test_damaged_json_raises():
    text = public.encrypt(5).to_json()
    document = json.loads(text)
    for key in document:
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(json.dumps({**document, key: "0"}), public)
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(
                json.dumps({k: v for k, v in document.items() if k != key}), public
            )
    for malformed in (
        "",
        "{",
        "[]",
        "5",
        '"x"',
        "[" * 100_000,
        b"\xff",
        None,
        text[:-1],
        "9" * 5000,
    ):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(malformed, public)


# phe, both ways


def test_numbers_recorded_from_phe_open():
    key = PrivateKey(int(VECTORS["p"], 16), int(VECTORS["q"], 16))
    n = key.public_key.n
    for entry in VECTORS["numbers"]:
        text, c = entry["value"], entry["ciphertext"]
        value = float(text) if set(text) & set(".e") else int(text)
        number = EncryptedNumber(key.public_key, int(c, 16), entry["exponent"], bound=2**200)
        assert key.decrypt(number) == value
        if "r" in entry:  # c = (1 + mn)·rⁿ mod n²
            encoded = round(Fraction(value) / Fraction(16) ** entry["exponent"])
            assert (1 + encoded * n) * pow(int(entry["r"], 16), n, n * n) % (n * n) == int(c, 16)


def test_a_thousand_random_numbers_agree_with_phe_both_ways():
    rng = random.Random(2048)
    kinds = [
        lambda: rng.randint(-(2**53), 2**53),
        lambda: rng.uniform(-1e6, 1e6),
        lambda: rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-12, 12),
        lambda: rng.randint(-1000, 1000) / 8,
    ]
    values = [rng.choice(kinds)() for _ in range(1000)]
    ours = [public.encrypt(value) for value in values]
    theirs = [phe_public.encrypt(value) for value in values]
    assert [phe_private.decrypt(number.to_phe()) for number in ours] == values
    taken = [EncryptedNumber.from_phe(number, public_key=public) for number in theirs]
    assert [private.decrypt(number) for number in taken] == values
    assert private.decrypt_many(taken, 2**57) == values


def test_sums_of_ciphertexts_from_both_sides():
    mixed = (
        EncryptedNumber.from_phe(phe_public.encrypt(1.5)) + public.encrypt(2) * 4 - phe_scalar(3)
    )
    assert private.decrypt(mixed) == 6.5
    theirs = phe_public.encrypt(1.5) + (public.encrypt(2) * 4).to_phe() - 3
    assert phe_private.decrypt(theirs) == 6.5
    assert private.decrypt(EncryptedNumber.from_phe(theirs, bound=2**200)) == 6.5
    sums = sum(
        [EncryptedNumber.from_phe(phe_public.encrypt(x)) for x in (1, 2.5, -7)]
        + [public.encrypt(0.25)]
    )
    assert private.decrypt(sums) == -3.25


def phe_scalar(value: int) -> EncryptedNumber:
    return EncryptedNumber.from_phe(phe_public.encrypt(value), public_key=public)


def test_keys_travel_to_phe_and_back():
    assert PublicKey.from_phe(public.to_phe()) == public
    assert PrivateKey.from_phe(private.to_phe()) == private
    made_there = phe.generate_paillier_keypair(n_length=2048)
    key = PrivateKey.from_phe(made_there[1])
    number = PublicKey.from_phe(made_there[0]).encrypt(-1.25)
    assert (
        key.decrypt(number)
        == made_there[1].decrypt(number.to_phe())
        == key.decrypt(key.encrypt(-1.25))
        == -1.25
    )


def test_from_phe_takes_only_phes_objects():
    for door in (PublicKey.from_phe, PrivateKey.from_phe, EncryptedNumber.from_phe):
        with pytest.raises(InvalidParameter):
            door(5)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe_public.encrypt(1), public_key=other_public)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe_public.encrypt(1), bound=-1)
    with pytest.raises(PlaintextOverflow):
        EncryptedNumber.from_phe(phe_public.encrypt(1), bound=public.n)


def test_importing_paillier_does_not_import_phe():
    code = "import sys; from lepton_lab import paillier; print('phe' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


def test_every_error_is_one_of_ours():
    assert issubclass(paillier.encoding.NumberTooLarge, LabError)
