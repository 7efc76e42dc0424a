"""An authority, its contexts, and clients of a Receiver that may do what they like."""

from __future__ import annotations

import io
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lepton_lab import tls

CA = tls.LabCA.create()
SERVER = tls.server_context(CA.issue("localhost", also=["127.0.0.1", "::1"]), CA)
ALICE = tls.client_context(CA, CA.issue("alice", client=True))
BOB = tls.client_context(CA, CA.issue("bob", client=True))

# The byte table of lepton_lab.tls.protocol, written a second time.
MAGIC = b"lepton\0\1"
GREETING = struct.Struct(">8sBQ")
WELCOME = GREETING.pack(MAGIC, 0, 2**30)


def message(*pieces: bytes) -> bytes:
    """A whole message of these pieces."""
    framed = [struct.pack(">I", len(piece)) + piece for piece in pieces]
    return MAGIC + b"".join(framed) + struct.pack(">I", 0)


def listening(**options: object) -> tls.Receiver:
    return tls.Receiver("127.0.0.1", 0, SERVER, **options)


@contextmanager
def connected(receiver: tls.Receiver, context: ssl.SSLContext = ALICE) -> Iterator[ssl.SSLSocket]:
    """A certified client that has been greeted."""
    with (
        socket.create_connection(("127.0.0.1", receiver.port), 10) as plain,
        context.wrap_socket(
            plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False
        ) as connection,
    ):
        assert connection.recv(100)[:8] == MAGIC
        yield connection


@contextmanager
def strangers(
    receiver: tls.Receiver, count: int, said: bytes = b""
) -> Iterator[list[socket.socket]]:
    """Clients that open a TCP connection, say this much, and nothing more."""
    with ExitStack() as opened:
        found = []
        for _ in range(count):
            plain = socket.create_connection(("127.0.0.1", receiver.port), 10)
            found.append(opened.enter_context(plain))
            plain.sendall(said)
        yield found


class Zeros(io.RawIOBase):
    """A file of zeros that is nowhere in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readinto(self, buffer: memoryview) -> int:
        count = min(self.left, len(buffer), 50_000)
        buffer[:count] = bytes(count)
        self.left -= count
        return count
