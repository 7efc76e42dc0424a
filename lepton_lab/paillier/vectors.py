"""Many numbers in one ciphertext, side by side in slots of a declared width; sums and whole multiples slot by slot.

    M = Σ vᵢ·2^(bits·i), each vᵢ a signed integer, |vᵢ| <= (2^(bits−1) − 1) / additions

As long as no more than `additions` vectors are added (one multiplied by k counts |k| times), no slot can reach its
neighbour. The vector carries how many it has spent, and the operation that would pass the budget raises. The budget
stops mistakes, not a sender that cheats: it can put what it likes into its slots.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gmpy2 import mpz, powmod
from numpy.typing import ArrayLike, NDArray

from lepton_lab.errors import DecryptionError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import keys
from lepton_lab.paillier import serial as wire
from lepton_lab.paillier.encoding import NumberTooLarge


@dataclass(frozen=True)
class Layout:
    """What a slot holds. Sender, adder and receiver each take it from their own configuration.

    `bits`: the whole slot, sign and guard bits in it, 2 to 16384. `fraction_bits`: behind the binary point, fewer than
    `bits`. `additions`: how many vectors may be summed, 1 to 2⁶³ − 1; a vector times k counts |k|. Raises
    InvalidParameter, also when no room is left for a value.
    """

    bits: int
    fraction_bits: int
    additions: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("bits", 2, 1 << 14),
            ("fraction_bits", 0, self.bits),
            ("additions", 1, 1 << 63),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int)
                or not low <= value < high + (name == "bits")
            ):
                raise InvalidParameter(
                    f"a layout's {name} must be an integer from {low} to {high - (name != 'bits')}"
                )
        if self.limit < 1:
            raise InvalidParameter(
                f"{self.additions} additions leave no room for a value in {self.bits} bits"
            )

    @property
    def limit(self) -> int:
        """The largest absolute integer that a fresh slot may hold: a value times 2^fraction_bits, rounded."""
        return int((1 << self.bits - 1) - 1) // self.additions

    def slots(self, key_bits: int) -> int:
        """How many slots a ciphertext has under a key of this length: the packed integer stays within phe's ±n/3."""
        return (key_bits - 2) // self.bits

    def encode(self, values: NDArray[Any]) -> list[int]:
        """Each value times 2^fraction_bits, rounded, ties to even. Raises InvalidParameter, NumberTooLarge."""
        if values.dtype.kind in "biu":
            encoded = [int(value) << self.fraction_bits for value in values.ravel().tolist()]
        elif values.dtype.kind == "f" and values.dtype.itemsize <= 8:
            if not np.isfinite(values).all():
                raise InvalidParameter("NaN and infinities have no encryption")
            with np.errstate(over="ignore"):
                scaled = np.rint(np.ldexp(values.astype(np.float64).ravel(), self.fraction_bits))
            if np.isinf(scaled).any():
                raise NumberTooLarge("a value passes the range of its slot")
            encoded = [int(value) for value in scaled.tolist()]
        else:
            raise InvalidParameter(
                f"an array must hold integers or floats of up to 64 bits, not {values.dtype}"
            )
        if encoded and max(*encoded, -min(encoded)) > self.limit:
            raise NumberTooLarge("a value passes the range of its slot")
        return encoded

    def decode(self, encoded: Sequence[int], shape: tuple[int, ...]) -> NDArray[Any]:
        """The array: int64 without fraction bits (Python's integers above 64 bits), else the nearest float64."""
        if not self.fraction_bits:
            return np.array(encoded, np.int64 if self.bits <= 64 else object).reshape(shape)
        try:
            return np.array(
                [value / (1 << self.fraction_bits) for value in encoded], np.float64
            ).reshape(shape)
        except OverflowError:
            raise PlaintextOverflow("a value passes the largest float") from None


def pack(array: ArrayLike, layout: Layout, key_bits: int) -> tuple[list[int], tuple[int, ...]]:
    """The packed integers of an array, and its shape. Raises InvalidParameter, NumberTooLarge."""
    if not isinstance(layout, Layout):
        raise InvalidParameter("a vector needs a Layout")
    try:
        values = np.asarray(array)
    except ValueError:
        raise InvalidParameter("the rows of the array differ in length") from None
    if not values.size:
        raise InvalidParameter("an empty array has nothing to encrypt")
    if not (slots := layout.slots(key_bits)):
        raise NumberTooLarge("one slot of this layout is wider than the key")
    encoded, packed = layout.encode(values), []
    for start in range(0, len(encoded), slots):
        whole = 0
        for value in reversed(encoded[start : start + slots]):
            whole = (whole << layout.bits) + value
        packed.append(whole)
    return packed, values.shape


