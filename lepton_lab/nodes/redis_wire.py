"""The bytes of a large value, straight between a redis-py connection's socket and a buffer of the
caller.

redis-py makes the connection, authenticates, speaks TLS and keeps the pool; it would also copy a
value two or three times on its way. These functions send a SET and read a GET's answer without a
copy, at about three times the speed over a private socket. A connection on which anything went
wrong is closed before it goes back to its pool: it could still hold the rest of an answer, and give
it to the next question.

The answers (RESP, "Bulk strings", "Simple strings" and "Simple errors"; of large values one is in
flight at a time):

    +OK CR LF                         it is stored
    $<n> CR LF  <n bytes>  CR LF     the value
    $-1 CR LF    or    _ CR LF        no such key, in version 2 or 3 of the protocol
    -<CODE> <text> CR LF              refused; the text may repeat what was sent, so only the code is used
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.connection import ConnectionPool

_END = b"\r\n"
_STORED = b"+OK\r\n"
_LINE = 64  # bytes; a longer first line can only be an error
_AT_ONCE = 1 << 20  # bytes a send; each has the socket's time-out for itself
_SLOWEST = 1 << 16  # bytes a second; a node that drips slower for longer than its time-out hangs
_LENGTH = re.compile(rb"\$(\d{1,18})")


class RedisErrorReply(redis.RedisError):
    """An error reply, as its code alone."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class ReplyTooLong(redis.RedisError):
    """The value is longer than the buffer; nothing of it was kept."""

    def __init__(self, length: int) -> None:
        self.length = length
        super().__init__(f"{length} bytes")


class UnexpectedReply(redis.RedisError):
    """The bytes are no answer to what was asked."""


class ConnectionLease:
    """A connection that stays with one user between calls, taken from its pool at the first and
    again after a failure.

    A pool looks at a connection before it hands it out: it must have nothing left to say. That
    look, and the pool's own book-keeping, cost a small value as much as the value itself, and in a
    program of many threads more than that.
    """

    def __init__(self) -> None:
        self._pool: ConnectionPool | None = None
        self._connection: Any = None

    @contextmanager
    def connection(self, pool: Callable[[], ConnectionPool]) -> Iterator[Any]:
        """The connection, of this pool where there is none yet; after any failure it is closed, and
        the pool has it.
        """
        try:
            if self._connection is None:
                self._pool = pool()
                self._connection = self._pool.get_connection()
                if self._connection.can_read(0):  # not every pool has looked
                    self._connection.disconnect()
                    self._connection.connect()
            yield self._connection
        except BaseException:
            if self._connection is not None:
                self._connection.disconnect()
            self.end()
            raise

    def end(self) -> None:
        """Give the connection back."""
        if self._pool is not None and self._connection is not None:
            self._pool.release(self._connection)
            self._connection = None


def set_value(connection: Any, key: bytes, value: memoryview) -> None:
    """SET, sent from the caller's buffer. Raises as `get_into` does, but for ReplyTooLong."""
    head = b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, len(value))
    plug, patience = _plug_of(connection)
    if plug is None or isinstance(plug, ssl.SSLSocket):  # which takes no list of buffers
        pieces = (value[at : at + _AT_ONCE] for at in range(0, len(value), _AT_ONCE))
        connection.send_packed_command([head, *pieces, _END])
    else:
        _send(
            plug,
            [memoryview(head), value, memoryview(_END)],
            time.monotonic() + patience + len(value) / _SLOWEST,
        )
    if plug is None:
        stored = connection.read_response(disable_decoding=True) == b"OK"
    else:
        stored = ReplyReader(plug, patience).says(_STORED)
    if not stored:
        raise UnexpectedReply


def get_into(connection: Any, key: bytes, buffer: memoryview) -> int | None:
    """GET into the caller's buffer: the value's length, or None when there is no such key.

    Raises RedisErrorReply, ReplyTooLong, UnexpectedReply, redis.ConnectionError or TimeoutError;
    then the connection is good for nothing.
    """
    plug, patience = _ask(connection, [key])
    if plug is None:
        return _fetch_slowly(connection, buffer)
    answers = ReplyReader(plug, patience)
    length = answers.value_into(buffer)
    answers.end()
    return length


