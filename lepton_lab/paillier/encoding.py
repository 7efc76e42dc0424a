"""Numbers as integers: a fixed point at a public place, the same for every number of a protocol.

A number v is carried as the integer m = round(v / 16^exponent), ties to even, and read back as m·16^exponent. The
exponent travels in the clear. phe chooses it by the number, and so tells everybody the number's size; here it is
the same for every int and float: EXPONENT. An int is exact, and so is a float from 2⁻⁷⁵ up; below, a float is rounded
to the nearest multiple of 2⁻¹²⁸.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from lepton_lab.errors import InvalidParameter, MessageTooLarge, PlaintextOverflow

EXPONENT = -32  # 16⁻³² = 2⁻¹²⁸
LIMIT = 2**128  # the largest absolute value of a number, unless another is declared
FACTOR_LIMIT = 2**64  # the same for what a number is multiplied with
_DEEPEST = 8192  # exponents beyond ±this can only keep us busy


class NumberTooLarge(MessageTooLarge, PlaintextOverflow):
    """A number passes the limit that was declared for it, or the limit passes the key's range."""


def plain(number: object) -> int | float:
    """An int, a float or a numpy scalar as Python's int or float; a truth value counts as 0 or 1.

    Raises InvalidParameter for NaN, infinities and every other type: Decimal and Fraction promise an exactness that a
    fixed point of base 2 cannot keep, so scale them to whole numbers (cents, say) or pass float(x).
    """
    if isinstance(number, (int, np.bool_, np.integer)):
        return int(number)
    if isinstance(number, float) or (isinstance(number, np.floating) and number.itemsize <= 8):
        if math.isfinite(number):
            return float(number)
        raise InvalidParameter("NaN and infinities have no encryption")
    raise InvalidParameter(
        f"a number must be an int, a float or a numpy scalar, not {type(number).__name__}"
    )


def encode(number: int | float, exponent: int) -> int:
    """round(number / 16^exponent), ties to even."""
    if isinstance(number, int) and exponent <= 0:
        return number << -4 * exponent
    numerator, denominator = number.as_integer_ratio()
    if exponent <= 0 and (numerator << -4 * exponent) % denominator == 0:
        return (numerator << -4 * exponent) // denominator
    return round(Fraction(numerator, denominator) / Fraction(16) ** exponent)


def encode_within(number: int | float, exponent: int, limit: int) -> int:
    """`encode`, with the range checked behind the rounding. Raises NumberTooLarge."""
    encoded = encode(number, exponent)
    if abs(encoded) > encoded_limit(limit, exponent):
        raise NumberTooLarge("a number passes the limit that is declared for it")
    return encoded


def encoded_limit(limit: int, exponent: int) -> int:
    """The largest encoded integer that a limit on absolute values allows."""
    return limit << -4 * exponent if exponent <= 0 else limit >> 4 * exponent


def decode(encoded: int, exponent: int) -> int | float:
    """encoded·16^exponent: an int when it is whole, else the nearest float.

    With one exponent for all numbers nothing tells 2 from 2.0. Raises PlaintextOverflow when a fraction passes the
    largest float.
    """
    if exponent >= 0:
        return encoded << 4 * exponent
    places = -4 * exponent
    if not encoded & (1 << places) - 1:
        return encoded >> places
    try:
        return encoded / (1 << places)
    except OverflowError:
        raise PlaintextOverflow("the number is no whole one and passes the largest float") from None


def checked_exponent(exponent: object) -> int:
    """A public exponent of base 16. Raises InvalidParameter outside ±8192."""
    if not isinstance(exponent, int) or not -_DEEPEST <= exponent <= _DEEPEST:
        raise InvalidParameter(f"an exponent must be an integer within ±{_DEEPEST}")
    return exponent


def checked_bound(bound: object) -> int:
    """A declared bound or limit as an int. Raises InvalidParameter unless it is an integer >= 0."""
    if isinstance(bound, bool) or not isinstance(bound, (int, np.integer)) or bound < 0:
        raise InvalidParameter("a bound must be an integer and not negative")
    return int(bound)
