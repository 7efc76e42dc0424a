"""Tests lepton_lab.textbook.attacks.wiener: a small private exponent is found."""

from __future__ import annotations

import math

import pytest

from lepton_lab.textbook.attacks import AttackFailed, wiener
from lepton_lab.textbook.primitives import numtheory
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.textbook_keys import NUMBER, helper_rsa_public, weak_rsa_key


def test_a_small_private_exponent_is_a_convergent() -> None:
    p = weak_rsa_key(e=65537).p
    q = weak_rsa_key(e=65537).q
    # the largest d that is small enough
    d = numtheory.integer_root(p * q, 4) // 3 - 1
    while math.gcd(d, (p - 1) * (q - 1)) != 1:
        d -= 1
    weak = wiener.key_with_small_d(p, q, d)
    c = tb_rsa.RSAEP(weak.public, NUMBER).result
    assert tb_rsa.RSADP(weak, c, crt=False).result == NUMBER
    found = wiener.private_key(weak.public)
    assert (found.result.d, {found.result.p, found.result.q}) == (d, {p, q})


def test_the_helpers_private_exponent_is_not_small() -> None:
    with pytest.raises(AttackFailed, match="not small"):
        wiener.private_key(helper_rsa_public())
