"""Tests lepton_lab.textbook.primitives.numtheory: definitions, known numbers, and gmpy2."""

from __future__ import annotations

import math
from fractions import Fraction

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import numtheory as nt

NATURAL = st.integers(0, 2**200)


@given(NATURAL, NATURAL)
def test_egcd_gives_bezouts_identity_and_so_does_every_row(a: int, b: int) -> None:
    if a == b == 0:
        with pytest.raises(InvalidParameter, match="every integer divides 0"):
            nt.egcd(a, b)
        return
    trace = nt.egcd(a, b)
    assert trace.result[0] == math.gcd(a, b)
    assert all(a * x + b * y == r for r, x, y in (step.value for step in trace))


@given(st.integers(-(2**200), 2**200), st.integers(2, 2**200))
def test_an_inverse_is_one_or_the_common_factor_is_named(a: int, n: int) -> None:
    if math.gcd(a, n) == 1:
        assert nt.inverse(a, n) == pow(a, -1, n)
    else:
        with pytest.raises(InvalidParameter, match=f"share the factor {math.gcd(a, n)},"):
            nt.inverse(a, n)


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**70), st.integers(1, 2**70))
def test_square_and_multiply_agrees_with_pow_and_its_steps_spell_the_exponent(
    base: int, e: int, n: int
) -> None:
    trace = nt.modexp(base, e, n)
    assert trace.result == pow(base, e, n)
    assert len(trace) == 1 + e.bit_length() + e.bit_count()


def test_the_oldest_chinese_remainder_problem() -> None:  # Sun Tzu, third century
    assert nt.crt([2, 3, 2], [3, 5, 7]) == 23
    assert nt.crt([12], [5]) == 2


@given(st.integers(-(2**100), 2**100))
def test_crt_finds_the_number_again(x: int) -> None:
    moduli = [2**61 - 1, 2**31 - 1, 2**20, 3**9]
    assert nt.crt([x % n for n in moduli], moduli) == x % math.prod(moduli)


@pytest.mark.parametrize(
    ("residues", "moduli"),
    [([], []), ([1], [2, 3]), ([1, 2], [4, 6]), ([1.0], [3]), ([1], [1]), ([1, 1], [3, 3])],
)
def test_crt_refuses_what_it_cannot_solve(residues: list[int], moduli: list[int]) -> None:
    with pytest.raises(InvalidParameter):
        nt.crt(residues, moduli)


def test_miller_rabin_agrees_with_gmpy2_up_to_ten_thousand() -> None:
    # no composite below 3,215,031,751 passes these (Pomerance, Selfridge, Wagstaff 1980)
    bases = [2, 3, 5, 7]
    for n in range(2, 10_000):
        assert nt.miller_rabin(n, bases).result == gmpy2.is_prime(n), n


def test_the_first_strong_pseudoprimes_pass_exactly_their_bases() -> None:  # OEIS A014233
    for n, passes, fails in (
        (2047, [2], 3),
        (1373653, [2, 3], 5),
        (25326001, [2, 3, 5], 7),
        (3215031751, [2, 3, 5, 7], 11),
    ):
        assert nt.miller_rabin(n, passes).result
        assert not nt.miller_rabin(n, [*passes, fails]).result
    assert "witness" in nt.miller_rabin(2047, [3])[-1].note


@given(st.integers(0, 2**300), st.integers(1, 12))
def test_an_integer_root_is_the_largest_that_fits(x: int, k: int) -> None:
    r = nt.integer_root(x, k)
    assert r**k <= x < (r + 1) ** k


@given(st.integers(0, 2**100), st.integers(1, 2**100))
def test_a_continued_fraction_ends_in_its_number_and_every_convergent_is_near(
    a: int, b: int
) -> None:
    quotients = nt.continued_fraction(a, b)
    convergents = [Fraction(h, k) for h, k in nt.convergents(quotients)]
    assert convergents[-1] == Fraction(a, b)
    assert all(abs(c - Fraction(a, b)) <= Fraction(1, c.denominator**2) for c in convergents)
    # put together from its end, it is the number itself
    value = Fraction(quotients[-1])
    for quotient in reversed(quotients[:-1]):
        value = quotient + 1 / value
    assert value == Fraction(a, b)


def test_number_theory_refuses_what_is_no_integer_or_out_of_range() -> None:
    for call in (
        lambda: nt.egcd(-1, 2),
        lambda: nt.egcd("1", 2),  # type: ignore[arg-type]
        lambda: nt.inverse(3, 1),
        lambda: nt.modexp(2, -1, 5),
        lambda: nt.modexp(2, 1, 0),
        lambda: nt.modexp(2.0, 1, 5),  # type: ignore[arg-type]
        lambda: nt.miller_rabin(1, [2]),
        lambda: nt.integer_root(-1, 2),
        lambda: nt.integer_root(4, 0),
        lambda: nt.continued_fraction(1, 0),
    ):
        with pytest.raises(InvalidParameter):
            call()
