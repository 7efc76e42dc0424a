"""Tests lepton_lab.paillier.vectors: packed vectors are exact within their budget."""

from __future__ import annotations

import json
import math
import pickle
from contextlib import nullcontext
from decimal import Decimal
from fractions import Fraction

import numpy as np
import phe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import DecryptionError, InvalidParameter, MessageTooLarge, PlaintextOverflow
from lepton_lab.paillier import Layout, PackedVector
from lepton_lab.paillier.vectors import pack
from tests.support.paillier_work import exponentiations

public, private = paillier.generate_keypair(2048)
other_public, other_private = paillier.generate_keypair(2048)
public.precompute(500)
MONEY = Layout(bits=64, fraction_bits=32, additions=1024)
WHOLE = Layout(bits=32, fraction_bits=0, additions=100)


@st.composite
def layouts_with_values(draw: st.DrawFn) -> tuple[Layout, list[int]]:
    bits = draw(st.integers(2, 140))
    layout = Layout(bits, 0, draw(st.integers(1, min(2**63 - 1, 2 ** (bits - 1) - 1))))
    values = draw(st.lists(st.integers(-layout.limit, layout.limit), min_size=1, max_size=70))
    return layout, [*values, layout.limit, -layout.limit]


@settings(max_examples=40)
@given(layouts_with_values())
def test_packing_and_unpacking_are_inverse_up_to_the_edges_of_every_layout(given_):
    layout, values = given_
    if any(abs(value) >= 2**63 for value in values):
        return  # numpy's integers end there
    packed, shape = pack(np.array(values, np.int64), layout, public.bits)
    vector = PackedVector(public, layout, shape, [], spent=1, is_blinded=True)
    assert vector.unpacked(packed).tolist() == values
    assert all(abs(whole) <= public.max_int for whole in packed)


@settings(max_examples=20)
@given(layouts_with_values(), st.data())
def test_weighted_sums_are_exact_as_long_as_the_budget_holds(given_, data):
    layout, values = given_
    if any(abs(value) >= 2**63 for value in values) or layout.bits > 64:
        return
    a = np.array(values, np.int64)
    k = data.draw(st.integers(-layout.additions, layout.additions))
    left = layout.additions - abs(k)
    total = public.encrypt_vector(a, layout) * k
    assert private.decrypt_vector(total).tolist() == [k * value for value in values]
    if left:
        total = total - public.encrypt_vector(a, layout) * left
        assert private.decrypt_vector(total).tolist() == [(k - left) * value for value in values]
        assert total.spent == layout.additions
    with pytest.raises(PlaintextOverflow):
        total + public.encrypt_vector(a, layout) * (layout.additions - total.spent + 1)


@settings(max_examples=25)
@given(st.lists(st.floats(-(2.0**20), 2.0**20), min_size=1, max_size=80))
def test_floats_are_rounded_to_the_declared_place(values):
    array = np.array(values)
    decrypted = private.decrypt_vector(
        public.encrypt_vector(array, MONEY) + public.encrypt_vector(-array, MONEY) * 2
    )
    assert decrypted.dtype == np.float64
    assert (decrypted == -np.rint(array * 2**32) / 2**32).all()


def test_ten_thousand_floats_of_two_clients():
    rng = np.random.default_rng(7)
    a = rng.normal(0, 100, 2000)
    b = rng.normal(0, 100, 2000)
    total = private.decrypt_vector(
        public.encrypt_vector(a, MONEY) + public.encrypt_vector(b, MONEY)
    )
    assert np.abs(total - (a + b)).max() <= 2.0**-32


