"""How a message travels from a sender to a receiver. TLS sees to secrecy and integrity; this tells a whole from a part.

all numbers big-endian

greeting, from the receiver, once the sender's certificate has been verified:
 0   8   "lepton", 0, 1: the name and version of this format
 8   1   0: welcome; 1: trusted, but not allowed to send here
 9   8   the longest message it takes, in bytes

message, from the sender:
 0   8   "lepton", 0, 1
 8   4   n, the length of a piece: 1 to 2²⁰, or 0 after the last piece
12   n   the piece; then the next length

acknowledgement, from the receiver, once it holds the whole message:
 0   8   how many bytes it has received
 8  32   their SHA-256
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from contextlib import suppress

from cryptography import x509

from lepton_lab.errors import CertificateError, NodeError
from lepton_lab.tls.names import UNREADABLE, names_of

MAGIC = b"lepton\x00\x01"
GREETING = struct.Struct(">8sBQ")
LENGTH = struct.Struct(">I")
ACKNOWLEDGEMENT = struct.Struct(">Q32s")
WELCOME, NOT_ALLOWED = 0, 1
LONGEST_PIECE = 2**20
SLOWEST = 1024  # bytes a second
_LINGER = 1.0  # seconds


class Reader:
    """Reads exactly as much as is asked for, from a peer that may be slow, but neither silent nor slower than SLOWEST.

    Time is a credit: it begins at `patience` seconds, every byte earns 1/SLOWEST of a second, and there is never more
    than `patience` on it. A peer that sends a byte now and then, to hold a connection for ever, runs out.
    """

    def __init__(self, connection: ssl.SSLSocket, patience: float) -> None:
        self.connection, self._patience = connection, patience
        self.restart()

    def restart(self) -> None:
        """Give full credit again: the peer has been waiting for us."""
        self._deadline = time.monotonic() + self._patience

    def some(self, buffer: memoryview) -> int:
        """Between 1 and len(buffer) bytes, the count of which is returned. Raises OSError, also at an orderly end."""
        credit = self._deadline - time.monotonic()
        if credit <= 0:
            raise TimeoutError
        self.connection.settimeout(credit)
        count = self.connection.recv_into(buffer)
        if not count:
            raise ConnectionResetError
        now = time.monotonic()
        self._deadline = min(self._deadline + count / SLOWEST, now + self._patience)
        return count

    def exactly(self, size: int) -> bytes:
        """`size` bytes. Raises as `some` does."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            view = view[self.some(view) :]
        return bytes(data)


def peer_names(connection: ssl.SSLSocket, peer: str) -> tuple[str, ...]:
    """The names in the certificate that the other end has shown, none when it has shown none.

    Raises CertificateError when it cannot be read, NodeError when the connection is not TLS 1.3.
    """
    if connection.version() != "TLSv1.3":
        raise NodeError(peer, f"it speaks {connection.version()}, not TLS 1.3")
    data = connection.getpeercert(binary_form=True)
    try:
        return names_of(x509.load_der_x509_certificate(data)) if data else ()
    except UNREADABLE:
        raise CertificateError(f"{peer}: its certificate cannot be read") from None


def farewell(connection: ssl.SSLSocket, patience: float) -> None:
    """Say close_notify (RFC 8446 §6.1), wait for the other's as long as that, and close.

    By now everything has been acknowledged, so whatever goes wrong here changes nothing.
    """
    with connection, suppress(OSError):
        connection.settimeout(patience)
        connection.unwrap()


def let_go(connection: ssl.SSLSocket) -> None:
    """Close so that what was said last, an alert perhaps, arrives: with bytes unread a close resets the connection.

    A peer that goes on sending is heard for a second at most.
    """
    until = time.monotonic() + _LINGER
    with connection, suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            if not socket.socket.recv(connection, 2**14):
                return
