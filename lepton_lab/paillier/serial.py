"""Writes and reads encrypted numbers, vectors and public keys as bytes.

    number            size    field
    0                 4       "LPN" and the format, 1
    4                 16      key id: SHA-256 of n, its first 16 bytes
    20                4       exponent, signed
    24                2       b, the length of the bound
    26                b       bound
    26 + b            2s      ciphertext; s is the length of n in bytes

    vector            size    field
    0                 4       "LPV" and the format, 1
    4                 16      key id
    20                4       bits of a slot
    24                4       fraction bits
    28                8       additions that the layout allows
    36                8       additions spent
    44                1       d, the number of dimensions
    45                8d      shape
    45 + 8d           2s each ciphertexts, as many as the shape needs

    public key        size    field
    0                 4       "LPK" and the format, 1
    4                 …       n

Integers are big-endian, and unsigned except for the exponent. The reader knows the key (and the
layout) beforehand: what is in the bytes must match it. The exponent and the bound of a number are
the sender's word: see `EncryptedNumber.from_bytes`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lepton_lab.errors import DecryptionError, InvalidKey

_NUMBER = b"LPN\1"
_VECTOR = b"LPV\1"
_PUBLIC_KEY = b"LPK\1"
_MAX_DIMENSIONS = 64  # numpy's own limit


class NumberFields(NamedTuple):
    """What the bytes of an encrypted number say."""

    exponent: int
    bound: int
    ciphertext: int


class LayoutFields(NamedTuple):
    """What the bytes of a vector say of its layout."""

    bits: int
    fraction_bits: int
    additions: int


class VectorFields(NamedTuple):
    """What the bytes of a packed vector say, except for its layout."""

    spent: int
    shape: tuple[int, ...]
    ciphertexts: list[int]


def write_number(key_id: bytes, key_size: int, fields: NumberFields) -> bytes:
    """Return the bytes of an encrypted number; `key_size` is the length of n in bytes."""
    bound = fields.bound.to_bytes((fields.bound.bit_length() + 7) // 8, "big")
    exponent = fields.exponent.to_bytes(4, "big", signed=True)
    ciphertext = fields.ciphertext.to_bytes(2 * key_size, "big")
    return _NUMBER + key_id + exponent + len(bound).to_bytes(2, "big") + bound + ciphertext


def read_number(data: bytes, key_id: bytes, key_size: int) -> NumberFields:
    """Read what `write_number` wrote. Raises DecryptionError: another key, damaged, malformed."""
    reader = FieldReader(data)
    reader.expect(_NUMBER + key_id)
    exponent = reader.integer(4, signed=True)
    bound_size = reader.integer(2)
    bound = reader.integer(bound_size)
    if (bound.bit_length() + 7) // 8 != bound_size:
        raise DecryptionError  # zeros before the bound: the same number would have two forms
    ciphertext = reader.integer(2 * key_size)
    reader.finish()
    return NumberFields(exponent, bound, ciphertext)


def write_vector(key_id: bytes, key_size: int, layout: LayoutFields, fields: VectorFields) -> bytes:
    """Return the bytes of a packed vector."""
    parts = [
        _VECTOR,
        key_id,
        _layout_bytes(layout),
        fields.spent.to_bytes(8, "big"),
        len(fields.shape).to_bytes(1, "big"),
    ]
    parts += [length.to_bytes(8, "big") for length in fields.shape]
    parts += [ciphertext.to_bytes(2 * key_size, "big") for ciphertext in fields.ciphertexts]
    return b"".join(parts)


def read_vector(
    data: bytes, key_id: bytes, key_size: int, layout: LayoutFields, slots: int
) -> VectorFields:
    """Read what `write_vector` wrote with this layout, of `slots` values per ciphertext.

    Raises DecryptionError: another key or layout, damaged, malformed.
    """
    reader = FieldReader(data)
    reader.expect(_VECTOR + key_id)
    reader.expect(_layout_bytes(layout))
    spent = reader.integer(8)
    dimensions = reader.integer(1)
    if spent > layout.additions or not slots or dimensions > _MAX_DIMENSIONS:
        raise DecryptionError
    shape = tuple(reader.integer(8) for _ in range(dimensions))
    count = math.prod(shape)
    # A slot has at least 2 bits, so a byte holds 4 values at most. This refuses a shape of 2⁶²
    # values before anything is allocated for it.
    if not 0 < count <= 8 * len(data):
        raise DecryptionError
    ciphertexts = [reader.integer(2 * key_size) for _ in range(-(-count // slots))]
    reader.finish()
    return VectorFields(spent, shape, ciphertexts)


def _layout_bytes(layout: LayoutFields) -> bytes:
    bits = layout.bits.to_bytes(4, "big")
    fraction_bits = layout.fraction_bits.to_bytes(4, "big")
    return bits + fraction_bits + layout.additions.to_bytes(8, "big")


def write_public_key(n: int, key_size: int) -> bytes:
    """Return the bytes of a public key."""
    return _PUBLIC_KEY + n.to_bytes(key_size, "big")


def read_public_key(data: bytes) -> int:
    """Return n from what `write_public_key` wrote. Raises InvalidKey; `n` itself is not checked."""
    if not isinstance(data, bytes) or data[:4] != _PUBLIC_KEY:
        raise InvalidKey("these bytes are not a Paillier public key")
    if data[4:5] in (b"", b"\0"):  # no n, or zeros before it: a key has one form only
        raise InvalidKey("these bytes are not a Paillier public key")
    return int.from_bytes(data[4:], "big")


class FieldReader:
    """Takes fields off the front of bytes.

    Raises DecryptionError as soon as the bytes are too short, or other than expected.
    """

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise DecryptionError
        self._left = memoryview(data).cast("B")

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > len(self._left):
            raise DecryptionError
        taken = self._left[:count]
        self._left = self._left[count:]
        return bytes(taken)

    def integer(self, count: int, *, signed: bool = False) -> int:
        """Return the next `count` bytes as an integer."""
        return int.from_bytes(self.take(count), "big", signed=signed)

    def expect(self, data: bytes) -> None:
        """Take the next bytes, which must be equal to `data`."""
        if self.take(len(data)) != data:
            raise DecryptionError

    def finish(self) -> None:
        """Check that nothing is left."""
        if len(self._left):
            raise DecryptionError
