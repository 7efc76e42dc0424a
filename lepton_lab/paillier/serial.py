"""How encrypted numbers, vectors and public keys travel: as bytes, or the same bytes in JSON with a legible header.

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

Integers are big-endian and unsigned but for the exponent. Whoever reads knows the key (and the layout) already: what is
in the bytes must match it.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from typing import Any, Self

from lepton_lab.errors import DecryptionError


class Reader:
    """Takes fields off the front of bytes; DecryptionError as soon as they are too short, or other than expected."""

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise DecryptionError
        self._rest = memoryview(data).cast("B")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > len(self._rest):
            raise DecryptionError
        taken, self._rest = self._rest[:count], self._rest[count:]
        return bytes(taken)

    def integer(self, count: int, *, signed: bool = False) -> int:
        """The next `count` bytes as an integer."""
        return int.from_bytes(self.take(count), "big", signed=signed)

    def expect(self, data: bytes) -> None:
        """The next bytes, which must be these."""
        if self.take(len(data)) != data:
            raise DecryptionError

    def finish(self) -> None:
        """Nothing may be left."""
        if len(self._rest):
            raise DecryptionError


class Travels(ABC):
    """JSON and pickling for what has `to_bytes`, `from_bytes(bytes, *context)` and a legible `_header`."""

    __slots__ = ()

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The bytes, blinded."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes, *context: Any) -> Self:
        """Read what `to_bytes` wrote."""

    @abstractmethod
    def _header(self) -> dict[str, Any]:
        """What a reader of the JSON sees without decoding the bytes."""

    @abstractmethod
    def _context(self) -> tuple[Any, ...]:
        """What `from_bytes` needs besides the bytes."""

    def to_json(self) -> str:
        """`to_bytes` in base64 under a header that people can read."""
        return json.dumps({**self._header(), "bytes": base64.b64encode(self.to_bytes()).decode()})

    @classmethod
    def from_json(cls, text: str | bytes, *context: Any) -> Self:
        """Read what `to_json` wrote; `context` as for `from_bytes`. Raises DecryptionError, also for a false header."""
        try:
            header = json.loads(text)
            read = cls.from_bytes(base64.b64decode(header.pop("bytes"), validate=True), *context)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise DecryptionError from None
        if header != read._header():
            raise DecryptionError
        return read

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as `to_bytes`: pickling is a way out too."""
        return type(self).from_bytes, (self.to_bytes(), *self._context())
