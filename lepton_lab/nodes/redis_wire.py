"""The commands of a Redis node, written to and read from a connection's socket directly.

redis-py makes the connection, authenticates, speaks TLS and keeps the pool. Its own commands would
copy a value two or three times on its way and would believe every length that a server sends. These
functions send from the caller's buffer and read into it, at about three times the speed over a
Unix socket. Every call has one deadline for all of its bytes, and no reply is read further than the
answer to its question can be long. A connection on which anything went wrong is closed before it
goes back to its pool: it could still hold the rest of a reply, and give it to the next question.

The replies (RESP, "Simple strings", "Bulk strings", "Integers", "Arrays", "Simple errors"):

    +OK CR LF                         SET: the value is stored
    $<n> CR LF  <n bytes>  CR LF      GET: the value
    $-1 CR LF    or    _ CR LF        GET: no such key, SET NX: it exists (RESP version 2 or 3)
    :<n> CR LF                        EXISTS, UNLINK: how many keys
    *2 CR LF  <cursor> *<n> CR LF  <key> … <key>      SCAN: cursor and keys are bulk strings
    -<CODE> <text> CR LF              an error; the text may repeat what was sent, so only the
                                      code is used
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from redis.connection import ConnectionPool

from lepton_lab.nodes.redis_exchange import ABSENT, RedisExchange, UnexpectedReply

MOST_SCAN_BYTES = 4 << 20  # of one reply to SCAN

_END = b"\r\n"
_READ_AHEAD = 1 << 16  # bytes, where many short parts come in one reply
_INTEGER = re.compile(rb":(\d{1,18})")
_COUNT = re.compile(rb"\*(\d{1,9})")
_CURSOR = re.compile(rb"\d{1,20}")


class ConnectionLease:
    """A connection that stays with one user between calls.

    It is taken from its pool at the first call, and again after a failure. A pool looks at every
    connection before it hands it out, which costs a small value as much time as the value itself,
    and more in a program of many threads. A context manager: leaving it gives the connection back.
    """

    def __init__(self) -> None:
        self._pool: ConnectionPool | None = None
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @contextmanager
    def connection(self, pool: Callable[[], ConnectionPool]) -> Iterator[Any]:
        """Give the connection, from this pool if there is none yet.

        If the block fails in any way, the connection is closed and goes back to the pool.
        """
        try:
            if self._connection is None:
                self._pool = pool()
                self._connection = self._pool.get_connection()
                # Bytes that wait already belong to an earlier question; not every pool has looked.
                if self._connection.can_read(0):
                    self._connection.disconnect()
                    self._connection.connect()
            yield self._connection
        except BaseException:
            if self._connection is not None:
                self._connection.disconnect()
            self.end()
            raise

    def end(self) -> None:
        """Give the connection back to its pool."""
        if self._pool is not None and self._connection is not None:
            self._pool.release(self._connection)
            self._connection = None


# Every function below takes a connection and the call's deadline (time.monotonic). Each raises
# RedisErrorReply, UnexpectedReply, redis.ConnectionError or redis.TimeoutError, after which the
# connection must be closed.


def set_value(connection: Any, deadline: float, key: bytes, value: memoryview) -> None:
    """SET, sent from the caller's buffer."""
    head = b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, len(value))
    exchange = RedisExchange(connection, deadline)
    exchange.send([memoryview(head), value, memoryview(_END)])
    exchange.expect_stored()


def set_if_absent(connection: Any, deadline: float, key: bytes, value: memoryview) -> bool:
    """SET … NX: True if the value was stored, False if the key exists."""
    head = b"*4\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, len(value))
    exchange = RedisExchange(connection, deadline)
    exchange.send([memoryview(head), value, memoryview(_END + b"$2\r\nNX\r\n")])
    line = exchange.line()
    exchange.finish()
    if line == b"+OK":
        return True
    if line in ABSENT:
        return False
    raise UnexpectedReply


def get_into(connection: Any, deadline: float, key: bytes, buffer: memoryview) -> int | None:
    """GET into the caller's buffer: the value's length, or None if the key does not exist.

    Raises ReplyTooLong as well.
    """
    exchange = _ask_for_values(connection, deadline, [key])
    length = exchange.value_into(buffer)
    exchange.finish()
    return length


def get_each(
    connection: Any, deadline: float, keys: Sequence[bytes], limit: int
) -> list[bytes | None]:
    """GET small values, all asked for at once: at most `limit` bytes each, None for missing keys.

    Raises ReplyTooLong as well.
    """
    exchange = _ask_for_values(connection, deadline, keys)
    buffer = memoryview(bytearray(limit))
    values: list[bytes | None] = []
    for _ in keys:
        length = exchange.value_into(buffer)
        values.append(None if length is None else bytes(buffer[:length]))
    exchange.finish()
    return values


def get_values(
    connection: Any, deadline: float, keys: Sequence[bytes], most: int
) -> list[bytes | None]:
    """GET values whose lengths are not known, `most` bytes all together; None for missing keys.

    Raises ReplyTooLong as well.
    """
    exchange = _ask_for_values(connection, deadline, keys)
    values: list[bytes | None] = []
    for _ in keys:
        value = exchange.value(most)
        most -= len(value or b"")
        values.append(value)
    exchange.finish()
    return values


def exists(connection: Any, deadline: float, key: bytes) -> bool:
    """EXISTS of one key."""
    return _count(connection, deadline, b"EXISTS", [key]) == 1


def unlink(connection: Any, deadline: float, keys: Sequence[bytes]) -> int:
    """UNLINK: how many of the keys existed."""
    return _count(connection, deadline, b"UNLINK", keys)


def literally(text: bytes) -> bytes:
    """Return a glob pattern, as SCAN takes one, that matches exactly this text."""
    return re.sub(rb"[\\*?\[\]]", rb"\\\g<0>", text)


def scan(
    connection: Any, deadline: float, cursor: bytes, pattern: bytes, count: int
) -> tuple[bytes, list[bytes]]:
    """SCAN one step: the next cursor, and the keys that were found."""
    exchange = RedisExchange(connection, deadline, _READ_AHEAD, MOST_SCAN_BYTES)
    words = [b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % count]
    exchange.send([memoryview(_command(words))])
    if exchange.line() != b"*2":
        raise UnexpectedReply
    following = exchange.value(MOST_SCAN_BYTES)
    if following is None or not _CURSOR.fullmatch(following):
        raise UnexpectedReply
    found = _COUNT.fullmatch(exchange.line())
    if found is None:
        raise UnexpectedReply
    keys = []
    # Each element costs the server at least five bytes, so the budget also bounds their number.
    for _ in range(int(found[1])):
        key = exchange.value(MOST_SCAN_BYTES)
        if key is None:
            raise UnexpectedReply
        keys.append(key)
    exchange.finish()
    return following, keys


def _ask_for_values(connection: Any, deadline: float, keys: Sequence[bytes]) -> RedisExchange:
    questions = b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys)
    exchange = RedisExchange(connection, deadline)
    exchange.send([memoryview(questions)])
    return exchange


def _count(connection: Any, deadline: float, command: bytes, keys: Sequence[bytes]) -> int:
    exchange = RedisExchange(connection, deadline)
    exchange.send([memoryview(_command([command, *keys]))])
    found = _INTEGER.fullmatch(exchange.line())
    exchange.finish()
    if found is None or int(found[1]) > len(keys):
        raise UnexpectedReply
    return int(found[1])


def _command(words: Sequence[bytes]) -> bytes:
    """Return a command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)