@pytest.mark.parametrize(
    "array",
    [
        [1, 2, 3], np.arange(12).reshape(3, 4), np.array(5), 7, np.array([True, False]),
        np.array([200], np.uint8),
        np.arange(6, dtype=">i4"), np.arange(10)[::-3], np.arange(63).reshape(7, 3, 3).T,
    ],
)  # fmt: skip
def test_arrays_of_integers_keep_shape_and_become_int64(array):
    decrypted = private.decrypt_vector(public.encrypt_vector(array, WHOLE))
    assert decrypted.dtype == np.int64
    assert decrypted.shape == np.asarray(array).shape
    assert (decrypted == array).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_of_up_to_64_bits_is_taken(dtype):
    assert private.decrypt_vector(
        public.encrypt_vector(np.array([0.5, -2.25], dtype), MONEY)
    ).tolist() == [0.5, -2.25]


def test_integers_at_a_fraction_are_exact():
    layout = Layout(64, 8, 4)
    values = np.array([layout.limit >> 8, -(layout.limit >> 8), 3])
    assert private.decrypt_vector(public.encrypt_vector(values, layout)).tolist() == values.tolist()


def test_slots_wider_than_64_bits():
    wide = Layout(bits=80, fraction_bits=24, additions=2**16)
    values = np.array([2.0**38, -(2.0**38) + 2.0**-14, 0.1])
    total = sum(public.encrypt_vector(values, wide) * 1000 for _ in range(3))
    exact = [3000 * round(value * 2**24) / 2**24 for value in values.tolist()]
    assert private.decrypt_vector(total).tolist() == exact
    whole = private.decrypt_vector(public.encrypt_vector([2**62], Layout(100, 0, 2**30)) * 2**30)
    assert whole.tolist() == [2**92]  # Python's integers


def test_every_slot_of_a_full_ciphertext_takes_its_extremes():
    layout = Layout(64, 0, 3)
    slots = layout.slots(2048)
    assert slots == 31
    assert layout.slots(3072) == 47
    values = np.array([layout.limit, -layout.limit] * slots)
    assert len(public.encrypt_vector(values, layout).raw_ciphertexts) == 2
    assert (
        private.decrypt_vector(public.encrypt_vector(values, layout) * 3).tolist()
        == (values * 3).tolist()
    )


def test_packed_ciphertexts_are_ordinary_ones_to_phe():
    vector = public.encrypt_vector([1, -2, 3], WHOLE)
    raw = private.to_phe().decrypt(phe.EncryptedNumber(public.to_phe(), vector.ciphertexts()[0], 0))
    assert raw == 1 - (2 << 32) + (3 << 64)


# The budget


def test_the_addition_that_passes_the_budget_raises_there_and_then():
    layout = Layout(32, 8, additions=3)
    v = public.encrypt_vector([1.5, -2], layout)
    three = v + v + v
    assert three.spent == 3
    assert private.decrypt_vector(three).tolist() == [4.5, -6]
    for overflow in (
        lambda: three + v,
        lambda: three * 2,
        lambda: v * -4,
        lambda: sum([v] * 4),
        lambda: three - v,
    ):
        with pytest.raises(PlaintextOverflow):
            overflow()
    assert (three * -1).spent == 3
    assert (v * 0 + three).spent == 3


def test_past_the_budget_a_neighbour_would_be_wrong_without_a_sign():
    layout = Layout(32, 0, additions=2)
    v = public.encrypt_vector([layout.limit, 0], layout)
    with pytest.raises(PlaintextOverflow):
        v * 5
    forced = [c**5 % public.n_square for c in v.raw_ciphertexts]
    broken = PackedVector(public, layout, v.shape, forced, spent=2, is_blinded=True)
    assert private.decrypt_vector(broken).tolist() == [5 * layout.limit - 2**32, 1]


def test_a_cheating_sender_is_found_where_a_slot_shows_it():
    layout = Layout(32, 0, additions=2)
    for cheat in (
        layout.limit + 1,
        -(layout.limit + 1),
        1 << 32 * 63,
        -(1 << 32 * 63),
        1 << 32 * 5,
        public.max_int,
    ):
        c = public.encrypt(cheat, limit=public.max_int, exponent=0).raw_ciphertext
        with pytest.raises(PlaintextOverflow):
            private.decrypt_vector(
                PackedVector(public, layout, (2,), [c], spent=1, is_blinded=True)
            )


