"""Erasure coding: n shards, any k of which give everything back.

It repairs losses, not lies: authenticate the shards. The code is systematic over GF(2⁸) with the
polynomial x⁸+x⁴+x³+x²+1 (0x11d): the first k shards are the data itself, the other n − k are linear
combinations of them. To multiply by a constant of the field is linear over GF(2), a matrix of 8×8
bits. So a shard is cut into eight equal packets, packet i holding bit i of every symbol, and the
whole code becomes XOR of packets (Blömer, Kalfane, Karp, Karpinski, Luby and Zuckerman, 1995; Plank
and Xu, 2006), which numpy does at the speed of memory. Two packets that several sums share are
added up once (Paar, 1997).

Why any k rows of the generator can be inverted. Take some rows of the identity, and e of parity in
place of the e data shards that are not there. Expanding the determinant along the rows of the
identity leaves that of a square: the e rows of parity at those e columns. So every square cut from
the parity must be invertible, and it is:

- One parity is Σ dᵢ; two are Σ dᵢ and Σ 2ⁱdᵢ (RAID-6; Anvin, 2004). The squares are 1, 2ⁱ and
  [1 1; 2ⁱ 2ʲ], whose determinant is 2ⁱ + 2ʲ. None is 0: 2 generates the 255 units of the field, and
  i ≠ j are below 255.
- Three or more are Cauchy rows 1/(xᵣ + y_c); all of xᵣ = k + r and y_c = c are distinct, since
  n ≤ 256. A square of such rows is one of their kind, and its determinant, Π(xᵢ + xⱼ)(yᵢ + yⱼ) over
  i < j divided by Π(xᵢ + yⱼ) over all i and j, is not 0. Scaling a row or a column by anything but
  0 leaves it so.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lepton_lab.buffers import BytesLike, view_of, whole_number
from lepton_lab.errors import IntegrityError, InvalidParameter, NotEnoughShards

Row = npt.NDArray[np.uint8]  # one shard, or with two axes a matrix over the field
GRAIN = 64  # a shard is eight packets of whole 64-bit words


@dataclass(frozen=True)
class Code:
    """A k-of-n code, 1 ≤ k ≤ n ≤ 255 (else InvalidParameter). Threads may share it; it is cheap."""

    k: int
    n: int

    # This field, these rows, this layout: a stored shard is decoded with the code that made it.
    code_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole_number(self.n, "a code's n", 1, 255))
        object.__setattr__(self, "k", whole_number(self.k, "a code's k", 1, self.n))

    # What n shards hold, one after the other:
    #
    #   bytes              field
    #   length             data
    #   1                  80 (hexadecimal)
    #   0 to 64·k − 1      zeros, up to a multiple of 64·k (ISO/IEC 7816-4): so far k equal shards
    #   n − k more shards  parity; packet i of a shard, an eighth of it, is bit i of its symbols

    def encode(self, data: BytesLike) -> list[bytes]:
        """Code bytes (else InvalidParameter) into n shards of one length, a multiple of 64."""
        raw = view_of(data)
        size = GRAIN * (len(raw) // (GRAIN * self.k) + 1)
        shards = np.zeros((self.n, size), np.uint8)
        whole = shards.reshape(-1)
        whole[: len(raw)] = raw
        whole[len(raw)] = 0x80
        self.encode_rows([*shards[: self.k]], [*shards[self.k :]])
        return [shard.tobytes() for shard in shards]

    def decode(self, shards: Mapping[int, BytesLike]) -> bytes:
        """Give the data back from any k shards by their indexes, 0 to n − 1.

        More may be given: then the surplus must agree with the others. Among exactly k an altered
        shard goes unnoticed, unless it spoils the padding.

        Raises NotEnoughShards for fewer than k; IntegrityError when no `encode` can have made these
        shards (lengths that differ or are not a multiple of 64, a surplus that disagrees, bad
        padding); InvalidParameter for an index out of range or what is not bytes.
        """
        rows, size = self._rows(shards)
        parts = np.empty((self.k, size), np.uint8)
        self.recover_rows(rows, dict(enumerate(parts)))
        whole = parts.reshape(-1)
        # The padding begins somewhere in the last 64·k bytes.
        tail = whole[-GRAIN * self.k :].tobytes().rstrip(b"\0")
        if not tail.endswith(b"\x80"):
            raise IntegrityError("the shards decode to something that was never encoded")
        length = len(whole) - GRAIN * self.k + len(tail) - 1
        return whole[:length].tobytes()

    def repair(self, index: int, shards: Mapping[int, BytesLike]) -> bytes:
        """Make one shard again, byte for byte, from any k others.

        A shard given under `index` itself is not read. Raises as `decode` does, but for the
        padding, which it does not see.
        """
        index = self._checked_index(index)
        rows, size = self._rows(shards, but=index)
        shard = np.empty(size, np.uint8)
        self.recover_rows(rows, {index: shard})
        return shard.tobytes()

    def encode_rows(self, data: Sequence[Row], parity: Sequence[Row]) -> None:
        """Write the n − k shards of parity for k shards of data, without a copy.

        All are contiguous uint8 arrays of one length, a multiple of 64, and share no memory:
        InvalidParameter otherwise (memory is not checked). Threads may code at the same time; numpy
        releases the GIL while it XORs.
        """
        if len(data) != self.k or len(parity) != self.n - self.k:
            raise InvalidParameter(
                f"{self.k} rows of data and {self.n - self.k} of parity are needed"
            )
        _check_rows(data, parity)
        self._combine(dict(enumerate(data)), dict(enumerate(parity, self.k)))

    def recover_rows(self, have: Mapping[int, Row], want: Mapping[int, Row]) -> None:
        """Write every wanted shard, data or parity, from the k lowest there are, without a copy.

        Rows are as for `encode_rows`. Raises NotEnoughShards when fewer than k are there,
        InvalidParameter for an index or a row that cannot be. Nothing is checked against anything:
        authenticate rows that may be false before.
        """
        if len(have) < self.k:
            raise NotEnoughShards("too few shards", found=len(have), needed=self.k)
        for index in (*have, *want):
            self._checked_index(index)
        _check_rows([*have.values()], [*want.values()])
        for index in want.keys() & have.keys():
            want[index][:] = have[index]
        chosen = {index: have[index] for index in sorted(have)[: self.k]}
        missing = {index: want[index] for index in sorted(want.keys() - have.keys())}
        self._combine(chosen, missing)

    def _combine(self, have: Mapping[int, Row], want: Mapping[int, Row]) -> None:
        if want:
            plan = _plan(self.k, self.n, tuple(have), tuple(want))
            plan.run([*have.values()], [*want.values()])

    def _rows(
        self, shards: Mapping[int, BytesLike], but: int | None = None
    ) -> tuple[dict[int, Row], int]:
        """The shards as rows, and their one length; where there are more than k, they agree."""
        if not isinstance(shards, Mapping):
            raise InvalidParameter(
                f"shards come as a mapping from index to bytes, not {type(shards).__name__}"
            )
        given = {self._checked_index(index): data for index, data in shards.items()}
        rows: dict[int, Row] = {}
        for index in sorted(given):
            if index != but:
                rows[index] = np.frombuffer(view_of(given[index]), np.uint8)
        if len(rows) < self.k:
            raise NotEnoughShards("too few shards", found=len(rows), needed=self.k)
        size, *others = {len(row) for row in rows.values()}
        if others or not size or size % GRAIN:
            raise IntegrityError(f"shards are of one length, a multiple of {GRAIN} bytes")
        self._check_surplus(rows, size)
        return rows, size

    def _check_surplus(self, rows: dict[int, Row], size: int) -> None:
        """Make every shard beyond the first k again from these: it must be the one given."""
        chosen = {index: rows[index] for index in list(rows)[: self.k]}
        surplus = list(rows)[self.k :]
        again = dict(zip(surplus, np.empty((len(surplus), size), np.uint8), strict=True))
        # From the chosen alone: given all, it would copy the surplus instead of making it.
        self.recover_rows(chosen, again)
        if not all(np.array_equal(rows[index], again[index]) for index in surplus):
            raise IntegrityError(
                "the shards contradict each other; a code cannot tell which is false"
            )

    def _checked_index(self, index: int) -> int:
        return whole_number(index, "the index of a shard", 0, self.n - 1)


def _check_rows(sources: Sequence[Row], targets: Sequence[Row]) -> None:
    for row in (*sources, *targets):
        flat = isinstance(row, np.ndarray) and row.ndim == 1 and row.flags.c_contiguous
        if not flat or row.dtype != np.uint8:
            raise InvalidParameter("a row is a contiguous one-dimensional array of uint8")
        if not len(row) or len(row) % GRAIN or len(row) != len(sources[0]):
            raise InvalidParameter(f"rows have one length, a multiple of {GRAIN} bytes")
    if not all(target.flags.writeable for target in targets):
        raise InvalidParameter("a wanted row must be writeable")


# --- the field and the rows of the code, as numpy arrays of symbols ------------------------------


def _powers_of_two() -> Row:
    powers = [1]
    while len(powers) < 255:
        doubled = powers[-1] << 1
        if doubled > 0xFF:
            doubled ^= 0x11D
        powers.append(doubled)
    return np.array(powers, np.uint8)


_EXP = _powers_of_two()
_LOG = np.zeros(256, np.intp)
_LOG[_EXP] = np.arange(255)
_PRODUCT = _EXP[(_LOG[:, None] + _LOG) % 255]
_PRODUCT[0] = 0
_PRODUCT[:, 0] = 0
_INVERSE = _EXP[-_LOG % 255]
_BITS = np.arange(8, dtype=np.uint8)


def _bit_matrix(symbols: Row) -> Row:
    """Every symbol as the 8×8 bits of multiplying by it: at (i, j) bit i of the symbol · 2ʲ."""
    rows, columns = symbols.shape
    products = _PRODUCT[symbols[:, None, :, None], 1 << _BITS]
    bits: Row = products >> _BITS[:, None, None] & 1
    return bits.reshape(8 * rows, 8 * columns)


# How many bits are 1 in the matrix of each symbol: each costs an XOR.
_WEIGHT = _bit_matrix(np.arange(256, dtype=np.uint8)[None]).reshape(8, 256, 8).sum(axis=(0, 2))


@lru_cache(maxsize=64)
def _generator(k: int, n: int) -> Row:
    """The n×k matrix that makes shards of data, identity first.

    Changing any of it asks for another `code_id`.
    """
    identity = np.eye(k, dtype=np.uint8)
    data = np.arange(k, dtype=np.uint8)
    if n - k <= 2:
        return np.vstack([identity, _EXP[np.outer(np.arange(n - k), data)]])
    cauchy = _INVERSE[np.arange(k, n, dtype=np.uint8)[:, None] ^ data]
    # Scale the columns so that the first row is a plain sum.
    cauchy = _PRODUCT[cauchy, _INVERSE[cauchy[0]]]
    # Scale each row by the inverse of one of its symbols: the one that leaves the fewest XORs.
    for row in cauchy:
        scaled = _PRODUCT[_INVERSE[row][:, None], row]
        row[:] = scaled[_WEIGHT[scaled].sum(axis=1).argmin()]
    return np.vstack([identity, cauchy])


def _times(left: Row, right: Row) -> Row:
    product: Row = np.bitwise_xor.reduce(_PRODUCT[left[:, :, None], right], axis=1)
    return product


def _inverted(matrix: Row) -> Row:
    """Gauss and Jordan; the module's proof says that there is a pivot in every column."""
    size = len(matrix)
    work = np.hstack([matrix, np.eye(size, dtype=np.uint8)])
    for column in range(size):
        pivot = column + int(work[column:, column].argmax())
        work[[column, pivot]] = work[[pivot, column]]
        work[column] = _PRODUCT[_INVERSE[work[column, column]], work[column]]
        factors = work[:, column].copy()
        factors[column] = 0
        work ^= _PRODUCT[factors[:, None], work[column]]
    return work[:, size:]


