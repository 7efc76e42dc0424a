"""Numbers as a reader wants them: a few significant digits, thousands grouped, exponents only where they help."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import SupportsFloat

_LONGEST = 15  # digits before or zeros after the point; beyond them the exponent is easier to read


def rounded(number: SupportsFloat, digits: int = 3) -> str:
    """A number as text: integers exactly, fractions to `digits` significant ones.

    `rounded(1234567)` is '1,234,567', `rounded(0.0123456)` is '0.0123', `rounded(12345.6)` is '12,300'. Integers of
    more than 15 digits and fractions outside 10⁻⁴…10¹⁵ are given with an exponent. numpy's numbers are welcome.
    """
    if isinstance(number, numbers.Integral):
        exact = int(number)
        if abs(exact) < 10**_LONGEST:
            return f"{exact:,}"
        return f"{Decimal(exact):.{digits - 1}e}"
    fraction = float(number)
    if not math.isfinite(fraction):
        return str(fraction)
    scientific = f"{fraction:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    if not -4 <= exponent < _LONGEST:
        return scientific
    plain = f"{Decimal(scientific):,f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
