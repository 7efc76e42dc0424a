"""A recorded TLS connection: what `tls.record_handshake` writes and the textbook dissects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CapturedRecord:
    """One TLS record as it crossed the wire, with its header of 5 bytes (RFC 8446 §5.1)."""

    sender: Literal["client", "server"]
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Capture:
    """A whole TLS connection: every record in order of sending, and its secrets.

    `secrets`, by key-log label (RFC 9850), opens everything in the capture. It never leaves the
    machine that made it.
    """

    records: tuple[CapturedRecord, ...]
    secrets: Mapping[str, bytes] = field(repr=False)
    server_name: str
