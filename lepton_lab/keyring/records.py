"""What the key ring's file seals: a root, data keys, a trail of events, and what was acknowledged.

The body:

    offset  size  field
    0       32    root: `derive` starts from it; it stays for the life of the ring
    32      4     number of data keys
    36      …     the data keys, in order of creation
    …       4     number of events
    …       …     the events, oldest first
    …       4     number of acknowledged states
    …       …     the acknowledged states, one per subject (see `acknowledged`)
    …       4     number of earlier writings
    …       …     the first 8 bytes of the body's salt in each of them, oldest first

A data key:

    offset  size  field
    0       16    data key id, random
    16      4     created, in seconds since 1970 (until 2106)
    20      1     exported: 0 never, 1 by RSA-OAEP, 2 by HPKE
    21      32    secret: what opens the wrapped data key
    53      2     length of the context
    55      …     context

An event:

    offset  size  field
    0       4     time, in seconds since 1970
    4       1     what happened: an index into `EVENTS`
    5       16    to what: a data key's id, a set id of shares, or zeros

Numbers are big-endian. The body is authenticated before it is read.

Rings of the first release have body format 0: their body ends behind the events. They are read as
rings in which nothing was acknowledged, and the next writing gives them body format 1.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Self

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.keyring.acknowledged import AcknowledgedStates

ID_SIZE = 16
EVENTS = ("created", "passphrase changed", "rotated", "split", "recovered", "exported", "shredded")

BODY_FORMAT = 1  # what is written; 0 is read too
CONTEXT_LIMIT = 0xFFFF  # bytes
TRAIL_LIMIT = 4096  # events kept; the oldest leave first
HISTORY_LIMIT = 2048  # earlier writings kept; the oldest leave first
WRITING_ID_SIZE = 8

_ROOT_SIZE = 32
_KEY = struct.Struct(">16sIB32sH")
_EVENT = struct.Struct(">IB16s")
_COUNT = struct.Struct(">I")


class AuditEntry(NamedTuple):
    """One entry of the ring's own account: when (UTC, to the second), what, and to which id.

    The id is "" for an event that concerns the ring as a whole.
    """

    time: datetime
    event: str
    id: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the ring holds about one data key.

    It is kept as its bytes, so that writing a ring of many keys costs no more than joining them.
    """

    data: bytes

    @classmethod
    def new(cls, context: bytes) -> Self:
        """Make a record with a fresh id and secret.

        Raises InvalidParameter for a context of more than 65,535 bytes.
        """
        if len(context) > CONTEXT_LIMIT:
            raise InvalidParameter(f"a context is at most {CONTEXT_LIMIT} bytes")
        data_key_id = secrets.token_bytes(ID_SIZE)
        secret = secrets.token_bytes(32)
        return cls(_KEY.pack(data_key_id, int(time.time()), 0, secret, len(context)) + context)

    def __repr__(self) -> str:
        return f"KeyRecord({self.id.hex()})"

    @property
    def id(self) -> bytes:
        """The data key's id."""
        return self.data[:16]

    @property
    def created(self) -> int:
        """Seconds since 1970."""
        return int.from_bytes(self.data[16:20], "big")

    @property
    def exported(self) -> int:
        """The scheme under which the data key was exported, or 0."""
        return self.data[20]

    @property
    def secret(self) -> bytes:
        """The secret that opens the wrapped data key."""
        return self.data[21:53]

    @property
    def context(self) -> bytes:
        """What the data key is bound to."""
        return self.data[_KEY.size :]

    def exported_by(self, scheme: int) -> Self:
        """The same record, marked as exported under `scheme`."""
        return type(self)(self.data[:20] + bytes((scheme,)) + self.data[21:])