def test_a_value_beyond_its_slot_is_refused_behind_the_rounding():
    layout = Layout(16, 4, additions=10)
    largest = layout.limit / 16
    assert private.decrypt_vector(
        public.encrypt_vector([largest + 0.03, -largest], layout)
    ).tolist() == [
        largest,
        -largest,
    ]
    for bad in (
        [largest + 0.04],
        [-1e300],
        [2**62],
        np.array([2**64 - 1], np.uint64),
        [1.7e308],
        [-(2**63)],
    ):
        for error in (MessageTooLarge, PlaintextOverflow):
            with pytest.raises(error):
                public.encrypt_vector(bad, layout)


def test_spending_a_public_number_hides_the_multiplier():
    v = public.encrypt_vector([1, 2], WHOLE)
    assert (v * 3).spend(50).spent == (v * 40).spend(50).spent == 50
    assert private.decrypt_vector((v * 3).spend(50)).tolist() == [3, 6]
    with pytest.raises(InvalidParameter):
        (v * 3).spend(2)
    with pytest.raises(PlaintextOverflow):
        v.spend(101)


# What is refused


@pytest.mark.parametrize(
    "bad",
    [
        [math.nan], [1.0, math.inf], [1j], ["a"], [None], [], np.zeros((0, 3)), [[1, 2], [3]],
        None,
        np.array([1], np.longdouble), np.array(["2020-01-01"], "M8[D]"), [b"x"],
    ],
)  # fmt: skip
def test_arrays_that_are_no_numbers_raise(bad):
    with pytest.raises(InvalidParameter):
        public.encrypt_vector(bad, WHOLE)


@pytest.mark.parametrize(
    "arguments",
    [
        (1, 0, 1), (0, 0, 1), (-64, 0, 1), (64, 64, 1), (64, -1, 1), (64, 0, 0), (64, 0, -5),
        (64.0, 0, 1), (64, 0, 2**63), (8, 0, 128), (16385, 0, 1), (True, 0, 1), (64, "0", 1),
        (64, None, 1), (64, 0, 1.5),
    ],
)  # fmt: skip
def test_senseless_layouts_are_refused(arguments):
    with pytest.raises(InvalidParameter):
        Layout(*arguments)


def test_a_slot_wider_than_the_key_is_refused():
    with pytest.raises(MessageTooLarge):
        public.encrypt_vector([1], Layout(2047, 0, 1))
    assert private.decrypt_vector(public.encrypt_vector([1], Layout(2046, 0, 1))).tolist() == [1]
    for layout in (None, (64, 0, 1)):
        with pytest.raises(InvalidParameter):
            public.encrypt_vector([1], layout)


def test_vectors_of_another_key_layout_or_shape_cannot_be_added():
    v = public.encrypt_vector([1, 2, 3, 4], WHOLE)
    strangers = (
        other_public.encrypt_vector([1, 2, 3, 4], WHOLE),
        public.encrypt_vector([1, 2, 3, 4], Layout(32, 1, 100)),
        public.encrypt_vector([1, 2, 3, 4], Layout(32, 0, 99)),
        public.encrypt_vector([1, 2, 3], WHOLE),
        public.encrypt_vector([[1, 2], [3, 4]], WHOLE),
        5, 0.5, None, np.arange(4),
    )  # fmt: skip
    for stranger in strangers[:-1]:
        with pytest.raises(InvalidParameter):
            v + stranger
        with pytest.raises(InvalidParameter):
            v - stranger
    with pytest.raises(InvalidParameter):
        v + strangers[-1]
    for factor in (0.5, True, None, v, "2"):
        with pytest.raises(InvalidParameter):
            v * factor
    for reader in (lambda: other_private.decrypt_vector(v),):
        with pytest.raises(DecryptionError):
            reader()
    with pytest.raises(InvalidParameter):
        private.decrypt_vector(public.encrypt(1))


