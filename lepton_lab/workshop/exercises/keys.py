"""The exercises of notebook `04_keys`."""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Mapping, Sequence

from lepton_lab.workshop.engine import Exercise, Probe, WrongAnswer, function, value

_HASH_SIZE = 32  # bytes of SHA-256

# How many bits is it worth? -----------------------------------------------------------------------


def _draw_choices() -> list[Probe]:
    probes: list[Probe] = [(1, 5)]  # one choice is worth nothing
    for most in (10, 1000, 10**6, 10**9):
        probes.append((2 + secrets.randbelow(most), 1 + secrets.randbelow(100)))
    return probes


_BITS = function(
    "keys.bits",
    "How many bits is it worth?",
    "Write bits(choices, draws): the entropy in bits, as a number, of `draws` independent choices, "
    "each uniform among `choices`.",
    solution=lambda choices, draws: draws * math.log2(choices),
    probes=[(2, 128), (10, 4), (7776, 6), (86_400, 1), (256, 32)],
    draw=_draw_choices,
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
)

# HKDF-Expand --------------------------------------------------------------------------------------


def _block_count(length: int) -> int:
    return -(-length // _HASH_SIZE)


def _expand(prk: bytes, info: bytes, length: int) -> bytes:
    block = b""
    okm = b""
    for counter in range(1, _block_count(length) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
    return okm[:length]


def _expand_from_zero(prk: bytes, info: bytes, length: int) -> bytes:
    block = b""
    okm = b""
    for counter in range(_block_count(length)):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
    return okm[:length]


def _expand_unchained(prk: bytes, info: bytes, length: int) -> bytes:
    counters = range(1, _block_count(length) + 1)
    blocks = [hmac.digest(prk, info + bytes([counter]), "sha256") for counter in counters]
    return b"".join(blocks)[:length]


def _expand_whole_blocks(prk: bytes, info: bytes, length: int) -> bytes:
    return _expand(prk, info, _block_count(length) * _HASH_SIZE)


def _expand_everything_before(prk: bytes, info: bytes, length: int) -> bytes:
    okm = b""
    for counter in range(1, _block_count(length) + 1):
        okm += hmac.digest(prk, okm + info + bytes([counter]), "sha256")
    return okm[:length]


def _expand_one_block(prk: bytes, info: bytes, length: int) -> bytes:
    return hmac.digest(prk, info + b"\x01", "sha256")[:length]


def _draw_expansions() -> list[Probe]:
    """Lengths from one byte to the most that there is, 255 blocks (RFC 5869 §2.3)."""
    probes: list[Probe] = []
    for length in (1, 31, 33, 64, 1 + secrets.randbelow(1000), 255 * _HASH_SIZE):
        prk = secrets.token_bytes(secrets.choice((32, 48, 64)))
        info = secrets.token_bytes(secrets.randbelow(80))
        probes.append((prk, info, length))
    return probes


# RFC 5869, appendix A.1: the PRK, and its info and length in the first probe.
_A1_PRK = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
_A1_INFO = bytes(range(0xF0, 0xFA))

_EXPAND = function(
    "keys.expand",
    "HKDF-Expand",
    "Write expand(prk, info, length): HKDF-Expand with SHA-256 (RFC 5869, section 2.3).",
    solution=_expand,
    probes=[
        (_A1_PRK, _A1_INFO, 42),
        (_A1_PRK, b"", 32),
        (_A1_PRK, b"encryption", 96),
        (_A1_PRK, b"mac", 16),
    ],
    draw=_draw_expansions,
    wrong=[
        WrongAnswer(_expand_from_zero, "the counter starts at 1"),
        WrongAnswer(
            _expand_unchained, "T(i) also takes T(i - 1) in, in front of info; T(0) is empty"
        ),
        WrongAnswer(
            _expand_whole_blocks, "only the first `length` bytes of the blocks are asked for"
        ),
        WrongAnswer(
            _expand_everything_before,
            "T(i) takes in the one block before it, not all blocks so far",
        ),
        WrongAnswer(
            _expand_one_block,
            "one block is 32 bytes: for more of them, go on to T(2), T(3), …",
        ),
    ],
)

# Undo y = x ⊕ (x >> shift) ------------------------------------------------------------------------


def _unshift(y: int, shift: int) -> int:
    x = y
    for _ in range(32 // shift):
        x = y ^ x >> shift
    return x


_UNSHIFT = function(
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
    draw=lambda: [(secrets.randbits(32), shift) for shift in range(1, 32) for _ in range(3)],
    wrong=[
        WrongAnswer(
            lambda y, shift: y,
            "the top `shift` bits of x stand in y unchanged; the others do not",
        ),
        WrongAnswer(
            lambda y, shift: y ^ y >> shift,
            "right for shift 16 and more. Below that only the top 2 * shift bits are: go on from "
            "there",
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
)

# When is a key used up? ---------------------------------------------------------------------------

_DAYS = value(
    "keys.days",
    "When is a key used up?",
    "A service encrypts 1,000 messages a second under one AES-GCM key, with random nonces. After "
    "how many whole days has it had the 2³² messages that SP 800-38D allows?",
    solution=49,
    otherwise="2³² messages, 1,000 of them in each of a day's 86,400 seconds; whole days only",
    wrong=[
        WrongAnswer(50, "whole days: on the fiftieth the limit is passed"),
        WrongAnswer(2**32 / 86_400_000, "whole days are asked for: round down"),
        WrongAnswer(
            3_257_812,
            "that is 2⁴⁸, where a collision is likely; the limit keeps it below one in 2³²",
        ),
        WrongAnswer(1193, "that is hours"),
    ],
)

# Shares put together ------------------------------------------------------------------------------


def _weight(xs: Sequence[int], x: int, p: int) -> int:
    """Lagrange's weight of x at 0: the product of xⱼ/(xⱼ − x) over the others."""
    product = 1
    for other in xs:
        if other != x:
            product = product * other * pow(other - x, -1, p) % p
    return product


def _weighted(shares: Mapping[int, int], p: int) -> int:
    return sum(y * _weight(list(shares), x, p) for x, y in shares.items())


def _secret(shares: Mapping[int, int], p: int) -> int:
    return _weighted(shares, p) % p


def _secret_with_negated_weights(shares: Mapping[int, int], p: int) -> int:
    """Π xⱼ/(xᵢ - xⱼ): the minus of 0 - xⱼ forgotten."""
    sign = 1 if len(shares) % 2 else -1
    return _secret(shares, p) * sign % p


def _secret_without_denominators(shares: Mapping[int, int], p: int) -> int:
    total = 0
    for x, y in shares.items():
        total += y * math.prod(other for other in shares if other != x)
    return total % p


def _draw_shares() -> list[Probe]:
    """One to twelve shares, at places in any order, modulo primes up to 2203 bits (Mersenne's)."""
    probes: list[Probe] = []
    for count, p in ((1, 257), (4, 65537), (12, 2**61 - 1), (5, 2**521 - 1), (3, 2**2203 - 1)):
        shares: dict[int, int] = {}
        while len(shares) < count:
            shares[1 + secrets.randbelow(p - 1)] = secrets.randbelow(p)
        probes.append((shares, p))
    probes.append(({7: 0, 2: 0, 5: 0}, 11))
    return probes


_SECRET = function(
    "keys.secret",
    "Shares put together",
    "Write secret(shares, p): P(0) for the polynomial P of degree below len(shares) with P(x) = y "
    "modulo the prime p for all shares {x: y}.",
    solution=_secret,
    probes=[
        ({1: 7, 2: 3}, 17),
        ({2: 4, 5: 12}, 17),
        ({1: 8, 2: 16, 3: 3}, 17),
        ({3: 0, 1: 16, 7: 5}, 17),
    ],
    draw=_draw_shares,
    wrong=[
        WrongAnswer(
            lambda shares, p: sum(shares.values()) % p,
            "each share has a weight of its own: Lagrange's w",
        ),
        WrongAnswer(
            _secret_with_negated_weights,
            "nearly: the factors of w are (0 - xⱼ)/(xᵢ - xⱼ); the 0 - gives each a minus sign",
        ),
        WrongAnswer(
            _secret_without_denominators,
            "these are the numerators of w; divide by the product of (xⱼ - xᵢ): pow(…, -1, p)",
        ),
        WrongAnswer(_weighted, "the sum, too, is taken modulo p"),
    ],
)

EXERCISES: tuple[Exercise, ...] = (_BITS, _EXPAND, _UNSHIFT, _DAYS, _SECRET)
