"""Tests lepton_lab.workshop.experiments.nb03_plain_tables: the same noise as the helper's."""

from __future__ import annotations

import pytest
from gmpy2 import mpz, powmod

from lepton_lab import paillier
from lepton_lab.paillier import EncryptedNumber
from lepton_lab.paillier.noise import Comb, FixedBase
from lepton_lab.workshop.experiments.nb03_plain_tables import PlainTables


@pytest.mark.parametrize("comb", [Comb(1, 1), Comb(4, 8), Comb(9, 1)], ids=str)
def test_plain_tables_give_what_the_helpers_give(comb):
    public, private = paillier.generate_keypair(2048)
    n = mpz(public.n)
    base = powmod(-4, n, n * n)
    plain, helpers = PlainTables(base, n, 64, comb), FixedBase(base, n, 64, comb)
    for digits in (
        [0] * plain.digits,
        [(1 << comb.width) - 1] * plain.digits,
        [1, *[0] * (plain.digits - 1)],
    ):
        assert plain.masked(-7, digits) == helpers.masked(-7, digits)
    ours, again = plain.mask(1234), plain.mask(1234)
    assert ours != again
    assert private.decrypt(EncryptedNumber(public, int(ours), exponent=0)) == 1234
