"""Tests lepton_lab.paillier.crt: many ciphertexts are decrypted at once, and cheats are found."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import phe
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber, crt
from tests.support.paillier_work import exponentiations

public, private = paillier.generate_keypair(2048)


def theirs(values: list[int | float]) -> list[EncryptedNumber]:
    key = public.to_phe()
    return [
        EncryptedNumber.from_phe(phe.EncryptedNumber(key, int(_raw(v)), 0), public.max_int, public)
        for v in values
    ]


def _raw(value: int) -> mpz:
    return public.encrypt(value, limit=public.max_int, exponent=0).raw_ciphertext


@pytest.mark.parametrize(
    "bound", [0, 1, 2, 1000, 2**57, 2**64, 2**300, public.max_int], ids=range(8)
)
def test_values_within_any_bound_open_together(bound):
    values = [bound, -bound, 0, bound // 2, -(bound // 3)] * 9
    assert private.decrypt_many(theirs(values), bound) == values


@settings(max_examples=10)
@given(st.integers(1, 2**80), st.data())
def test_values_within_the_bound_open_together(bound, data):
    values = data.draw(st.lists(st.integers(-bound, bound), max_size=40))
    assert private.decrypt_many(theirs(values), bound) == values


def test_numbers_of_different_exponents_open_together():
    values = [1e-9, 3, -2.5, 1e30, 0, 2**60] * 2
    mixed = [EncryptedNumber.from_phe(public.to_phe().encrypt(value)) for value in values]
    assert private.decrypt_many(iter(mixed), 2**61) == values
    assert private.decrypt_many([public.encrypt(x) for x in values], 10**31 << 128) == values
    assert private.decrypt_many([], 5) == []


CHEATS = {
    "into the neighbour": [5, 7 + (1 << 18), -3, 2, 0, 9, 1, 4],
    "across two": [5, 1 << 36, -3, 2, 0, 9, 1, 4],
    "below": [5, -(1 << 18), -3, 2, 0, 9, 1, 4],
    "far out": [5, 7, public.max_int, 2, 0, 9, 1, 4],
    "the last": [5, 7, 2, 0, 9, 1, 4, -public.max_int],
    "p itself": [5, 7, 2, int(private.p), 9, 1, 4, 3],
}


@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheating_sender_moves_nothing_to_its_neighbour(kind):
    assert private.decrypt_many(theirs(CHEATS[kind]), 2**16) == CHEATS[kind]


def test_without_the_random_check_the_cheat_would_pass(monkeypatch):
    monkeypatch.setattr(crt.secrets, "randbits", lambda bits: 0)
    cheat = CHEATS["into the neighbour"]
    assert private.decrypt_many(theirs(cheat), 2**16) == [5, 7, -2, 2, 0, 9, 1, 4] != cheat


def test_a_bound_must_be_a_number():
    for bound in (-1, 1.5, None, True):
        with pytest.raises(InvalidParameter):
            private.decrypt_many([public.encrypt(1)], bound)


def test_a_narrow_bound_opens_modulo_p_alone(monkeypatch):
    number = public.encrypt(-2.5)
    wide = public.encrypt(7, limit=public.max_int, exponent=0)
    powers = exponentiations(monkeypatch)
    assert private.decrypt(number) == -2.5
    assert powers == [(private.p**2).bit_length()]
    assert private.decrypt(wide) == 7
    assert powers[1:] == [(private.p**2).bit_length(), (private.q**2).bit_length()]


# The clock


def declared(value: int, bound: int) -> EncryptedNumber:
    """A number that holds `value` and claims to be within `bound`, as a cheat sends it."""
    fresh = public.noise.mask(value)
    return EncryptedNumber(public, int(fresh), exponent=0, bound=bound)


NARROW = 2**64
WIDE = public.max_int


BOUNDS = {"0": 0, "2^64": NARROW, "2^895": 2**895, "2^896": 2**896, "n/3": WIDE}


@pytest.mark.parametrize(
    ("name", "halves"), [("0", 1), ("2^64", 1), ("2^895", 1), ("2^896", 2), ("n/3", 2)]
)
@pytest.mark.parametrize("past", [1, 2, 2**100, 2**1000], ids=["1", "2", "2^100", "2^1000"])
def test_decryption_does_the_same_work_whether_the_bound_holds_or_not(
    monkeypatch, name, halves, past
):
    bound = BOUNDS[name]
    powers = exponentiations(monkeypatch)
    assert private.decrypt(declared(bound, bound)) == bound
    within = list(powers)
    assert len(within) == halves
    for value in (bound + past, -bound - past):
        if abs(value) > public.n // 2:
            continue  # this is not a plaintext of the key
        powers.clear()
        with pytest.raises(PlaintextOverflow):
            private.decrypt(declared(value, bound))
        assert powers == within


def test_twenty_questions_to_the_clock_do_not_tell_a_salary(monkeypatch):
    """An adder that sees only the time asks whether salary − guess passes the bound."""
    powers = exponentiations(monkeypatch)
    salary = public.encrypt(73_150, limit=2**20, exponent=0)
    low = 0
    high = 2**20
    answers = set()
    for _ in range(20):
        guess = (low + high) // 2
        question = salary - guess + 2**40  # within 2^40 if the salary is at most the guess
        question.bound = 2**40
        powers.clear()
        with suppress(PlaintextOverflow):
            private.decrypt(question)
        answers.add(len(powers))
        low, high = (low, guess) if len(powers) == 1 else (guess + 1, high)
    assert answers == {1}
    assert low != 73_150


def test_few_numbers_together_take_the_same_work_too(monkeypatch):
    powers = exponentiations(monkeypatch)
    counts = set()
    for bad in (None, 0, 4):
        numbers = [declared(i, NARROW) for i in range(5)]
        if bad is not None:
            numbers[bad] = declared(NARROW + 1, NARROW)
        powers.clear()
        with nullcontext() if bad is None else pytest.raises(PlaintextOverflow):
            private.decrypt_many(numbers, NARROW)
        counts.add(len(powers))
    assert counts == {5}


def test_a_broken_bound_among_many_is_found_by_the_check_and_refused():
    numbers = [declared(i, NARROW) for i in range(40)]
    assert private.decrypt_many(numbers, NARROW) == list(range(40))
    for cheat in (NARROW + 1, -NARROW - 1, 2**300, -public.max_int):
        with pytest.raises(PlaintextOverflow):
            private.decrypt_many([*numbers, declared(cheat, NARROW)], NARROW)


def test_only_who_knows_a_multiple_of_p_can_pass_for_a_small_number():
    """What `CrtArithmetic.decrypt` says it does not check: here the sender knows p."""
    for multiple in (1, -1, 12345):
        crafted = declared(7 + multiple * private.p, NARROW)
        assert private.decrypt(crafted) == 7
    # Without p: a number beyond the bound is never small modulo p, though it may be anything else.
    for bits in range(65, 2045, 20):
        with pytest.raises(PlaintextOverflow):
            private.decrypt(declared(2**bits + 5, NARROW))
