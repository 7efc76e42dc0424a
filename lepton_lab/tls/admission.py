"""Decides which clients a `Receiver` serves when more come than it has places for.

A client passes through three stages, and each stage has a limit of its own:

silent      It has connected and said nothing. It costs a file descriptor, but no thread. When one
            more comes than there is room for, the client that has been silent longest is dropped,
            if it has been silent for more than a second.
handshake   It has said something, and a thread runs its handshake. When others wait, a handshake
            that has taken more than a second is dropped, the oldest first. A client that sends a
            byte now and then is therefore no better off than a silent one.
served      Its certificate has been verified. A verified client waits for a place. When one waits,
            a served client that has been silent for more than a second is dropped, the one that has
            been silent longest first.

So nobody gets in the way of a verified client without being verified too. A connection is dropped
by shutting its socket down, which wakes the thread that reads from it; the thread gives the place
back when it ends.
"""

from __future__ import annotations

import errno
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress

from lepton_lab.errors import LabError, NodeError
from lepton_lab.tls.errors import explained, typed_errors

SILENT_PER_PLACE = 4  # silent clients for each place in the other stages: they cost little
GRACE = 1.0  # seconds of silence, or of a handshake, in which a client is not dropped for another
_POLL = 0.2  # seconds between two looks at whether a served client has fallen silent
_PAUSE = 0.1  # seconds to wait when the system has no more file descriptors
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BACKLOG = 128  # connections that the system keeps until they are accepted


