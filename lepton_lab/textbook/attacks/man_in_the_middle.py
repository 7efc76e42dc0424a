"""A man in the middle: he reads what passes, changes it, repeats it, or answers for the other side.

Diffie–Hellman (1976) defeats an attacker who only *listens*. It does not say who is at the other
end, and so fails against one who can *answer*: `intercept` agrees on a secret with each side.

`TappedLine` does the same to live connections. It stands between a client and a server on this
machine and keeps what it sees. Given an `ssl` context for each side, it ends the client's TLS
connection itself and opens its own to the server.

The defence: `lepton_lab.tls` checks the server's certificate *and* that it is for the name that was
asked for, so that the man in the middle can only pass records on and count them. TLS 1.3 notices
every record that he alters, repeats or leaves out (RFC 8446 §5.2, §5.3).
"""
# ruff: noqa: N806 - the capitals are public values, as in textbook.primitives.diffie_hellman

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from select import select
from types import TracebackType
from typing import Literal, NamedTuple, Self

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives.diffie_hellman import public_value
from lepton_lab.textbook.trace import Recorder, Trace

Sender = Literal["client", "server"]
Change = Callable[[int, bytes], bytes]

_SILENCE = 10.0  # seconds that either side may be silent before its connection is dropped
_HEADER = 5  # bytes of a TLS record before its content, the last two its length (RFC 8446 §5.1)
_PIECE = 2**16  # bytes read from a socket at once


def intercept(p: int, g: int, a: int, b: int, m: int) -> Trace[tuple[int, int]]:
    """Put Mallory between Alice and Bob: the result is the two secrets that he shares with them.

    Alice and Bob share no secret with each other. Arguments as for `diffie_hellman.exchange`; `m`
    is Mallory's exponent. He keeps A and B for himself and sends M on to both. Neither of them can
    tell, because M looks like any other number. Raises InvalidParameter.
    """
    seen = Recorder()
    A = public_value(p, g, a)
    B = public_value(p, g, b)
    M = seen("M", public_value(p, g, m), "Mallory sends it to both, in the other's name")
    with_alice = seen("with Alice", pow(A, m, p), "A^m mod p")
    with_bob = seen("with Bob", pow(B, m, p), "B^m mod p")
    seen("Alice's s", pow(M, a, p), "M^a mod p: she believes that it is Bob's too")
    seen("Bob's s", pow(M, b, p), "M^b mod p: he believes that it is Alice's too")
    return seen.trace((with_alice, with_bob))


class TappedBytes(NamedTuple):
    """Some bytes that passed: when (seconds since the tapping began), from whom, and what."""

    time: float
    sender: Sender
    data: bytes


