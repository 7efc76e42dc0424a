"""Tests lepton_lab.textbook.attacks.fermat: close primes are found, and not the helper's."""

from __future__ import annotations

import gmpy2
import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, fermat
from tests.support.textbook_keys import helper_rsa_public, weak_rsa_key


def test_close_primes_are_found_at_once() -> None:
    p = weak_rsa_key(2048).p
    q = int(gmpy2.next_prime(p + 2**400))
    trace = fermat.factor(p * q)
    assert trace.result == (p, q)
    assert fermat.factor(59 * 101).result == (59, 101)  # Fermat's own way, by hand
    for gap in (2**514, 2**515 + 2**514, 2**516):  # 2, 18 and 32 steps
        q = int(gmpy2.next_prime(p + gap))
        assert fermat.factor(p * q, limit=40).result == (p, q)
    assert fermat.factor(49).result == (7, 7)


def test_the_helpers_primes_are_not_close() -> None:
    with pytest.raises(AttackFailed, match="1000 steps"):
        fermat.factor(helper_rsa_public().n, limit=1000)
    with pytest.raises(InvalidParameter):
        fermat.factor(2)