class ClientConnection:
    """A client's connection, at first TCP alone and later TLS, and what decides who is dropped."""

    def __init__(self, plain: socket.socket, peer: str) -> None:
        self.socket = plain
        self.peer = peer
        self.since = time.monotonic()  # when its present stage began
        # How many seconds we have been waiting for it; 0 while it is us who keep it waiting.
        self.silence: Callable[[], float] = lambda: 0.0
        self.dropped_because = ""
        self._lock = threading.Lock()

    def wrap(self, context: ssl.SSLContext, timeout: float) -> ssl.SSLSocket:
        """Put TLS on the connection, without its handshake. Raises OSError."""
        # The lock keeps `drop` from shutting down a socket that has just been replaced.
        with self._lock:
            self.socket.settimeout(timeout)
            self.socket = connection = context.wrap_socket(
                self.socket,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        return connection

    def drop(self, why: str) -> None:
        """End the connection from another thread; the thread that reads from it wakes up."""
        with self._lock:
            self.dropped_because = self.dropped_because or why
            # The plain socket's method: an SSLSocket's own would go on reading in plaintext.
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def failure(self, error: LabError) -> LabError:
        """Return what really ended the connection: an error that `drop` caused is replaced."""
        return NodeError(self.peer, self.dropped_because) if self.dropped_because else error


class Admission:
    """Listens, and leads clients through the three stages, from `open` to `close`.

    places: the limit of handshakes, and of served clients. timeout: seconds that a client may stay
    silent, and that a verified one waits for a place. serve: handles a client in a thread of its
    own; it calls `verified` after the handshake and `leave` at the end. note: is told of every
    client that was dropped here.
    """

    def __init__(
        self,
        places: int,
        timeout: float,
        serve: Callable[[ClientConnection], None],
        note: Callable[[LabError], None],
    ) -> None:
        self._places = places
        self._timeout = timeout
        self._serve = serve
        self._note = note
        # Only the thread that accepts uses these two.
        self._silent: dict[socket.socket, ClientConnection] = {}  # oldest first
        self._spoken: deque[ClientConnection] = deque()  # waiting for a handshake's place
        self._changed = threading.Condition()  # guards everything below
        self._is_open = False
        self._handshakes: dict[ClientConnection, None] = {}  # oldest first
        self._waiting: dict[ClientConnection, None] = {}  # verified; each keeps a handshake's place
        self._served: set[ClientConnection] = set()
        self._threads: list[threading.Thread] = []

    def open(self, host: str, port: int) -> int:
        """Begin to listen; return the port. Raises NodeError when the address cannot be had."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with typed_errors(f"{host}:{port}"), ExitStack() as opened:
            self._listener = opened.enter_context(
                socket.create_server((host, port), family=family, backlog=_BACKLOG)
            )
            # A byte through this pair wakes the thread that accepts.
            self._bell, self._bell_push = map(opened.enter_context, socket.socketpair())
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._opened = opened.pop_all()
        self._listener.setblocking(False)
        self._bell_push.setblocking(False)
        bound_port: int = self._listener.getsockname()[1]
        self._address = f"{host}:{bound_port}"
        self._is_open = True
        self._acceptor = self._start(self._accept_clients)
        return bound_port

    def close(self) -> None:
        """Stop listening, drop every client, and wait for all threads to end."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._ring()
        # First the thread that accepts, because it starts the others.
        self._acceptor.join()
        with self._changed:
            for client in [*self._handshakes, *self._waiting, *self._served]:
                client.drop("the receiver was closed")
        for thread in self._threads:
            thread.join()
        self._opened.close()

    def verified(self, client: ClientConnection) -> None:
        """Wait until there is a place among the served clients.

        Raises NodeError when there is none in time, or the receiver is closed.
        """
        until = time.monotonic() + self._timeout
        with self._changed:
            self._handshakes.pop(client, None)
            self._waiting[client] = None
            while self._is_open and len(self._served) >= self._places:
                left = until - time.monotonic()
                if left <= 0:
                    raise NodeError(client.peer, "no place became free in time: try again later")
                self._drop_a_silent_one()
                self._changed.wait(min(left, _POLL))
            if not self._is_open:
                raise NodeError(client.peer, "the receiver was closed")
            del self._waiting[client]
            self._served.add(client)
        self._ring()

    def leave(self, client: ClientConnection) -> None:
        """Close a connection and give back its place."""
        client.socket.close()
        with self._changed:
            self._handshakes.pop(client, None)
            self._waiting.pop(client, None)
            self._served.discard(client)
            self._changed.notify_all()
        self._ring()

    def _drop_a_silent_one(self) -> None:
        """Drop the served client that has been silent longest, unless enough are leaving."""
        leaving = sum(bool(client.dropped_because) for client in self._served)
        if leaving >= len(self._waiting):
            return
        staying = [client for client in self._served if not client.dropped_because]
        longest = max(staying, key=lambda client: client.silence(), default=None)
        if longest is not None and longest.silence() >= GRACE:
            longest.drop("it was silent while another verified client waited for a place")

    # --- the thread that accepts ---

    def _accept_clients(self) -> None:
        self._selector.register(self._bell, selectors.EVENT_READ)
        is_listening = False
        while self._is_open:
            has_room = self._has_room()
            if has_room and not is_listening:
                self._selector.register(self._listener, selectors.EVENT_READ)
            elif is_listening and not has_room:
                self._selector.unregister(self._listener)
            is_listening = has_room
            ready = {key.fileobj for key, _ in self._selector.select(self._patience(has_room))}
            if self._bell in ready:
                self._bell.recv(4096)
            # Before a newcomer is accepted, because one that has spoken must not make room for it.
            for speaker in [each for each in self._silent if each in ready]:
                self._selector.unregister(speaker)
                self._spoken.append(self._silent.pop(speaker))
            self._drop_those_silent_for_too_long()
            if self._listener in ready:
                self._accept_one()
            self._start_handshakes()
        for client in [*self._silent.values(), *self._spoken]:
            client.socket.close()
        self._silent.clear()
        self._spoken.clear()

    def _has_room(self) -> bool:
        """Whether one more client can be accepted, if need be in the place of a silent one."""
        if len(self._silent) + len(self._spoken) < SILENT_PER_PLACE * self._places:
            return True
        # Many who come at once may need a moment before they speak. The others wait outside.
        oldest = next(iter(self._silent.values()), None)
        return oldest is not None and oldest.since <= time.monotonic() - GRACE

    def _patience(self, has_room: bool) -> float | None:
        """Seconds until something must be done although nothing happens; None if nothing must."""
        times = []
        if self._silent:
            oldest = next(iter(self._silent.values()))
            times.append(oldest.since + self._timeout)
            if not has_room:
                times.append(oldest.since + GRACE)
        with self._changed:
            staying = [client for client in self._handshakes if not client.dropped_because]
            leaving = len(self._handshakes) - len(staying)
            # The oldest of those who stay will have to make room, once its grace is over.
            if staying and len(self._spoken) > leaving:
                times.append(staying[0].since + GRACE)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _accept_one(self) -> None:
        try:
            plain, address = self._listener.accept()
        except BlockingIOError:
            return  # the client has left already
        except OSError as error:
            self._note(explained(error, self._address))
            if error.errno in _EXHAUSTED and not self._drop_oldest_silent():
                time.sleep(_PAUSE)
            return
        if len(self._silent) + len(self._spoken) >= SILENT_PER_PLACE * self._places:
            self._drop_oldest_silent()
        with suppress(OSError):  # it may have left already; reading from it will say so
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(plain, selectors.EVENT_READ)
        self._silent[plain] = ClientConnection(plain, f"{address[0]}:{address[1]}")

    def _drop_those_silent_for_too_long(self) -> None:
        earliest = time.monotonic() - self._timeout
        while self._silent and next(iter(self._silent.values())).since <= earliest:
            self._drop_oldest_silent("no answer in time")

    def _drop_oldest_silent(self, why: str = "it said nothing while others came") -> bool:
        """Drop the client that has been silent longest. False if there is none."""
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        client = self._silent.pop(oldest)
        self._selector.unregister(oldest)
        oldest.close()
        self._note(NodeError(client.peer, why))
        return True

    def _start_handshakes(self) -> None:
        """Give those who have spoken a place, and if there is none, make one."""
        while self._spoken:
            with self._changed:
                if len(self._handshakes) + len(self._waiting) >= self._places:
                    self._drop_slow_handshakes()
                    return
                client = self._spoken.popleft()
                client.since = time.monotonic()
                self._handshakes[client] = None
            try:
                self._start(self._serve, client)
            except RuntimeError:
                # The system has no more threads. This client is lost, the others need not be.
                self._note(NodeError(client.peer, "no thread could be started for it"))
                self.leave(client)

    def _drop_slow_handshakes(self) -> None:
        """Drop the oldest handshakes past their grace, as many as others wait for a place."""
        latest = time.monotonic() - GRACE
        staying = [client for client in self._handshakes if not client.dropped_because]
        leaving = len(self._handshakes) - len(staying)
        wanted = max(0, len(self._spoken) - leaving)
        for client in staying[:wanted]:
            if client.since <= latest:
                client.drop("its handshake took long while others waited")

    def _start(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(
            target=target, args=arguments, name=f"lepton_lab {self._address}", daemon=True
        )
        with self._changed:
            thread.start()
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(thread)
        return thread

    def _ring(self) -> None:
        # A full buffer means that the bell is ringing already; a closed one, that nobody listens.
        with suppress(OSError):
            self._bell_push.send(b"!")
