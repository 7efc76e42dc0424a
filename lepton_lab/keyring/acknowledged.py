"""The newest acknowledged version of each subject, as the key ring holds it.

A subject is what the caller's data keys protect, an object of a store for example. The ring knows
nothing of it but its bytes, its newest version, a digest, and whether that version is a deletion.

One state:

    offset  size  field
    0       8     version, big-endian
    8       32    digest
    40      1     deleted: 0 or 1
    41      2     length of the subject, 1 to 4,096
    43      …     subject

Before the states stand four bytes with their number.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from lepton_lab.buffers import BytesLike, view_of, whole_number
from lepton_lab.errors import DecryptionError, IntegrityError, InvalidParameter

DIGEST_SIZE = 32
SUBJECT_LIMIT = 4096  # bytes
VERSION_LIMIT = (1 << 64) - 1

_COUNT = struct.Struct(">I")
_STATE = struct.Struct(">Q32sBH")
_DELETED = 40  # where in a state this byte stands


class Acknowledged(NamedTuple):
    """The newest acknowledged state of a subject: version, digest (32 bytes), whether deleted."""

    version: int
    digest: bytes
    deleted: bool

    @classmethod
    def checked(cls, version: int, digest: BytesLike, deleted: bool) -> Self:
        """A state from a caller's values. Raises InvalidParameter."""
        number = whole_number(version, "a version", 0, VERSION_LIMIT)
        fixed = bytes(view_of(digest))
        if len(fixed) != DIGEST_SIZE:
            raise InvalidParameter(f"a digest is {DIGEST_SIZE} bytes, not {len(fixed)}")
        if not isinstance(deleted, bool):
            raise InvalidParameter("deleted is True or False")
        return cls(number, fixed, deleted)

    def or_newer(self, known: Self | None) -> Self:
        """The newer of this state and the known one.

        Raises IntegrityError when both have the same version and are not the same.
        """
        if known is None or known.version < self.version:
            return self
        if known.version == self.version and known != self:
            raise IntegrityError(
                f"version {self.version} was acknowledged before with another digest"
            )
        return known


def checked_subject(subject: BytesLike) -> bytes:
    """A subject's bytes. Raises InvalidParameter for others than 1 to 4,096."""
    name = bytes(view_of(subject))
    if not 1 <= len(name) <= SUBJECT_LIMIT:
        raise InvalidParameter(f"a subject is 1 to {SUBJECT_LIMIT} bytes, not {len(name)}")
    return name


class AcknowledgedStates:
    """All subjects and their states. Each is kept as its bytes in the file: writing joins them."""

    def __init__(self, states: dict[bytes, bytes] | None = None) -> None:
        self._states = {} if states is None else states

    def __len__(self) -> int:
        return len(self._states)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AcknowledgedStates):
            return NotImplemented
        return list(self._states.values()) == list(other._states.values())

    __hash__ = None  # type: ignore[assignment]  # it changes

    def copy(self) -> Self:
        """The same states, to be changed."""
        return type(self)(dict(self._states))

    def get(self, subject: bytes) -> Acknowledged | None:
        """The state of a subject, or None."""
        data = self._states.get(subject)
        if data is None:
            return None
        version, digest, deleted, _ = _STATE.unpack_from(data)
        return Acknowledged(version, digest, deleted == 1)

    def set(self, subject: bytes, state: Acknowledged) -> None:
        """Replace the state of a subject; both were checked before."""
        head = _STATE.pack(state.version, state.digest, state.deleted, len(subject))
        self._states[subject] = head + subject

    def remove(self, subject: bytes) -> bool:
        """Forget a subject; whether there was a state."""
        return self._states.pop(subject, None) is not None

    def subjects(self) -> list[bytes]:
        """Every subject whose newest version is not a deletion, sorted."""
        return sorted(subject for subject, data in self._states.items() if not data[_DELETED])

    def to_bytes(self) -> bytes:
        """Their number, then the table above for each."""
        return b"".join([_COUNT.pack(len(self._states)), *self._states.values()])

    @classmethod
    def read(cls, data: bytes, position: int) -> tuple[Self, int]:
        """Read the states that begin at `position`, and say where they end.

        Raises DecryptionError for bytes that `to_bytes` does not write, struct.error for an end
        inside a table.
        """
        (count,) = _COUNT.unpack_from(data, position)
        position += _COUNT.size
        states: dict[bytes, bytes] = {}
        for _ in range(count):
            *_, deleted, subject_size = _STATE.unpack_from(data, position)
            start = position + _STATE.size
            end = start + subject_size
            if deleted > 1 or not 1 <= subject_size <= SUBJECT_LIMIT or end > len(data):
                raise DecryptionError
            states[data[start:end]] = data[position:end]
            position = end
        # Fewer states than were counted: two are of the same subject.
        if len(states) != count:
            raise DecryptionError
        return cls(states), position
