"""Tests lepton_lab.textbook.attacks.seeded_key: a key from the clock is found."""

from __future__ import annotations

import random

import pytest

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, seeded_key

NOON = 1_700_000_000


def key_of(seed: int) -> bytes:
    return random.Random(seed).randbytes(32)


def opener(ciphertext: bytes):  # type: ignore[no-untyped-def]
    def opens(key: bytes) -> bool:
        try:
            aes.decrypt(key, ciphertext)
        except DecryptionError:
            return False
        return True

    return opens


def test_a_key_from_the_clock_is_found_among_the_seconds_of_an_hour() -> None:
    ciphertext = aes.encrypt(key_of(NOON + 1234), b"measured")
    trace = seeded_key.guess(key_of, range(NOON, NOON + 3600), opener(ciphertext))
    assert trace.result == key_of(NOON + 1234)
    assert (trace["seed"], trace["queries"]) == (NOON + 1234, 1235)


def test_a_key_of_the_helper_is_not_found_and_the_search_ends() -> None:
    opens = opener(aes.encrypt(aes.generate_key(), b"measured"))
    with pytest.raises(AttackFailed, match="none of these 500 seeds"):
        seeded_key.guess(key_of, range(NOON, NOON + 500), opens)
    with pytest.raises(AttackFailed, match="gave up after 20 queries"):
        seeded_key.guess(key_of, range(NOON, NOON + 500), opens, limit=20)


def test_what_makes_no_bytes_is_no_way_to_a_key() -> None:
    with pytest.raises(InvalidParameter):
        seeded_key.guess(lambda seed: seed, range(3), lambda key: True)  # type: ignore[arg-type, return-value]
