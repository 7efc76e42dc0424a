"""Computes weighted sums of encrypted numbers: dot products and matrix–vector products.

The weights are public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial

from gmpy2 import mpz

from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier import encoding, executors
from lepton_lab.paillier.multiexp import power_product
from lepton_lab.paillier.public import EncryptedNumber

_PIECES = 8  # into how many pieces of work the rows of a matrix are cut


def dot(
    weights: Iterable[object],
    numbers: Iterable[EncryptedNumber],
    limit: int = encoding.FACTOR_LIMIT,
) -> EncryptedNumber:
    """Return Σ weightᵢ·numberᵢ, for a thousand terms six times faster than one product at a time.

    `weights`: ints, floats or numpy scalars, |weight| <= `limit`; as many as there are numbers, at
    least one. The exponent stays when all are ints, and deepens by 32 otherwise. Raises
    PlaintextOverflow when the declared bounds could pass the key's range, NumberTooLarge for a
    weight beyond its limit, InvalidParameter.
    """
    return matvec([weights], numbers, limit)[0]


def matvec(
    matrix: Iterable[Iterable[object]],
    numbers: Iterable[EncryptedNumber],
    limit: int = encoding.FACTOR_LIMIT,
    executor: Executor | None = None,
) -> list[EncryptedNumber]:
    """Return one `dot` for every row of the matrix; an executor spreads the rows over its workers.

    The weights are public, to the workers too. The encrypted numbers are blinded before they leave
    this process. Raises what `dot` raises.
    """
    terms = _aligned(list(numbers))
    rows = _weights(matrix, len(terms))
    public_key = terms[0].public_key
    has_float = any(isinstance(weight, float) for row in rows for weight in row)
    place = encoding.EXPONENT if has_float else 0
    limit = encoding.checked_bound(limit)
    largest_weight = encoding.encoded_limit(limit, place)
    # The bound follows from what was declared, never from the weights, which it would tell.
    bound = public_key.within_range(sum(term.bound for term in terms) * largest_weight)
    exponent = encoding.checked_exponent(terms[0].exponent + place)
    encoded = [[encoding.encode_within(weight, place, limit) for weight in row] for row in rows]
    if executors.stays_in_process(executor):
        cs = [term.raw_ciphertext for term in terms]
    else:
        cs = _blinded(terms)
    work = partial(_products, cs, public_key.n_square)
    piece = max(1, -(-len(encoded) // _PIECES))
    products = executors.map_in_pieces(work, encoded, piece, executor)
    return [EncryptedNumber.unchecked(public_key, c, exponent, bound) for c in products]


def _weights(matrix: Iterable[Iterable[object]], length: int) -> list[list[int | float]]:
    """Return the rows as Python's numbers, each of the given length. Raises InvalidParameter."""
    try:
        rows = [[encoding.python_number(weight) for weight in row] for row in matrix]
    except TypeError:
        raise InvalidParameter(
            "weights are a row of numbers, and a matrix is rows of weights"
        ) from None
    if any(len(row) != length for row in rows):
        raise InvalidParameter("there must be one weight for every encrypted number")
    return rows


def _aligned(numbers: Sequence[EncryptedNumber]) -> list[EncryptedNumber]:
    """Return the numbers at the deepest of their exponents. Raises InvalidParameter."""
    if not numbers or not all(isinstance(number, EncryptedNumber) for number in numbers):
        raise InvalidParameter("a weighted sum needs EncryptedNumbers, at least one")
    if len({number.public_key for number in numbers}) > 1:
        raise InvalidParameter("the numbers are encrypted under different keys")
    deepest = min(number.exponent for number in numbers)
    return [number.deepened(deepest) for number in numbers]


def _blinded(terms: Sequence[EncryptedNumber]) -> list[mpz]:
    """Return the ciphertexts as other processes may see them."""
    terms[0].public_key.noise.prepare(sum(not term.is_blinded for term in terms))
    return [mpz(term.ciphertext()) for term in terms]


def _products(cs: Sequence[mpz], n_square: mpz, rows: Sequence[Sequence[int]]) -> list[mpz]:
    return [power_product(cs, row, n_square) for row in rows]
