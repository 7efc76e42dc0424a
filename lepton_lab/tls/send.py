"""Sends a message to a `Receiver`. It counts as arrived once the receiver has acknowledged it."""

from __future__ import annotations

import hashlib
import io
import os
import ssl
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from lepton_lab.buffers import BytesLike, read_into, view_of
from lepton_lab.errors import (
    CertificateError,
    IntegrityError,
    InvalidParameter,
    MessageTooLarge,
    NodeError,
)
from lepton_lab.tls.ca import checked_path
from lepton_lab.tls.connections import close_in_order, send_all, tls_connected
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.protocol import (
    ACKNOWLEDGEMENT,
    GREETING,
    LENGTH,
    MAGIC,
    NOT_ALLOWED,
    WELCOME,
    FrameReader,
)

Source = BytesLike | str | os.PathLike[str] | BinaryIO
_PIECE = 2**18  # bytes in a piece of the message
_GOODBYE = 1.0  # seconds for the receiver's close_notify


@dataclass(frozen=True)
class Transfer:
    """A message that has arrived: how much, how fast, over what, and to whom."""

    size: int  # bytes
    seconds: float  # from before the connection to the acknowledgement
    digest: bytes  # SHA-256 of the message, as acknowledged
    peer: str  # the name that the receiver's certificate was checked for
    version: str
    cipher: str


def send(
    data: Source,
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_name: str | None = None,
    *,
    timeout: float = 30.0,
) -> Transfer:
    """Send a message to the `Receiver` at host and port; return once all of it is acknowledged.

    data: bytes, the path of a file (str or path), or a binary file, which is read to its end in
    constant memory. context: from `client_context`. server_name: the name that the receiver's
    certificate must carry, by default `host`. timeout: seconds in total for each step: the
    connection, the handshake, a piece of 256 KiB, the acknowledgement.

    In TLS 1.3 a client may write before its certificate is refused (RFC 8446 §4.4.4). So nothing
    is sent before the receiver's greeting, and only its acknowledgement, with the right digest, is
    success. A message whose `send` raised may have arrived all the same.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the
    receiver cannot be reached, breaks off or falls silent; MessageTooLarge for a message longer
    than it takes; IntegrityError when it acknowledges other bytes than were sent;
    InvalidParameter, also for a context that does not verify the server and its name; OSError when
    `data` cannot be read.
    """
    name = host if server_name is None else server_name
    peer = f"{host}:{port}"
    started = time.perf_counter()
    with _opened(data) as source, tls_connected(host, port, context, name, timeout) as connection:
        reader = FrameReader(connection, timeout)
        limit = read_greeting(reader, peer)
        size, digest = _send_message(source, connection, peer, limit, timeout)
        read_acknowledgement(reader, peer, size, digest)
        seconds = time.perf_counter() - started
        version = connection.version() or ""
        cipher = connection.cipher()
        # The message has arrived, so a receiver that does not say goodbye is not waited for.
        close_in_order(connection, min(timeout, _GOODBYE))
    return Transfer(size, seconds, digest, name, version, cipher[0] if cipher else "")


def _opened(data: Source) -> AbstractContextManager[BinaryIO]:
    """Make a binary file of whatever was given. A file of the caller's is not closed afterwards."""
    if isinstance(data, bytes):
        return io.BytesIO(data)  # shares the bytes instead of copying them
    if isinstance(data, bytearray | memoryview):
        return io.BytesIO(view_of(data))
    if isinstance(data, str | os.PathLike):
        return checked_path(data).open("rb")
    if not callable(getattr(data, "read", None)):
        raise InvalidParameter(f"data is bytes, a path or a binary file, not {type(data).__name__}")
    if getattr(data, "closed", False):
        raise InvalidParameter("data is a file that has been closed")
    return nullcontext(data)


def read_greeting(reader: FrameReader, peer: str) -> int:
    """Read a receiver's greeting and return the longest message that it takes, in bytes.

    Raises NodeError when it is not a greeting, CertificateError when we may not send here.
    """
    with typed_errors(peer):
        magic, welcome, limit = GREETING.unpack(reader.exactly(GREETING.size))
    if magic != MAGIC or welcome not in (WELCOME, NOT_ALLOWED):
        raise NodeError(peer, "it is not a receiver of this format")
    if welcome == NOT_ALLOWED:
        raise CertificateError(
            f"{peer}: it trusts our certificate, but does not allow its owner to send"
        )
    return int(limit)


def _send_message(
    source: BinaryIO, connection: ssl.SSLSocket, peer: str, limit: int, timeout: float
) -> tuple[int, bytes]:
    """Send the message in pieces, each within `timeout` seconds; return its size and SHA-256."""
    # Length and piece stand in one buffer, so that each piece is one write.
    buffer = memoryview(bytearray(LENGTH.size + _PIECE))
    size = 0
    digest = hashlib.sha256()
    with typed_errors(peer):
        send_all(connection, memoryview(MAGIC), timeout)
    while True:
        count = read_into(source, buffer[LENGTH.size :])
        size += count
        # The sender knows the limit, so it need not send what would be refused.
        if size > limit:
            raise MessageTooLarge(f"{peer}: it takes messages of at most {limit} bytes")
        LENGTH.pack_into(buffer, 0, count)
        piece = buffer[: LENGTH.size + count]
        digest.update(piece[LENGTH.size :])
        with typed_errors(peer):
            send_all(connection, piece, timeout)
        # An empty piece, a length of 0, has just told the receiver that this was all.
        if not count:
            return size, digest.digest()


def read_acknowledgement(reader: FrameReader, peer: str, size: int, digest: bytes) -> None:
    """Wait for the acknowledgement. Raises IntegrityError when it is for other bytes, NodeError."""
    # Until now the receiver has been waiting for us.
    reader.restart()
    with typed_errors(peer):
        answer = ACKNOWLEDGEMENT.unpack(reader.exactly(ACKNOWLEDGEMENT.size))
    if answer != (size, digest):
        raise IntegrityError(f"{peer}: it has acknowledged other bytes than were sent")