@dataclass
class RingBody:
    """The ring's content. `records` (by data key id) keeps the order of creation.

    `history` holds the ids of the writings before this one, 8 bytes each, oldest first.
    """

    root: bytes
    records: dict[bytes, KeyRecord]
    trail: list[bytes]
    acknowledged: AcknowledgedStates = field(default_factory=AcknowledgedStates)
    history: bytes = b""

    @classmethod
    def new(cls) -> Self:
        """The body of an empty ring."""
        return cls(secrets.token_bytes(_ROOT_SIZE), {}, [])

    def __repr__(self) -> str:
        return f"RingBody({len(self.records)} data keys, {len(self.acknowledged)} acknowledged)"

    def copy(self) -> Self:
        """A draft to change. What the lists and dictionaries hold is never changed itself."""
        return type(self)(
            self.root,
            dict(self.records),
            list(self.trail),
            self.acknowledged.copy(),
            self.history,
        )

    def note(self, event: str, subject: bytes = bytes(ID_SIZE)) -> None:
        """Add an event to the trail. Beyond `TRAIL_LIMIT` the oldest events leave."""
        self.trail.append(_EVENT.pack(int(time.time()), EVENTS.index(event), subject))
        del self.trail[:-TRAIL_LIMIT]

    def follow(self, writing_id: bytes) -> None:
        """Note the writing before this one. Beyond `HISTORY_LIMIT` the oldest leave."""
        self.history = (self.history + writing_id)[-HISTORY_LIMIT * WRITING_ID_SIZE :]

    def writing_before(self, distance: int) -> bytes | None:
        """The id of the writing `distance` (1 or more) writings ago; None when it is not kept."""
        start = len(self.history) - distance * WRITING_ID_SIZE
        if start < 0:
            return None
        return self.history[start : start + WRITING_ID_SIZE]

    def older_than(self, version: int, version_of: Callable[[bytes], int | None]) -> list[bytes]:
        """The ids of the data keys whose context belongs to an older version."""
        outdated = []
        for record in self.records.values():
            found = version_of(record.context)
            if found is not None and found < version:
                outdated.append(record.id)
        return outdated

    def account(self) -> list[AuditEntry]:
        """The trail and the making of every data key that is still there, in order of time."""
        events = []
        for data in self.trail:
            when, code, subject = _EVENT.unpack(data)
            events.append((when, EVENTS[code], subject))
        for record in self.records.values():
            events.append((record.created, "new data key", record.id))
        events.sort(key=lambda event: event[0])
        entries = []
        for when, name, subject in events:
            shown = subject.hex() if any(subject) else ""
            entries.append(AuditEntry(datetime.fromtimestamp(when, UTC), name, shown))
        return entries

    def to_bytes(self) -> bytes:
        """The bytes of the tables above, in body format 1."""
        return b"".join(
            [
                self.root,
                _COUNT.pack(len(self.records)),
                *(record.data for record in self.records.values()),
                _COUNT.pack(len(self.trail)),
                *self.trail,
                self.acknowledged.to_bytes(),
                _COUNT.pack(len(self.history) // WRITING_ID_SIZE),
                self.history,
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, body_format: int = BODY_FORMAT) -> Self:
        """Read a body. Raises DecryptionError for bytes that no release writes in this format."""
        try:
            return cls._read(data, body_format)
        except struct.error:  # the bytes end inside a table
            raise DecryptionError from None

    @classmethod
    def _read(cls, data: bytes, body_format: int) -> Self:
        records, position = _read_records(data, _ROOT_SIZE)
        trail, position = _read_trail(data, position)
        body = cls(data[:_ROOT_SIZE], records, trail)
        if body_format != 0:
            body.acknowledged, position = AcknowledgedStates.read(data, position)
            body.history, position = _read_history(data, position)
        if position != len(data):
            raise DecryptionError
        return body


def _read_records(data: bytes, position: int) -> tuple[dict[bytes, KeyRecord], int]:
    (count,) = _COUNT.unpack_from(data, position)
    position += _COUNT.size
    records: dict[bytes, KeyRecord] = {}
    for _ in range(count):
        *_, context_size = _KEY.unpack_from(data, position)
        end = position + _KEY.size + context_size
        record = KeyRecord(data[position:end])
        records[record.id] = record
        position = end
    # Fewer records than were counted: two have the same id.
    if len(records) != count:
        raise DecryptionError
    return records, position


def _read_trail(data: bytes, position: int) -> tuple[list[bytes], int]:
    (count,) = _COUNT.unpack_from(data, position)
    start = position + _COUNT.size
    end = start + count * _EVENT.size
    # The count is held against the data before it decides how much is built.
    if count > TRAIL_LIMIT or end > len(data):
        raise DecryptionError
    trail = [data[at : at + _EVENT.size] for at in range(start, end, _EVENT.size)]
    if any(event[4] >= len(EVENTS) for event in trail):
        raise DecryptionError
    return trail, end


def _read_history(data: bytes, position: int) -> tuple[bytes, int]:
    (count,) = _COUNT.unpack_from(data, position)
    start = position + _COUNT.size
    end = start + count * WRITING_ID_SIZE
    if count > HISTORY_LIMIT or end > len(data):
        raise DecryptionError
    return data[start:end], end
