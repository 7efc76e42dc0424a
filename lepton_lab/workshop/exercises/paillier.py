"""The exercises of notebook `03_paillier`."""
# ruff: noqa: N803 - M is the packed integer, as on the page

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gmpy2 import powmod

from lepton_lab import rsa
from lepton_lab.workshop.engine import (
    Exercise,
    NotYet,
    Probe,
    WrongAnswer,
    expect,
    expect_kind,
    function,
    kind_of,
    name_of,
    same,
    value,
    written,
)

_REAL_BITS = 2048


def _draw_primes() -> tuple[int, int]:
    """The primes of a fresh key of real size. Both are equally long, so gcd(n, φ(n)) = 1."""
    numbers = rsa.generate_private_key(_REAL_BITS).private_numbers()
    return numbers.p, numbers.q


def _encrypt(m: int, n: int, r: int) -> int:
    return (1 + m * n) * _power(r, n, n * n) % (n * n)


def _power(base: int, exponent: int, modulus: int) -> int:
    """As `pow`, by GMP: a check of real size should wait for the learner's code, not for ours."""
    return int(powmod(base, exponent, modulus))


# An Eval for the article's square -----------------------------------------------------------------


def _draw_squares() -> list[Probe]:
    """Some squares of whole numbers and some of others: an Eval uses c alone, whatever m is."""
    numbers = [secrets.randbelow(10**6) for _ in range(5)]
    probes: list[Probe] = [(number,) for number in numbers]
    probes.append((secrets.randbits(_REAL_BITS) ** 2,))
    probes.append((secrets.randbits(_REAL_BITS),))
    return probes


_DOUBLED = function(
    "paillier.doubled",
    "An Eval for the article's square",
    "E(x) = x², f(m) = 2m. Write doubled(c): from c = E(m) alone, without computing m, the number "
    "E(f(m)).",
    solution=lambda c: 4 * c,
    probes=[(25,), (0,), (9,), (144,), (2,)],
    draw=_draw_squares,
    wrong=[
        WrongAnswer(
            lambda c: 2 * c,
            "that is f applied to the ciphertext; what is (2m)², written with m² only?",
        ),
        WrongAnswer(lambda c: c * c, "c² = (m²)² = E(m²): the message was squared, not doubled"),
        WrongAnswer(
            lambda c: (2 * c) ** 2, "E is applied already: c is m², so do not square once more"
        ),
        WrongAnswer(
            lambda c: 2 * math.isqrt(c),
            "that is f(m) in the clear: its ciphertext should come out",
        ),
        WrongAnswer(
            lambda c: (2 * math.isqrt(c)) ** 2,
            "that goes back to m, which an Eval never knows: use c alone (and m may be √2)",
        ),
    ],
)

# Decrypt ------------------------------------------------------------------------------------------


def _decrypt(c: int, p: int, q: int) -> int:
    n = p * q
    order = math.lcm(p - 1, q - 1)
    u = _power(c, order, n * n)
    return (u - 1) // n * pow(order, -1, n) % n


def _decrypt_without_inverse(c: int, p: int, q: int) -> int:
    n = p * q
    u = _power(c, math.lcm(p - 1, q - 1), n * n)
    return (u - 1) // n % n


def _decrypt_modulo_n(c: int, p: int, q: int) -> int:
    n = p * q
    return (_power(c, math.lcm(p - 1, q - 1), n) - 1) // n


def _decrypt_dividing(c: int, p: int, q: int) -> int:
    n = p * q
    order = math.lcm(p - 1, q - 1)
    return (_power(c, order, n * n) - 1) // n // order % n


def _decrypt_without_l(c: int, p: int, q: int) -> int:
    n = p * q
    order = math.lcm(p - 1, q - 1)
    return _power(c, order, n * n) * pow(order, -1, n) % n


