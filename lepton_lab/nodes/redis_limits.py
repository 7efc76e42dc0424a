"""One deadline and one byte budget per call, kept also by what redis-py reads by itself.

A node's own commands go through `redis_wire`, which bounds every reply. redis-py still opens the
connections (HELLO, AUTH, SELECT) and learns a cluster's layout, and its parsers wait for each piece
of a reply anew and believe every length. The sockets and connections of this module stop them.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

import redis
from redis._parsers import _RESP3Parser
from redis.connection import Connection, UnixDomainSocketConnection

# redis-py's own requests are answered with some hundred bytes; a cluster's layout takes about a
# hundred bytes per range of slots, and a redirected command may bring one value.
HANDSHAKE_BYTES = 1 << 20
SLOTS = 16384  # redis.io, "Redis cluster specification"


@dataclass
class CallLimits:
    """What is left of one call: time until `deadline` (time.monotonic), and bytes to read."""

    deadline: float
    bytes_left: int

    def seconds_left(self) -> float:
        """Return the time left. Raises TimeoutError, as a socket does, when there is none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's deadline has passed")
        return left


_current: ContextVar[CallLimits | None] = ContextVar("lepton_lab.nodes.call_limits", default=None)


def start_limits(limits: CallLimits) -> Token[CallLimits | None]:
    """Limit everything that this thread reads from limited sockets, until `end_limits`."""
    return _current.set(limits)


def end_limits(outer: Token[CallLimits | None]) -> None:
    """Put the limits back in force that `start_limits` had replaced."""
    _current.reset(outer)


@contextmanager
def call_limits(seconds: float, most_bytes: int = HANDSHAKE_BYTES) -> Iterator[CallLimits]:
    """Limit everything that this thread reads from limited sockets inside the block."""
    limits = CallLimits(time.monotonic() + seconds, most_bytes)
    outer = start_limits(limits)
    try:
        yield limits
    finally:
        end_limits(outer)


def seconds_left(usual: float | None) -> float | None:
    """Return the time-out to use now: the usual one, or what the current call has left.

    Raises TimeoutError when nothing is left.
    """
    limits = _current.get()
    if limits is None:
        return usual
    left = limits.seconds_left()
    return left if usual is None else min(usual, left)


@contextmanager
def _within_limits(sock: socket.socket) -> Iterator[CallLimits | None]:
    """Shorten the socket's time-out to the time that the current call has left."""
    limits = _current.get()
    if limits is None:
        yield None
        return
    if limits.bytes_left <= 0:
        # An OSError, because redis-py turns those of a socket into its own errors.
        raise ConnectionAbortedError("the server sends more than any answer to this request has")
    usual = sock.gettimeout()
    now = seconds_left(usual)
    if now != usual:
        sock.settimeout(now)
    try:
        yield limits
    finally:
        if now != usual:
            sock.settimeout(usual)


class LimitedSocket(socket.socket):
    """A socket whose `recv` and `recv_into` keep to the limits of the current call."""

    # For redis_wire, which keeps the limits itself.
    unlimited_recv_into = socket.socket.recv_into

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive as socket.recv does. Raises TimeoutError, ConnectionAbortedError at a limit."""
        with _within_limits(self) as limits:
            data = super().recv(size, flags)
        if limits is not None:
            limits.bytes_left -= len(data)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Receive as socket.recv_into does. Raises as `recv`."""
        with _within_limits(self) as limits:
            count = super().recv_into(buffer, size, flags)
        if limits is not None:
            limits.bytes_left -= count
        return count


class LimitedTlsSocket(ssl.SSLSocket):
    """A TLS socket whose `recv` and `recv_into` keep to the limits of the current call."""

    unlimited_recv_into = ssl.SSLSocket.recv_into

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        """Receive as SSLSocket.recv does.

        Raises TimeoutError, ConnectionAbortedError at a limit.
        """
        with _within_limits(self) as limits:
            data = super().recv(size, flags)
        if limits is not None:
            limits.bytes_left -= len(data)
        return data

    def recv_into(self, buffer: Any, size: int | None = None, flags: int = 0) -> int:
        """Receive as SSLSocket.recv_into does. Raises as `recv`."""
        with _within_limits(self) as limits:
            count = super().recv_into(buffer, size, flags)
        if limits is not None:
            limits.bytes_left -= count
        return count


class _LimitedReplies:
    """For a redis-py connection: its Python parser, and a check of a cluster's layout.

    The C parser allocates a list of as many elements as a reply announces before any has come.
    """

    def set_parser(self, parser_class: type[Any]) -> None:
        """Use the parser for both versions of RESP that is written in Python."""
        super().set_parser(_RESP3Parser)  # type: ignore[misc]  # the connection is the other base

    def can_read(self, timeout: float = 0) -> bool:
        """Tell whether bytes have arrived that nobody has read, as redis-py does.

        The pool asks before each use. Most often the answer is no, and one poll gives it, where the
        parser would change the socket's time-out, read, and change it back.
        """
        sock = self._sock  # type: ignore[attr-defined]
        # Without poll (Windows), and for bytes that are already here, the parser finds out.
        if timeout == 0 and sock is not None and hasattr(select, "poll"):
            buffer = self._parser._buffer  # type: ignore[attr-defined]
            waiting = isinstance(sock, ssl.SSLSocket) and sock.pending()
            if not waiting and not buffer.unread_bytes() and not _has_arrived(sock):
                return False
        return bool(super().can_read(timeout))  # type: ignore[misc]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Read as redis-py does. Raises redis.InvalidResponse for an impossible range of slots."""
        response = super().read_response(*arguments, **options)  # type: ignore[misc]
        if isinstance(response, list):
            _require_slots(response)
        return response


def _has_arrived(sock: socket.socket) -> bool:
    """Tell whether the socket has bytes to read, its peer's end or an error, without waiting."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _require_slots(rows: list[Any]) -> None:
    """Raise redis.InvalidResponse if CLUSTER SLOTS names more slots than there are.

    redis-py goes through each range one by one. Other replies are lists of other things.
    """
    covered = 0
    for row in rows:
        if not isinstance(row, list) or len(row) < 3:
            continue
        first, last = row[:2]
        if not isinstance(first, int) or not isinstance(last, int):
            continue
        covered += last - first + 1
        if not 0 <= first <= last < SLOTS or covered > SLOTS:
            raise redis.exceptions.InvalidResponse("CLUSTER SLOTS names slots that do not exist")


class LimitedConnection(_LimitedReplies, Connection):
    """A TCP connection that keeps to the limits of the current call while redis-py uses it."""

    def _connect(self) -> socket.socket:
        usual = self.socket_connect_timeout
        self.socket_connect_timeout = seconds_left(usual)
        try:
            plain: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        finally:
            self.socket_connect_timeout = usual
        return limited(plain)


class LimitedUnixConnection(_LimitedReplies, UnixDomainSocketConnection):
    """A Unix-socket connection that keeps to the limits of the current call."""

    def _connect(self) -> socket.socket:
        plain: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        return limited(plain)


def limited(plain: socket.socket) -> LimitedSocket:
    """Return a LimitedSocket over the same connection; `plain` is no longer usable."""
    timeout = plain.gettimeout()
    sock = LimitedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
    sock.settimeout(timeout)
    return sock
