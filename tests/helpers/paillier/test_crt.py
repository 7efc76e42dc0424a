"""Tests lepton_lab.paillier.crt: many ciphertexts are decrypted at once, and cheats are found."""

from __future__ import annotations

import phe
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier import EncryptedNumber, crt

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
    monkeypatch.setattr(private._crt, "_to_q_minus_1", None)
    assert private.decrypt(number) == -2.5
    with pytest.raises(TypeError):
        private.decrypt(wide)