def _draw_ciphertexts() -> list[Probe]:
    p, q = _draw_primes()
    n = p * q
    probes: list[Probe] = []
    for m in (n - 1, secrets.randbelow(n)):
        probes.append((_encrypt(m, n, 1 + secrets.randbelow(n - 1)), p, q))
    return probes


_DECRYPT = function(
    "paillier.decrypt",
    "Decrypt",
    "Write decrypt(c, p, q): the message m, 0 <= m < n, of a Paillier ciphertext with g = 1 + n.",
    solution=_decrypt,
    probes=[(88, 5, 7), (141, 5, 7), (36, 5, 7), (19874, 11, 13), (9001, 11, 13), (1, 11, 13)],
    draw=_draw_ciphertexts,
    seconds=10.0,
    wrong=[
        WrongAnswer(
            _decrypt_without_inverse,
            "L(c^λ) is λ·m, not m: multiply by the inverse of λ modulo n, pow(λ, -1, n)",
        ),
        WrongAnswer(
            _decrypt_modulo_n,
            "modulo n the power is always 1, and the message is gone: it stands in the multiple of "
            "n, modulo n²",
        ),
        WrongAnswer(
            _decrypt_dividing,
            "dividing modulo n is multiplying by the inverse: // forgets the remainder",
        ),
        WrongAnswer(
            _decrypt_without_l,
            "L is missing: c^λ = 1 + λmn, so take 1 away and divide by n before multiplying",
        ),
    ],
)

# One known message opens the others ---------------------------------------------------------------


def _difference(c1: int, c2: int, n: int) -> int:
    """m2 − m1 modulo n: the quotient of the ciphertexts is 1 + (m2 − m1)·n."""
    quotient = c2 * pow(c1, -1, n * n) % (n * n)
    return (quotient - 1) // n


def _known(m1: int, c1: int, c2: int, n: int) -> int:
    return (m1 + _difference(c1, c2, n)) % n


def _draw_pairs() -> list[Probe]:
    """Pairs under one noise, with the second message above and below the first."""
    p, q = _draw_primes()
    n = p * q
    probes: list[Probe] = []
    for m1, m2 in ((0, n - 1), (n - 1, 0), (secrets.randbelow(n), secrets.randbelow(n))):
        r = 1 + secrets.randbelow(n - 1)
        probes.append((m1, _encrypt(m1, n, r), _encrypt(m2, n, r), n))
    return probes


