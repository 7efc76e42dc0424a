"""The exercises of notebook `03_paillier`."""
# ruff: noqa: N803 - M is the packed integer, as on the page

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

from lepton_lab.workshop.engine import Exercise, Probe, WrongAnswer, function, value
from lepton_lab.workshop.exercises.paillier_clock import CLOCK
from lepton_lab.workshop.exercises.paillier_outbid import OUTBID
from lepton_lab.workshop.exercises.paillier_scheme import decrypt, encrypt
from lepton_lab.workshop.exercises.paillier_steal import STEAL
from lepton_lab.workshop.real_keys import REAL_BITS, draw_primes, power

# An Eval for the article's square -----------------------------------------------------------------


def _draw_squares() -> list[Probe]:
    """Some squares of whole numbers and some of others: an Eval uses c alone, whatever m is."""
    numbers = [secrets.randbelow(10**6) for _ in range(5)]
    probes: list[Probe] = [(number,) for number in numbers]
    probes.append((secrets.randbits(REAL_BITS) ** 2,))
    probes.append((secrets.randbits(REAL_BITS),))
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


def _decrypt_without_inverse(c: int, p: int, q: int) -> int:
    n = p * q
    u = power(c, math.lcm(p - 1, q - 1), n * n)
    return (u - 1) // n % n


def _decrypt_modulo_n(c: int, p: int, q: int) -> int:
    n = p * q
    return (power(c, math.lcm(p - 1, q - 1), n) - 1) // n


def _decrypt_dividing(c: int, p: int, q: int) -> int:
    n = p * q
    order = math.lcm(p - 1, q - 1)
    return (power(c, order, n * n) - 1) // n // order % n


def _decrypt_without_l(c: int, p: int, q: int) -> int:
    n = p * q
    order = math.lcm(p - 1, q - 1)
    return power(c, order, n * n) * pow(order, -1, n) % n


def _draw_ciphertexts() -> list[Probe]:
    p, q = draw_primes()
    n = p * q
    probes: list[Probe] = []
    for m in (n - 1, secrets.randbelow(n)):
        probes.append((encrypt(m, n, 1 + secrets.randbelow(n - 1)), p, q))
    return probes


_DECRYPT = function(
    "paillier.decrypt",
    "Decrypt",
    "Write decrypt(c, p, q): the message m, 0 <= m < n, of a Paillier ciphertext with g = 1 + n.",
    solution=decrypt,
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
    p, q = draw_primes()
    n = p * q
    probes: list[Probe] = []
    for m1, m2 in ((0, n - 1), (n - 1, 0), (secrets.randbelow(n), secrets.randbelow(n))):
        r = 1 + secrets.randbelow(n - 1)
        probes.append((m1, encrypt(m1, n, r), encrypt(m2, n, r), n))
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
            "the signs are right, the borrows are not: a negative slot has borrowed 1 from the "
            "slot above; give it back",
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
    STEAL,
    OUTBID,
    _SLOTS,
    _UNPACK,
    CLOCK,
)
