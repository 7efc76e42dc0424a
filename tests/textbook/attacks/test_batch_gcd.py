"""Tests lepton_lab.textbook.attacks.batch_gcd: shared primes are found among thousands of keys."""

from __future__ import annotations

import math
import random
from functools import cache

import gmpy2
import pytest

from lepton_lab import rsa
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, batch_gcd


@cache
def fleet(count: int = 2000, bits: int = 512) -> tuple[int, ...]:
    """Moduli of a fleet of devices, a few of which drew their first prime too early."""
    rng = random.Random(2012)

    def prime() -> int:
        return int(gmpy2.next_prime(rng.getrandbits(bits // 2) | 3 << bits // 2 - 2))

    early = [prime(), prime()]
    moduli = []
    for i in range(count):
        # every 200th device starts before it has gathered randomness
        first = early[i // 400 % 2] if i % 200 == 7 else prime()
        moduli.append(first * prime())
    return tuple(moduli)


def test_shared_primes_fall_out_of_two_thousand_moduli() -> None:
    trace = batch_gcd.shared_primes(fleet())
    assert sorted(trace.result) == [i for i in range(2000) if i % 200 == 7]
    assert all(p * q == fleet()[i] and gmpy2.is_prime(p) for i, (p, q) in trace.result.items())


def test_the_helpers_primes_are_shared_with_nobody() -> None:
    keys = [rsa.generate_private_key(2048).public_key().public_numbers().n for _ in range(3)]
    with pytest.raises(AttackFailed, match="no two of the 3"):
        batch_gcd.shared_primes(keys)
    # among weak keys, too, the helper's are not broken
    found = batch_gcd.shared_primes([*fleet()[:501], *keys]).result
    assert sorted(found) == [7, 207]
    for nothing in ((), (15,), (15, 77)):
        with pytest.raises(AttackFailed):
            batch_gcd.shared_primes(nothing)
    with pytest.raises(InvalidParameter):
        batch_gcd.shared_primes([15, 0])


@pytest.mark.parametrize("count", [2, 3, 5, 8, 9])
def test_batch_gcd_agrees_with_all_pairs(count: int) -> None:
    rng = random.Random(count)
    primes = [101, 103, 107, 109, 113, 127, 131, 137, 139, 149]
    for _ in range(20):
        moduli = [math.prod(rng.sample(primes, 2)) for _ in range(count)]
        shared = set()
        for i, n in enumerate(moduli):
            others = math.prod(moduli[:i] + moduli[i + 1 :])
            if 1 < math.gcd(n, others) < n:
                shared.add(i)
        try:
            assert set(batch_gcd.shared_primes(moduli).result) == shared
        except AttackFailed:
            assert not shared