def test_numpy_integers_multiply():
    v = public.encrypt_vector([1, 2], WHOLE)
    assert private.decrypt_vector(v * np.int64(3)).tolist() == [3, 6]
    assert private.decrypt_vector(np.int32(-3) * v).tolist() == [-3, -6]
    assert private.decrypt_vector(-v).tolist() == [-1, -2]
    assert private.decrypt_vector(sum([v, v, v])).tolist() == [3, 6]


# Bytes, JSON and blinding


def test_bytes_json_and_pickle_bring_a_vector_back():
    v = public.encrypt_vector(np.arange(70).reshape(7, 10), WHOLE) * 3
    for copy in (
        PackedVector.from_bytes(v.to_bytes(), public, WHOLE),
        PackedVector.from_json(v.to_json(), public, WHOLE),
        pickle.loads(pickle.dumps(v)),
    ):
        assert (copy.shape, copy.layout, copy.spent, copy.public_key) == (v.shape, WHOLE, 3, public)
        assert copy.ciphertexts() == v.ciphertexts()
        assert (private.decrypt_vector(copy + v) == np.arange(70).reshape(7, 10) * 6).all()


def test_damaged_bytes_raise():
    content = public.encrypt_vector([[1, 2], [3, 4]], WHOLE).to_bytes()
    head = 45 + 16
    assert len(content) == head + 512
    for length in (0, 3, 19, 30, 44, 50, head, len(content) - 1):
        with pytest.raises(DecryptionError):
            PackedVector.from_bytes(content[:length], public, WHOLE)
    for place in [
        *range(36),
        *range(36, 43),
        44,
        *range(45, head),
    ]:  # all of the header but the least byte of spent
        altered = bytearray(content)
        altered[place] ^= 0x41
        with pytest.raises(DecryptionError):
            PackedVector.from_bytes(bytes(altered), public, WHOLE)
    for malformed in (
        content + b"\0",
        content[:head] + bytes(512),
        content[:head] + b"\xff" * 512,
        None,
        "text",
    ):
        with pytest.raises(DecryptionError):
            PackedVector.from_bytes(malformed, public, WHOLE)
    no_numbers = content[:45] + (0).to_bytes(8, "big") + (2**62).to_bytes(8, "big")
    with pytest.raises(DecryptionError):
        PackedVector.from_bytes(no_numbers, public, WHOLE)
    with pytest.raises(DecryptionError):
        PackedVector.from_bytes(content, other_public, WHOLE)
    with pytest.raises(DecryptionError):
        PackedVector.from_bytes(content, public, Layout(32, 0, 99))
    document = json.loads(public.encrypt_vector([1], WHOLE).to_json())
    with pytest.raises(DecryptionError):
        PackedVector.from_json(json.dumps({**document, "spent": 2}), public, WHOLE)


def test_results_are_blinded_on_every_way_out():
    v = public.encrypt_vector(np.arange(100), WHOLE)
    bare = v.ciphertexts()
    n_square = public.n**2
    for result, known in (
        (v * 1, bare),
        (v * 0, [1] * len(bare)),
        (v + v, [c * c % n_square for c in bare]),
    ):
        for way in (
            lambda vector: vector.ciphertexts(),
            lambda vector: PackedVector.from_bytes(vector.to_bytes(), public, WHOLE).ciphertexts(),
            lambda vector: pickle.loads(pickle.dumps(vector)).ciphertexts(),
        ):
            assert not set(way(result)) & set(known)
    assert (v + v).to_bytes() != (v + v).to_bytes()


def test_the_representation_shows_no_value():
    assert repr(public.encrypt_vector([123456], WHOLE)) == (
        "<PackedVector (1,) in 1 ciphertexts, "
        "1 of Layout(bits=32, fraction_bits=0, additions=100) spent>"
    )


# Whole numbers stay whole


