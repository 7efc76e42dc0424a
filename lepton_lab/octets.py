"""Octets in and out: injective framing, reads that are never short, and the plain data that helpers and wing share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Literal


def framed(*parts: bytes) -> bytes:
    """Every part behind its length (8 octets, big-endian), so that no two lists of parts give the same octets.

    Without it ("ab", "c") and ("a", "bc") would derive the same key.
    """
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def read_into(source: BinaryIO, buffer: memoryview) -> int:
    """Fill `buffer` from a binary file and return how many octets it got; fewer than its length only at the end.

    Pipes, sockets and unbuffered files may return less than was asked for, so this reads until full or finished.
    """
    filled = 0
    readinto = getattr(source, "readinto", None)
    while filled < len(buffer):
        if readinto is not None:
            count = readinto(buffer[filled:]) or 0
        else:
            piece = source.read(len(buffer) - filled)
            count = len(piece)
            buffer[filled : filled + count] = piece
        if not count:
            break
        filled += count
    return filled


@dataclass(frozen=True)
class Record:
    """One TLS record as it crossed the wire, its 5-octet header included (RFC 8446 §5.1)."""

    sender: Literal["client", "server"]
    octets: bytes = field(repr=False)


@dataclass(frozen=True)
class Capture:
    """A whole TLS connection, for dissection: every record in order of sending, and the secrets by their key-log label.

    `secrets` opens everything in the capture. It never leaves the machine that made it.
    """

    records: tuple[Record, ...]
    secrets: Mapping[str, bytes] = field(repr=False)
    server_name: str
