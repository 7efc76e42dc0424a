"""Roots of a polynomial over GF(2¹²⁸), the field of GCM.

With them a reused nonce gives the authentication key (gcm_nonce_reuse.py). A polynomial is the list
of its coefficients, the constant first; a coefficient is a block as an integer, in the bit order of
SP 800-38D §6.3, where the element 1 is 2¹²⁷. Source: Berlekamp's trace algorithm (1970).
"""

from __future__ import annotations

from lepton_lab.textbook.primitives.modes import multiply_blocks

Polynomial = list[int]

ONE = 1 << 127
X: Polynomial = [0, ONE]


def inverse(a: int) -> int:
    """Compute 1/a = a^(2¹²⁸ - 2), because a^(2¹²⁸ - 1) = 1 for every a but 0."""
    result = ONE
    power = a
    # 2¹²⁸ - 2 is the sum of 2¹ … 2¹²⁷
    for _ in range(127):
        power = multiply_blocks(power, power)
        result = multiply_blocks(result, power)
    return result


def trimmed(f: Polynomial) -> Polynomial:
    """Take leading zeros off a polynomial; 0 is the empty list."""
    while f and f[-1] == 0:
        f = f[:-1]
    return f


def add(f: Polynomial, g: Polynomial) -> Polynomial:
    """Add two polynomials: f + g, which is also f - g."""
    length = max(len(f), len(g))
    f = f + [0] * (length - len(f))
    g = g + [0] * (length - len(g))
    return trimmed([a ^ b for a, b in zip(f, g, strict=True)])


def monic(f: Polynomial) -> Polynomial:
    """Divide the polynomial f by its leading coefficient."""
    scale = inverse(f[-1])
    return [multiply_blocks(a, scale) for a in f]


def divided(f: Polynomial, g: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Divide f by the monic polynomial g: the quotient and the remainder."""
    remainder = list(f)
    quotient = [0] * max(len(f) - len(g) + 1, 0)
    for i in range(len(quotient) - 1, -1, -1):
        factor = remainder[i + len(g) - 1]
        quotient[i] = factor
        for j, b in enumerate(g):
            remainder[i + j] ^= multiply_blocks(factor, b)
    return trimmed(quotient), trimmed(remainder)


def gcd(f: Polynomial, g: Polynomial) -> Polynomial:
    """Compute the monic greatest common divisor, by Euclid."""
    while g:
        _, remainder = divided(f, monic(g))
        f, g = g, remainder
    return monic(f)


def square(f: Polynomial, modulus: Polynomial) -> Polynomial:
    """Square f modulo a monic polynomial: in characteristic 2 only the terms' squares remain."""
    spread = [0] * (2 * len(f))
    spread[::2] = [multiply_blocks(a, a) for a in f]
    _, remainder = divided(trimmed(spread), modulus)
    return remainder


def roots(f: Polynomial) -> list[int]:
    """Find all roots of f in GF(2¹²⁸), each once, in ascending order; f is not 0.

    The field's elements are the roots of x^(2¹²⁸) - x, so gcd(f, x^(2¹²⁸) - x) is the product of
    (x - r) over the roots r of f. The trace Tr(a) = a + a² + a⁴ + … + a^(2¹²⁷) is 0 or 1, so
    gcd(g, Tr(βx)) gathers the roots with Tr(βr) = 0. For two different roots some β = 2^i has
    different traces, so the loop over i separates them all.
    """
    f = monic(trimmed(f))
    _, power = divided(X, f)
    for _ in range(128):
        power = square(power, f)
    parts = [gcd(f, add(power, X))]
    i = 0
    # a part of two coefficients is x - r, with one root; longer ones are still products
    while any(len(part) > 2 for part in parts):
        split = []
        for part in parts:
            split += _split(part, 1 << i)
        parts = split
        i += 1
    return sorted(part[0] for part in parts if len(part) == 2)


def _split(g: Polynomial, beta: int) -> list[Polynomial]:
    """Split g into the product over its roots with Tr(βr) = 0 and the one over the others."""
    if len(g) <= 2:
        return [g]
    _, term = divided([0, beta], g)
    trace = term
    for _ in range(127):
        term = square(term, g)
        trace = add(trace, term)
    half = gcd(g, trace) if trace else g
    # this β does not tell the roots apart
    if not 1 < len(half) < len(g):
        return [g]
    other_half, _ = divided(g, half)
    return [half, other_half]
