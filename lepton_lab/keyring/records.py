"""What the key ring's file seals: a root, one record for each data key, and a trail of what was done.

The body:

    offset  size  field
    0       32    root: `derive` starts from it; stays for the life of the ring
    32      4     number of records
    36      …     the records, in order of creation
    …       4     number of events
    …       …     the events, oldest first

A record:

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
"""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

from lepton_lab.errors import DecryptionError, InvalidParameter

ID_SIZE = 16
EVENTS = ("created", "passphrase changed", "rotated", "split", "recovered", "exported", "shredded")
TRAIL_LIMIT = 4096  # events kept; the oldest leave first
CONTEXT_LIMIT = 0xFFFF
_RECORD = struct.Struct(">16sIB32sH")
_EVENT = struct.Struct(">IB16s")
_COUNT = struct.Struct(">I")


class AuditEntry(NamedTuple):
    """One line of the ring's own account: when (UTC, to the second), what, and to which id ("" for the ring itself)."""

    time: datetime
    event: str
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """One data key's record. It is kept as its bytes, so that a ring of many keys is written as quickly as joined."""

    data: bytes

    @classmethod
    def new(cls, context: bytes) -> Self:
        """A record with a fresh id and secret. Raises InvalidParameter for a context of more than 65,535 bytes."""
        if len(context) > CONTEXT_LIMIT:
            raise InvalidParameter(f"a context is at most {CONTEXT_LIMIT} bytes")
        head = _RECORD.pack(
            secrets.token_bytes(ID_SIZE), int(time.time()), 0, secrets.token_bytes(32), len(context)
        )
        return cls(head + context)

    def __repr__(self) -> str:
        return f"Record({self.id.hex()})"

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
        """0, or the scheme under which the data key was exported."""
        return self.data[20]

    @property
    def secret(self) -> bytes:
        """What opens the wrapped data key."""
        return self.data[21:53]

    @property
    def context(self) -> bytes:
        """What the data key is bound to."""
        return self.data[_RECORD.size :]

    def exported_by(self, scheme: int) -> Self:
        """The same record, marked as exported under `scheme`."""
        return type(self)(self.data[:20] + bytes((scheme,)) + self.data[21:])


@dataclass
class Body:
    """The ring's content. `records` keeps the order of creation; its keys are the ids."""

    root: bytes
    records: dict[bytes, Record]
    trail: list[bytes]

    @classmethod
    def new(cls) -> Self:
        """An empty ring's."""
        return cls(secrets.token_bytes(32), {}, [])

    def __repr__(self) -> str:
        return f"Body({len(self.records)} records)"

    def copy(self) -> Self:
        """A draft to change; records and events never change themselves."""
        return type(self)(self.root, dict(self.records), list(self.trail))

    def note(self, event: str, subject: bytes = bytes(ID_SIZE)) -> None:
        """Add to the trail; the oldest events leave beyond `TRAIL_LIMIT`."""
        self.trail.append(_EVENT.pack(int(time.time()), EVENTS.index(event), subject))
        del self.trail[:-TRAIL_LIMIT]

    def account(self) -> list[AuditEntry]:
        """The trail, and the making of every data key that is still there, in order of time."""
        events = [
            (when, EVENTS[code], subject) for when, code, subject in map(_EVENT.unpack, self.trail)
        ]
        made = [(record.created, "new data key", record.id) for record in self.records.values()]
        return [
            AuditEntry(
                datetime.fromtimestamp(when, UTC), event, subject.hex() if any(subject) else ""
            )
            for when, event, subject in sorted(events + made, key=lambda entry: entry[0])
        ]

    def to_bytes(self) -> bytes:
        """The bytes of the tables above."""
        records = [record.data for record in self.records.values()]
        return b"".join(
            [
                self.root,
                _COUNT.pack(len(records)),
                *records,
                _COUNT.pack(len(self.trail)),
                *self.trail,
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a body. Raises DecryptionError for bytes that `to_bytes` does not write."""
        try:
            return cls._read(data)
        except struct.error:
            raise DecryptionError from None

    @classmethod
    def _read(cls, data: bytes) -> Self:
        records: dict[bytes, Record] = {}
        (count,), position = _COUNT.unpack_from(data, 32), 36
        for _ in range(count):
            end = position + _RECORD.size + _RECORD.unpack_from(data, position)[-1]
            record = Record(data[position:end])
            records[record.id] = record
            position = end
        (events,), start = _COUNT.unpack_from(data, position), position + _COUNT.size
        if len(records) != count or len(data) != start + events * _EVENT.size:
            raise DecryptionError
        trail = [data[at : at + _EVENT.size] for at in range(start, len(data), _EVENT.size)]
        if any(event[4] >= len(EVENTS) for event in trail):
            raise DecryptionError
        return cls(data[:32], records, trail)
