"""Encodes numbers as integers: fixed point, at a public exponent that is the same for all numbers.

Paillier encrypts integers. A number v is carried as the integer m = round(v / 16^exponent), ties
to even, and read back as m·16^exponent. The exponent travels in the clear. phe chooses it from the
number, and so tells every reader how large or how fine the number is. Here it is EXPONENT for every
int and every float. An int is exact, and so is a float of at least 2⁻⁷⁵ in size; a smaller float
is rounded to the nearest multiple of 2⁻¹²⁸.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from lepton_lab.errors import InvalidParameter, MessageTooLarge, PlaintextOverflow

EXPONENT = -32  # 16⁻³² = 2⁻¹²⁸
LIMIT = 2**128  # the largest absolute value of a number, unless the caller declares another
FACTOR_LIMIT = 2**64  # the largest absolute value of a public factor, unless declared otherwise
# A number shifted by 16^8192 is already longer than any key. Without this cap, an exponent of
# 2³¹ from a hostile sender would make us compute a number of gigabytes.
MAX_EXPONENT = 8192


class NumberTooLarge(MessageTooLarge, PlaintextOverflow):
    """A number passes the limit that was declared for it, or the limit passes the key's range."""


def python_number(number: object) -> int | float:
    """Turn an int, a float or a numpy scalar into Python's int or float; a bool counts as 0 or 1.

    Raises InvalidParameter for NaN, infinities and every other type. Decimal and Fraction are
    refused because they promise an exactness that a fixed point of base 2 cannot keep: scale them
    to whole numbers (cents, say) or pass float(x).
    """
    if isinstance(number, (int, np.bool_, np.integer)):
        return int(number)
    # numpy's longdouble holds more digits than Python's float, so it would be rounded unseen.
    if isinstance(number, float) or (isinstance(number, np.floating) and number.itemsize <= 8):
        if math.isfinite(number):
            return float(number)
        raise InvalidParameter(
            "NaN and infinities cannot be encrypted: replace or drop them before"
        )
    raise InvalidParameter(
        f"a number must be an int, a float or a numpy scalar, not {type(number).__name__}"
    )


def encode(number: int | float, exponent: int) -> int:
    """Return round(number / 16^exponent), ties to even."""
    if isinstance(number, int) and exponent <= 0:
        return number << -4 * exponent
    numerator, denominator = number.as_integer_ratio()
    if exponent <= 0:
        # The common case, a float that needs no rounding, without the slow Fraction.
        scaled = numerator << -4 * exponent
        quotient, remainder = divmod(scaled, denominator)
        if not remainder:
            return quotient
    return round(Fraction(numerator, denominator) / Fraction(16) ** exponent)


def encode_within(number: int | float, exponent: int, limit: int) -> int:
    """Encode a number and check that its absolute value is at most `limit` *after* rounding.

    Raises NumberTooLarge.
    """
    encoded = encode(number, exponent)
    if abs(encoded) > encoded_limit(limit, exponent):
        raise NumberTooLarge(
            "a number passes the limit that is declared for it: declare a larger `limit`"
        )
    return encoded


def encode_declared(
    number: object, limit: int, exponent: int, max_int: int
) -> tuple[int, int, int]:
    """Return the integer that is encrypted for a number, its exponent and its declared bound.

    `max_int`: the largest integer that the key takes. Raises NumberTooLarge for a number beyond its
    limit, or a limit beyond the key's range; InvalidParameter.
    """
    limit = checked_bound(limit)
    exponent = checked_exponent(exponent)
    bound = encoded_limit(limit, exponent)
    if bound > max_int:
        raise NumberTooLarge(
            "this limit at this exponent passes the key's range: declare a smaller limit, or an "
            "exponent nearer to 0"
        )
    return encode_within(python_number(number), exponent, limit), exponent, bound


def encoded_limit(limit: int, exponent: int) -> int:
    """Return the largest encoded integer that a limit on absolute values allows."""
    if exponent <= 0:
        return limit << -4 * exponent
    return limit >> 4 * exponent


def decode(encoded: int, exponent: int) -> int | float:
    """Return encoded·16^exponent: an int when it is whole, else the nearest float.

    All numbers have one exponent, so nothing tells 2 from 2.0, and both come back as 2. Raises
    PlaintextOverflow when a number with a fraction passes the largest float.
    """
    if exponent >= 0:
        return encoded << 4 * exponent
    places = -4 * exponent
    fraction = encoded & ((1 << places) - 1)
    if not fraction:
        return encoded >> places
    try:
        return encoded / (1 << places)
    except OverflowError:
        raise PlaintextOverflow(
            "the number has a fraction and passes the largest float: multiply by a smaller factor, "
            "or by a whole number only"
        ) from None


def whole_number(value: object, what: str, low: int, high: int) -> int:
    """Return an int, or a numpy integer as an int, if it is from `low` to `high`.

    A bool is refused: where a whole number is asked for, True is a mistake. `what` names the number
    in the error. Raises InvalidParameter.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InvalidParameter(f"{what} must be a whole number, not {type(value).__name__}")
    if not low <= value <= high:
        raise InvalidParameter(f"{what} must be from {low} to {high}")
    return int(value)


def checked_exponent(exponent: object) -> int:
    """Return a public exponent of base 16. Raises InvalidParameter outside ±8192."""
    return whole_number(exponent, "an exponent", -MAX_EXPONENT, MAX_EXPONENT)


def checked_bound(bound: object) -> int:
    """Return a declared bound or limit as an int. Raises InvalidParameter unless int and ≥ 0."""
    if isinstance(bound, bool) or not isinstance(bound, (int, np.integer)) or bound < 0:
        raise InvalidParameter("a bound must be an integer and not negative")
    return int(bound)


def require_accepted(bound: int, accepted: int | None) -> None:
    """Refuse a number that declares a larger bound than is accepted. Raises PlaintextOverflow."""
    if accepted is not None and bound > checked_bound(accepted):
        raise PlaintextOverflow(
            "the number declares a larger bound than is accepted here: ask its sender to encrypt "
            "with the protocol's limit and exponent"
        )


def require_accepted_exponent(exponent: int, accepted: int | None) -> None:
    """Refuse a number that has another exponent than is accepted. Raises InvalidParameter."""
    if accepted is not None and exponent != checked_exponent(accepted):
        raise InvalidParameter(
            f"the number has exponent {exponent}, and only {accepted} is accepted here: ask its "
            "sender to encrypt with the protocol's exponent"
        )
