"""Somebody on the line: he reads what passes, changes it, sends it twice, or answers in the other's place.

Diffie–Hellman (1976) keeps out whoever only *listens*. It does not say who is at the other end, and so loses to whoever
can *answer*: `intercept` agrees on a secret with each side. `Line` does the same to live connections. It stands between
a client and a server on this machine and keeps what it sees; with an `ssl` context for each side it ends the client's
TLS itself and starts its own with the server.

The defence beside it: `lepton_lab.tls` checks the server's certificate *and* that it is for the name that was asked
for, so that a line can pass records on and count them. It can do no more, and TLS 1.3 notices every record that is
altered, repeated or missing in between (RFC 8446 §5.2, §5.3).
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

_PATIENCE = 10.0  # seconds that either side may be silent
_HEADER = 5  # bytes of a TLS record before its content, the last two its length (RFC 8446 §5.1)


def intercept(p: int, g: int, a: int, b: int, m: int) -> Trace[tuple[int, int]]:
    """Mallory between Alice and Bob: the two secrets that he shares with them, when they share none with each other.

    Arguments as for `diffie_hellman.exchange`; `m` is Mallory's exponent. He keeps A and B for himself and passes M on
    to both. Neither can tell, for M looks like any other number. Raises InvalidParameter.
    """
    seen = Recorder()
    A, B = public_value(p, g, a), public_value(p, g, b)
    M = seen("M", public_value(p, g, m), "Mallory sends it to both, in the other's name")
    with_alice, with_bob = (
        seen("with Alice", pow(A, m, p), "A^m mod p"),
        seen("with Bob", pow(B, m, p), "B^m mod p"),
    )
    seen("Alice's s", pow(M, a, p), "M^a mod p: she believes that it is Bob's too")
    seen("Bob's s", pow(M, b, p), "M^b mod p: he believes that it is Alice's too")
    return seen.trace((with_alice, with_bob))


class Seen(NamedTuple):
    """Some bytes that passed: when (seconds since the line was laid), from whom, and what."""

    time: float
    sender: Sender
    data: bytes


class Line:
    """A line to a server on this machine, with somebody on it, as a context manager: clients connect to `.port`.

    port: the server's, on 127.0.0.1. change: called with the number (from 0) and the bytes of each TLS record that the
    client sends, returns what is passed on in its place: another record, two, or none. as_server, as_client: the
    contexts of somebody who does not pass TLS on but ends it: he is the server to the client, and a client to the
    server; then what is kept is the content. server_name: what `as_client` asks the server for.

    `.seen` is everything that has passed, in order of arrival, `.text` all of it in one piece. Raises InvalidParameter.
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
        self._server, self._change, self._name = port, change, server_name
        self._as_server, self._as_client = as_server, as_client
        self._began, self._lock = time.monotonic(), threading.Lock()
        self._seen: list[Seen] = []
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
            with suppress(OSError):  # wakes the thread that waits for it
                socket.socket.shutdown(end, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    @property
    def seen(self) -> tuple[Seen, ...]:
        """Everything that has passed so far."""
        with self._lock:
            return tuple(self._seen)

    @property
    def text(self) -> bytes:
        """What has passed, both directions in order of arrival, in one piece: for a search."""
        return b"".join(each.data for each in self.seen)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._join, self._listener.accept()[0])

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(
            target=target, args=arguments, name="somebody on the line", daemon=True
        )
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _join(self, client: socket.socket) -> None:
        """One client's connection, from here to the server and back, until both have said all they have to say."""
        with (
            client,
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self._server), _PATIENCE) as server,
        ):
            for end in (client, server):
                end.settimeout(_PATIENCE)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            near = (
                self._as_server.wrap_socket(client, server_side=True) if self._as_server else client
            )
            far = (
                self._as_client.wrap_socket(server, server_hostname=self._name)
                if self._as_client
                else server
            )
            with near, far:
                with self._lock:
                    self._ends += [near, far] if self._is_open else []
                if self._is_open:
                    self._pass_on(near, far)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        changed = _Records(self._change)
        others: dict[socket.socket, tuple[Sender, socket.socket]] = {
            near: ("client", far),
            far: ("server", near),
        }
        speaking = [near, far]
        while speaking:
            for end in select(speaking, [], [])[0]:
                sender, other = others[end]
                while (data := _read(end)) is not None:
                    if not data:
                        speaking.remove(end)
                        _say_no_more(other)
                        break
                    with self._lock:
                        self._seen.append(Seen(time.monotonic() - self._began, sender, data))
                    other.sendall(changed(data) if sender == "client" and self._change else data)


class _Records:
    """Bytes cut into TLS records, each of them changed; what is not a whole record yet waits."""

    def __init__(self, change: Change | None) -> None:
        self._change, self._waiting, self._number = change, b"", 0

    def __call__(self, data: bytes) -> bytes:
        self._waiting += data
        changed = b""
        while (
            len(self._waiting)
            >= (end := _HEADER + int.from_bytes(self._waiting[3:5], "big"))
            > _HEADER
        ):
            record, self._waiting = self._waiting[:end], self._waiting[end:]
            changed += self._change(self._number, record) if self._change else record
            self._number += 1
        return changed


def _read(end: socket.socket) -> bytes | None:
    """What an end has said, b"" when it is done, None when there is nothing yet (a session ticket is nothing)."""
    end.settimeout(0)
    try:
        return end.recv(2**16)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except (ssl.SSLEOFError, ConnectionResetError):
        return b""
    finally:
        end.settimeout(_PATIENCE)


def _say_no_more(end: socket.socket) -> None:
    """Pass on that the other side has ended: a close_notify where the TLS is ours, and the end of the TCP stream."""
    with suppress(OSError, ValueError):
        if isinstance(end, ssl.SSLSocket):
            end.settimeout(0)
            end.unwrap()
    with suppress(OSError):
        socket.socket.shutdown(end, socket.SHUT_WR)
