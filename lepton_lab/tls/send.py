"""Sending a message to a `Receiver`. It has arrived when the receiver has said so, and not before."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lepton_lab.buffers import BytesLike, read_into, view_of
from lepton_lab.errors import (
    CertificateError,
    IntegrityError,
    InvalidParameter,
    MessageTooLarge,
    NodeError,
)
from lepton_lab.tls.contexts import require_client_end, require_server_name
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.protocol import (
    ACKNOWLEDGEMENT,
    GREETING,
    LENGTH,
    MAGIC,
    NOT_ALLOWED,
    WELCOME,
    Reader,
    farewell,
    peer_names,
)

Source = BytesLike | str | os.PathLike[str] | BinaryIO
_PIECE = 2**18


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
    """Send a message to the `Receiver` at host and port, and return when it has acknowledged the whole of it.

    data: bytes, the path of a file (str or path), or a binary file, which is read to its end in constant memory.
    context: from `client_context`. server_name: what the receiver's certificate must say, by default `host`. timeout:
    seconds for each step: the connection, the handshake, a piece of 256 KiB, the acknowledgement.

    In TLS 1.3 a client may write before its certificate is refused (RFC 8446 §4.4.4), so nothing is sent before the
    receiver's greeting, and only its acknowledgement, by digest, is success. A send that raises may have arrived all
    the same.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the receiver cannot be
    reached, breaks off or falls silent; MessageTooLarge for more than it takes; IntegrityError when it acknowledges
    other bytes than were sent; InvalidParameter, also for a context that does not verify the server and its name;
    OSError when `data` cannot be read.
    """
    name = host if server_name is None else server_name
    peer = f"{host}:{port}"
    started = time.perf_counter()
    with _opened(data) as source, connected(host, port, context, name, timeout) as connection:
        reader = Reader(connection, timeout)
        limit = _greeted(reader, peer)
        connection.settimeout(timeout)
        size, digest = _send_all(source, connection, peer, limit)
        _await_acknowledgement(reader, peer, size, digest)
        seconds = time.perf_counter() - started
        version, cipher = connection.version(), connection.cipher()
        farewell(connection, timeout)
    return Transfer(size, seconds, digest, name, version or "", cipher[0] if cipher else "")


@contextmanager
def connected(
    host: str, port: int, context: ssl.SSLContext, server_name: str, timeout: float
) -> Iterator[ssl.SSLSocket]:
    """A TLS 1.3 connection to a server whose certificate and name have been verified; closed at the end.

    Raises CertificateError, NodeError, InvalidParameter.
    """
    require_client_end(context)
    require_server_name(server_name)
    with reached(host, port, timeout) as plain:
        peer = f"{host}:{port}"
        with typed_errors(peer):
            connection = context.wrap_socket(
                plain, server_hostname=server_name, suppress_ragged_eofs=False
            )
        with connection:
            peer_names(connection, peer)
            yield connection


@contextmanager
def reached(host: str, port: int, timeout: float) -> Iterator[socket.socket]:
    """A TCP connection, closed at the end. Raises NodeError when there is none, InvalidParameter."""
    require_address(host, port)
    require_seconds(timeout)
    with typed_errors(f"{host}:{port}"):
        plain = socket.create_connection((host, port), timeout)
        plain.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # what is written is complete: do not wait for more
    with plain:
        yield plain


def require_address(host: str, port: int, *, lowest: int = 1) -> None:
    """Raise InvalidParameter unless a host is a name that can be looked up and a port is a port."""
    try:
        good_host = isinstance(host, str) and host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        good_host = False
    if not good_host:
        raise InvalidParameter("host is a host name or an address")
    if isinstance(port, bool) or not isinstance(port, int) or not lowest <= port <= 65535:
        raise InvalidParameter(f"port is an int from {lowest} to 65535")


def require_seconds(timeout: float) -> None:
    """Raise InvalidParameter unless a time-out is a number of seconds above 0, at most a day."""
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, int | float)
        or not 0 < timeout <= 86400
    ):
        raise InvalidParameter("a time-out is a number of seconds, above 0 and at most 86400")


def _opened(data: Source) -> AbstractContextManager[BinaryIO]:
    if isinstance(data, bytes):  # which BytesIO shares instead of copying
        return io.BytesIO(data)
    if isinstance(data, bytearray | memoryview):
        return io.BytesIO(view_of(data))
    if isinstance(data, str | os.PathLike):
        return Path(data).open("rb")
    if not callable(getattr(data, "read", None)):
        raise InvalidParameter(f"data is bytes, a path or a binary file, not {type(data).__name__}")
    return nullcontext(data)


def _greeted(reader: Reader, peer: str) -> int:
    with typed_errors(peer):
        magic, welcome, limit = GREETING.unpack(reader.exactly(GREETING.size))
    if magic != MAGIC or welcome not in (WELCOME, NOT_ALLOWED):
        raise NodeError(peer, "it is not a receiver of this format")
    if welcome == NOT_ALLOWED:
        raise CertificateError(
            f"{peer}: it trusts our certificate, but does not allow its owner to send"
        )
    return int(limit)


def _send_all(
    source: BinaryIO, connection: ssl.SSLSocket, peer: str, limit: int
) -> tuple[int, bytes]:
    buffer = memoryview(bytearray(LENGTH.size + _PIECE))
    size, digest = 0, hashlib.sha256()
    with typed_errors(peer):
        connection.sendall(MAGIC)
    while True:
        count = read_into(source, buffer[LENGTH.size :])
        size += count
        if size > limit:
            raise MessageTooLarge(f"{peer}: it takes messages of at most {limit} bytes")
        LENGTH.pack_into(buffer, 0, count)
        piece = buffer[: LENGTH.size + count]
        digest.update(piece[LENGTH.size :])
        with typed_errors(peer):
            connection.sendall(piece)
        if not count:
            return size, digest.digest()


def _await_acknowledgement(reader: Reader, peer: str, size: int, digest: bytes) -> None:
    reader.restart()
    with typed_errors(peer):
        received, seen = ACKNOWLEDGEMENT.unpack(reader.exactly(ACKNOWLEDGEMENT.size))
    if (received, seen) != (size, digest):
        raise IntegrityError(f"{peer}: it has acknowledged other bytes than were sent")
