"""Many numbers in one ciphertext, side by side in slots of a declared width.

    M = Σ vᵢ·2^(bits·i), each vᵢ a signed integer, |vᵢ| <= (2^(bits−1) − 1) / additions

Vectors are added and multiplied by integers slot by slot. As long as no more than `additions`
vectors are added (one multiplied by k counts |k| times), no slot can reach its neighbour. A vector
carries how many additions it has spent, and the operation that would pass the budget raises. The
budget stops mistakes, not a sender that cheats: that one can put what it likes into its slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from gmpy2 import mpz, powmod
from numpy.typing import ArrayLike, NDArray

from lepton_lab.errors import InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import executors, serial
from lepton_lab.paillier.ciphertext import Ciphertext
from lepton_lab.paillier.encoding import NumberTooLarge, python_number, whole_number

if TYPE_CHECKING:
    from lepton_lab.paillier.public import PublicKey  # which imports this module

MAX_SLOT_BITS = 1 << 14  # the longest key has no more
MAX_ADDITIONS = (1 << 63) - 1
_LARGEST_PIECE = 256  # ciphertexts in one piece of work for an executor


@dataclass(frozen=True)
class Layout:
    """What a slot holds. Sender, adder and receiver each take it from their own configuration.

    `bits`: the whole slot, sign and guard bits included, 2 to 16384. `fraction_bits`: how many of
    them stand behind the binary point, fewer than `bits`. `additions`: how many vectors may be
    summed, 1 to 2⁶³ − 1; a vector times k counts |k|. Raises InvalidParameter, also when no room
    is left for a value.
    """

    bits: int
    fraction_bits: int
    additions: int

    def __post_init__(self) -> None:
        bits = whole_number(self.bits, "a layout's bits", 2, MAX_SLOT_BITS)
        fraction_bits = whole_number(self.fraction_bits, "a layout's fraction_bits", 0, bits - 1)
        additions = whole_number(self.additions, "a layout's additions", 1, MAX_ADDITIONS)
        # numpy integers become Python's, which do not overflow when they are shifted.
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "fraction_bits", fraction_bits)
        object.__setattr__(self, "additions", additions)
        if self.limit < 1:
            raise InvalidParameter(
                f"{additions} additions leave no room for a value in {bits} bits: choose more bits"
            )

    @property
    def limit(self) -> int:
        """The largest absolute integer that a fresh slot may hold.

        That integer is a value times 2^fraction_bits, rounded.
        """
        return int((1 << self.bits - 1) - 1) // self.additions

    def slots(self, key_bits: int) -> int:
        """Return how many slots a ciphertext has under a key of this length.

        The packed integer stays within phe's range, ±n/3.
        """
        return (key_bits - 2) // self.bits

    def encode(self, values: NDArray[Any]) -> list[int]:
        """Return each value times 2^fraction_bits, rounded, ties to even.

        `values`: integers or floats of up to 64 bits, or Python's numbers in an array of objects.
        Raises InvalidParameter, NumberTooLarge.
        """
        if values.dtype.kind in "biu":
            encoded = [int(value) << self.fraction_bits for value in values.ravel().tolist()]
        elif values.dtype.kind == "f" and values.dtype.itemsize <= 8:
            encoded = self._encode_floats(values)
        elif values.dtype == object:
            encoded = [self._encode_exactly(value) for value in values.ravel()]
        else:
            raise InvalidParameter(
                f"an array must hold integers or floats of up to 64 bits, not {values.dtype}"
            )
        if encoded and max(*encoded, -min(encoded)) > self.limit:
            raise NumberTooLarge(
                "a value passes the range of its slot: choose a layout of more bits"
            )
        return encoded

    def _encode_floats(self, values: NDArray[Any]) -> list[int]:
        if not np.isfinite(values).all():
            raise InvalidParameter(
                "NaN and infinities cannot be encrypted: replace or drop them before"
            )
        flat = values.astype(np.float64).ravel()
        with np.errstate(over="ignore"):
            scaled = np.rint(np.ldexp(flat, self.fraction_bits))
        if np.isinf(scaled).any():
            raise NumberTooLarge(
                "a value passes the range of its slot: choose a layout of more bits"
            )
        return [int(value) for value in scaled.tolist()]

    def _encode_exactly(self, value: object) -> int:
        """Encode one of Python's numbers: an int of any size stays exact."""
        number = python_number(value)
        if isinstance(number, int):
            return number << self.fraction_bits
        return round(Fraction(number) * (1 << self.fraction_bits))

    def decode(self, encoded: Sequence[int], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the array: integers if there are no fraction bits, else the nearest float64.

        The integers are int64, or Python's when slots are wider than 64 bits. Raises
        PlaintextOverflow.
        """
        if not self.fraction_bits:
            dtype = np.int64 if self.bits <= 64 else object
            return np.array(encoded, dtype).reshape(shape)
        scale = 1 << self.fraction_bits
        try:
            return np.array([value / scale for value in encoded], np.float64).reshape(shape)
        except OverflowError:
            raise PlaintextOverflow("a value passes the largest float") from None

    def fields(self) -> serial.LayoutFields:
        """Return the three numbers as they stand in a vector's bytes."""
        return serial.LayoutFields(self.bits, self.fraction_bits, self.additions)


def encrypt_vector(
    public_key: PublicKey, array: ArrayLike, layout: Layout, executor: Executor | None = None
) -> PackedVector:
    """Encrypt an array: this is `PublicKey.encrypt_vector`, which says what it takes and raises."""
    packed, shape = pack(array, layout, public_key.bits)
    noise = public_key.noise
    work: Callable[[Sequence[int]], list[mpz]]
    if executors.stays_in_process(executor):
        noise.prepare(len(packed))
        work = partial(_mask_all, public_key)
    else:
        # Workers build the tables that this key would have; noise made here must not be sent.
        expected = noise.expected(len(packed))
        work = partial(executors.mask_in_worker, public_key.n, public_key.noise_kind, expected)
    piece = min(_LARGEST_PIECE, -(-len(packed) // 8))
    cs = executors.map_in_pieces(work, packed, piece, executor)
    return PackedVector(public_key, layout, shape, cs, spent=1, is_blinded=True)


def _mask_all(public_key: PublicKey, messages: Sequence[int]) -> list[mpz]:
    mask = public_key.noise.mask
    return [mask(message) for message in messages]


def pack(array: ArrayLike, layout: Layout, key_bits: int) -> tuple[list[int], tuple[int, ...]]:
    """Return the packed integers of an array, and its shape.

    `key_bits`: the length of n. Raises InvalidParameter, NumberTooLarge.
    """
    if not isinstance(layout, Layout):
        raise InvalidParameter("a vector needs a Layout")
    values = _as_array(array)
    if not values.size:
        raise InvalidParameter("an empty array has nothing to encrypt")
    slots = layout.slots(key_bits)
    if not slots:
        raise NumberTooLarge("one slot of this layout is wider than the key")
    encoded = layout.encode(values)
    packed = []
    for start in range(0, len(encoded), slots):
        whole = 0
        for value in reversed(encoded[start : start + slots]):
            whole = (whole << layout.bits) + value
        packed.append(whole)
    return packed, values.shape


def _as_array(array: ArrayLike) -> NDArray[Any]:
    """Return an array of integers, floats, or Python's own numbers where numpy would round them.

    Raises InvalidParameter.
    """
    try:
        if _holds_masked_array(array):
            raise InvalidParameter(
                "a masked array has places without a value, which cannot be encrypted: fill them "
                "first (array.filled(...)), or drop them (array.compressed())"
            )
        values = np.asarray(array)
        # numpy makes floats of a list like [2**63, 1], or [2**53 + 1, 0.5], and rounds its
        # integers. Integers up to 2**53 are exact as floats.
        is_made_here = not isinstance(array, (np.ndarray, np.generic))
        if is_made_here and values.dtype.kind == "f" and (np.abs(values) >= 2.0**53).any():
            values = np.asarray(array, dtype=object)
    except InvalidParameter:
        raise  # it is a ValueError too
    except (ValueError, RecursionError):
        raise InvalidParameter(
            "the rows of the array differ in length, or are nested too deeply"
        ) from None
    return values


def _holds_masked_array(array: object) -> bool:
    """Tell whether an array, or an array in a list, has a mask: numpy drops it without a word."""
    if isinstance(array, np.ma.MaskedArray):
        return True
    if not isinstance(array, (list, tuple)):
        return False
    # A list of plain numbers, the common case, is not searched one by one.
    kinds = set(map(type, array))
    if not any(issubclass(kind, (list, tuple, np.ma.MaskedArray)) for kind in kinds):
        return False
    return any(map(_holds_masked_array, array))


class PackedVector(Ciphertext):
    """An array under `public_key`: made by `PublicKey.encrypt_vector` or `from_bytes`.

    `+` and `-` take a vector of an equal key, layout and shape, `*` an integer; `sum()` works.
    `spent` says how many additions of `layout.additions` are used. It is Σ|k| of the multipliers,
    and public: where they are secret, `spend` a public number before the vector leaves. Results
    are blinded with fresh noise on every way out of the process.

    `raw_ciphertexts`: the ciphertexts without that noise, for computing within this process.
    """

    __slots__ = ("_is_blinded", "layout", "public_key", "raw_ciphertexts", "shape", "spent")

    def __init__(
        self,
        public_key: PublicKey,
        layout: Layout,
        shape: tuple[int, ...],
        raw_ciphertexts: list[mpz],
        *,
        spent: int,
        is_blinded: bool,
    ) -> None:
        self.public_key = public_key
        self.layout = layout
        self.shape = shape
        self.spent = spent
        self.raw_ciphertexts = raw_ciphertexts
        self._is_blinded = is_blinded

    def ciphertexts(self) -> list[int]:
        """Return the raw ciphertexts, blinded; each is an ordinary one of its packed integer."""
        if not self._is_blinded:
            noise = self.public_key.noise
            n_square = self.public_key.n_square
            noise.prepare(len(self.raw_ciphertexts))
            self.raw_ciphertexts = [c * noise.mask(0) % n_square for c in self.raw_ciphertexts]
            self._is_blinded = True
        return [int(c) for c in self.raw_ciphertexts]

    def spend(self, total: int) -> PackedVector:
        """Return the same vector with `total` additions spent, at least as many as now.

        A public number tells nothing of the multipliers. Raises InvalidParameter,
        PlaintextOverflow.
        """
        spent = whole_number(total, "a total of additions", 0, MAX_ADDITIONS)
        if spent < self.spent:
            raise InvalidParameter(
                f"{self.spent} additions are spent already: the total cannot be smaller"
            )
        return self._with(self.raw_ciphertexts, spent)

    def _with(self, cs: list[mpz], spent: int) -> PackedVector:
        return PackedVector(
            self.public_key,
            self.layout,
            self.shape,
            cs,
            spent=self._affordable(spent),
            is_blinded=False,
        )

    def _affordable(self, spent: int) -> int:
        """Return `spent` if the layout allows as many additions. Raises PlaintextOverflow."""
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
        mine = (self.public_key, self.layout, self.shape)
        if (other.public_key, other.layout, other.shape) != mine:
            raise InvalidParameter("the two vectors differ in key, layout or shape")
        spent = self._affordable(self.spent + other.spent)
        n_square = self.public_key.n_square
        pairs = zip(self.raw_ciphertexts, other.raw_ciphertexts, strict=True)
        return self._with([a * b % n_square for a, b in pairs], spent)

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
        k = int(factor)
        n_square = self.public_key.n_square
        spent = self._affordable(self.spent * abs(k))
        return self._with([powmod(c, k, n_square) for c in self.raw_ciphertexts], spent)

    __rmul__ = __mul__

    def unpacked(self, packed: Iterable[int]) -> NDArray[Any]:
        """Return the array, from its decrypted integers.

        Raises PlaintextOverflow when a slot passes its declared bound.
        """
        bits = self.layout.bits
        slots = self.layout.slots(self.public_key.bits)
        places = range(0, slots * bits, bits)
        half = 1 << bits - 1
        mask = (1 << bits) - 1
        bias = sum(half << place for place in places)
        values: list[int] = []
        is_in_range = True
        for whole in packed:
            # With the bias no slot is negative, so none borrows from the next.
            raised = whole + bias
            # Go on after a bad one: the time must not tell which of the ciphertexts it was.
            is_in_range &= 0 <= raised < 1 << slots * bits
            values += [(raised >> place & mask) - half for place in places]
        if not is_in_range:
            raise PlaintextOverflow(
                "a packed integer passes the range of its slots: its sender broke the layout"
            )
        count = math.prod(self.shape)
        # Slots behind the last value are 0 unless the sender cheats.
        if max(*values, -min(values)) > self.layout.limit * self.spent or any(values[count:]):
            raise PlaintextOverflow(
                "a slot passes the bound that was declared for it; its neighbours may be wrong too"
            )
        return self.layout.decode(values[:count], self.shape)

    def __repr__(self) -> str:
        count = len(self.raw_ciphertexts)
        return (
            f"<PackedVector {self.shape} in {count} ciphertexts, "
            f"{self.spent} of {self.layout} spent>"
        )

    def to_bytes(self) -> bytes:
        """Return the vector as bytes (see `serial`), blinded."""
        key = self.public_key
        fields = serial.VectorFields(self.spent, self.shape, self.ciphertexts())
        return serial.write_vector(key.key_id, key.size, self.layout.fields(), fields)

    @classmethod
    def from_bytes(cls, data: bytes, public_key: PublicKey, layout: Layout) -> PackedVector:
        """Read what `to_bytes` wrote under this key and this layout, which is the reader's own.

        Raises DecryptionError: another key or layout, damaged, malformed.
        """
        slots = layout.slots(public_key.bits)
        key_id = public_key.key_id
        fields = serial.read_vector(data, key_id, public_key.size, layout.fields(), slots)
        cs = [public_key.checked_ciphertext(c) for c in fields.ciphertexts]
        return cls(public_key, layout, fields.shape, cs, spent=fields.spent, is_blinded=True)

    def _header(self) -> dict[str, Any]:
        return {
            "what": "lepton_lab Paillier vector, format 1",
            "key_id": self.public_key.key_id.hex(),
            "layout": list(self.layout.fields()),
            "spent": self.spent,
            "shape": list(self.shape),
        }

    def _context(self) -> tuple[Any, ...]:
        return self.public_key, self.layout
