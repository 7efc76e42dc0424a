"""One message on its way into a `Receiver`: read in pieces, by one thread or by two in turn."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from typing import BinaryIO

from lepton_lab.buffers import write_all
from lepton_lab.errors import MessageTooLarge, NodeError
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.protocol import ACKNOWLEDGEMENT, LENGTH, LONGEST_PIECE, MAGIC, Reader, farewell

_CHUNK = 2**16


class Delivery:
    """A connection, and past its greeting its sender's names and as much of its message as has been held for it so far.

    `hold` reads ahead while there is room; `pour` hands over what was held and reads the rest; `acknowledge` is for the
    message that is whole. All raise NodeError or MessageTooLarge when it never will be, and then only `close` is left.
    """

    def __init__(self, connection: ssl.SSLSocket, peer: str, limit: int, patience: float) -> None:
        self.sender: tuple[str, ...] = ()
        self.peer, self.size = peer, 0
        self.held = bytearray()
        self.acknowledged = False
        self.connection, self._limit = connection, limit
        self._reader, self._digest = Reader(connection, patience), hashlib.sha256()
        self._chunks = self._read()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what has been read."""
        return self._digest.digest()

    def hold(self, has_room: Callable[[int], bool]) -> bool:
        """Read into memory until the message is whole, or there is no more room; says whether it is whole."""
        self._reader.restart()
        for chunk in self._chunks:
            self.held += chunk
            if not has_room(len(chunk)):
                return False
        return True

    def pour(self, sink: BinaryIO) -> None:
        """Write the whole message to a sink and acknowledge it, if it has not been. Raises what the sink raises."""
        write_all(sink, memoryview(self.held))
        if self.acknowledged:
            return
        self._reader.restart()
        for chunk in self._chunks:
            write_all(sink, chunk)
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the sender and part. One that cannot be told will send again, so the message counts as not received.

        This never waits: on a connection on which almost nothing was sent, forty bytes fit the system's buffer.
        """
        with typed_errors(self.peer):
            self.connection.settimeout(0)
            self.connection.sendall(ACKNOWLEDGEMENT.pack(self.size, self.digest))
        self.acknowledged = True
        farewell(self.connection, 0)

    def close(self) -> None:
        """Give up the connection; without an acknowledgement its sender learns that nothing has arrived."""
        self.connection.close()

    def _read(self) -> Iterator[memoryview]:
        """The message in chunks, each valid until the next; when they end, it is whole."""
        buffer = memoryview(bytearray(_CHUNK))
        with typed_errors(self.peer):
            if self._reader.exactly(len(MAGIC)) != MAGIC:
                raise NodeError(self.peer, "it does not send in this format")
            while left := self._length():
                while left:
                    chunk = buffer[: self._reader.some(buffer[:left])]
                    left -= len(chunk)
                    self._digest.update(chunk)
                    yield chunk

    def _length(self) -> int:
        (length,) = LENGTH.unpack(self._reader.exactly(LENGTH.size))
        if length > LONGEST_PIECE:
            raise NodeError(
                self.peer, f"a piece of {length} bytes, where {LONGEST_PIECE} is the most"
            )
        self.size += length
        if self.size > self._limit:
            raise MessageTooLarge(
                f"{self.peer}: more than the {self._limit} bytes that this receiver takes"
            )
        return int(length)
