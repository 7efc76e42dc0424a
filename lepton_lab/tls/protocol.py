"""The format of a message between `send` and `Receiver`, and how a receiver reads one.

TLS provides secrecy and integrity. This format tells a whole message from a part of one, and tells
the sender that all of it has arrived.

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

import hashlib
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

from lepton_lab.buffers import write_all
from lepton_lab.errors import MessageTooLarge, NodeError
from lepton_lab.tls.connections import close_in_order
from lepton_lab.tls.errors import typed_errors

MAGIC = b"lepton\x00\x01"
GREETING = struct.Struct(">8sBQ")
LENGTH = struct.Struct(">I")
ACKNOWLEDGEMENT = struct.Struct(">Q32s")
WELCOME = 0
NOT_ALLOWED = 1
LONGEST_PIECE = 2**20  # bytes
SLOWEST = 1024  # bytes a second
_CHUNK = 2**16  # bytes read at once


class MemoryBudget:
    """How many bytes of messages may be held in memory, over all connections together."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many bytes can still be taken."""
        return self._left

    def take(self, count: int) -> bool:
        """Reserve some bytes. False, with nothing reserved, if there are not so many left."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Return bytes that were reserved."""
        with self._lock:
            self._left += count


class FrameReader:
    """Reads exact numbers of bytes from a peer that may be slow, but not slower than SLOWEST.

    Time is a credit. It begins at `timeout` seconds, every byte earns 1/SLOWEST of a second, and it
    never exceeds `timeout`. So reading n bytes takes at most timeout + n/SLOWEST seconds, and a
    peer that sends a byte now and then to hold the connection runs out of credit.
    """

    def __init__(self, connection: ssl.SSLSocket, timeout: float) -> None:
        self.connection = connection
        self._timeout = timeout
        self._waiting_since: float | None = None
        self.restart()

    @property
    def silence(self) -> float:
        """How many seconds we have been waiting for the peer; 0 while we do something else."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def restart(self) -> None:
        """Give full credit again, because it was the peer who has been waiting for us."""
        self._deadline = time.monotonic() + self._timeout

    def some(self, buffer: memoryview) -> int:
        """Read between 1 and len(buffer) bytes and return how many.

        Raises OSError, also at an orderly end.
        """
        now = time.monotonic()
        credit = self._deadline - now
        if credit <= 0:
            raise TimeoutError
        self.connection.settimeout(credit)
        self._waiting_since = now
        try:
            count = self.connection.recv_into(buffer)
        finally:
            self._waiting_since = None
        if not count:
            # An orderly end in the middle of a frame is a broken message all the same.
            raise ConnectionResetError
        earned = self._deadline + count / SLOWEST
        self._deadline = min(earned, time.monotonic() + self._timeout)
        return count

    def exactly(self, size: int) -> bytes:
        """Read `size` bytes. Raises as `some` does."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            view = view[self.some(view) :]
        return bytes(data)


class IncomingMessage:
    """A message on its way in: its connection, its sender's names, and the bytes held so far.

    `hold` reads ahead into memory while there is room. `write_to` hands over what was held, reads
    the remainder and acknowledges. `acknowledge` is for a message that `hold` has read whole. One
    thread reads, or two in turn. Each raises NodeError or MessageTooLarge when the message will
    never be whole. `release` gives back the memory.
    """

    def __init__(
        self,
        connection: ssl.SSLSocket,
        peer: str,
        limit: int,
        timeout: float,
        memory: MemoryBudget,
    ) -> None:
        self.sender: tuple[str, ...] = ()
        self.peer = peer
        self.size = 0
        self.held = bytearray()
        self.acknowledged = False
        self.connection = connection
        self._limit = limit
        self._memory = memory
        self._unheld = memoryview(b"")  # what was read last, if there was no room to hold it
        self._reader = FrameReader(connection, timeout)
        self._digest = hashlib.sha256()
        self._chunks = self._read()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what has been read so far."""
        return self._digest.digest()

    def silence(self) -> float:
        """How many seconds we have been waiting for the sender; 0 while it waits for us."""
        return self._reader.silence

    def hold(self) -> bool:
        """Read into memory while there is room. True if the message is whole."""
        self._reader.restart()
        for chunk in self._chunks:
            # Memory is reserved before it is used. A chunk without room stays where it was read:
            # in this connection's own buffer.
            if not self._memory.take(len(chunk)):
                self._unheld = chunk
                return False
            self.held += chunk
        return True

    def write_to(self, sink: BinaryIO) -> None:
        """Write the whole message to a sink, and acknowledge it if it has not been acknowledged.

        Raises what the sink raises, too.
        """
        write_all(sink, memoryview(self.held))
        if self.acknowledged:
            return
        # The remainder may take long, and what has been written out need not be held meanwhile.
        self.release()
        write_all(sink, self._unheld)
        self._reader.restart()
        for chunk in self._chunks:
            write_all(sink, chunk)
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the sender that all has arrived, then close.

        If the sender cannot be told, it will send again, so the message counts as not received.
        This never waits: almost nothing was sent on this connection, so forty bytes fit the
        system's buffer.
        """
        with typed_errors(self.peer):
            self.connection.settimeout(0)
            self.connection.sendall(ACKNOWLEDGEMENT.pack(self.size, self.digest))
        self.acknowledged = True
        close_in_order(self.connection, 0)

    def release(self) -> None:
        """Give back the memory that the message holds."""
        held = self.held
        self.held = bytearray()
        self._memory.give_back(len(held))

    def _read(self) -> Iterator[memoryview]:
        """Yield the message in chunks, each valid until the next. When they end, it is whole."""
        buffer = memoryview(bytearray(_CHUNK))
        with typed_errors(self.peer):
            if self._reader.exactly(len(MAGIC)) != MAGIC:
                raise NodeError(self.peer, "it does not send in this format")
            while left := self._piece_length():
                while left:
                    chunk = buffer[: self._reader.some(buffer[:left])]
                    left -= len(chunk)
                    self._digest.update(chunk)
                    yield chunk

    def _piece_length(self) -> int:
        """Read the length of the next piece, 0 after the last, and refuse it before its bytes."""
        (length,) = LENGTH.unpack(self._reader.exactly(LENGTH.size))
        if length > LONGEST_PIECE:
            raise NodeError(
                self.peer, f"it announced a piece of {length} bytes; the most is {LONGEST_PIECE}"
            )
        self.size += length
        if self.size > self._limit:
            raise MessageTooLarge(
                f"{self.peer}: its message is longer than the limit of {self._limit} bytes"
            )
        return int(length)
