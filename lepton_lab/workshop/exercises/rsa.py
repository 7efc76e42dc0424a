"""Exercises of `02_rsa`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lepton_lab.textbook.primitives.numtheory import crt, integer_root
from lepton_lab.workshop.engine import (
    Exercise,
    NotYet,
    WrongAnswer,
    expect,
    expect_kind,
    function,
    value,
)

# e·d ≡ 1 --------------------------------------------------------------------------------------------------------------

_KEYS = ((61, 53, 17), (11, 3, 7), (1009, 2003, 65537), (2**61 - 1, 2**89 - 1, 65537))


def _private_exponent(p: int, q: int, e: int) -> int:
    return pow(e, -1, math.lcm(p - 1, q - 1))


_OTHER_MODULI: tuple[tuple[Callable[[int, int], int], str], ...] = (
    (
        lambda p, q: p * q,
        "that is the inverse of e modulo n; exponents are counted modulo λ(n), see (5)",
    ),
    (lambda p, q: p * q - 1, "n is not prime, so Fermat's n - 1 is not its φ: start from p and q"),
    (
        lambda p, q: p - 1,
        "that is e's inverse modulo p - 1: it undoes e modulo p, and modulo q it need not",
    ),
    (
        lambda p, q: q - 1,
        "that is e's inverse modulo q - 1: it undoes e modulo q, and modulo p it need not",
    ),
)


def _inverse_modulo(modulus: Callable[[int, int], int]) -> Callable[[int, int, int], int]:
    return lambda p, q, e: pow(e, -1, modulus(p, q))


def _judge_private_exponent(answer: Any) -> None:
    """Any d with e·d ≡ 1 modulo λ(n) is right: λ(n) and φ(n) give different ones."""
    expect(callable(answer), "a function is needed here: private_exponent(p, q, e)")
    found = [answer(*key) for key in _KEYS]
    for d, (p, q, e) in zip(found, _KEYS, strict=True):
        expect_kind(d, 0, "your function should return")
        order = math.lcm(p - 1, q - 1)
        if e * d % order == 1:
            expect(
                d > 0,
                "right modulo λ(n), but below 0: take it modulo λ(n), so that it can be an exponent",
            )
            continue
        for modulus, hint in _OTHER_MODULI:
            m = modulus(p, q)
            expect(e * d % m != 1, hint)
        raise NotYet(
            f"for p = {p}, q = {q}, e = {e} your d gives e·d = {e * d % order} modulo λ(n) = {order}, not 1"
        )


# A bid of ten per cent more -------------------------------------------------------------------------------------------


def _raised(c: int, n: int, e: int) -> int:
    return c * pow(11, e, n) * pow(10, -e, n) % n


_BIDS = tuple(
    (pow(bid, e, n), n, e)
    for bid, n, e in (
        (1000, 3233, 17),
        (250_000, (2**61 - 1) * (2**89 - 1), 65537),
        (70, 1009 * 2003, 65537),
    )
)

# Three receivers ------------------------------------------------------------------------------------------------------

_RECEIVERS = (2**127 - 1, 2**107 - 1, 2**89 - 1)  # coprime is all that matters here


def _sent(m: int, moduli: Sequence[int]) -> tuple[list[int], list[int]]:
    return [pow(m, 3, n) for n in moduli], list(moduli)


def _broadcast(ciphertexts: Sequence[int], moduli: Sequence[int]) -> int:
    return integer_root(crt(ciphertexts, moduli), 3)


# One fault ------------------------------------------------------------------------------------------------------------


def _faulty(m: int, p: int, q: int, e: int) -> tuple[int, int, int, int]:
    """(n, e, m, s): s is right modulo q, and off by one modulo p."""
    d = _private_exponent(p, q, e)
    return p * q, e, m, crt([pow(m, d, p) + 1, pow(m, d, q)], [p, q])


_FAULTS = (
    _faulty(65, 61, 53, 17),
    _faulty(1, 61, 53, 17),
    _faulty(12345, 1009, 2003, 65537),
    _faulty(10**30, 2**61 - 1, 2**89 - 1, 65537),
)

# Bleichenbacher's step 3 ----------------------------------------------------------------------------------------------


End = Callable[[int, int, int, int], int]  # of r, s, n, B


def _lower(r: int, s: int, n: int, B: int) -> int:  # noqa: N803
    return -(-(2 * B + r * n) // s)


def _lower_rounded_down(r: int, s: int, n: int, B: int) -> int:  # noqa: N803
    return (2 * B + r * n) // s


def _upper(r: int, s: int, n: int, B: int) -> int:  # noqa: N803
    return (3 * B - 1 + r * n) // s


def _upper_rounded_up(r: int, s: int, n: int, B: int) -> int:  # noqa: N803
    return -(-(3 * B - 1 + r * n) // s)


def _upper_with_3B(r: int, s: int, n: int, B: int) -> int:  # noqa: N802, N803
    return (3 * B + r * n) // s


def _sliced(
    lower: End = _lower, upper: End = _upper, clip: bool = True, beyond: int = 1
) -> Callable[..., Any]:
    """The solution with one thing done otherwise: the rounding at an end, the clipping, the last r."""

    def slices(low: int, high: int, s: int, n: int, B: int) -> list[tuple[int, int]]:  # noqa: N803
        rs = range(-(-(low * s - 3 * B + 1) // n), (high * s - 2 * B) // n + beyond)
        ends = [(lower(r, s, n, B), upper(r, s, n, B)) for r in rs]
        if clip:
            ends = [(max(low, a), min(high, b)) for a, b in ends]
        return [(a, b) for a, b in ends if a <= b]

    return slices


_SLICES = (  # with n = 3233 and B = 256 one can follow by hand: [512, 767]
    (512, 767, 11, 3233, 256),
    (512, 767, 25, 3233, 256),  # 548 · 25 = 3B + 4n: just outside
    (512, 767, 5, 3233, 256),
    (512, 767, 2, 3233, 256),
    (600, 640, 41, 3233, 256),
    (530, 760, 100, 3233, 256),
    (2 * 2**48, 3 * 2**48 - 1, 40_321, 2**64 - 59, 2**48),
)


EXERCISES: tuple[Exercise, ...] = (
    value(
        "rsa.inverse",
        "An inverse by hand",
        "Which number from 0 to 39 is the inverse of 7 modulo 40?",
        solution=23,
        otherwise="multiply your number by 7 and divide by 40: the rest should be 1",
        wrong=[
            WrongAnswer(17, "7 · 17 = 119, which is -1 modulo 40: the right size, the wrong sign"),
            WrongAnswer(
                33,
                "7 + 33 = 40: that is the inverse for addition; wanted is the one for multiplication",
            ),
            WrongAnswer(63, "that is one of them; the one from 0 to 39 is wanted, so subtract 40"),
            WrongAnswer(-17, "that is one of them; the one from 0 to 39 is wanted, so add 40"),
            WrongAnswer(1 / 7, "no fractions: the residues 0 to 39 are all there is"),
        ],
    ),
    Exercise(
        "rsa.private_exponent",
        "The private exponent",
        "Write private_exponent(p, q, e): a d with e · d ≡ 1 modulo λ(n) = lcm(p - 1, q - 1).",
        _judge_private_exponent,
        _private_exponent,
        (
            *(WrongAnswer(_inverse_modulo(modulus), hint) for modulus, hint in _OTHER_MODULI),
            WrongAnswer(
                lambda p, q, e: _private_exponent(p, q, e) - math.lcm(p - 1, q - 1),
                "right modulo λ(n), but below 0: take it modulo λ(n), so that it can be an exponent",
            ),
            WrongAnswer(lambda p, q, e: 1 / e, "your function should return an int, not a float"),
        ),
    ),
    function(
        "rsa.raise_bid",
        "Ten per cent more",
        "Write raise_bid(c, n, e): from c = m^e mod n, the raw ciphertext of 11/10 of m, where 10 divides m.",
        solution=_raised,
        probes=_BIDS,
        wrong=[
            WrongAnswer(
                lambda c, n, e: c * 11 * pow(10, -1, n) % n,
                "that multiplies c, so what is inside grows by the d-th power of 11/10: put 11/10 to the power e first",
            ),
            WrongAnswer(
                lambda c, n, e: c * 11**e // 10**e % n,
                "c is a residue, so // means nothing to it: multiply by the inverse of 10^e modulo n, pow(10, -e, n)",
            ),
            WrongAnswer(
                lambda c, n, e: c * pow(11, e, n) % n,
                "that makes it eleven times as much; now divide by 10",
            ),
            WrongAnswer(
                lambda c, n, e: c * 11 // 10,
                "what is done to c is not done to m: only powers pass through",
            ),
        ],
    ),
    function(
        "rsa.broadcast",
        "One message to three",
        "Write broadcast(ciphertexts, moduli): the number m that was sent raw, with e = 3, under three moduli.",
        solution=_broadcast,
        probes=[_sent(m, _RECEIVERS) for m in (2, 10**20, 3**55, 2**88 + 12345)],
        wrong=[
            WrongAnswer(crt, "that is m³, the hard half: now its cube root"),
            WrongAnswer(
                lambda c, n: round(crt(c, n) ** (1 / 3)),
                "a float keeps 53 bits, and m has more: take numtheory.integer_root",
            ),
            WrongAnswer(
                lambda c, n: integer_root(c[0], 3),
                "one ciphertext alone was reduced modulo its n: put the three together with the CRT first",
            ),
            WrongAnswer(
                lambda c, n: integer_root(sum(c), 3),
                "adding residues of different moduli means nothing: the CRT puts them together",
            ),
        ],
    ),
    function(
        "rsa.fault",
        "One wrong signature",
        "Write prime_from(n, e, m, s): the prime of n modulo which the faulty signature s of m is still right.",
        solution=lambda n, e, m, s: math.gcd(pow(s, e, n) - m, n),
        probes=_FAULTS,
        wrong=[
            WrongAnswer(
                lambda n, e, m, s: math.gcd(s - m, n),
                "s is no m: raise it to e first, as whoever verifies does",
            ),
            WrongAnswer(
                lambda n, e, m, s: n // math.gcd(pow(s, e, n) - m, n),
                "that is the other prime: the one that divides s^e - m is the one modulo which s is right",
            ),
            WrongAnswer(
                lambda n, e, m, s: (pow(s, e, n) - m) % n,
                "that is a multiple of one of the primes; what does it have in common with n?",
            ),
            WrongAnswer(
                lambda n, e, m, s: math.gcd(pow(s, e, n), n),
                "subtract m: only the difference is 0 modulo one prime",
            ),
        ],
    ),
    function(
        "rsa.slices",
        "What one answer cuts away",
        "Write slices(low, high, s, n, B): every (first, last) with low <= m <= high and m·s mod n in [2B, 3B).",
        solution=_sliced(),
        probes=_SLICES,
        seconds=10.0,
        wrong=[
            WrongAnswer(
                _sliced(lower=_lower_rounded_down),
                "a lower end must be rounded up: below it m·s is not yet 2B; -(-x // s) is x / s rounded up",
            ),
            WrongAnswer(
                _sliced(upper=_upper_with_3B),
                "3B itself is no longer well padded: the last one is (3B - 1 + r·n) // s",
            ),
            WrongAnswer(
                _sliced(upper=_upper_rounded_up),
                "an upper end must be rounded down: above it m·s has already left [2B, 3B)",
            ),
            WrongAnswer(
                _sliced(clip=False),
                "a slice may stick out of low..high: keep what both have in common",
            ),
            WrongAnswer(
                _sliced(beyond=0),
                "a slice is missing at the top: the last r is (high·s - 2B) // n, and range stops short of its end",
            ),
        ],
    ),
)
