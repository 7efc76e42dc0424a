"""Shamir's secret sharing, bare, as in his paper: a polynomial with the secret at 0 (Shamir, 1979).

The secret is P(0); the other coefficients are uniform; share x is P(x). Any `threshold` shares give
P(0) by interpolation. Fewer shares are independent of it: every secret fits them with equally many
polynomials. The field is that of AES, x⁸+x⁴+x³+x+1, as in `lepton_lab.shamir`, or the integers
modulo a prime, which can be followed with a pencil.

This bare form believes every share: among exactly `threshold` shares one forged share moves the
secret by whatever the forger likes (Tompa and Woll, 1988). `lepton_lab.shamir` shares a tag along
with the secret, and refuses.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, gf256, integer
from lepton_lab.textbook.primitives.numtheory import inverse, miller_rabin
from lepton_lab.textbook.trace import Recorder, Trace


@dataclass(frozen=True)
class FiniteField:
    """A finite field with the elements 0 … size - 1: how to add, subtract, multiply and invert."""

    size: int
    plus: Callable[[int, int], int]
    minus: Callable[[int, int], int]
    times: Callable[[int, int], int]
    inverse: Callable[[int], int]


GF256 = FiniteField(256, operator.xor, operator.xor, gf256.multiply, gf256.inverse)


def prime_field(p: int) -> FiniteField:
    """The field of the integers modulo a prime p. Raises InvalidParameter when p is not prime."""
    if not miller_rabin(integer("p", p, least=2), range(2, 40)).result:
        raise InvalidParameter(
            "p must be a prime: modulo another number not everything can be divided by"
        )
    return FiniteField(
        size=p,
        plus=lambda a, b: (a + b) % p,
        minus=lambda a, b: (a - b) % p,
        times=lambda a, b: a * b % p,
        inverse=lambda a: inverse(a, p),
    )


def evaluate(coefficients: Sequence[int], x: int, field: FiniteField = GF256) -> int:
    """Evaluate P(x) for P = c₀ + c₁x + c₂x² + …, by Horner's rule. Raises InvalidParameter."""
    integer("x", x, 0, field.size)
    value = 0
    for coefficient in reversed(coefficients):
        integer("coefficient", coefficient, 0, field.size)
        value = field.plus(field.times(value, x), coefficient)
    return value


def split(
    secret: int, coefficients: Sequence[int], xs: Iterable[int], field: FiniteField = GF256
) -> Trace[dict[int, int]]:
    """Share a secret, one element of the field: x → P(x), with P = secret + c₁x + … .

    `coefficients`: c₁, c₂, …, threshold - 1 of them, uniform and secret; any of them may be 0 (in
    GF(2⁸) they may be given as bytes). `xs`: the places of the shares, distinct elements other than
    0, where the secret itself lies. Raises InvalidParameter.
    """
    polynomial = [integer("coefficient", c, 0, field.size) for c in (secret, *coefficients)]
    seen = Recorder()
    in_short = bytes(polynomial) if field is GF256 else polynomial
    seen("P", in_short, "coefficients, the secret first")
    shares = {}
    for x in _distinct(xs, field):
        integer("x", x, 1, because="P(0) is the secret itself")
        shares[x] = seen(f"P({x})", evaluate(polynomial, x, field))
    return seen.trace(shares)


def weights(xs: Iterable[int], field: FiniteField = GF256, at: int = 0) -> dict[int, int]:
    """Compute Lagrange's weights wᵢ = Π (at - xⱼ)/(xᵢ - xⱼ), j ≠ i, for the places xs.

    P(at) = Σ wᵢ·P(xᵢ) for every P of degree below len(xs). The weights depend on the places that
    take part, not on the shares. `xs`: distinct elements, at least one. Raises InvalidParameter.
    """
    places = _distinct(xs, field)
    integer("at", at, 0, field.size)
    found = {}
    for x in places:
        above = 1
        below = 1
        for other in places:
            if other != x:
                above = field.times(above, field.minus(at, other))
                below = field.times(below, field.minus(x, other))
        found[x] = field.times(above, field.inverse(below))
    return found


def combine(shares: Mapping[int, int], field: FiniteField = GF256, at: int = 0) -> Trace[int]:
    """Compute the secret P(0) from `threshold` shares or more, given as x → P(x).

    It believes them all. Raises InvalidParameter.
    """
    seen = Recorder()
    total = 0
    for x, weight in weights(shares, field, at).items():
        share = integer("a share", shares[x], 0, field.size)
        term = field.times(share, weight)
        total = field.plus(total, seen(f"P({x})·w({x})", term, f"{share} • {weight}"))
    return seen.trace(total)


def combine_bytes(shares: Mapping[int, bytes], at: int = 0) -> Trace[bytes]:
    """Combine shares of many bytes at once, given as x → values, in GF(2⁸).

    The layout is that of `lepton_lab.shamir`: byte i of each share belongs to byte i of the secret.
    Raises InvalidParameter.
    """
    sizes = {len(as_bytes("a share", values)) for values in shares.values()}
    if len(sizes) != 1:
        raise InvalidParameter(
            "all shares of one secret must have the same length, and there must be at least one"
        )
    seen = Recorder()
    secret = bytearray(sizes.pop())
    for x, weight in seen("w", weights(shares, at=at)).items():
        for place, byte in enumerate(shares[x]):
            secret[place] ^= gf256.multiply(byte, weight)
    return seen.trace(bytes(secret))


def _distinct(xs: Iterable[int], field: FiniteField) -> list[int]:
    places = [integer("x", x, 0, field.size) for x in xs]
    if not places or len(set(places)) != len(places):
        raise InvalidParameter("the places of shares must be distinct, and at least one")
    return places
