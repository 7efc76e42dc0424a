"""Reed–Solomon codes by hand: k bytes are values of a polynomial, and any k values of it give all the others back.

A polynomial P of degree below k over GF(2⁸) is fixed by its values at any k points (Reed and Solomon, 1960). Here the
message is its values at 0 … k − 1, so that it stands in the codeword as it is (a *systematic* code), and what is added
are the values at k … n − 1. Beside it, the same as matrices: parity made with a Cauchy matrix 1/(xᵢ + yⱼ).

The field is that of x⁸+x⁴+x³+x²+1, 0x11D, as storage codes mostly take it; minus is plus, an XOR.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import xor

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, gf256, integer
from lepton_lab.textbook.trace import Recorder, Trace

POLYNOMIAL = 0x11D
Matrix = tuple[tuple[int, ...], ...]


def multiply(a: int, b: int) -> int:
    """The product a • b in this field. Raises InvalidParameter for what is no byte."""
    return gf256.multiply(a, b, POLYNOMIAL)


def inverse(a: int) -> int:
    """The b with a • b = 1. Raises InvalidParameter for 0."""
    return gf256.inverse(a, POLYNOMIAL)


def lagrange_weights(
    points: Iterable[int], at: int, polynomial: int = POLYNOMIAL
) -> Trace[dict[int, int]]:
    """How much each point's value counts at `at`: wᵢ = Π (at − xⱼ)/(xᵢ − xⱼ) over the other points xⱼ.

    points: distinct bytes; at: a byte. Raises InvalidParameter.
    """
    xs = [integer("a point", x, 0, 256) for x in points]
    integer("at", at, 0, 256)
    if not xs or len(set(xs)) != len(xs):
        raise InvalidParameter("the points must be distinct, and at least one")
    seen, weights = Recorder(), {}
    for x in xs:
        others = [other for other in xs if other != x]
        above = _product((at ^ other for other in others), polynomial)
        below = _product((x ^ other for other in others), polynomial)
        weights[x] = gf256.multiply(above, gf256.inverse(below, polynomial), polynomial)
        seen(f"w({x})", weights[x], f"{above} / {below}")
    return seen.trace(weights)


def interpolate(values: Mapping[int, int], at: int, polynomial: int = POLYNOMIAL) -> Trace[int]:
    """The value at `at` of the one polynomial of degree below k through k points: Σ values[xᵢ] • wᵢ (Lagrange).

    values: point → value, bytes both. Raises InvalidParameter.
    """
    seen, total = Recorder(), 0
    for x, weight in lagrange_weights(values, at, polynomial).result.items():
        term = gf256.multiply(integer("a value", values[x], 0, 256), weight, polynomial)
        total ^= seen(f"P({x})·w({x})", term, f"{values[x]} • {weight}")
    return seen.trace(total)


def encode(message: bytes, n: int) -> Trace[bytes]:
    """The codeword of n bytes: the message, and behind it the values of its polynomial at k … n − 1.

    message: k bytes, 1 ≤ k ≤ n ≤ 256. Raises InvalidParameter.
    """
    k = len(as_bytes("message", message))
    if not k:
        raise InvalidParameter("message must be at least one byte")
    integer("n", n, k, 257, because="there are 256 points, and the message takes the first")
    values, seen = dict(enumerate(message)), Recorder()
    for x, value in values.items():
        seen(f"P({x})", value, "of the message")
    parity = [seen(f"P({x})", interpolate(values, x).result, "added") for x in range(k, n)]
    return seen.trace(bytes(message) + bytes(parity))


def decode(symbols: Mapping[int, int], k: int) -> Trace[bytes]:
    """The message of k bytes from any k symbols of its codeword, position → byte; more than k are not looked at.

    It mends what is missing and believes what is there: a false symbol gives a false message. Raises InvalidParameter.
    """
    integer("k", k, 1, 257)
    if len(symbols) < k:
        raise InvalidParameter(f"{k} symbols are needed, and {len(symbols)} are there")
    chosen, seen = {x: symbols[x] for x in sorted(symbols)[:k]}, Recorder()
    message = bytes(
        seen(f"P({x})", interpolate(chosen, x).result, "there" if x in chosen else "interpolated")
        for x in range(k)
    )
    return seen.trace(message)


# --- the same with matrices ----------------------------------------------------------------------------------------


def cauchy(xs: Sequence[int], ys: Sequence[int]) -> Matrix:
    """The matrix 1/(xᵢ + yⱼ), a row for each x. All xs and ys are distinct bytes. Raises InvalidParameter."""
    if len({*xs, *ys}) != len(xs) + len(ys):
        raise InvalidParameter("all xs and ys must be distinct: x + y = 0 has no inverse")
    return tuple(tuple(inverse(gf256.add(x, y)) for y in ys) for x in xs)


def times(matrix: Sequence[Sequence[int]], vector: Sequence[int]) -> bytes:
    """The matrix times a column of bytes. Raises InvalidParameter."""
    if any(len(row) != len(vector) for row in matrix):
        raise InvalidParameter("the vector must be as long as the rows")
    return bytes(reduce(xor, map(multiply, row, vector), 0) for row in matrix)


def invert(matrix: Sequence[Sequence[int]]) -> Trace[Matrix]:
    """The inverse matrix, by Gauss and Jordan, with the state after each column.

    Raises InvalidParameter when there is none.
    """
    size, seen = len(matrix), Recorder()
    if any(len(row) != size for row in matrix):
        raise InvalidParameter("only a square matrix has an inverse")
    rows = [[*row, *(int(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((i for i in range(column, size) if rows[i][column]), None)
        if pivot is None:
            raise InvalidParameter("the matrix has no inverse: its rows depend on each other")
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = inverse(rows[column][column])
        rows[column] = [multiply(scale, entry) for entry in rows[column]]
        for i in set(range(size)) - {column}:
            rows[i] = [
                a ^ multiply(rows[i][column], b) for a, b in zip(rows[i], rows[column], strict=True)
            ]
        seen(f"column {column}", tuple(map(tuple, rows)))
    return seen.trace(tuple(tuple(row[size:]) for row in rows))


def _product(factors: Iterable[int], polynomial: int) -> int:
    return reduce(lambda a, b: gf256.multiply(a, b, polynomial), factors, 1)
