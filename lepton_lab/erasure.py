"""Erasure coding: n shards, any k of which give everything back. It repairs losses, not lies: authenticate first.

A systematic code over GF(2⁸) with the polynomial x⁸+x⁴+x³+x²+1 (0x11d). The first k shards are the data itself, the
n−k others are linear combinations of them. Multiplying by a constant of the field is linear over GF(2), so every
constant is an 8×8 matrix of bits. A shard is cut into eight equal packets, packet i holding bit i of every symbol, and
the whole code becomes XOR of packets (Blömer, Kalfane, Karp, Karpinski, Luby and Zuckerman, 1995; Plank and Xu, 2006),
which numpy does at the speed of memory. Sums of two packets that several equations share are computed once.

Why any k of the n rows can be inverted:

- One parity is the plain sum. Two are Σ dᵢ and Σ 2ⁱ dᵢ (RAID-6): leaving out data i and j asks for the determinant
  2ʲ − 2ⁱ, leaving out i and a parity for 1 or 2ⁱ; none is 0, since 2 generates the field and i ≠ j are below 255.
- Three and more are Cauchy rows 1/(xᵣ + y_c) with all x and y distinct: every square submatrix of a Cauchy matrix is
  invertible, and a choice of k rows from identity and parity is invertible exactly if the square submatrix of parity
  at the chosen parities and the missing data is. Scaling rows and columns by constants other than 0 changes nothing.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from lepton_lab.errors import IntegrityError, InvalidParameter, NotEnoughShards

Row = npt.NDArray[np.uint8]
Matrix = tuple[tuple[int, ...], ...]
Schedule = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, ...], ...]]
GRAIN = 64  # a shard is eight packets of whole 64-bit words
_BLOCK = 1 << 16  # octets of each packet worked on at a time, so that they stay in the cache


class Code:
    """A k-of-n code, 1 ≤ k ≤ n ≤ 255. Instances are cheap, immutable and safe to share between threads.

    Raises InvalidParameter for a k or n that cannot be.
    """

    code_id = 1  # this field, these matrices, this layout of packets: what a stored shard must be decoded with

    def __init__(self, k: int, n: int) -> None:
        if not (isinstance(k, int) and isinstance(n, int) and 1 <= k <= n <= 255):
            raise InvalidParameter(f"a code needs whole numbers 1 ≤ k ≤ n ≤ 255, not k = {k}, n = {n}")
        self.k, self.n = k, n

    def encode(self, data: bytes) -> list[bytes]:
        """Code `data` into n shards of equal length, a multiple of 64 octets.

        Before coding, the octet 80 and then zeros are appended up to a multiple of 64·k (ISO/IEC 7816-4), so that
        `decode` knows the length; shard i < k is the i-th part of that.
        """
        size = GRAIN * (len(data) // (GRAIN * self.k) + 1)
        padded = np.zeros(size * self.k, np.uint8)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        padded[len(data)] = 0x80
        shards = [*padded.reshape(self.k, size), *np.empty((self.n - self.k, size), np.uint8)]
        self.encode_rows(shards[: self.k], shards[self.k :])
        return [shard.tobytes() for shard in shards]

    def decode(self, shards: Mapping[int, bytes]) -> bytes:
        """Give the data back from any k shards, by index; more are allowed and not looked at.

        Raises NotEnoughShards with fewer than k, InvalidParameter for an index or length that cannot be, and
        IntegrityError when what comes out has no valid padding. An altered shard is not noticed otherwise.
        """
        have = self._rows(shards)
        size = len(next(iter(have.values())))
        whole = np.empty((self.k, size), np.uint8)
        self.recover_rows(have, dict(enumerate(whole)))
        octets = whole.tobytes()
        data = octets.rstrip(b"\0")
        if not data.endswith(b"\x80") or len(octets) - len(data) >= GRAIN * self.k:
            raise IntegrityError("the shards do not decode to anything that was encoded")
        return data[:-1]

    def repair(self, index: int, shards: Mapping[int, bytes]) -> bytes:
        """Compute the shard of this index again, octet for octet, from any k others. Raises as `decode` does."""
        have = self._rows(shards)
        self._check_index(index)
        wanted = np.empty(len(next(iter(have.values()))), np.uint8)
        self.recover_rows(have, {index: wanted})
        return wanted.tobytes()

    # --- on buffers, without a copy: what storage uses -------------------------------------------------------------

    def encode_rows(self, data: Sequence[Row], parity: Sequence[Row]) -> None:
        """Write the n−k parity shards of k data shards. All are uint8 arrays of one length, a multiple of 64."""
        if parity:
            _combine(_generator(self.k, self.n)[self.k :], data, parity)

    def recover_rows(self, have: Mapping[int, Row], want: Mapping[int, Row]) -> None:
        """Write every wanted shard, data or parity, from any k that are there. Raises NotEnoughShards with fewer."""
        if len(have) < self.k:
            raise NotEnoughShards("shards", found=len(have), needed=self.k)
        chosen = tuple(sorted(have)[: self.k])
        for index in want.keys() & have.keys():
            want[index][:] = have[index]
        missing = tuple(sorted(want.keys() - have.keys()))
        if missing:
            rows = _recovery(self.k, self.n, chosen, missing)
            _combine(rows, [have[index] for index in chosen], [want[index] for index in missing])

    def _rows(self, shards: Mapping[int, bytes]) -> dict[int, Row]:
        if len(shards) < self.k:
            raise NotEnoughShards("shards", found=len(shards), needed=self.k)
        for index in shards:
            self._check_index(index)
        sizes = {len(shard) for shard in shards.values()}
        if len(sizes) != 1 or (size := sizes.pop()) == 0 or size % GRAIN:
            raise InvalidParameter(f"shards have one length, a multiple of {GRAIN} octets above 0")
        return {index: np.frombuffer(shard, np.uint8) for index, shard in shards.items()}

    def _check_index(self, index: int) -> None:
        if not (isinstance(index, int) and 0 <= index < self.n):
            raise InvalidParameter(f"a shard's index is from 0 to {self.n - 1}, not {index!r}")


# --- the field ---------------------------------------------------------------------------------------------------


def _powers_of_two() -> list[int]:
    powers = [1]
    while len(powers) < 255:
        doubled = powers[-1] << 1
        powers.append(doubled ^ 0x11D if doubled & 0x100 else doubled)
    return powers


_EXP = _powers_of_two()
_LOG = {power: exponent for exponent, power in enumerate(_EXP)}


def multiply(a: int, b: int) -> int:
    """The product in GF(2⁸)/0x11d."""
    return _EXP[(_LOG[a] + _LOG[b]) % 255] if a and b else 0


def _inverse(a: int) -> int:
    return _EXP[-_LOG[a] % 255]


def _bit_matrix(constant: int) -> list[list[int]]:
    """Row i, column j: whether bit i of constant·2ʲ is set. Multiplying by the constant is multiplying by this."""
    columns = [multiply(constant, 1 << j) for j in range(8)]
    return [[column >> i & 1 for column in columns] for i in range(8)]


_WEIGHT = [sum(map(sum, _bit_matrix(constant))) for constant in range(256)]  # ones in the matrix: XORs it costs


# --- the matrices ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _generator(k: int, n: int) -> Matrix:
    """The n × k matrix that makes shards of data: identity on top, parity below."""
    identity = [tuple(int(i == j) for j in range(k)) for i in range(k)]
    if n - k <= 2:
        return (*identity, *(tuple(_EXP[r * c] for c in range(k)) for r in range(n - k)))
    return (*identity, *_cauchy(k, n - k))


def _cauchy(k: int, parities: int) -> list[tuple[int, ...]]:
    """Cauchy rows, scaled so that the first is a plain sum and each further one has few bits set."""
    plain = [[_inverse((k + r) ^ c) for c in range(k)] for r in range(parities)]
    rows = [[multiply(value, _inverse(plain[0][c])) for c, value in enumerate(row)] for row in plain]
    light = []
    for row in rows:
        scaled = [[multiply(value, _inverse(pivot)) for value in row] for pivot in row]
        light.append(tuple(min(scaled, key=lambda candidate: sum(_WEIGHT[value] for value in candidate))))
    return light


@lru_cache(maxsize=4096)
def _recovery(k: int, n: int, have: tuple[int, ...], want: tuple[int, ...]) -> Matrix:
    """The matrix that makes the wanted shards of the k that are there."""
    generator = _generator(k, n)
    inverse = _invert([generator[index] for index in have])
    return tuple(_times(generator[index], inverse) for index in want)


def _times(row: tuple[int, ...], matrix: list[list[int]]) -> tuple[int, ...]:
    product = [0] * len(matrix[0])
    for factor, other in zip(row, matrix, strict=True):
        product = [total ^ multiply(factor, value) for total, value in zip(product, other, strict=True)]
    return tuple(product)


def _invert(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    """Gauss–Jordan over the field."""
    k = len(matrix)
    work = [[*row, *(int(i == j) for j in range(k))] for i, row in enumerate(matrix)]
    for column in range(k):
        pivot = next(row for row in range(column, k) if work[row][column])
        work[column], work[pivot] = work[pivot], work[column]
        factor = _inverse(work[column][column])
        work[column] = [multiply(factor, value) for value in work[column]]
        for row in range(k):
            if row != column and (factor := work[row][column]):
                work[row] = [a ^ multiply(factor, b) for a, b in zip(work[row], work[column], strict=True)]
    return [row[k:] for row in work]


# --- the XORs ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _schedule(rows: Matrix) -> Schedule:
    """What to XOR: first the shared pairs, each a new packet, then for every output packet its terms.

    Packets are numbered: 8·shard + packet for the inputs, then the pairs in order. Greedy: the pair that most equations
    hold becomes a packet of its own, until none is held twice.
    """
    equations = [
        {8 * shard + j for shard, matrix in enumerate(bits) for j in range(8) if matrix[i][j]}
        for bits in ([_bit_matrix(constant) for constant in row] for row in rows)
        for i in range(8)
    ]
    holders: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for number, terms in enumerate(equations):
        for pair in combinations(sorted(terms), 2):
            holders[pair].add(number)
    heap = [(-len(held), pair) for pair, held in holders.items() if len(held) > 1]
    heapq.heapify(heap)
    pairs: list[tuple[int, int]] = []
    while heap:
        promised, pair = heapq.heappop(heap)
        if len(holders[pair]) != -promised:  # it lost a holder since; put it back where it now belongs
            if len(holders[pair]) > 1:
                heapq.heappush(heap, (-len(holders[pair]), pair))
            continue
        fresh = 8 * len(rows[0]) + len(pairs)
        pairs.append(pair)
        _substitute(equations, holders, pair, fresh)
        for term in {term for number in holders[pair] for term in equations[number]}:
            if len(holders[term, fresh]) > 1:
                heapq.heappush(heap, (-len(holders[term, fresh]), (term, fresh)))
        holders[pair] = set()
    return tuple(pairs), tuple(tuple(sorted(terms)) for terms in equations)


def _substitute(
    equations: list[set[int]], holders: dict[tuple[int, int], set[int]], pair: tuple[int, int], fresh: int
) -> None:
    for number in holders[pair]:
        terms = equations[number]
        terms.difference_update(pair)
        for term in terms:
            for old in pair:
                holders[min(term, old), max(term, old)].discard(number)
            holders[term, fresh].add(number)
        terms.add(fresh)


def _combine(rows: Matrix, inputs: Sequence[Row], outputs: Sequence[Row]) -> None:
    """Carry a schedule out, block by block of every packet. numpy releases the GIL while it XORs."""
    pairs, equations = _schedule(rows)
    sources = [shard.view(np.uint64).reshape(8, -1) for shard in inputs]
    targets = [shard.view(np.uint64).reshape(8, -1) for shard in outputs]
    words = sources[0].shape[1]
    width = min(words, _BLOCK // 8)
    scratch = np.empty((len(pairs), width), np.uint64)
    for start in range(0, words, width):
        block = slice(start, min(start + width, words))
        packets = [source[i, block] for source in sources for i in range(8)]
        for row, (a, b) in zip(scratch, pairs, strict=True):
            packets.append(np.bitwise_xor(packets[a], packets[b], out=row[: len(packets[a])]))
        for number, terms in enumerate(equations):
            _xor_all([packets[term] for term in terms], targets[number // 8][number % 8, block])


def _xor_all(packets: list[npt.NDArray[np.uint64]], out: npt.NDArray[np.uint64]) -> None:
    if len(packets) == 1:
        out[:] = packets[0]
        return
    np.bitwise_xor(packets[-1], packets[-2], out=out)
    for packet in packets[-3::-1]:
        np.bitwise_xor(out, packet, out=out)