def get_each(connection: Any, keys: Sequence[bytes], limit: int) -> list[bytes | None]:
    """GET small values, all asked for at once: at most `limit` bytes each, None where there is no
    such key.

    Raises as `get_into` does.
    """
    plug, patience = _ask(connection, keys)
    answers = None if plug is None else ReplyReader(plug, patience)
    buffer, values = memoryview(bytearray(limit)), []
    for _ in keys:
        length = (
            _fetch_slowly(connection, buffer) if answers is None else answers.value_into(buffer)
        )
        values.append(None if length is None else bytes(buffer[:length]))
    if answers is not None:
        answers.end()
    return values


def _ask(connection: Any, keys: Sequence[bytes]) -> tuple[socket.socket | None, float]:
    questions = b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys)
    connection.send_packed_command([questions])
    return _plug_of(connection)


def _plug_of(connection: Any) -> tuple[socket.socket | None, float]:
    """The connection's socket, should redis-py still keep it where it has no public name for it;
    and its time-out.
    """
    if not connection.is_connected:
        connection.connect()
    plug, patience = getattr(connection, "_sock", None), connection.socket_timeout
    return plug if isinstance(plug, socket.socket) else None, float(
        "inf"
    ) if patience is None else patience


def _send(plug: socket.socket, pieces: list[memoryview], deadline: float) -> None:
    """Send all pieces, with as few calls as the socket's buffer lets it be."""
    try:
        while pieces:
            count = plug.sendmsg(pieces)
            while pieces and count >= len(pieces[0]):
                count -= len(pieces.pop(0))
            if pieces:
                pieces[0] = pieces[0][count:]
                if time.monotonic() > deadline:
                    raise redis.TimeoutError
    except TimeoutError:
        raise redis.TimeoutError from None
    except OSError as error:
        raise redis.ConnectionError("writing") from error


def _fetch_slowly(connection: Any, buffer: memoryview) -> int | None:
    """By redis-py's own reader, should a future release keep its socket elsewhere: the same bytes,
    more copies.
    """
    value = connection.read_response(disable_decoding=True)
    if value is None:
        return None
    if len(value) > len(buffer):
        raise ReplyTooLong(len(value))
    buffer[: len(value)] = value
    return len(value)


class ReplyReader:
    """Answers on their way in, one after the other; what was received beyond a line is not lost."""

    def __init__(self, plug: socket.socket, patience: float) -> None:
        self._plug, self._patience = plug, patience
        self._deadline = time.monotonic() + patience
        self._early = b""

    def says(self, expected: bytes) -> bool:
        """Whether it is just this; nothing behind it is read."""
        said = bytearray(len(expected))
        self._fill(memoryview(said))
        if said.startswith(b"-"):
            rest = self._first_line() if _END not in said else b""
            raise RedisErrorReply(_code(bytes(said) + rest))
        return said == expected

    def value_into(self, buffer: memoryview) -> int | None:
        line = self._first_line()
        if line.startswith(b"-"):
            raise RedisErrorReply(_code(line))
        if line in (b"$-1", b"_"):
            return None
        found = _LENGTH.fullmatch(line)
        if found is None:
            raise UnexpectedReply
        length = int(found[1])
        if length > len(buffer):
            raise ReplyTooLong(length)
        self._deadline += length / _SLOWEST
        self._take(buffer[:length])
        end = bytearray(len(_END))
        self._take(memoryview(end))
        if end != _END:
            raise UnexpectedReply
        return length

    def end(self) -> None:
        """Raise UnexpectedReply when more came than was asked for."""
        if self._early:
            raise UnexpectedReply

    def _first_line(self) -> bytes:
        while True:
            line, end, rest = self._early.partition(_END)
            if (
                end or len(self._early) >= _LINE
            ):  # longer than any line but an error's, whose code is at its start
                self._early = rest
                return line
            more = memoryview(bytearray(_LINE - len(self._early)))
            self._early += more[: self._receive(more)]

    def _take(self, room: memoryview) -> None:
        early, self._early = self._early[: len(room)], self._early[len(room) :]
        room[: len(early)] = early
        self._fill(room[len(early) :])

    def _fill(self, room: memoryview) -> None:
        while room:
            room = room[self._receive(room) :]

    def _receive(self, room: memoryview) -> int:
        try:
            count = self._plug.recv_into(room)
        except TimeoutError:
            raise redis.TimeoutError from None
        except OSError as error:
            raise redis.ConnectionError("reading") from error
        if not count:
            raise redis.ConnectionError("closed by the server")
        if time.monotonic() > self._deadline:
            raise redis.TimeoutError
        return count


def _code(line: bytes) -> str:
    word = line[1:].split(b" ", 1)[0]
    return word.decode() if re.fullmatch(rb"[A-Z]{1,20}", word) else "ERR"
