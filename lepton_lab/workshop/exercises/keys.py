"""Exercises of `04_keys`."""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence

from lepton_lab.workshop.engine import Exercise, WrongAnswer, function, value


def _bits(choices: int, draws: int) -> float:
    return draws * math.log2(choices)


def _expand(prk: bytes, info: bytes, length: int) -> bytes:
    block, okm, counter = b"", b"", 0
    while len(okm) < length:
        counter += 1
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
    return okm[:length]


def _from_zero(prk: bytes, info: bytes, length: int) -> bytes:
    block, okm = b"", b""
    for counter in range(-(-length // 32)):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
    return okm[:length]


def _unchained(prk: bytes, info: bytes, length: int) -> bytes:
    blocks = [hmac.digest(prk, info + bytes([i + 1]), "sha256") for i in range(-(-length // 32))]
    return b"".join(blocks)[:length]


def _whole_blocks(prk: bytes, info: bytes, length: int) -> bytes:
    return _expand(prk, info, -(-length // 32) * 32)


def _everything_before(prk: bytes, info: bytes, length: int) -> bytes:
    okm = b""
    for counter in range(1, -(-length // 32) + 1):
        okm += hmac.digest(prk, okm + info + bytes([counter]), "sha256")
    return okm[:length]


def _unshift(y: int, shift: int) -> int:
    x = y
    for _ in range(32 // shift):
        x = y ^ x >> shift
    return x


def _weight(xs: Sequence[int], x: int, p: int) -> int:
    product = 1
    for other in xs:
        if other != x:
            product = product * other * pow(other - x, -1, p) % p
    return product


def _secret(shares: Mapping[int, int], p: int) -> int:
    return sum(y * _weight(list(shares), x, p) for x, y in shares.items()) % p


def _secret_with_negated_weights(shares: Mapping[int, int], p: int) -> int:
    """Π xⱼ/(xᵢ - xⱼ): the minus of 0 - xⱼ forgotten."""
    return _secret(shares, p) * (1 if len(shares) % 2 else -1) % p


_A1 = bytes.fromhex(
    "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
)  # RFC 5869 A.1: PRK
_SHARES = ({1: 7, 2: 3}, {2: 4, 5: 12}, {1: 8, 2: 16, 3: 3}, {3: 0, 1: 16, 7: 5})

EXERCISES: tuple[Exercise, ...] = (
    function(
        "keys.bits",
        "How many bits is it worth?",
        "Write bits(choices, draws): the entropy in bits of draws independent, uniform choices out of choices each.",
        solution=_bits,
        probes=[(2, 128), (10, 4), (7776, 6), (86_400, 1), (256, 32)],
        wrong=[
            WrongAnswer(
                lambda choices, draws: choices**draws,
                "that is how many keys there are; bits are its logarithm",
            ),
            WrongAnswer(
                lambda choices, draws: draws * math.log(choices),
                "a bit is a logarithm to base 2, not to base e",
            ),
            WrongAnswer(
                lambda choices, draws: draws * math.log10(choices),
                "that counts decimal digits: take base 2",
            ),
            WrongAnswer(
                lambda choices, draws: choices * math.log2(draws),
                "draws choices out of 2 are draws bits: which of the two stands under the logarithm?",
            ),
            WrongAnswer(
                lambda choices, draws: math.log2(choices * draws),
                "independent choices multiply: choices ** draws outcomes, not choices * draws",
            ),
        ],
    ),
    function(
        "keys.expand",
        "HKDF-Expand",
        "Write expand(prk, info, length): HKDF-Expand with SHA-256 (RFC 5869, section 2.3).",
        solution=_expand,
        probes=[
            (_A1, bytes(range(0xF0, 0xFA)), 42),
            (_A1, b"", 32),
            (_A1, b"encryption", 96),
            (_A1, b"mac", 16),
        ],
        wrong=[
            WrongAnswer(_from_zero, "the counter starts at 1"),
            WrongAnswer(_unchained, "T(i) also takes T(i - 1) in, in front of info; T(0) is empty"),
            WrongAnswer(_whole_blocks, "only the first `length` bytes of the blocks are wanted"),
            WrongAnswer(
                _everything_before,
                "T(i) takes in the one block before it, not all that there are so far",
            ),
            WrongAnswer(
                lambda prk, info, length: hmac.digest(prk, info + b"\x01", "sha256")[:length],
                "one block is 32 bytes: for more of them, go on to T(2), T(3), …",
            ),
        ],
    ),
    function(
        "keys.unshift",
        "Undo y = x ⊕ (x >> shift)",
        "Write unshift(y, shift): the x of 32 bits with y = x ^ (x >> shift), for shift from 1 to 31.",
        solution=_unshift,
        probes=[
            (0xDEADBEEF, 18),
            (0xDEADBEEF, 11),
            (0x80000000, 1),
            (1, 31),
            (0xFFFFFFFF, 7),
            (0, 5),
        ],
        wrong=[
            WrongAnswer(
                lambda y, shift: y,
                "the top `shift` bits of x stand in y unchanged; the others do not",
            ),
            WrongAnswer(
                lambda y, shift: y ^ y >> shift,
                "right for shift 16 and more. Below that only the top 2 * shift bits are: go on from there",
            ),
            WrongAnswer(
                lambda y, shift: y ^ y >> shift ^ y >> 2 * shift,
                "right as far as three times shift reaches to 32: repeat until all 32 bits are known",
            ),
            WrongAnswer(
                lambda y, shift: y ^ y << shift,
                "the shift was to the right: what is missing comes from above",
            ),
        ],
    ),
    value(
        "keys.days",
        "When is a key used up?",
        "A service encrypts 1,000 messages a second under one AES-GCM key, with random nonces. After how many whole "
        "days has it had the 2³² messages that SP 800-38D allows?",
        solution=49,
        otherwise="2³² messages, 1,000 of them in each of a day's 86,400 seconds; whole days only",
        wrong=[
            WrongAnswer(50, "whole days: on the fiftieth the limit is passed"),
            WrongAnswer(49.71, "whole days are wanted: round down"),
            WrongAnswer(
                3_257_812,
                "that is 2⁴⁸, where a collision is likely; the limit keeps it below one in 2³²",
            ),
            WrongAnswer(1193, "that is hours"),
        ],
    ),
    function(
        "keys.secret",
        "Shares put together",
        "Write secret(shares, p): P(0) for the polynomial P of degree below len(shares) with P(x) = y modulo the prime "
        "p for all shares {x: y}.",
        solution=_secret,
        probes=[(shares, 17) for shares in _SHARES],
        wrong=[
            WrongAnswer(
                lambda shares, p: sum(shares.values()) % p,
                "each share has a weight of its own: Lagrange's w",
            ),
            WrongAnswer(
                _secret_with_negated_weights,
                "nearly: the factors of w are (0 - xⱼ)/(xᵢ - xⱼ), and the 0 - makes a minus of each",
            ),
            WrongAnswer(
                lambda shares, p: (
                    sum(y * math.prod(o for o in shares if o != x) for x, y in shares.items()) % p
                ),
                "these are the numerators of w; divide by the product of (xⱼ - xᵢ): pow(…, -1, p)",
            ),
            WrongAnswer(
                lambda shares, p: sum(y * _weight(list(shares), x, p) for x, y in shares.items()),
                "the sum, too, is taken modulo p",
            ),
        ],
    ),
)
