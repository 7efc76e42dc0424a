"""What encrypted numbers and packed vectors have in common: JSON, pickling, and no comparison."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from typing import Any, NoReturn, Self

from lepton_lab.errors import DecryptionError, InvalidParameter


class CannotCompare(InvalidParameter, TypeError):
    """An encrypted value was compared or used as a truth value; that needs the private key."""


class Ciphertext(ABC):
    """The base of classes that have `to_bytes` and `from_bytes(data, *context)`.

    Comparing raises CannotCompare, and so does `bool()`: equal values have different ciphertexts,
    so `==` could only ever answer False, and an `if` on an encrypted value would always be taken.
    Two objects are the same to a set or a dict only if they are one object.
    """

    __slots__ = ()

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return the bytes, blinded."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes, *context: Any, **accepted: Any) -> Self:
        """Read what `to_bytes` wrote."""

    @abstractmethod
    def _header(self) -> dict[str, Any]:
        """Return what a reader of the JSON sees without decoding the bytes."""

    @abstractmethod
    def _context(self) -> tuple[Any, ...]:
        """Return what `from_bytes` needs besides the bytes."""

    def to_json(self) -> str:
        """Return `to_bytes` in base64, under a header that people can read."""
        document = {**self._header(), "bytes": base64.b64encode(self.to_bytes()).decode()}
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str | bytes, *context: Any, **accepted: Any) -> Self:
        """Read what `to_json` wrote; `context` and `accepted` are what `from_bytes` takes.

        Raises what `from_bytes` raises, and DecryptionError when the header does not say what the
        bytes say.
        """
        try:
            header = json.loads(text)
            data = base64.b64decode(header.pop("bytes"), validate=True)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise DecryptionError from None
        read = cls.from_bytes(data, *context, **accepted)
        if header != read._header():
            raise DecryptionError
        return read

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as `to_bytes`: a pickle leaves the process, so it must be blinded too."""
        return type(self).from_bytes, (self.to_bytes(), *self._context())

    def _refuse(self, *_: object) -> NoReturn:
        raise CannotCompare(
            "an encrypted value cannot be compared or used as a condition: decrypt it first, or "
            "compare the ciphertext() of two if you mean the very same ciphertext"
        )

    __eq__ = _refuse
    __ne__ = _refuse
    __lt__ = _refuse
    __le__ = _refuse
    __gt__ = _refuse
    __ge__ = _refuse
    __bool__ = _refuse
    __hash__ = object.__hash__
