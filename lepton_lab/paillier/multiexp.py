"""Multi-exponentiation: computes ∏ cᵢ^wᵢ for many c at once, by Pippenger's bucket method.

This is the encrypted dot product of `linear`, and the check of `PrivateKey.decrypt_many`.
"""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import invert, mpz, powmod

_Bucket = dict[int, mpz]  # digit → the product of all bases that have it at one position


def power_product(bases: Sequence[mpz], exponents: Sequence[int], modulus: mpz) -> mpz:
    """Return ∏ basesᵢ^exponentsᵢ mod modulus; exponents of either sign, bases that are units.

    Every exponent is cut into signed digits of w bits. For one digit position, bases with the same
    digit are gathered in one bucket, by one multiplication each. Then the buckets are raised to
    their digits all together, by running products. Negative digits have buckets of their own,
    which are inverted once at the end. Not constant-time.
    """
    length = max((abs(exponent).bit_length() for exponent in exponents), default=0) + 1
    width = min(range(2, 15), key=lambda w: -(-length // w) * (len(bases) + (1 << w)))
    buckets = _gather(bases, exponents, length, width, modulus)
    half = 1 << width - 1
    scale = 1 << width
    positive = mpz(1)
    negative = mpz(1)
    for bucket in reversed(buckets):
        positive = powmod(positive, scale, modulus) * _raised(bucket, half, 1, modulus) % modulus
        negative = powmod(negative, scale, modulus) * _raised(bucket, half, -1, modulus) % modulus
    return positive * invert(negative, modulus) % modulus


def _gather(
    bases: Sequence[mpz], exponents: Sequence[int], length: int, width: int, modulus: mpz
) -> list[_Bucket]:
    """Return one bucket per digit position, the lowest position first."""
    positions = -(-length // width)
    buckets: list[_Bucket] = [{} for _ in range(positions + 1)]
    half = 1 << width - 1
    mask = (1 << width) - 1
    for base, exponent in zip(bases, exponents, strict=True):
        left = exponent
        position = 0
        while left:
            digit = left & mask
            left >>= width
            if digit >= half:
                # A signed digit: take 2^w off here and carry 1 to the next position.
                digit -= mask + 1
                left += 1
            if digit:
                bucket = buckets[position]
                known = bucket.get(digit)
                bucket[digit] = base if known is None else known * base % modulus
            position += 1
    return buckets


def _raised(bucket: _Bucket, half: int, sign: int, modulus: mpz) -> mpz:
    """Return ∏ bucket[sign·d]^d over 1 <= d <= half.

    From the highest digit down, a running product is multiplied into the result once per digit, so
    that a base of digit d enters the result d times.
    """
    running = mpz(1)
    result = mpz(1)
    for digit in range(half, 0, -1):
        base = bucket.get(sign * digit)
        if base is not None:
            running = running * base % modulus
        if running != 1:  # nothing to multiply above the highest digit that occurs
            result = result * running % modulus
    return result
