"""∏ cᵢ^wᵢ for many c at once: the encrypted dot product, by Pippenger's buckets with signed digits."""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import invert, mpz, powmod


def power_product(bases: Sequence[mpz], exponents: Sequence[int], modulus: mpz) -> mpz:
    """∏ basesᵢ^exponentsᵢ mod modulus; exponents of either sign, bases that are units.

    Every exponent is cut into signed digits of w bits. For one digit position, bases with the same digit are gathered
    in one bucket, one multiplication each; the buckets are then raised to their digits all together, by running
    products. Negative digits have buckets of their own, inverted once at the end. Not constant-time.
    """
    length = max((abs(exponent).bit_length() for exponent in exponents), default=0) + 1
    width = min(range(2, 15), key=lambda w: -(-length // w) * (len(bases) + (1 << w)))
    positions = -(-length // width)
    buckets: list[dict[int, mpz]] = [{} for _ in range(positions + 1)]
    half, mask = 1 << width - 1, (1 << width) - 1
    for base, exponent in zip(bases, exponents, strict=True):
        rest, position = exponent, 0
        while rest:
            digit = rest & mask
            rest >>= width
            if digit >= half:
                digit -= mask + 1
                rest += 1
            if digit:
                bucket = buckets[position]
                known = bucket.get(digit)
                bucket[digit] = base if known is None else known * base % modulus
            position += 1
    above = below = mpz(1)
    for bucket in reversed(buckets):
        above = powmod(above, 1 << width, modulus) * _raised(bucket, half, 1, modulus) % modulus
        below = powmod(below, 1 << width, modulus) * _raised(bucket, half, -1, modulus) % modulus
    return above * invert(below, modulus) % modulus


def _raised(bucket: dict[int, mpz], half: int, sign: int, modulus: mpz) -> mpz:
    """∏ bucket[sign·d]^d over 1 <= d <= half: each running product enters the result as often as its digits ask."""
    running, result = mpz(1), mpz(1)
    for digit in range(half, 0, -1):
        base = bucket.get(sign * digit)
        if base is not None:
            running = running * base % modulus
        if running != 1:
            result = result * running % modulus
    return result