class TappedLine:
    """A tapped line to a server on this machine, as a context manager: clients connect to `.port`.

    `port`: the server's, on 127.0.0.1. `change(number, record)` is called with each TLS record that
    the client sends, numbered from 0, and returns what is passed on in its place: another record,
    two of them, or none. `as_server`, `as_client`: the contexts of a man in the middle who ends TLS
    instead of passing it on; he is the server to the client and a client to the server, and then
    what is kept is the content. `server_name`: the name that `as_client` asks the server for.

    `.seen` is everything that has passed, in order of arrival; `.text` is all of it in one piece.
    Raises InvalidParameter for a port that cannot be, and when both `change` and `as_server` are
    given.
    """

    def __init__(
        self,
        port: int,
        *,
        change: Change | None = None,
        as_server: ssl.SSLContext | None = None,
        as_client: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 2**16:
            raise InvalidParameter("port is the server's, from 1 to 65535")
        if change is not None and as_server is not None:
            raise InvalidParameter("records can be changed only where TLS is passed on as it is")
        self._server_port = port
        self._change = change
        self._as_server = as_server
        self._as_client = as_client
        self._server_name = server_name
        self._began = time.monotonic()
        self._lock = threading.Lock()  # guards everything below
        self._seen: list[TappedBytes] = []
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self._is_open = True

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._is_open = False
            ends = [self._listener, *self._ends]
        for end in ends:
            # closing a socket does not wake the thread that waits for it; shutting it down does.
            # The plain socket's method is called, because TLS's own would wait for the other side
            with suppress(OSError):
                socket.socket.shutdown(end, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    @property
    def seen(self) -> tuple[TappedBytes, ...]:
        """Everything that has passed so far, in order of arrival."""
        with self._lock:
            return tuple(self._seen)

    @property
    def text(self) -> bytes:
        """Everything that has passed, both directions in order of arrival, in one piece.

        It is meant for searching.
        """
        return b"".join(each.data for each in self.seen)

    def _accept(self) -> None:
        # the listener's shutdown in __exit__ raises OSError here and ends the thread
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="tapped line", daemon=True)
        with self._lock:
            # started first: what an interruption kept from starting cannot be joined
            thread.start()
            self._threads.append(thread)

    def _serve(self, client: socket.socket) -> None:
        """Serve one client's connection until both sides have ended it.

        A server that cannot be reached, a failed handshake and a broken connection end this one
        connection: the client sees it closed, as with a real server.
        """
        with (
            client,
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self._server_port), _SILENCE) as server,
        ):
            for end in (client, server):
                end.settimeout(_SILENCE)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._to_client(client) as near, self._to_server(server) as far:
                with self._lock:
                    # __exit__ may have run meanwhile: then it will not end these two
                    if not self._is_open:
                        return
                    self._ends += [near, far]
                self._pass_on(near, far)

    def _to_client(self, client: socket.socket) -> socket.socket:
        if self._as_server is None:
            return client
        return self._as_server.wrap_socket(client, server_side=True)

    def _to_server(self, server: socket.socket) -> socket.socket:
        if self._as_client is None:
            return server
        return self._as_client.wrap_socket(server, server_hostname=self._server_name)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        """Pass on what either side says until both have ended."""
        changed = None if self._change is None else _ChangedRecords(self._change)
        routes: dict[socket.socket, tuple[Sender, socket.socket]] = {
            near: ("client", far),
            far: ("server", near),
        }
        speaking = [near, far]
        while speaking:
            readable, _, _ = select(speaking, [], [])
            for end in readable:
                sender, other = routes[end]
                # TLS may hold more data than select sees, so read until there is none
                while (data := _read(end)) is not None:
                    if not data:
                        speaking.remove(end)
                        _end_stream(other)
                        break
                    with self._lock:
                        age = time.monotonic() - self._began
                        self._seen.append(TappedBytes(age, sender, data))
                    if changed is not None and sender == "client":
                        data = changed(data)
                    other.sendall(data)


class _ChangedRecords:
    """Cuts a stream of bytes into TLS records and changes each of them.

    The bytes of a record that is not complete yet wait for the next call.
    """

    def __init__(self, change: Change) -> None:
        self._change = change
        self._waiting = b""
        self._number = 0

    def __call__(self, data: bytes) -> bytes:
        self._waiting += data
        changed = b""
        while len(self._waiting) >= _HEADER:
            end = _HEADER + int.from_bytes(self._waiting[3:5], "big")
            if len(self._waiting) < end:
                break
            record = self._waiting[:end]
            self._waiting = self._waiting[end:]
            changed += self._change(self._number, record)
            self._number += 1
        return changed


def _read(end: socket.socket) -> bytes | None:
    """Read what a side has said: b"" when it has ended, None when there is nothing yet.

    A TLS connection can be readable and have no data: a session ticket has arrived, or half a
    record.
    """
    end.settimeout(0)
    try:
        return end.recv(_PIECE)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except (ssl.SSLEOFError, ConnectionResetError):
        return b""
    finally:
        end.settimeout(_SILENCE)


def _end_stream(end: socket.socket) -> None:
    """Pass on that the other side has ended.

    That is a close_notify where this side ends the TLS connection, and the end of the TCP stream.
    """
    with suppress(OSError, ValueError):
        if isinstance(end, ssl.SSLSocket):
            end.settimeout(0)
            end.unwrap()
    with suppress(OSError):
        socket.socket.shutdown(end, socket.SHUT_WR)
