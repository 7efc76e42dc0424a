"""Shamir's secret sharing, bare, as in his paper: a polynomial with the secret at 0 (Shamir, 1979).

The secret is P(0); the other coefficients are uniform; share x is P(x). Any `threshold` shares give P(0) by
interpolation, and fewer are independent of it: every secret fits them with equally many polynomials. The field is that
of AES, x⁸+x⁴+x³+x+1, as in `lepton_lab.shamir`, or the integers modulo a prime, where one can follow with a pencil.

It believes whatever it is given: one forged share among exactly enough moves the secret at the forger's will (Tompa and
Woll, 1988). `lepton_lab.shamir` shares a tag along with the secret, and refuses.
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
class Field:
    """A finite field with the elements 0 … size - 1: how they are added, subtracted, multiplied and inverted."""

    size: int
    plus: Callable[[int, int], int]
    minus: Callable[[int, int], int]
    times: Callable[[int, int], int]
    inverse: Callable[[int], int]


GF256 = Field(256, operator.xor, operator.xor, gf256.multiply, gf256.inverse)


def prime_field(p: int) -> Field:
    """The integers modulo a prime p. Raises InvalidParameter when p is none."""
    if not miller_rabin(integer("p", p, least=2), range(2, 40)).result:
        raise InvalidParameter(
            "p must be a prime: modulo another number not everything can be divided by"
        )
    return Field(
        p,
        lambda a, b: (a + b) % p,
        lambda a, b: (a - b) % p,
        lambda a, b: a * b % p,
        lambda a: inverse(a, p),
    )


def evaluate(coefficients: Sequence[int], x: int, field: Field = GF256) -> int:
    """P(x) for P = c₀ + c₁x + c₂x² + …, by Horner's rule. Raises InvalidParameter."""
    value = 0
    integer("x", x, 0, field.size)
    for coefficient in reversed(coefficients):
        value = field.plus(
            field.times(value, x), integer("coefficient", coefficient, 0, field.size)
        )
    return value


def split(
    secret: int, coefficients: Sequence[int], xs: Iterable[int], field: Field = GF256
) -> Trace[dict[int, int]]:
    """Share an element of the field, a byte if no other is given: x → P(x), with P = secret + c₁x + … .

    coefficients: c₁, c₂, …, threshold - 1 of them (bytes may come as bytes), uniform and secret; any of them may be 0.
    xs: distinct elements, not 0, for there the secret lies. Raises InvalidParameter.
    """
    polynomial = [integer("coefficient", c, 0, field.size) for c in (secret, *coefficients)]
    seen, shares = Recorder(), {}
    seen("P", bytes(polynomial) if field is GF256 else polynomial, "coefficients, the secret first")
    for x in _distinct(xs, field):
        integer("x", x, 1, because="P(0) is the secret itself")
        shares[x] = seen(f"P({x})", evaluate(polynomial, x, field))
    return seen.trace(shares)


def weights(xs: Iterable[int], field: Field = GF256, at: int = 0) -> dict[int, int]:
    """Lagrange's wᵢ = Π (at - xⱼ)/(xᵢ - xⱼ) over j ≠ i: P(at) = Σ wᵢ·P(xᵢ) for every P of degree below len(xs).

    They depend on who takes part, not on the shares. xs: distinct elements, at least one. Raises InvalidParameter.
    """
    places, found = _distinct(xs, field), {}
    for x in places:
        above = below = 1
        for other in places:
            if other != x:
                above = field.times(above, field.minus(integer("at", at, 0, field.size), other))
                below = field.times(below, field.minus(x, other))
        found[x] = field.times(above, field.inverse(below))
    return found


def combine(shares: Mapping[int, int], field: Field = GF256, at: int = 0) -> Trace[int]:
    """The secret P(0), from `threshold` shares or more, x → P(x). It believes them all. Raises InvalidParameter."""
    seen, total = Recorder(), 0
    for x, weight in weights(shares, field, at).items():
        term = field.times(integer("a share", shares[x], 0, field.size), weight)
        total = field.plus(total, seen(f"P({x})·w({x})", term, f"{shares[x]} • {weight}"))
    return seen.trace(total)


def combine_bytes(shares: Mapping[int, bytes], at: int = 0) -> Trace[bytes]:
    """Many bytes at once, x → values, as `lepton_lab.shamir` lays them out. Raises InvalidParameter."""
    sizes = {len(as_bytes("a share", values)) for values in shares.values()}
    if len(sizes) != 1:
        raise InvalidParameter("shares of one secret are of one length, and there is at least one")
    seen, found = Recorder(), bytearray(sizes.pop())
    for x, weight in seen("w", weights(shares, at=at)).items():
        for place, byte in enumerate(shares[x]):
            found[place] ^= gf256.multiply(byte, weight)
    return seen.trace(bytes(found))


def _distinct(xs: Iterable[int], field: Field) -> list[int]:
    places = [integer("x", x, 0, field.size) for x in xs]
    if not places or len(set(places)) != len(places):
        raise InvalidParameter("the places of shares must be distinct, and at least one")
    return places