@pytest.mark.parametrize(
    "whole",
    [
        [2**63, 1], [2**63 + 1, -1], [-(2**63), 2**64 - 1], [2**70 + 1], [True, 2**80 - 1],
        [[2**64 + 1, 2], [3, -(2**90)]],
    ],
)  # fmt: skip
def test_a_list_of_whole_numbers_never_becomes_floats(whole):
    layout = Layout(bits=100, fraction_bits=0, additions=4)
    decrypted = private.decrypt_vector(public.encrypt_vector(whole, layout) * 3)
    assert decrypted.tolist() == (np.array(whole, dtype=object) * 3).tolist()
    again = public.encrypt_vector(
        private.decrypt_vector(public.encrypt_vector(whole, layout)), layout
    )
    assert private.decrypt_vector(again * 3).tolist() == decrypted.tolist()


def test_numpys_integers_of_two_kinds_in_a_list_stay_whole():
    packed, _ = pack([np.uint64(2**63 + 1), np.int64(-1)], Layout(100, 0, 1), public.bits)
    assert packed == [2**63 + 1 - (1 << 100)]


def test_a_whole_number_beside_a_float_stays_exact():
    layout = Layout(bits=100, fraction_bits=20, additions=1)
    packed, _ = pack([2**53 + 1, 0.5], layout, public.bits)
    assert packed == [((2**53 + 1) << 20) + (1 << 119)]


def test_a_whole_number_beyond_its_slot_is_refused_as_too_large():
    for bad in ([2**70], [2**63, -(2**31)], np.array([2**40], dtype=object)):
        with pytest.raises(MessageTooLarge):
            public.encrypt_vector(bad, WHOLE)


@pytest.mark.parametrize(
    "bad", [[Decimal(1)], [Fraction(1, 3), 2**64], [2**64, math.nan], [2**64, "1"]]
)
def test_objects_that_are_no_numbers_raise(bad):
    with pytest.raises(InvalidParameter):
        public.encrypt_vector(np.array(bad, dtype=object), Layout(100, 0, 1))


MASKED = np.ma.array([1, 2, 3], mask=[False, True, False])


@pytest.mark.parametrize(
    "masked",
    [
        MASKED, MASKED * 0.5, np.ma.array([1, 2]), [MASKED, MASKED], [[1, 2], (3, np.ma.masked)],
        np.ma.masked, [np.ma.masked, 1], [[[MASKED]]],
    ],
)  # fmt: skip
def test_a_masked_array_is_refused(masked):
    with pytest.raises(InvalidParameter, match="masked"):
        public.encrypt_vector(masked, WHOLE)


def test_lists_nested_without_end_are_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidParameter):
        public.encrypt_vector(endless, WHOLE)


def test_numpy_integers_make_a_layout_and_spend():
    layout = Layout(np.int64(100), np.uint8(0), additions=np.int32(50))
    assert layout == Layout(100, 0, 50)
    assert layout.limit == (2**99 - 1) // 50
    vector = public.encrypt_vector([1], layout).spend(np.int64(7))
    assert PackedVector.from_bytes(vector.to_bytes(), public, layout).spent == 7


def test_a_bad_packed_integer_takes_as_long_as_a_good_one_wherever_it_stands(monkeypatch):
    """Every ciphertext is decrypted in full, and unpacked, before any error is raised."""
    powers = exponentiations(monkeypatch)
    layout = Layout(32, 0, additions=2)
    honest = public.encrypt_vector(np.arange(63 * 4), layout)
    bad = public.encrypt(public.max_int, limit=public.max_int, exponent=0).raw_ciphertext
    counts = set()
    for place in (None, 0, 3):
        cs = list(honest.raw_ciphertexts)
        if place is not None:
            cs[place] = bad
        vector = PackedVector(public, layout, honest.shape, cs, spent=1, is_blinded=True)
        powers.clear()
        with nullcontext() if place is None else pytest.raises(PlaintextOverflow):
            private.decrypt_vector(vector)
        counts.add(tuple(powers))
    assert len(counts) == 1
    assert len(powers) == 2 * 4
