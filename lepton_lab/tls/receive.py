"""Receives what `send` sends: a server that takes messages whole or not at all."""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from lepton_lab.errors import (
    CertificateError,
    InvalidParameter,
    LabError,
    MessageTooLarge,
    NodeError,
)
from lepton_lab.tls.admission import Admission, ClientConnection
from lepton_lab.tls.connections import (
    close_after_alert,
    peer_names,
    require_address,
    require_seconds,
    send_all,
)
from lepton_lab.tls.contexts import require_server_context
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.names import name_list
from lepton_lab.tls.protocol import (
    GREETING,
    MAGIC,
    NOT_ALLOWED,
    WELCOME,
    IncomingMessage,
    MemoryBudget,
)

_REMEMBERED = 100  # failures
_NAMES_SHOWN = 3  # of a certificate, in an error


@dataclass(frozen=True)
class Received:
    """A message that has gone into a sink: its size, its SHA-256, and its sender's names."""

    size: int
    digest: bytes
    sender: tuple[str, ...]


class Receiver:
    """A server for `send`, as a context manager: it listens while the `with` block lasts.

    host, port: where to listen; port 0 takes any free port, and `.port` says which. context: from
    `server_context`. allowed: the names of the clients that may send here. By default every client
    that the authority has certified may, which is rarely what a service wants.

    max_bytes: the longest message. hold: how many bytes of messages to keep in memory for a
    `receive` that is still to come. messages: how many whole messages to keep for it. connections:
    how many handshakes to run at once, and how many verified clients to serve at once. timeout: the
    seconds that a client may stay silent and that its handshake may take; after that it must send
    at least 1 KiB a second.

    A message that fits into `hold` is read and acknowledged as it comes. A longer one waits,
    unacknowledged and its sender with it, until `receive` or `receive_into` takes it. Handshakes
    run side by side, so a client that stalls delays no other. When there are more clients than
    places, those that have said nothing are dropped first; see `lepton_lab.tls.admission`. Clients
    that were dropped or failed are listed in `failures`.

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
        messages: int = 1024,
        connections: int = 64,
        timeout: float = 10.0,
    ) -> None:
        require_address(host, port, lowest_port=0)
        require_server_context(context)
        require_seconds(timeout)
        _require_count("max_bytes", max_bytes, 0)
        _require_count("hold", hold, 0)
        _require_count("messages", messages, 1)
        _require_count("connections", connections, 1)
        if allowed is not None and context.verify_mode != ssl.CERT_REQUIRED:
            raise InvalidParameter(
                "only a certificate tells who a client is: require one in server_context"
            )
        self.host = host
        self.port = port
        self._context = context
        self._timeout = timeout
        self._longest = max_bytes
        self._most_whole = messages
        self._allowed = None if allowed is None else frozenset(name_list(allowed))
        self._memory = MemoryBudget(hold)
        self._admission = Admission(connections, timeout, self._serve, self._note)
        self._changed = threading.Condition()  # guards everything below
        self._is_open = False
        # Whole messages, and those that wait to be read further, with the client that sends each.
        self._ready: deque[tuple[ClientConnection, IncomingMessage]] = deque()
        self._whole = 0  # how many of them are whole and acknowledged
        self._failures: deque[LabError] = deque(maxlen=_REMEMBERED)

    def __enter__(self) -> Self:
        if self._is_open:
            raise InvalidParameter("this receiver is listening already")
        self._is_open = True
        try:
            self.port = self._admission.open(self.host, self.port)
        except BaseException:
            self._is_open = False
            raise
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

        Messages that have been acknowledged can still be received. The others are lost, and their
        senders know it.
        """
        with self._changed:
            if not self._is_open:
                return
            self._is_open = False
            lost = [each for each in self._ready if not each[1].acknowledged]
            self._ready = deque(each for each in self._ready if each[1].acknowledged)
            self._changed.notify_all()
        for client, message in lost:
            self._end(client, message)
        self._admission.close()

    @property
    def failures(self) -> tuple[LabError, ...]:
        """Why clients failed or were dropped: the last hundred, oldest first."""
        with self._changed:
            return tuple(self._failures)

    def receive(self, timeout: float | None = 30.0) -> bytes:
        """Return the next whole message.

        timeout: how many seconds to wait for one, None to wait for ever. Raises NodeError when none
        has come in that time, or the receiver is closed; InvalidParameter.
        """
        until = _deadline(timeout)
        while True:
            client, message = self._next(until)
            sink = io.BytesIO()
            # An error is in `failures` already, and the next message may be whole.
            with suppress(LabError):
                self._write_out(client, message, sink)
                return sink.getvalue()

    def receive_into(self, sink: BinaryIO, timeout: float | None = 30.0) -> Received:
        """Write the next message to a binary file, in constant memory beyond what was held.

        The sender gets its acknowledgement when the sink has taken everything. If the message was
        held whole, the sender has it already. When this raises, the sink may hold a part of the
        message: discard it.

        Raises NodeError when no message has come in time or its sender broke off, MessageTooLarge,
        InvalidParameter, and what the sink raises. If the sink raises, an acknowledged message is
        kept and is the next again.
        """
        client, message = self._next(_deadline(timeout))
        self._write_out(client, message, sink)
        return Received(message.size, message.digest, message.sender)

    def _next(self, until: float | None) -> tuple[ClientConnection, IncomingMessage]:
        with self._changed:
            while not self._ready:
                if not self._is_open:
                    raise NodeError(self._address, "the receiver is closed")
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    last = f"; the last to fail was {self._failures[-1]}" if self._failures else ""
                    raise NodeError(self._address, f"no message has come in time{last}")
                self._changed.wait(left)
            client, message = self._ready.popleft()
            self._whole -= message.acknowledged
            return client, message

    def _write_out(
        self, client: ClientConnection, message: IncomingMessage, sink: BinaryIO
    ) -> None:
        was_acknowledged = message.acknowledged
        try:
            message.write_to(sink)
        except BaseException as error:
            if was_acknowledged:
                # The sink failed, and its sender will not send this message again.
                with self._changed:
                    self._ready.appendleft((client, message))
                    self._whole += 1
                raise
            self._end(client, message)
            if isinstance(error, NodeError | MessageTooLarge):
                failure = client.failure(error)
                self._note(failure)
                raise failure from None
            raise
        self._end(client, message)

    @property
    def _address(self) -> str:
        return f"{self.host}:{self.port}"

    # --- one thread per client ---

    def _serve(self, client: ClientConnection) -> None:
        """Take one client from its handshake to a message that is whole or waits to be read."""
        message = None
        is_queued = False
        try:
            connection = self._shake_hands(client)
            message = self._welcome(client, connection)
            self._hold(client, message)
            is_queued = True
        except LabError as error:
            self._note(client.failure(error))
            # One that was dropped has been shut down already, and hears no alert.
            if isinstance(client.socket, ssl.SSLSocket) and not client.dropped_because:
                close_after_alert(client.socket)
        finally:
            # Also after an error that nobody expected: a place must never be lost.
            if not is_queued:
                self._end(client, message)

    def _shake_hands(self, client: ClientConnection) -> ssl.SSLSocket:
        """Run the handshake: in TLS 1.3 it ends once the client's certificate is verified."""
        with typed_errors(client.peer):
            connection = client.wrap(self._context, self._timeout)
            # A total deadline: `ssl` counts the time-out over the whole handshake.
            connection.do_handshake()
        return connection

    def _welcome(self, client: ClientConnection, connection: ssl.SSLSocket) -> IncomingMessage:
        """Wait for a place, check that the client may send here, and greet it."""
        message = IncomingMessage(
            connection, client.peer, self._longest, self._timeout, self._memory
        )
        message.sender = peer_names(connection, client.peer)
        is_allowed = self._allowed is None or not self._allowed.isdisjoint(message.sender)
        # One that may not send here is told so at once, and needs no place.
        if is_allowed:
            self._admission.verified(client)
            client.silence = message.silence
        welcome = WELCOME if is_allowed else NOT_ALLOWED
        with typed_errors(client.peer):
            greeting = GREETING.pack(MAGIC, welcome, self._longest)
            send_all(connection, memoryview(greeting), self._timeout)
        if not is_allowed:
            names = ", ".join(message.sender[:_NAMES_SHOWN])
            raise CertificateError(
                f"{client.peer}: {names} is trusted, but not allowed to send here"
            )
        return message

    def _hold(self, client: ClientConnection, message: IncomingMessage) -> None:
        """Read as much of a message as there is room for, and queue it.

        A client whose message is not acknowledged yet keeps its place until the message is taken.
        """
        is_whole = message.hold()
        # Under the lock, so that messages queue in the order of their acknowledgements.
        with self._changed:
            if is_whole and self._whole < self._most_whole:
                message.acknowledge()
                self._whole += 1
            elif not self._is_open:
                raise NodeError(client.peer, "the receiver was closed")
            self._ready.append((client, message))
            self._changed.notify()
        if message.acknowledged:
            self._admission.leave(client)

    def _end(self, client: ClientConnection, message: IncomingMessage | None) -> None:
        """Close a connection; give back its place and the memory that its message holds."""
        if message is not None:
            message.release()
        self._admission.leave(client)

    def _note(self, failure: LabError) -> None:
        with self._changed:
            self._failures.append(failure)


def _require_count(what: str, number: int, lowest: int) -> None:
    is_int = isinstance(number, int) and not isinstance(number, bool)
    if not is_int or not lowest <= number < 2**63:
        raise InvalidParameter(f"{what} is an int, at least {lowest}")


def _deadline(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    require_seconds(timeout)
    return time.monotonic() + timeout