_KNOWN = function(
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
    draw=_draw_pairs,
    wrong=[
        WrongAnswer(
            lambda m1, c1, c2, n: _difference(c1, c2, n),
            "that is the difference m2 − m1: add the message that you know",
        ),
        WrongAnswer(
            lambda m1, c1, c2, n: (m1 + _difference(c2, c1, n)) % n,
            "your quotient holds m1 − m2: divide the unknown by the known",
        ),
        WrongAnswer(
            lambda m1, c1, c2, n: m1 + _difference(c1, c2, n),
            "messages are counted modulo n: reduce at the end",
        ),
        WrongAnswer(
            lambda m1, c1, c2, n: (m1 + (c2 - c1) // n) % n,
            "c2 − c1 = (m2 − m1)·n·rⁿ: the noise is still in it; divide the ciphertexts instead of "
            "subtracting",
        ),
    ],
)

# Steal the model ----------------------------------------------------------------------------------

Score = Callable[[Sequence[float]], float]
Steal = Callable[[Score, int], tuple[list[float], float]]


class _LinearModel:
    """score(x) = Σ wᵢxᵢ + b, which counts its questions.

    Its numbers are exact in binary, so that a right answer is exactly right.
    """

    def __init__(self, weights: Sequence[float], bias: float) -> None:
        self.weights = list(weights)
        self.bias = bias
        self.questions = 0

    def score(self, x: Sequence[float]) -> float:
        """The score of one row of numbers."""
        self.questions += 1
        products = [w * v for w, v in zip(self.weights, x, strict=True)]
        return sum(products) + self.bias


def _unit(i: int, d: int) -> list[float]:
    """A list of d numbers: 1 at place i, and 0 elsewhere."""
    return [1.0 if place == i else 0.0 for place in range(d)]


def _steal(score: Score, d: int) -> tuple[list[float], float]:
    bias = score([0.0] * d)
    return [score(_unit(i, d)) - bias for i in range(d)], bias


def _steal_sums(score: Score, d: int) -> tuple[list[float], float]:
    return [score(_unit(i, d)) for i in range(d)], score([0.0] * d)


def _steal_without_bias(score: Score, d: int) -> tuple[list[float], float]:
    return [score(_unit(i, d)) for i in range(d)], 0.0


def _steal_bias_of_ones(score: Score, d: int) -> tuple[list[float], float]:
    return _steal(score, d)[0], score([1.0] * d)


def _steal_by_ones(score: Score, d: int) -> tuple[list[float], float]:
    return [score([1.0] * d) / d] * d, score([0.0] * d)


_STEALING_WRONGLY: tuple[tuple[Steal, str], ...] = (
    (_steal_sums, "score of a unit vector is wᵢ + b: take b away"),
    (
        _steal_without_bias,
        "which input makes all the weights disappear, so that only b is left?",
    ),
    (
        _steal_bias_of_ones,
        "the weights are right; b is the score of nothing, of the list of zeros",
    ),
    (
        _steal_by_ones,
        "a list of ones mixes all the weights: ask with a single 1 among zeros, once for each "
        "place",
    ),
)


def _draw_model(d: int) -> _LinearModel:
    numbers = [(secrets.randbelow(2**17) - 2**16) / 64 for _ in range(d + 1)]
    return _LinearModel(numbers[1:], numbers[0])


def _judge_steal(answer: Any) -> None:
    """The weights and the bias are compared, and then the questions are counted."""
    expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
    models = [
        _LinearModel([0.5, -2.0, 3.25], 1.5),
        _LinearModel([4.0], -1.0),
        _LinearModel([1.0, 0.0, -0.25, 8.0], 0.75),
        _draw_model(1),
        _draw_model(30),
    ]
    returned = [answer(model.score, len(model.weights)) for model in models]
    questions = [model.questions for model in models]
    right = [(model.weights, model.bias) for model in models]
    failures = [i for i in range(len(models)) if not same(returned[i], right[i])]
    if failures:
        for typical, hint in _STEALING_WRONGLY:
            stolen = [typical(model.score, len(model.weights)) for model in models]
            expect(not same(returned, stolen), hint)
        failed = failures[0]
        expect_kind(returned[failed], right[failed], "your function should return")
        raise NotYet(
            f"{name_of(answer)}(score, {len(models[failed].weights)}) should be "
            f"{written(right[failed])}, and yours gives {written(returned[failed])}"
        )
    for model, asked in zip(models, questions, strict=True):
        enough = len(model.weights) + 1
        expect(
            asked <= enough,
            f"right, but for d = {enough - 1} you asked {asked} questions, and {enough} are enough",
        )


def _score_or_value(argument: Any) -> str:
    return "score" if callable(argument) else written(argument)


_STEAL = Exercise(
    "paillier.steal",
    "Steal the model",
    "score(x) is Σ wᵢxᵢ + b for a list x of d numbers. Write steal(score, d): the list of the wᵢ, "
    "and b, after d + 1 questions.",
    _judge_steal,
    _steal,
    tuple(WrongAnswer(typical, hint) for typical, hint in _STEALING_WRONGLY),
    notation=_score_or_value,
)

# Outbid without looking ---------------------------------------------------------------------------


class _SealedBid(NamedTuple):
    """A bid's ciphertext, the primes that open it, and noise for a new ciphertext."""

    c: int
    p: int
    q: int
    r: int

    @property
    def n(self) -> int:
        return self.p * self.q


def _outbid(c: int, n: int, r: int) -> int:
    return c * (1 + n) * _power(r, n, n * n) % (n * n)


_OUTBIDDING_WRONGLY: tuple[tuple[Callable[[int, int, int], int], str], ...] = (
    (
        lambda c, n, r: (c + 1) % (n * n),
        "adding to a message is multiplying its ciphertext: by what power?",
    ),
    (
        lambda c, n, r: c * (1 + n) % (n * n),
        "right message, old noise: anyone who sees both bids divides them and finds 1 + n",
    ),
    (
        lambda c, n, r: c * (1 + n) * r % (n * n),
        "noise is rⁿ, not r: only an n-th power disappears in decryption",
    ),
    (
        lambda c, n, r: c * _power(r, n, n * n) % (n * n),
        "the noise is fresh and the bid unchanged: where is the plus 1?",
    ),
    (
        lambda c, n, r: c * (1 + n) * _power(r, n, n) % n,
        "ciphertexts live modulo n²; modulo n the message is gone",
    ),
)
_BIDS = (
    _SealedBid(88, 5, 7, 3),
    _SealedBid(88, 5, 7, 11),
    _SealedBid(18, 5, 7, 11),
    _SealedBid(10135, 11, 13, 3),
)


def _draw_bids() -> list[_SealedBid]:
    p, q = _draw_primes()
    n = p * q
    bids = []
    # The bid n − 1 has no number above it: the next message is 0, and the formula is the same.
    for m in (n - 1, secrets.randbelow(n)):
        c = _encrypt(m, n, 1 + secrets.randbelow(n - 1))
        bids.append(_SealedBid(c, p, q, 2 + secrets.randbelow(n - 2)))
    return bids


def _judge_outbid(answer: Any) -> None:
    """Any ciphertext of the message plus 1 is right whose noise is another one and comes from r."""
    expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
    for bids in (_BIDS, _draw_bids()):
        returned = [answer(bid.c, bid.n, bid.r) for bid in bids]
        for typical, hint in _OUTBIDDING_WRONGLY:
            found = [typical(bid.c, bid.n, bid.r) for bid in bids]
            expect(not same(returned, found), hint)
        for bid, result in zip(bids, returned, strict=True):
            _expect_higher_bid(bid, result, name_of(answer))
        _expect_noise_from_r(answer, bids[0], returned[0])


def _expect_higher_bid(bid: _SealedBid, result: Any, name: str) -> None:
    expect_kind(result, 0, "your function should return")
    result = int(result)
    call = f"{name}({written(bid.c)}, {written(bid.n)}, {written(bid.r)})"
    m = _decrypt(bid.c, bid.p, bid.q)
    expect(
        0 <= result < bid.n**2 or _decrypt(result, bid.p, bid.q) != (m + 1) % bid.n,
        "right, but not reduced: a ciphertext is below n², so take it modulo n² at the end",
    )
    is_ciphertext = 0 < result < bid.n**2 and math.gcd(result, bid.n) == 1
    expect(
        is_ciphertext and _decrypt(result, bid.p, bid.q) == (m + 1) % bid.n,
        f"{call} should decrypt to {written((m + 1) % bid.n)}, one more than c does; "
        "yours does not",
    )
    old_noise = bid.c * (1 + bid.n) % bid.n**2
    expect(result != old_noise, _OUTBIDDING_WRONGLY[1][1])


def _expect_noise_from_r(answer: Any, bid: _SealedBid, result: Any) -> None:
    """Another r, also invertible, gives another ciphertext."""
    other_r = bid.r * bid.r % bid.n
    expect(
        answer(bid.c, bid.n, other_r) != result,
        "another r should give another ciphertext: the noise is rⁿ",
    )


_OUTBID = Exercise(
    "paillier.outbid",
    "Outbid without looking",
    "Write outbid(c, n, r): a ciphertext, below n², of the message of c plus 1, under fresh noise "
    "from r.",
    _judge_outbid,
    _outbid,
    tuple(WrongAnswer(typical, hint) for typical, hint in _OUTBIDDING_WRONGLY),
    seconds=10.0,
    notation=written,
)

# How many slots? ----------------------------------------------------------------------------------

_SLOTS = value(
    "paillier.slots",
    "How many slots?",
    "How many slots of 64 bits does a ciphertext under a 2048-bit key have, if the packed integer "
    "stays within ±n/3?",
    solution=31,
    otherwise="the packed integer M must stay within ±n/3: how many bits has n/3 at least, and how "
    "many slots fit?",
    wrong=[
        WrongAnswer(
            32,
            "2048/64 would fill all of n: M would not stay within ±n/3, and negative totals need "
            "room too",
        ),
        WrongAnswer(
            64, "the ciphertext has 4096 bits, but only n of it, 2048 bits, is the message's"
        ),
        WrongAnswer(30, "one fewer than fits: 31·64 = 1984 bits still lie well below n/3"),
    ],
)

# Unpack, with signs -------------------------------------------------------------------------------


def _read_slots(M: int, bits: int, count: int) -> list[int]:
    """The slots as they stand, without regard to signs or borrows."""
    mask = (1 << bits) - 1
    return [M >> bits * i & mask for i in range(count)]


def _read_signed_slots(M: int, bits: int, count: int) -> list[int]:
    """Each slot with its sign, without regard to what a negative one borrowed."""
    slots = _read_slots(M, bits, count)
    return [slot - (1 << bits) if slot >> bits - 1 else slot for slot in slots]


def _unpack(M: int, bits: int, count: int) -> list[int]:
    half = 1 << bits - 1
    raised = M + sum(half << bits * i for i in range(count))
    return [slot - half for slot in _read_slots(raised, bits, count)]


def _pack(values: Sequence[int], bits: int) -> int:
    return sum(value << bits * i for i, value in enumerate(values))


def _draw_packed() -> list[Probe]:
    """Slots of 2 to 128 bits, up to 1984 bits in all, with the largest numbers of both signs."""
    probes: list[Probe] = []
    for bits, count in ((2, 7), (8, 1), (13, 40), (64, 31), (128, 15)):
        most = (1 << bits - 1) - 1
        values = [secrets.randbelow(2 * most + 1) - most for _ in range(count)]
        probes.append((_pack(values, bits), bits, count))
        extremes = [secrets.choice((-most, 0, most)) for _ in range(count)]
        probes.append((_pack(extremes, bits), bits, count))
    return probes


_UNPACK = function(
    "paillier.unpack",
    "Unpack, with signs",
    "Write unpack(M, bits, count): the list of the signed vᵢ, |vᵢ| < 2^(bits−1), with "
    "M = Σ vᵢ·2^(bits·i).",
    solution=_unpack,
    probes=[
        (0x0002_0001_0003, 16, 3),
        (5 - (7 << 8) + (1 << 16), 8, 3),
        (-1, 8, 2),
        (-3 + (100 << 8) - (100 << 16) - (1 << 24), 8, 4),
        (-(127 << 8) - 127, 8, 2),
        ((1 << 40) - (1 << 20) - 1, 20, 3),
    ],
    draw=_draw_packed,
    wrong=[
        WrongAnswer(
            _read_slots,
            "a slot whose top bit is set stands for a negative number: v and v + 2^bits look alike",
        ),
        WrongAnswer(
            _read_signed_slots,
            "the sign is right, its debt is not: a negative slot has borrowed 1 from the one "
            "above; give it back",
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
)

EXERCISES: tuple[Exercise, ...] = (
    _DOUBLED,
    _DECRYPT,
    _KNOWN,
    _STEAL,
    _OUTBID,
    _SLOTS,
    _UNPACK,
)
