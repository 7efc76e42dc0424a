"""Exercises of `03_paillier`."""
# ruff: noqa: N803 - M is the packed integer, as on the page

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lepton_lab.workshop.engine import Exercise, WrongAnswer, function, value, written

Score = Callable[[Sequence[float]], float]


def _decrypt(c: int, p: int, q: int) -> int:
    n, order = p * q, math.lcm(p - 1, q - 1)
    return (pow(c, order, n * n) - 1) // n * pow(order, -1, n) % n


def _known(m1: int, c1: int, c2: int, n: int) -> int:
    ratio = c2 * pow(c1, -1, n * n) % (n * n)
    return (m1 + (ratio - 1) // n) % n


def _outbid(c: int, n: int, r: int) -> int:
    return c * (1 + n) * pow(r, n, n * n) % (n * n)


def _read(M: int, bits: int, count: int) -> list[int]:
    """The slots as they stand, neither signs nor borrows seen to."""
    return [M >> bits * i & (1 << bits) - 1 for i in range(count)]


def _signed(slots: Sequence[int], bits: int) -> list[int]:
    return [slot - (1 << bits) if slot >> bits - 1 else slot for slot in slots]


def _unpack(M: int, bits: int, count: int) -> list[int]:
    half = 1 << bits - 1
    raised = M + sum(half << bits * i for i in range(count))
    return [slot - half for slot in _read(raised, bits, count)]


def _units(d: int) -> list[list[float]]:
    return [[float(i == j) for j in range(d)] for i in range(d)]


def _steal(score: Score, d: int) -> tuple[list[float], float]:
    bias = score([0.0] * d)
    return [score(unit) - bias for unit in _units(d)], bias


def _linear(weights: Sequence[float], bias: float) -> Score:
    """A model whose numbers are exact in binary, so that a right answer is exactly right."""

    def score(x: Sequence[float]) -> float:
        return sum(w * v for w, v in zip(weights, x, strict=True)) + bias

    return score


def _argument(given: Any) -> str:
    return "score" if callable(given) else written(given)


EXERCISES: tuple[Exercise, ...] = (
    function(
        "paillier.doubled",
        "An Eval for the article's square",
        "E(x) = x², f(m) = 2m. Write doubled(c): from c = E(m), without m, the number that E(f(m)) is.",
        solution=lambda c: 4 * c,
        probes=[(25,), (0,), (9,), (144,)],
        wrong=[
            WrongAnswer(
                lambda c: 2 * c,
                "that is f applied to the ciphertext; what is (2m)², written with m² only?",
            ),
            WrongAnswer(
                lambda c: c * c, "c² = (m²)² = E(m²): the message was squared, not doubled"
            ),
            WrongAnswer(
                lambda c: (2 * c) ** 2, "E is applied already: c is m², so do not square once more"
            ),
            WrongAnswer(
                lambda c: 2 * math.isqrt(c),
                "that is f(m) in the clear: what should come out is its ciphertext",
            ),
        ],
    ),
    function(
        "paillier.decrypt",
        "Decrypt",
        "Write decrypt(c, p, q): the message m, 0 <= m < n, of a Paillier ciphertext with g = 1 + n.",
        solution=_decrypt,
        probes=[(88, 5, 7), (141, 5, 7), (36, 5, 7), (19874, 11, 13), (9001, 11, 13), (1, 11, 13)],
        wrong=[
            WrongAnswer(
                lambda c, p, q: (
                    (pow(c, math.lcm(p - 1, q - 1), p * p * q * q) - 1) // (p * q) % (p * q)
                ),
                "L(c^λ) is λ·m, not m: multiply by the inverse of λ modulo n, pow(λ, -1, n)",
            ),
            WrongAnswer(
                lambda c, p, q: (pow(c, math.lcm(p - 1, q - 1), p * q) - 1) // (p * q),
                "modulo n the power is always 1, and the message is gone: it stands in the n's place, modulo n²",
            ),
            WrongAnswer(
                lambda c, p, q: (
                    (pow(c, math.lcm(p - 1, q - 1), p * p * q * q) - 1)
                    // (p * q)
                    // math.lcm(p - 1, q - 1)
                    % (p * q)
                ),
                "dividing modulo n is multiplying by the inverse: // forgets the remainder",
            ),
            WrongAnswer(
                lambda c, p, q: (
                    pow(c, math.lcm(p - 1, q - 1), p * p * q * q)
                    * pow(math.lcm(p - 1, q - 1), -1, p * q)
                    % (p * q)
                ),
                "L is missing: c^λ = 1 + λmn, so take 1 away and divide by n before multiplying",
            ),
        ],
    ),
    function(
        "paillier.known",
        "One known message opens the others",
        "c1 and c2 hide m1 and m2 under the same r. Write known(m1, c1, c2, n): m2, 0 <= m2 < n.",
        solution=_known,
        probes=[
            (4, 88, 788, 35),
            (30, 543, 88, 35),
            (0, 18, 88, 35),
            (7, 10135, 268, 143),
            (130, 268, 13996, 143),
        ],
        wrong=[
            WrongAnswer(
                lambda m1, c1, c2, n: (c2 * pow(c1, -1, n * n) % (n * n) - 1) // n,
                "that is the difference m2 − m1: add the message that you know",
            ),
            WrongAnswer(
                lambda m1, c1, c2, n: (m1 + (c1 * pow(c2, -1, n * n) % (n * n) - 1) // n) % n,
                "your quotient holds m1 − m2: divide the unknown by the known",
            ),
            WrongAnswer(
                lambda m1, c1, c2, n: m1 + (c2 * pow(c1, -1, n * n) % (n * n) - 1) // n,
                "messages are counted modulo n: reduce at the end",
            ),
            WrongAnswer(
                lambda m1, c1, c2, n: (m1 + (c2 - c1) // n) % n,
                "c2 − c1 = (m2 − m1)·n·rⁿ: the noise is still in it; divide the ciphertexts instead of subtracting",
            ),
        ],
    ),
    function(
        "paillier.steal",
        "Steal the model",
        "score(x) is Σ wᵢxᵢ + b of a list of d numbers. Write steal(score, d): the list of the wᵢ, and b.",
        solution=_steal,
        probes=[
            (_linear([0.5, -2.0, 3.25], 1.5), 3),
            (_linear([4.0], -1.0), 1),
            (_linear([1.0, 0.0, -0.25, 8.0], 0.75), 4),
        ],
        notation=_argument,
        wrong=[
            WrongAnswer(
                lambda score, d: ([score(unit) for unit in _units(d)], score([0.0] * d)),
                "score of a unit vector is wᵢ + b: take b away",
            ),
            WrongAnswer(
                lambda score, d: ([score(unit) for unit in _units(d)], 0.0),
                "which input makes all the weights disappear, so that only b is left?",
            ),
            WrongAnswer(
                lambda score, d: (
                    [score(unit) - score([0.0] * d) for unit in _units(d)],
                    score([1.0] * d),
                ),
                "the weights are right; b is the score of nothing, of the list of zeros",
            ),
            WrongAnswer(
                lambda score, d: ([score([1.0] * d) / d] * d, score([0.0] * d)),
                "a list of ones mixes all the weights: ask with a single 1 among zeros, once for each place",
            ),
        ],
    ),
    function(
        "paillier.outbid",
        "Outbid without looking",
        "Write outbid(c, n, r): a ciphertext of the message of c plus 1, under fresh noise from r.",
        solution=_outbid,
        probes=[(88, 35, 3), (88, 35, 1), (18, 35, 11), (10135, 143, 3)],
        wrong=[
            WrongAnswer(
                lambda c, n, r: (c + 1) % (n * n),
                "adding to a message is multiplying its ciphertext: by what power?",
            ),
            WrongAnswer(
                lambda c, n, r: c * (1 + n) % (n * n),
                "right message, old noise: whoever sees both bids divides them and finds 1 + n",
            ),
            WrongAnswer(
                lambda c, n, r: c * (1 + n) * r % (n * n),
                "noise is rⁿ, not r: only an n-th power disappears in decryption",
            ),
            WrongAnswer(
                lambda c, n, r: c * pow(r, n, n * n) % (n * n),
                "the noise is fresh and the bid unchanged: where is the plus 1?",
            ),
            WrongAnswer(
                lambda c, n, r: c * (1 + n) * pow(r, n, n) % n,
                "ciphertexts live modulo n²; modulo n the message is gone",
            ),
        ],
    ),
    value(
        "paillier.slots",
        "How many slots?",
        "How many slots of 64 bits has a ciphertext under a 2048-bit key, if the packed integer stays within ±n/3?",
        solution=31,
        otherwise="the packed integer M must stay within ±n/3: how many bits has n/3 at least, and how many slots fit?",
        wrong=[
            WrongAnswer(
                32,
                "2048/64 would fill all of n: M would not stay within ±n/3, and negative totals need room too",
            ),
            WrongAnswer(
                64, "the ciphertext has 4096 bits, but only n of it, 2048 bits, is the message's"
            ),
            WrongAnswer(30, "one fewer than needed: 31·64 = 1984 bits still lie well below n/3"),
        ],
    ),
    function(
        "paillier.unpack",
        "Unpack, with signs",
        "Write unpack(M, bits, count): the list of the signed vᵢ, |vᵢ| < 2^(bits−1), with M = Σ vᵢ·2^(bits·i).",
        solution=_unpack,
        probes=[
            (0x0002_0001_0003, 16, 3),
            (5 - (7 << 8) + (1 << 16), 8, 3),
            (-1, 8, 2),
            (-3 + (100 << 8) - (100 << 16) - (1 << 24), 8, 4),
            (-(127 << 8) - 127, 8, 2),
            ((1 << 40) - (1 << 20) - 1, 20, 3),
        ],
        wrong=[
            WrongAnswer(
                _read,
                "a slot whose top bit is set stands for a negative number: v and v + 2^bits look alike",
            ),
            WrongAnswer(
                lambda M, bits, count: _signed(_read(M, bits, count), bits),
                "the sign is right, its debt is not: a negative slot has borrowed 1 from the one above; give it back",
            ),
            WrongAnswer(
                lambda M, bits, count: _unpack(M, bits, count)[::-1],
                "the lowest slot comes first: reverse the list",
            ),
            WrongAnswer(
                lambda M, bits, count: [abs(v) for v in _unpack(M, bits, count)],
                "the sizes are right: keep the signs",
            ),
        ],
    ),
)
