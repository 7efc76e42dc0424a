"""Roots of a polynomial over GF(2¹²⁸), the field of GCM: what turns a reused nonce into an authentication key.

A polynomial is the list of its coefficients, the constant first; a coefficient is a block as an integer, in the bit
order of SP 800-38D §6.3, where the element 1 is 2¹²⁷. Source: Berlekamp's trace algorithm (1970).
"""

from __future__ import annotations

from lepton_lab.textbook.primitives.modes import multiply_blocks

Polynomial = list[int]

ONE = 1 << 127


def inverse(a: int) -> int:
    """1/a = a^(2¹²⁸ - 2), because a^(2¹²⁸ - 1) = 1 for every a but 0."""
    result, power = ONE, a
    for _ in range(127):
        power = multiply_blocks(power, power)
        result = multiply_blocks(result, power)
    return result


def trimmed(f: Polynomial) -> Polynomial:
    """The polynomial without leading zeros; 0 is the empty list."""
    while f and f[-1] == 0:
        f = f[:-1]
    return f


def add(f: Polynomial, g: Polynomial) -> Polynomial:
    """The sum f + g, which is also f - g."""
    length = max(len(f), len(g))
    f, g = f + [0] * (length - len(f)), g + [0] * (length - len(g))
    return trimmed([a ^ b for a, b in zip(f, g, strict=True)])


def monic(f: Polynomial) -> Polynomial:
    """The polynomial f divided by its leading coefficient."""
    scale = inverse(f[-1])
    return [multiply_blocks(a, scale) for a in f]


def divided(f: Polynomial, g: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder of f by the monic polynomial g."""
    rest, quotient = list(f), [0] * max(len(f) - len(g) + 1, 0)
    for i in range(len(quotient) - 1, -1, -1):
        quotient[i] = factor = rest[i + len(g) - 1]
        for j, b in enumerate(g):
            rest[i + j] ^= multiply_blocks(factor, b)
    return trimmed(quotient), trimmed(rest)


def gcd(f: Polynomial, g: Polynomial) -> Polynomial:
    """The monic greatest common divisor, by Euclid."""
    while g:
        f, g = g, divided(f, monic(g))[1]
    return monic(f)


def square(f: Polynomial, modulus: Polynomial) -> Polynomial:
    """The square f² modulo a monic polynomial: in characteristic 2 only the squares of the terms remain."""
    spread = [0] * (2 * len(f))
    spread[::2] = [multiply_blocks(a, a) for a in f]
    return divided(trimmed(spread), modulus)[1]


def roots(f: Polynomial) -> list[int]:
    """All roots of f in GF(2¹²⁸), each once, in ascending order; f is not 0.

    The field's elements are the roots of x^(2¹²⁸) - x, so gcd(f, x^(2¹²⁸) - x) is the product of (x - r) over the roots
    r of f. The trace Tr(a) = a + a² + a⁴ + … + a^(2¹²⁷) is 0 or 1, so gcd(g, Tr(βx)) gathers the roots with Tr(βr) = 0;
    for two different roots some β = 2^i has different traces, so the loop over i separates them all.
    """
    f = monic(trimmed(f))
    power: Polynomial = divided([0, ONE], f)[1]
    for _ in range(128):
        power = square(power, f)
    parts, i = [gcd(f, add(power, [0, ONE]))], 0
    while any(len(part) > 2 for part in parts):
        parts = [piece for part in parts for piece in _split(part, 1 << i)]
        i += 1
    return sorted(part[0] for part in parts if len(part) == 2)


def _split(g: Polynomial, beta: int) -> list[Polynomial]:
    if len(g) <= 2:
        return [g]
    term: Polynomial = divided([0, beta], g)[1]
    trace = term
    for _ in range(127):
        term = square(term, g)
        trace = add(trace, term)
    half = gcd(g, trace) if trace else g
    return [half, divided(g, half)[0]] if 1 < len(half) < len(g) else [g]
