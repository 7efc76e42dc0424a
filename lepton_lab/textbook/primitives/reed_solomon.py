"""Reed–Solomon codes by hand: the message is k values of a polynomial, and any k values restore it.

A polynomial P of degree below k over GF(2⁸) is fixed by its values at any k points (Reed and
Solomon, 1960). Here the message is its values at 0 … k − 1, so that it stands in the codeword as it
is (a *systematic* code); the parity bytes are its values at k … n − 1. The second half of this file
does the same with matrices: parity made with a Cauchy matrix 1/(xᵢ + yⱼ).

The field is that of x⁸+x⁴+x³+x²+1, 0x11D, as in most storage codes; minus is plus, an XOR.
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
    """Multiply two bytes in this field. Raises InvalidParameter."""
    return gf256.multiply(a, b, POLYNOMIAL)


def inverse(a: int) -> int:
    """Find the b with a • b = 1 in this field. Raises InvalidParameter for 0."""
    return gf256.inverse(a, POLYNOMIAL)


def lagrange_weights(
    points: Iterable[int], at: int, polynomial: int = POLYNOMIAL
) -> Trace[dict[int, int]]:
    """Compute how much each point's value counts at `at`: wᵢ = Π (at − xⱼ)/(xᵢ − xⱼ), j ≠ i.

    `points`: distinct bytes xᵢ. `at`: a byte. The result is point → weight. Raises
    InvalidParameter.
    """
    xs = [integer("a point", x, 0, 256) for x in points]
    integer("at", at, 0, 256)
    if not xs or len(set(xs)) != len(xs):
        raise InvalidParameter("the points must be distinct, and at least one")
    seen = Recorder()
    weights = {}
    for x in xs:
        others = [other for other in xs if other != x]
        above = _product((at ^ other for other in others), polynomial)
        below = _product((x ^ other for other in others), polynomial)
        weight = gf256.multiply(above, gf256.inverse(below, polynomial), polynomial)
        weights[x] = seen(f"w({x})", weight, f"{above} / {below}")
    return seen.trace(weights)


def interpolate(values: Mapping[int, int], at: int, polynomial: int = POLYNOMIAL) -> Trace[int]:
    """Compute the value at `at` of the polynomial through k given points, by Lagrange's formula.

    There is exactly one such polynomial of degree below k; its value is Σ values[xᵢ] • wᵢ.
    `values`: point → value, both bytes. Raises InvalidParameter.
    """
    seen = Recorder()
    total = 0
    for x, weight in lagrange_weights(values, at, polynomial).result.items():
        value = integer("a value", values[x], 0, 256)
        term = gf256.multiply(value, weight, polynomial)
        total ^= seen(f"P({x})·w({x})", term, f"{value} • {weight}")
    return seen.trace(total)


def encode(message: bytes, n: int) -> Trace[bytes]:
    """Encode a message: the codeword is the message and then its polynomial's values at k … n − 1.

    `message`: k bytes. `n`: the length of the codeword in bytes, 1 ≤ k ≤ n ≤ 256. Raises
    InvalidParameter.
    """
    k = len(as_bytes("message", message))
    if not k:
        raise InvalidParameter("message must be at least one byte")
    integer("n", n, k, 257, because="there are 256 points, and the message takes the first")
    values = dict(enumerate(message))
    seen = Recorder()
    for x, value in values.items():
        seen(f"P({x})", value, "of the message")
    parity = []
    for x in range(k, n):
        parity.append(seen(f"P({x})", interpolate(values, x).result, "added"))
    return seen.trace(bytes(message) + bytes(parity))


def decode(symbols: Mapping[int, int], k: int) -> Trace[bytes]:
    """Restore the message of k bytes from any k symbols of its codeword.

    `symbols`: position → byte, at least k of them; the k lowest positions are used. What is missing
    is restored and what is present is believed: a false symbol gives a false message. Raises
    InvalidParameter.
    """
    integer("k", k, 1, 257)
    if len(symbols) < k:
        raise InvalidParameter(f"{k} symbols are needed, and {len(symbols)} are there")
    chosen = {x: symbols[x] for x in sorted(symbols)[:k]}
    seen = Recorder()
    message = []
    for x in range(k):
        value = interpolate(chosen, x).result
        message.append(seen(f"P({x})", value, "there" if x in chosen else "interpolated"))
    return seen.trace(bytes(message))


# --- the same with matrices ---------------------------------------------------------------------


def cauchy(xs: Sequence[int], ys: Sequence[int]) -> Matrix:
    """Build the Cauchy matrix 1/(xᵢ + yⱼ), with a row for each x.

    All xs and ys are distinct bytes. Raises InvalidParameter.
    """
    if len({*xs, *ys}) != len(xs) + len(ys):
        raise InvalidParameter("all xs and ys must be distinct: x + y = 0 has no inverse")
    return tuple(tuple(inverse(gf256.add(x, y)) for y in ys) for x in xs)


def times(matrix: Sequence[Sequence[int]], vector: Sequence[int]) -> bytes:
    """Multiply a matrix by a column of bytes. Raises InvalidParameter."""
    if any(len(row) != len(vector) for row in matrix):
        raise InvalidParameter("the vector must be as long as the rows")
    product = []
    for row in matrix:
        product.append(reduce(xor, map(multiply, row, vector), 0))
    return bytes(product)


def invert(matrix: Sequence[Sequence[int]]) -> Trace[Matrix]:
    """Invert a square matrix by Gauss and Jordan, showing the state after each column.

    Raises InvalidParameter when there is no inverse.
    """
    size = len(matrix)
    if any(len(row) != size for row in matrix):
        raise InvalidParameter("only a square matrix has an inverse")
    seen = Recorder()
    # the matrix with the identity beside it: what turns the left half into the identity turns the
    # right half into the inverse
    rows = [[*row, *_unit(size, i)] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((i for i in range(column, size) if rows[i][column]), None)
        if pivot is None:
            raise InvalidParameter("the matrix has no inverse: its rows depend on each other")
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = inverse(rows[column][column])
        rows[column] = [multiply(scale, entry) for entry in rows[column]]
        for i in range(size):
            if i != column:
                rows[i] = _eliminated(rows[i], rows[column], column)
        seen(f"column {column}", tuple(map(tuple, rows)))
    return seen.trace(tuple(tuple(row[size:]) for row in rows))


def _unit(size: int, place: int) -> list[int]:
    return [1 if i == place else 0 for i in range(size)]


def _eliminated(row: Sequence[int], pivot_row: Sequence[int], column: int) -> list[int]:
    """Take the multiple of the pivot row away that leaves a 0 in `column`."""
    factor = row[column]
    return [a ^ multiply(factor, b) for a, b in zip(row, pivot_row, strict=True)]


def _product(factors: Iterable[int], polynomial: int) -> int:
    product = 1
    for factor in factors:
        product = gf256.multiply(product, factor, polynomial)
    return product
