"""One request to a Redis server and its replies, within one deadline and one byte budget."""

from __future__ import annotations

import re
import socket
import ssl
import time
from typing import Any

import redis

SLOWEST = 1 << 16  # bytes per second; while a value moves at least so fast, it may take longer

_END = b"\r\n"
_STORED = b"+OK\r\n"
ABSENT = (b"$-1", b"_")  # a null, in version 2 or 3 of RESP
_LONGEST_LINE = 64  # bytes; a longer line can only be an error
_PART = 1 << 20  # bytes per send, and by which memory grows for a value of unknown length
_LENGTH = re.compile(rb"\$(\d{1,18})")


class RedisErrorReply(redis.RedisError):
    """An error reply of the server, of which only the code is kept."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class ReplyTooLong(redis.RedisError):
    """The value is longer than the buffer; none of it was kept."""

    def __init__(self, length: int) -> None:
        self.length = length
        super().__init__(f"{length} bytes")


class UnexpectedReply(redis.RedisError):
    """The bytes are not an answer to what was asked."""


class RedisExchange:
    """One request and its replies on a connection's socket, within one deadline.

    read_ahead: bytes that are read at once where a reply's lines are expected; what came beyond a
    line is kept for what follows. most_bytes: of all replies together, or None where each of them
    is bounded by its buffer.
    """

    def __init__(
        self,
        connection: Any,
        deadline: float,
        read_ahead: int = _LONGEST_LINE,
        most_bytes: int | None = None,
    ) -> None:
        self._sock = _socket_of(connection)
        # Of redis_limits' sockets the plain method, since the limits are kept here.
        self._recv_into = getattr(self._sock, "unlimited_recv_into", self._sock.recv_into)
        self._usual_timeout: float | None = self._sock.gettimeout()
        self._deadline = deadline
        self._read_ahead = read_ahead
        self._bytes_left = most_bytes
        self._early = b""
        self._position = 0
        # Whether the socket has another time-out than before, which must go back before the next
        # use.
        self._shortened = False
        self._timeout = deadline - time.monotonic()
        self._keep_deadline()

    # --- sending --------------------------------------------------------------------------------

    def send(self, pieces: list[memoryview]) -> None:
        """Send all pieces, with as few system calls as the socket's buffer allows."""
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                # TLS takes one buffer at a time.
                for piece in pieces:
                    self._send_piece(piece)
            else:
                self._send_together(pieces)
        except TimeoutError:
            raise redis.TimeoutError from None
        except OSError as error:
            raise redis.ConnectionError("writing") from error
        # The time that sending was given for its many bytes is not the reply's.
        self._deadline = min(self._deadline, time.monotonic() + self._timeout)

    def _send_piece(self, piece: memoryview) -> None:
        while piece:
            count = self._sock.send(piece[:_PART])
            piece = piece[count:]
            self._deadline += count / SLOWEST
            if piece:
                self._keep_deadline()

    def _send_together(self, pieces: list[memoryview]) -> None:
        while pieces:
            count = self._sock.sendmsg(pieces)
            self._deadline += count / SLOWEST
            while pieces and count >= len(pieces[0]):
                count -= len(pieces.pop(0))
            if pieces:
                pieces[0] = pieces[0][count:]
                self._keep_deadline()

    # --- receiving ------------------------------------------------------------------------------

    def expect_stored(self) -> None:
        """Read exactly the reply +OK and nothing behind it."""
        # Exactly these five bytes are waited for, in one read: the answer to nearly every write.
        said = bytearray(len(_STORED))
        self._fill(memoryview(said))
        # An error begins within them and ends behind them.
        if said.startswith(b"-"):
            self._early = bytes(said)
            self.line()
        if said != _STORED:
            raise UnexpectedReply
        self.finish()

    def line(self) -> bytes:
        """Read one line and return it without its end. Raises RedisErrorReply for an error."""
        while True:
            end = self._early.find(_END, self._position)
            pending = len(self._early) - self._position
            if end >= 0:
                found = self._early[self._position : end]
                self._position = end + len(_END)
                break
            if pending >= _LONGEST_LINE:
                # Only an error can be so long, and its code stands at its start.
                found = self._early[self._position :]
                self._position = len(self._early)
                break
            # No more than the read-ahead is held, and always room for at least one byte.
            more = memoryview(bytearray(self._read_ahead - min(pending, self._read_ahead - 1)))
            count = self._receive(more)
            self._early = self._early[self._position :] + bytes(more[:count])
            self._position = 0
        if found.startswith(b"-"):
            raise RedisErrorReply(_code(found))
        return found

    def value_into(self, buffer: memoryview) -> int | None:
        """Read a bulk string into a buffer; its length, or None if it is absent."""
        length = self._value_length()
        if length is None:
            return None
        if length > len(buffer):
            raise ReplyTooLong(length)
        self._take(buffer[:length])
        self._end_of_value()
        return length

    def value(self, most: int) -> bytes | None:
        """Read a bulk string of at most `most` bytes, or None if it is absent.

        Memory is taken as the bytes come, not as they are announced.
        """
        length = self._value_length()
        if length is None:
            return None
        if length > most:
            raise ReplyTooLong(length)
        # A server may announce as much as is allowed and send nothing.
        parts = []
        while length:
            part = bytearray(min(length, _PART))
            self._take(memoryview(part))
            parts.append(part)
            length -= len(part)
        self._end_of_value()
        return b"".join(parts)

    def finish(self) -> None:
        """End the exchange. Raises UnexpectedReply if more came than was asked for."""
        # What is left over would be read as the answer to the next question.
        if self._position < len(self._early):
            raise UnexpectedReply
        if self._shortened:
            self._sock.settimeout(self._usual_timeout)

    def _value_length(self) -> int | None:
        line = self.line()
        if line in ABSENT:
            return None
        found = _LENGTH.fullmatch(line)
        if found is None:
            raise UnexpectedReply
        return int(found[1])

    def _end_of_value(self) -> None:
        end = bytearray(len(_END))
        self._take(memoryview(end))
        if end != _END:
            raise UnexpectedReply

    def _take(self, room: memoryview) -> None:
        """Fill `room`, first with what was read ahead."""
        early = self._early[self._position : self._position + len(room)]
        self._position += len(early)
        room[: len(early)] = early
        if len(early) < len(room):
            self._fill(room[len(early) :])

    def _fill(self, room: memoryview) -> None:
        while room:
            room = room[self._receive(room) :]

    def _receive(self, room: memoryview) -> int:
        """Read what there is, at least one byte. Keeps the deadline and the byte budget."""
        try:
            count: int = self._recv_into(room)
        except TimeoutError:
            raise redis.TimeoutError from None
        except OSError as error:
            raise redis.ConnectionError("reading") from error
        if not count:
            raise redis.ConnectionError("closed by the server")
        # Time grows with the bytes that have come, never with those that were announced.
        if self._bytes_left is None:
            self._deadline += count / SLOWEST
        else:
            self._bytes_left -= count
            if self._bytes_left < 0:
                raise UnexpectedReply
        self._keep_deadline()
        return count

    def _keep_deadline(self) -> None:
        """Raise redis.TimeoutError at the deadline, and let no single wait go past it."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise redis.TimeoutError
        usual = self._usual_timeout
        # Setting a time-out costs a system call, so it is only done when it matters.
        if usual is None or left < usual * 0.75 or self._shortened:
            self._sock.settimeout(left if usual is None else min(left, usual))
            self._shortened = True


def _socket_of(connection: Any) -> socket.socket:
    """Return the connection's socket, for which redis-py has no public name."""
    if not connection.is_connected:
        connection.connect()
    sock = getattr(connection, "_sock", None)
    if not isinstance(sock, socket.socket):
        # Its own reader would wait without end and believe every length.
        raise redis.ConnectionError("this release of redis-py keeps its socket elsewhere")
    return sock


def _code(line: bytes) -> str:
    """Return the code of an error reply; ERR if it is not one of capital letters."""
    word = line[1:].split(b" ", 1)[0]
    return word.decode() if re.fullmatch(rb"[A-Z]{1,20}", word) else "ERR"
