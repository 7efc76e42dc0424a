"""The other end of `send`: a server that takes messages whole or not at all, and outlives every bad client."""

from __future__ import annotations

import errno
import io
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from lepton_lab.errors import CertificateError, InvalidParameter, LabError, NodeError
from lepton_lab.tls.connections import (
    close_after_alert,
    peer_names,
    require_address,
    require_seconds,
)
from lepton_lab.tls.contexts import require_server_context
from lepton_lab.tls.errors import explained, typed_errors
from lepton_lab.tls.names import name_list
from lepton_lab.tls.protocol import GREETING, MAGIC, NOT_ALLOWED, WELCOME, IncomingMessage

_REMEMBERED = 100  # failures
_PAUSE = 0.1  # seconds
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True)
class Received:
    """A message that has gone into a sink: how much, its SHA-256, and the names in its sender's certificate."""

    size: int
    digest: bytes
    sender: tuple[str, ...]


class Receiver:
    """A server for `send`, as a context manager: it listens from `with` to its end.

    host, port: where to listen; port 0 takes any that is free, and `.port` says which. context: from `server_context`.
    allowed: the names of the clients that may send here; by default everyone whom the authority has certified may,
    and that is rarely what a service wants. max_bytes: the longest message. hold: how many bytes to keep in memory,
    over all messages, for a `receive` that is still to come. connections: how many to serve at once. timeout: the
    seconds that a client has for its handshake, and may stay silent; one that sends less than 1 KiB a second is cut.

    A message of up to `hold` bytes is taken in and acknowledged as it comes; a longer one waits, its sender with it,
    until `receive` or `receive_into` takes the rest. Handshakes run side by side, so that a client that stalls delays
    nobody. Bad clients are dropped and noted in `failures`; the rest are served.

    Raises InvalidParameter here, NodeError when entered if the address cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        *,
        allowed: Collection[str] | None = None,
        max_bytes: int = 2**30,
        hold: int = 2**26,
        connections: int = 64,
        timeout: float = 10.0,
    ) -> None:
        require_address(host, port, lowest_port=0)
        require_server_context(context)
        require_seconds(timeout)
        for number, lowest in ((max_bytes, 0), (hold, 0), (connections, 1)):
            if (
                isinstance(number, bool)
                or not isinstance(number, int)
                or not lowest <= number < 2**63
            ):
                raise InvalidParameter("max_bytes and hold are bytes, connections is at least 1")
        if allowed is not None and context.verify_mode != ssl.CERT_REQUIRED:
            raise InvalidParameter(
                "who is allowed can be told only from a certificate: require one in server_context"
            )
        self.host, self.port = host, port
        self._context, self._timeout, self._limit = context, timeout, max_bytes
        self._allowed = None if allowed is None else frozenset(name_list(allowed))
        self._slots, self._room = threading.Semaphore(connections), hold
        self._changed = threading.Condition()  # guards everything below
        self._open = False
        self._ready: deque[IncomingMessage] = deque()
        self._failures: deque[LabError] = deque(maxlen=_REMEMBERED)
        self._serving: set[ssl.SSLSocket] = set()
        self._threads: set[threading.Thread] = set()

    def __enter__(self) -> Self:
        if self._open:
            raise InvalidParameter("this receiver is listening already")
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with typed_errors(f"{self.host}:{self.port}"):
            self._listener = socket.create_server(
                (self.host, self.port), family=family, backlog=128
            )
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._bell, self._bell_ringer = socket.socketpair()
        self._open = True
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, drop every connection, and wait for all threads to end.

        Messages that have been acknowledged can still be received; the others are lost, and their senders know it.
        """
        with self._changed:
            if not self._open:
                return
            self._open = False
            for connection in self._serving:
                with suppress(
                    OSError
                ):  # wakes the thread that reads; SSLSocket's own would have it go on in plaintext
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            for message in self._ready:
                message.close()
            self._ready = deque(message for message in self._ready if message.acknowledged)
            threads = list(self._threads)
            self._changed.notify_all()
        self._slots.release()  # wakes the thread that accepts, wherever it waits
        self._bell_ringer.close()
        for thread in threads:
            thread.join()
        self._bell.close()
        self._listener.close()

    @property
    def failures(self) -> tuple[LabError, ...]:
        """What went wrong with clients that were dropped, the last hundred, oldest first; each names its client."""
        with self._changed:
            return tuple(self._failures)

    def receive(self, timeout: float | None = 30.0) -> bytes:
        """The next message, whole.

        timeout: how many seconds to wait for one, None for ever. Raises NodeError when none has come in that time, or
        the receiver is closed; InvalidParameter.
        """
        until = _until(timeout)
        while True:
            message, sink = self._next(until), io.BytesIO()
            with suppress(LabError):  # it is noted in `failures`, and the next one may be whole
                self._write_out(message, sink)
                return sink.getvalue()

    def receive_into(self, sink: BinaryIO, timeout: float | None = 30.0) -> Received:
        """Write the next message to a binary file, in constant memory beyond what was held.

        Its sender gets the acknowledgement when the sink has taken all of it or, for a message that was held whole,
        has got it already. When this raises, the sink holds a part at most: discard it. Raises NodeError when none has
        come in time or its sender broke off, MessageTooLarge, InvalidParameter, and what the sink raises; a message
        that was already acknowledged is then the next again.
        """
        message = self._next(_until(timeout))
        self._write_out(message, sink)
        return Received(message.size, message.digest, message.sender)

    def _next(self, until: float | None) -> IncomingMessage:
        with self._changed:
            while not self._ready:
                if not self._open:
                    raise NodeError(self._address, "the receiver is closed")
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    last = f"; the last to fail was {self._failures[-1]}" if self._failures else ""
                    raise NodeError(self._address, f"no message has come in time{last}")
                self._changed.wait(left)
            return self._ready.popleft()

    def _write_out(self, message: IncomingMessage, sink: BinaryIO) -> None:
        try:
            message.write_to(sink)
        except LabError as failure:
            self._note(failure)
            self._release(message)
            raise
        except BaseException:  # the sink's fault: what has been acknowledged must not get lost
            if message.acknowledged:
                with self._changed:
                    self._ready.appendleft(message)
            else:
                self._release(message)
            raise
        self._release(message)

    @property
    def _address(self) -> str:
        return f"{self.host}:{self.port}"

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while True:
                self._slots.acquire()
                selector.select()
                if not self._open:
                    return
                try:
                    self._start(self._serve, *self._accepted())
                except OSError as error:
                    self._slots.release()
                    if not isinstance(
                        error, BlockingIOError
                    ):  # which says that who knocked has left again
                        self._note(explained(error, self._address))
                    if error.errno in _EXHAUSTED:
                        time.sleep(_PAUSE)

    def _accepted(self) -> tuple[ssl.SSLSocket, str]:
        plain, address = self._listener.accept()
        with plain:
            plain.settimeout(self._timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
        return connection, f"{address[0]}:{address[1]}"

    def _serve(self, connection: ssl.SSLSocket, peer: str) -> None:
        with self._changed:
            self._serving.add(connection)
            is_open = self._open
        message = IncomingMessage(connection, peer, self._limit, self._timeout)
        try:
            if not is_open:
                raise NodeError(self._address, "the receiver is closed")
            message.sender = self._welcomed(connection, peer)
            is_whole = message.hold(self._has_room)
            with self._changed:  # messages queue in the order of their acknowledgements
                if is_whole:
                    message.acknowledge()
                if self._open or is_whole:
                    self._ready.append(message)
                    self._changed.notify()
                else:
                    message.close()
        except LabError as failure:
            self._note(failure)
            close_after_alert(connection)
            self._release(message)

    def _has_room(self, count: int) -> bool:
        with self._changed:
            self._room -= count
            return self._room >= 0

    def _welcomed(self, connection: ssl.SSLSocket, peer: str) -> tuple[str, ...]:
        """The handshake and our greeting. In TLS 1.3 the server's part ends with the client's certificate verified."""
        with typed_errors(peer):
            connection.do_handshake()
        sender = peer_names(connection, peer)
        is_allowed = self._allowed is None or not self._allowed.isdisjoint(sender)
        with typed_errors(peer):
            connection.sendall(
                GREETING.pack(MAGIC, WELCOME if is_allowed else NOT_ALLOWED, self._limit)
            )
        if not is_allowed:
            raise CertificateError(
                f"{peer}: {', '.join(sender)} is trusted, but not allowed to send here"
            )
        return sender

    def _start(self, target: Callable[..., None], *args: object) -> None:
        def run() -> None:
            try:
                target(*args)
            finally:
                with self._changed:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name=f"lepton_lab {self._address}", daemon=True)
        with self._changed:
            self._threads.add(thread)
            thread.start()

    def _release(self, message: IncomingMessage) -> None:
        message.close()
        with self._changed:
            self._serving.discard(message.connection)
            self._room += len(message.held)
        self._slots.release()

    def _note(self, failure: LabError) -> None:
        with self._changed:
            self._failures.append(failure)


def _until(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    require_seconds(timeout)
    return time.monotonic() + timeout