class PackedVector(wire.Travels):
    """An array under `public_key`: made by `PublicKey.encrypt_vector` or `from_bytes`.

    `+` and `-` take a vector of an equal key, layout and shape, `*` an integer; `sum()` works. `spent` says how many
    additions of `layout.additions` are used: it is Σ|k| of the multipliers, and public. Where they are secret, `spend`
    a public number before the vector leaves. Results are blinded with fresh noise on every way out.
    """

    __slots__ = ("_blinded", "_cs", "layout", "public_key", "shape", "spent")

    def __init__(
        self,
        key: keys.PublicKey,
        layout: Layout,
        shape: tuple[int, ...],
        cs: list[mpz],
        *,
        spent: int,
        blinded: bool,
    ) -> None:
        self.public_key, self.layout, self.shape, self.spent = key, layout, shape, spent
        self._cs, self._blinded = cs, blinded

    def ciphertexts(self) -> list[int]:
        """The raw ciphertexts, blinded; each is an ordinary one of its packed integer."""
        if not self._blinded:
            mask, n_square = self.public_key.noise.mask, self.public_key.n_square
            self.public_key.noise.prepare(len(self._cs))
            self._cs, self._blinded = [c * mask(0) % n_square for c in self._cs], True
        return [int(c) for c in self._cs]

    def spend(self, total: int) -> PackedVector:
        """The same with `total` additions spent, no fewer than now: a number that tells nothing of multipliers."""
        if not isinstance(total, int) or total < self.spent:
            raise InvalidParameter("a budget cannot be spent backwards")
        return self._with(self._cs, total)

    def _with(self, cs: list[mpz], spent: int) -> PackedVector:
        return PackedVector(
            self.public_key,
            self.layout,
            self.shape,
            cs,
            spent=self._affordable(spent),
            blinded=False,
        )

    def _affordable(self, spent: int) -> int:
        if spent > self.layout.additions:
            raise PlaintextOverflow(
                f"this would spend {spent} additions; the layout allows {self.layout.additions}"
            )
        return spent

    def __add__(self, other: object) -> PackedVector:
        if not isinstance(other, PackedVector):
            raise InvalidParameter(
                "only another PackedVector can be added to one: encrypt the array first"
            )
        if (other.public_key, other.layout, other.shape) != (
            self.public_key,
            self.layout,
            self.shape,
        ):
            raise InvalidParameter("the two vectors differ in key, layout or shape")
        spent, n_square = self._affordable(self.spent + other.spent), self.public_key.n_square
        return self._with(
            [a * b % n_square for a, b in zip(self._cs, other._cs, strict=True)], spent
        )

    def __radd__(self, other: object) -> PackedVector:
        if isinstance(other, int) and other == 0:
            return self  # where sum() starts
        return self + other

    def __neg__(self) -> PackedVector:
        return self * -1

    def __sub__(self, other: object) -> PackedVector:
        return self + (-other if isinstance(other, PackedVector) else other)

    def __mul__(self, factor: object) -> PackedVector:
        if isinstance(factor, (bool, np.bool_)) or not isinstance(factor, (int, np.integer)):
            raise InvalidParameter("a PackedVector is multiplied by an integer")
        k, n_square = int(factor), self.public_key.n_square
        spent = self._affordable(self.spent * abs(k))
        return self._with([powmod(c, k, n_square) for c in self._cs], spent)

    __rmul__ = __mul__

    def unpacked(self, packed: Iterable[int]) -> NDArray[Any]:
        """The array, from its decrypted integers. Raises PlaintextOverflow when a slot passes its declared bound."""
        bits, slots, count = (
            self.layout.bits,
            self.layout.slots(self.public_key.bits),
            math.prod(self.shape),
        )
        half, mask, places = 1 << bits - 1, (1 << bits) - 1, range(0, slots * bits, bits)
        bias = sum(half << place for place in places)
        values: list[int] = []
        for whole in packed:
            raised = whole + bias  # every slot not negative, so that none borrows from the next
            if raised < 0 or raised >> slots * bits:
                raise PlaintextOverflow("a packed integer passes the range of its slots")
            values += [(raised >> place & mask) - half for place in places]
        if max(*values, -min(values)) > self.layout.limit * self.spent or any(values[count:]):
            raise PlaintextOverflow(
                "a slot passes the bound that was declared for it; its neighbours may be wrong too"
            )
        return self.layout.decode(values[:count], self.shape)

    def __repr__(self) -> str:
        return f"<PackedVector {self.shape} in {len(self._cs)} ciphertexts, {self.spent} of {self.layout} spent>"

    def to_bytes(self) -> bytes:
        """The vector as bytes (see `wire`), blinded."""
        layout, size = self.layout, 2 * self.public_key.size
        numbers = (
            (layout.bits, 4),
            (layout.fraction_bits, 4),
            (layout.additions, 8),
            (self.spent, 8),
        )
        head = b"".join(
            number.to_bytes(width, "big") for number, width in (*numbers, (len(self.shape), 1))
        )
        shape = b"".join(length.to_bytes(8, "big") for length in self.shape)
        body = b"".join(c.to_bytes(size, "big") for c in self.ciphertexts())
        return b"LPV\1" + self.public_key.key_id + head + shape + body

    @classmethod
    def from_bytes(cls, data: bytes, public_key: keys.PublicKey, layout: Layout) -> PackedVector:
        """Read what `to_bytes` wrote under this key and this layout, the reader's own.

        Raises DecryptionError: another key or layout, damaged, malformed.
        """
        read = wire.Reader(data)
        read.expect(b"LPV\1" + public_key.key_id)
        for number, width in ((layout.bits, 4), (layout.fraction_bits, 4), (layout.additions, 8)):
            read.expect(number.to_bytes(width, "big"))
        spent, dimensions = read.integer(8), read.integer(1)
        shape = tuple(read.integer(8) for _ in range(dimensions))
        count, slots = math.prod(shape), layout.slots(public_key.bits)
        if (
            spent > layout.additions
            or not slots
            or dimensions > 64
            or not 0 < count <= 8 * len(data)
        ):
            raise DecryptionError
        cs = [
            public_key.checked_ciphertext(read.integer(2 * public_key.size))
            for _ in range(-(-count // slots))
        ]
        read.finish()
        return cls(public_key, layout, shape, cs, spent=spent, blinded=True)

    def _header(self) -> dict[str, Any]:
        layout = [self.layout.bits, self.layout.fraction_bits, self.layout.additions]
        key_id, form = self.public_key.key_id.hex(), "lepton_lab Paillier vector, format 1"
        return {
            "what": form,
            "key_id": key_id,
            "layout": layout,
            "spent": self.spent,
            "shape": list(self.shape),
        }

    def _context(self) -> tuple[Any, ...]:
        return self.public_key, self.layout