# --- the XORs -------------------------------------------------------------------------------------

_BLOCK = 1 << 17  # bytes of a packet at a time; wide codes take less, to stay in the cache
_WIDE = 80  # packets and intermediate sums; 4-of-6 is still narrow, 6-of-9 is wide
_MOST_PAIRS = 512  # bounds the time to plan and the memory to run codes of a hundred shards


@dataclass(frozen=True)
class _Plan:
    """What to XOR, as rows of (a, b, target): target = a XOR b, or a copy where a = b.

    Packets are numbered: those of the sources, of the targets, then `slots` for intermediate sums.
    """

    operations: npt.NDArray[np.uint16]
    slots: int

    def run(self, sources: Sequence[Row], targets: Sequence[Row]) -> None:
        rows = (*sources, *targets)
        packet = len(rows[0]) // 8
        narrow = 8 * len(rows) + self.slots <= _WIDE
        width = min(packet, _BLOCK if narrow else _BLOCK // 2)
        scratch = _scratch(self.slots, width)
        operations = self.operations.tolist()
        for start in range(0, packet, width):
            end = min(start + width, packet)
            blocks = [
                row[at + start : at + end] for row in rows for at in range(0, 8 * packet, packet)
            ]
            blocks += [slot[: end - start] for slot in scratch]
            for a, b, target in operations:
                if a == b:
                    blocks[target][:] = blocks[a]
                else:
                    np.bitwise_xor(blocks[a], blocks[b], blocks[target])


_own = threading.local()


def _scratch(slots: int, width: int) -> Row:
    """Memory for intermediate sums, allocated once in every thread."""
    held: Row | None = getattr(_own, "scratch", None)
    if held is None or len(held) < slots * width:
        held = _own.scratch = np.empty(slots * width, np.uint8)
    return held[: slots * width].reshape(slots, width)


@lru_cache(maxsize=128)
def _plan(k: int, n: int, have: tuple[int, ...], want: tuple[int, ...]) -> _Plan:
    """How to make the wanted shards of the k that are there."""
    generator = _generator(k, n)
    bits = _bit_matrix(_times(generator[[*want]], _inverted(generator[[*have]])))
    return _ordered(*_shared(bits), bits.shape[1])


def _shared(bits: Row) -> tuple[list[tuple[int, int]], list[list[int]]]:
    """Pairs to add up once, and the terms of every sum: packets by number, then pairs in order.

    Greedy (Paar, 1997): as long as two sums hold the same pair, the pair that most sums hold
    becomes a term of its own. `held` counts, for every two terms, the sums that hold both; a new
    pair changes it for three terms only.
    """
    sums, packets = bits.shape
    terms = packets + _MOST_PAIRS
    holds = np.zeros((sums, terms), bool)
    holds[:, :packets] = bits
    held = np.zeros((terms, terms), np.uint16)
    # In floating point, because numpy multiplies only such matrices fast; the counts stay exact.
    weights = bits.astype(np.float32)
    held[:packets, :packets] = weights.T @ weights
    np.fill_diagonal(held, 0)
    pairs: list[tuple[int, int]] = []
    for fresh in range(packets, terms):
        a, b = divmod(int(held[:fresh].argmax()), terms)
        if held[a, b] < 2:
            break
        both = holds[:, a] & holds[:, b]
        holds[both, a] = False
        holds[both, b] = False
        others = holds[both].sum(axis=0, dtype=np.uint16)
        holds[both, fresh] = True
        held[a, b] = held[b, a] = 0
        for term in (a, b):
            held[term] -= others
            held[:, term] -= others
        held[fresh] = held[:, fresh] = others
        pairs.append((a, b))
    return pairs, [np.flatnonzero(row).tolist() for row in holds]


def _ordered(
    pairs: Sequence[tuple[int, int]], sums: Sequence[Sequence[int]], packets: int
) -> _Plan:
    """Add up every pair just before its first use, in the slot of one past its last: for caches."""
    uses = Counter(term for terms in (*pairs, *sums) for term in terms)
    place = {packet: packet for packet in range(packets)}
    operations: list[tuple[int, int, int]] = []
    free: list[int] = []
    first_slot = end = packets + len(sums)

    def take(term: int) -> int:
        uses[term] -= 1
        if term >= packets and not uses[term]:
            free.append(place[term])
        return place[term]

    for target, terms in enumerate(sums, packets):
        # Pairs that this sum needs, directly or not, and that are not there yet.
        awaited: set[int] = set()
        ahead = list(terms)
        while ahead:
            term = ahead.pop()
            if term not in place and term not in awaited:
                awaited.add(term)
                ahead += pairs[term - packets]
        # In order, because the terms of a pair have lower numbers.
        for pair in sorted(awaited):
            a, b = map(take, pairs[pair - packets])
            if not free:
                free.append(end)
                end += 1
            place[pair] = free.pop()
            operations.append((a, b, place[pair]))
        total, *others = map(take, reversed(terms))
        for other in others or [total]:
            operations.append((total, other, target))
            total = target
    return _Plan(np.array(operations, np.uint16).reshape(-1, 3), end - first_slot)
