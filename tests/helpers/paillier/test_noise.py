"""Tests lepton_lab.paillier.noise: all noise is a residue, and tables come when they pay off."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from gmpy2 import mpz, powmod

from lepton_lab import paillier
from lepton_lab.paillier import PublicKey, noise
from lepton_lab.paillier.crt import CrtArithmetic
from lepton_lab.paillier.noise import MANY, Comb, FixedBase, PublicNoise

public, private = paillier.generate_keypair(2048)
n = mpz(public.n)
n_square = n**2
p = mpz(private.p)
q = mpz(private.q)
crt = CrtArithmetic(p, q)


def digits(exponent: int, bits: int, comb: Comb) -> Iterator[int]:
    """The digits as `FixedBase.masked` takes them, read from the bits one by one."""
    for layer in reversed(range(comb.layers)):
        for table in range(comb.tables(bits)):
            places = [layer + comb.layers * (comb.width * table + i) for i in range(comb.width)]
            yield sum((exponent >> place & 1) << i for i, place in enumerate(places))


COMBS = [(width, 1) for width in range(1, 12)] + [
    (1, 16),
    (3, 2),
    (4, 8),
    (5, 3),
    (9, 16),
    (13, 16),
]


@pytest.mark.parametrize("comb", [Comb(*comb) for comb in COMBS], ids=str)
def test_tables_of_every_comb_give_the_power(comb):
    base = powmod(secrets.randbelow(public.n), n, n_square)
    powers = FixedBase(base, n, 129, comb)
    whole = comb.width * comb.layers * comb.tables(129)
    for exponent in (
        0,
        1,
        2,
        (1 << comb.width) - 1,
        2**129 - 1,
        2**whole - 1,
        secrets.randbits(129),
    ):
        for message in (0, 1, -1, 12345, -public.max_int, secrets.randbelow(public.n)):
            expected = (1 + message * n) * powmod(base, exponent, n_square) % n_square
            assert powers.masked(message, digits(exponent, 129, comb)) == expected


def test_a_base_that_is_no_residue_works_too():
    base = mpz(secrets.randbelow(int(n_square)))
    comb = Comb(4, 2)
    expected = (1 + 7 * n) * powmod(base, 2**63 + 5, n_square) % n_square
    assert FixedBase(base, n, 64, comb).masked(7, digits(2**63 + 5, 64, comb)) == expected


def test_a_random_power_uses_every_bit_of_every_digit(monkeypatch):
    powers = FixedBase(mpz(4), n, 100, Comb(5, 4))
    seen = []
    monkeypatch.setattr(powers, "masked", lambda message, digits: seen.append(list(digits)))
    for _ in range(1000):
        powers.mask(0)
    assert {len(drawn) for drawn in seen} == {5 * 4}
    for place in range(20):
        assert {drawn[place] for drawn in seen} == set(range(32))


@pytest.mark.parametrize("bits", [1024, 1536, 2176, 4224])
@pytest.mark.parametrize("count", [1, 32, 323, MANY, 1 << 14, 1 << 30])
def test_the_best_comb_costs_least_and_stays_small(bits, count):
    best = Comb.best(bits, count)
    assert best.tables(bits) << best.width <= 1 << 16
    nearby = [Comb(best.width + more, layers) for more in (-1, 0, 1) for layers in range(1, 25)]
    for comb in nearby:
        if comb.width and comb.tables(bits) << comb.width <= 1 << 16:
            assert best.cost(bits, count) <= comb.cost(bits, count)


def test_a_step_is_a_look_up_or_a_square_between_two_layers():
    assert Comb(9, 1).steps(1024) == 114
    assert Comb(12, 11).steps(1024) == 88 + 10


def test_exponents_are_as_long_as_their_assumption_says():
    assert PublicNoise(n, "short").exponent_bits == 1024
    assert PublicNoise(n, "long").exponent_bits == 2048 + 128


@pytest.mark.parametrize("kind", ["uniform", "short", "long"])
def test_noise_of_every_kind_is_an_nth_residue_and_never_the_same(kind):
    source = PublicNoise(n, kind)
    masks = [source.mask(0) for _ in range(5)]
    source.prepare(200)
    masks += [source.mask(0) for _ in range(5)]
    assert len(set(masks)) == 10
    for mask in masks:
        assert crt.decrypt(mask) == 0  # exactly the n-th residues decrypt to 0
        assert mask != 1


def test_owners_noise_is_an_nth_residue():
    masks = {crt.mask(0) for _ in range(5)}
    assert len(masks) == 5
    assert all(crt.decrypt(mask) == 0 for mask in masks)


def test_the_base_of_short_noise_is_minus_a_square_to_the_n():
    source = PublicNoise(n, "short")
    residue = source.base()
    assert source.base() == residue  # drawn once
    # −y² with p ≡ q ≡ 3 (mod 4) is a square modulo neither prime
    assert powmod(residue, (p - 1) // 2, p) == p - 1
    assert powmod(residue, (q - 1) // 2, q) == q - 1


def test_tables_come_when_they_pay_and_grow():
    source = PublicNoise(n, "short")
    steps = []
    for _ in range(40):
        source.mask(0)
        steps.append(None if source.fixed_base is None else source.fixed_base.comb.steps(1024))
    assert steps[:2] == [None, None]
    assert steps[2] == Comb.best(1024, 34).steps(1024)
    assert steps[-1] == Comb.best(1024, 35 + MANY).steps(1024) < steps[2] / 1.6
    assert steps[2:] == sorted(steps[2:], reverse=True)
    assert len(set(steps)) == 3


def test_uniform_noise_never_uses_tables():
    key = PublicKey(public.n)
    key.precompute()
    assert key.noise.fixed_base is None


def test_what_was_prepared_for_makes_no_wider_tables():
    source = PublicNoise(n, "short")
    source.prepare(60)
    comb = source.fixed_base.comb
    for _ in range(60):
        source.mask(0)
    assert source.fixed_base.comb == comb
    source.mask(0)
    assert source.fixed_base.comb == Comb.best(1024, 61 + MANY) != comb


def test_a_smaller_wish_does_not_shrink_the_tables():
    source = PublicNoise(n, "short")
    source.prepare(1000)
    comb = source.fixed_base.comb
    source.prepare(10)
    assert source.fixed_base.comb == comb
    assert source.expected(10) == 1000


def test_a_child_process_makes_tables_of_its_own(monkeypatch):
    source = PublicNoise(n, "short")
    source.prepare(30)
    inherited = source.base()
    monkeypatch.setattr(noise.os, "getpid", lambda: -1)
    source.mask(0)
    assert source.fixed_base is None
    source.prepare(30)
    assert source.base() != inherited


FORKED = """
import os
from lepton_lab import paillier
public, private = paillier.generate_keypair(2048)
public.precompute(10)
base = public.noise.base()
if not os.fork():
    number = public.encrypt(5)
    is_dropped = public.noise.base() != base and public.noise.fixed_base is None
    os._exit(0 if is_dropped and private.decrypt(number) == 5 else 1)
print(os.waitstatus_to_exitcode(os.wait()[1]), public.noise.base() == base)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only on Windows: there is no fork")
def test_a_forked_child_drops_what_its_parent_precomputed():
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert ran.stdout == "0 True\n"


def test_threads_may_share_a_key():
    key = PublicKey(public.n, "short")
    with ThreadPoolExecutor(4) as threads:
        encrypted = list(threads.map(key.encrypt, range(80)))
        assert list(threads.map(private.decrypt, encrypted)) == list(range(80))
    assert len({number.ciphertext() for number in encrypted}) == 80
