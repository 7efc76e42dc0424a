"""The exercises of notebook `02_rsa`."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from lepton_lab.textbook.primitives.numtheory import crt, integer_root
from lepton_lab.workshop.engine import (
    Exercise,
    NotYet,
    Probe,
    WrongAnswer,
    expect,
    expect_kind,
    function,
    value,
)
from lepton_lab.workshop.exercises.rsa_slices import SLICES
from lepton_lab.workshop.real_keys import REAL_BITS, draw_primes

_REAL_E = 65537

# An inverse by hand -------------------------------------------------------------------------------

_INVERSE = value(
    "rsa.inverse",
    "An inverse by hand",
    "Which number from 0 to 39 is the inverse of 7 modulo 40?",
    solution=23,
    otherwise="multiply your number by 7 and divide by 40: the remainder should be 1",
    wrong=[
        WrongAnswer(17, "7 · 17 = 119, which is -1 modulo 40: the right size, the wrong sign"),
        WrongAnswer(
            33, "7 + 33 = 40: that is the inverse for addition; the one for multiplication is asked"
        ),
        WrongAnswer(63, "that is one of them; the one from 0 to 39 is asked, so subtract 40"),
        WrongAnswer(-17, "that is one of them; the one from 0 to 39 is asked, so add 40"),
        WrongAnswer(1 / 7, "no fractions: there are only the residues 0 to 39"),
    ],
)

# The private exponent -----------------------------------------------------------------------------

_KEYS = ((61, 53, 17), (11, 3, 7), (1009, 2003, 65537), (2**61 - 1, 2**89 - 1, 65537))


def _private_exponent(p: int, q: int, e: int) -> int:
    return pow(e, -1, math.lcm(p - 1, q - 1))


def _private_exponent_below_zero(p: int, q: int, e: int) -> int:
    return _private_exponent(p, q, e) - math.lcm(p - 1, q - 1)


# Moduli that are typically taken in place of λ(n), each with its hint.
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
_BELOW_ZERO = "right modulo λ(n), but below 0: take it modulo λ(n), so that it can be an exponent"


def _inverse_modulo(modulus: Callable[[int, int], int]) -> Callable[[int, int, int], int]:
    return lambda p, q, e: pow(e, -1, modulus(p, q))


def _judge_private_exponent(answer: Any) -> None:
    """Any d with e·d ≡ 1 modulo λ(n) is right: λ(n) and φ(n) give different ones."""
    expect(callable(answer), "a function is needed here: private_exponent(p, q, e)")
    # The results for small keys are all looked at before a real one: hints show small numbers.
    _judge_exponents([(key, answer(*key)) for key in _KEYS])
    p, q = draw_primes()
    real_keys = [(p, q, _REAL_E), (q, p, 2**31 - 1)]
    _judge_exponents([(key, answer(*key)) for key in real_keys])


def _judge_exponents(found: Sequence[tuple[tuple[int, int, int], Any]]) -> None:
    for (p, q, e), returned in found:
        expect_kind(returned, 0, "your function should return")
        d = int(returned)
        order = math.lcm(p - 1, q - 1)
        if e * d % order == 1:
            expect(d > 0, _BELOW_ZERO)
            continue
        for modulus, hint in _OTHER_MODULI:
            expect(e * d % modulus(p, q) != 1, hint)
        if p * q > 2**64:
            raise NotYet("right for the small examples, but not for a key of real size")
        raise NotYet(
            f"for p = {p}, q = {q}, e = {e} your d gives e·d = {e * d % order} modulo "
            f"λ(n) = {order}, not 1"
        )


_PRIVATE_EXPONENT = Exercise(
    "rsa.private_exponent",
    "The private exponent",
    "Write private_exponent(p, q, e): a d with e · d ≡ 1 modulo λ(n) = lcm(p - 1, q - 1).",
    _judge_private_exponent,
    _private_exponent,
    (
        *(WrongAnswer(_inverse_modulo(modulus), hint) for modulus, hint in _OTHER_MODULI),
        WrongAnswer(_private_exponent_below_zero, _BELOW_ZERO),
        WrongAnswer(lambda p, q, e: 1 / e, "your function should return an int, not a float"),
    ),
)

# A bid of ten per cent more -----------------------------------------------------------------------


def _raise_bid(c: int, n: int, e: int) -> int:
    return c * pow(11, e, n) * pow(10, -e, n) % n


def _encrypted_bid(bid: int, n: int, e: int) -> Probe:
    return pow(bid, e, n), n, e


def _draw_bids() -> list[Probe]:
    p, q = draw_primes()
    n = p * q
    bids = [10, 10 * secrets.randbelow(10**9), 10 * secrets.randbelow(n // 11)]
    return [_encrypted_bid(bid, n, _REAL_E) for bid in bids]


_RAISE_BID = function(
    "rsa.raise_bid",
    "Ten per cent more",
    "Write raise_bid(c, n, e): from c = m^e mod n, the raw ciphertext of 11/10 of m, where 10 "
    "divides m.",
    solution=_raise_bid,
    probes=[
        _encrypted_bid(1000, 3233, 17),
        _encrypted_bid(250_000, (2**61 - 1) * (2**89 - 1), 65537),
        _encrypted_bid(70, 1009 * 2003, 65537),
    ],
    draw=_draw_bids,
    wrong=[
        WrongAnswer(
            lambda c, n, e: c * 11 * pow(10, -1, n) % n,
            "that multiplies c, so what is inside grows by the d-th power of 11/10: put 11/10 to "
            "the power e first",
        ),
        WrongAnswer(
            lambda c, n, e: c * 11**e // 10**e % n,
            "c is a residue modulo n, where // has no meaning: multiply by the inverse of 10^e, "
            "pow(10, -e, n)",
        ),
        WrongAnswer(
            lambda c, n, e: c * pow(11, e, n) % n,
            "that makes it eleven times as much; now divide by 10",
        ),
        WrongAnswer(
            lambda c, n, e: c * 11 // 10,
            "what is done to c is not done to m: only powers pass through",
        ),
        WrongAnswer(
            lambda c, n, e: c * pow(11, e, n) * pow(10, -e, n),
            "right, but not reduced: a ciphertext is below n, so take it modulo n at the end",
        ),
    ],
)

# Three receivers ----------------------------------------------------------------------------------

_RECEIVERS = (2**127 - 1, 2**107 - 1, 2**89 - 1)  # that they are coprime is all that matters here


def _sent(m: int, moduli: Sequence[int]) -> Probe:
    return [pow(m, 3, n) for n in moduli], list(moduli)


def _draw_broadcasts() -> list[Probe]:
    """Three moduli of real size, and messages up to the largest that all of them can carry."""
    probes: list[Probe] = []
    for attempt in range(3):
        moduli: list[int] = []
        while len(moduli) < 3:
            n = secrets.randbits(REAL_BITS) | 1 << REAL_BITS - 1 | 1
            if all(math.gcd(n, other) == 1 for other in moduli):
                moduli.append(n)
        messages = (1, secrets.randbits(300), min(moduli) - 1)
        probes.append(_sent(messages[attempt], moduli))
    return probes


_BROADCAST = function(
    "rsa.broadcast",
    "One message to three",
    "Write broadcast(ciphertexts, moduli): the number m that was sent raw, with e = 3, under three "
    "moduli.",
    solution=lambda ciphertexts, moduli: integer_root(crt(ciphertexts, moduli), 3),
    probes=[_sent(m, _RECEIVERS) for m in (2, 10**20, 3**55, 2**88 + 12345)],
    draw=_draw_broadcasts,
    wrong=[
        WrongAnswer(crt, "that is m³, the hard half: now its cube root"),
        WrongAnswer(
            lambda c, n: round(crt(c, n) ** (1 / 3)),
            "a float keeps 53 bits, and m has more: take numtheory.integer_root",
        ),
        WrongAnswer(
            lambda c, n: integer_root(c[0], 3),
            "one ciphertext alone was reduced modulo its n: put the three together with the CRT "
            "first",
        ),
        WrongAnswer(
            lambda c, n: integer_root(sum(c), 3),
            "adding residues of different moduli means nothing: the CRT puts them together",
        ),
    ],
)

# One wrong signature ------------------------------------------------------------------------------


def _faulty_signature(m: int, p: int, q: int, e: int, fault: int = 1) -> Probe:
    """(n, e, m, s), where s is right modulo q, and wrong by `fault` modulo p."""
    d = _private_exponent(p, q, e)
    s = crt([pow(m, d, p) + fault, pow(m, d, q)], [p, q])
    return p * q, e, m, s


def _draw_faults() -> list[Probe]:
    p, q = draw_primes()
    probes: list[Probe] = []
    # The fault is in one half, then in the other.
    for wrong_prime, right_prime in ((p, q), (q, p)):
        m = 2 + secrets.randbelow(p * q - 2)
        fault = 1 + secrets.randbelow(wrong_prime - 1)
        probes.append(_faulty_signature(m, wrong_prime, right_prime, _REAL_E, fault))
    return probes


_FAULT = function(
    "rsa.fault",
    "One wrong signature",
    "Write prime_from(n, e, m, s): the prime of n modulo which the faulty signature s of m is "
    "still right.",
    solution=lambda n, e, m, s: math.gcd(pow(s, e, n) - m, n),
    probes=[
        _faulty_signature(65, 61, 53, 17),
        _faulty_signature(1, 61, 53, 17),
        _faulty_signature(12345, 1009, 2003, 65537),
        _faulty_signature(10**30, 2**61 - 1, 2**89 - 1, 65537),
    ],
    draw=_draw_faults,
    wrong=[
        WrongAnswer(
            lambda n, e, m, s: math.gcd(s - m, n),
            "s is not m: raise it to e first, as the verifier does",
        ),
        WrongAnswer(
            lambda n, e, m, s: n // math.gcd(pow(s, e, n) - m, n),
            "that is the other prime: the one that divides s^e - m is the one modulo which s is "
            "right",
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
)

EXERCISES: tuple[Exercise, ...] = (
    _INVERSE,
    _PRIVATE_EXPONENT,
    _RAISE_BID,
    _BROADCAST,
    _FAULT,
    SLICES,
)
