"""Tests lepton_lab.tls.connections and lepton_lab.tls.protocol: a peer cannot take our time.

Every time-out is for a whole step. A peer that sends or takes a little now and then must not begin
it again.
"""

from __future__ import annotations

import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from lepton_lab import tls
from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.tls import connections
from lepton_lab.tls.connections import close_after_alert, tcp_connected
from lepton_lab.tls.protocol import SLOWEST, FrameReader, MemoryBudget
from tests.support.tls_peers import ALICE, SERVER, WELCOME

ENOUGH = 6.0  # seconds in which a step with a time-out of one second has certainly ended


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that answers one TCP connection as it likes, until the `with` block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            with suppress(OSError):
                plain, _ = listener.accept()
                with plain:
                    plain.settimeout(10)
                    answer(plain)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def secured(answer: Callable[[ssl.SSLSocket], None]) -> Callable[[socket.socket], None]:
    """The same behind a handshake of our authority's server."""

    def then(plain: socket.socket) -> None:
        with SERVER.wrap_socket(plain, server_side=True) as connection:
            answer(connection)

    return then


@contextmanager
def ends_in_time() -> Iterator[None]:
    started = time.monotonic()
    with pytest.raises(NodeError, match="no answer in time"):
        yield
    assert time.monotonic() - started < ENOUGH


def drip(connection: socket.socket, data: bytes, pause: float = 0.3) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(pause)


@pytest.mark.parametrize(
    "connect",
    [
        pytest.param(lambda *to: tls.send(b"", *to, timeout=1.0), id="send"),
        pytest.param(lambda *to: tls.inspect(*to, timeout=1.0), id="inspect"),
    ],
)
def test_a_handshake_that_drips_ends_in_time(connect):
    """The header of a long record, and then a byte at a time."""
    dripping = b"\x16\3\3\x40\0" + bytes(100)
    with serving(lambda plain: drip(plain, dripping)) as port, ends_in_time():
        connect("127.0.0.1", port, ALICE)


def test_a_greeting_that_drips_ends_in_time():
    with serving(secured(lambda connection: drip(connection, WELCOME * 3))) as port, ends_in_time():
        tls.send(b"x", "127.0.0.1", port, ALICE, timeout=1.0)


def test_an_acknowledgement_that_drips_ends_in_time():
    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        connection.recv(100)
        drip(connection, bytes(40))

    with serving(secured(answer)) as port, ends_in_time():
        tls.send(b"x", "127.0.0.1", port, ALICE, timeout=1.0)


def test_a_receiver_that_takes_a_record_now_and_then_ends_in_time():
    """Each record comes within the time-out, the piece of 256 KiB does not."""

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(GREETING_OF_A_GREEDY_RECEIVER)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            time.sleep(0.5)
            if not connection.recv(2**14):
                return

    with serving(secured(answer)) as port, ends_in_time():
        tls.send(bytes(2**25), "127.0.0.1", port, ALICE, timeout=1.0)


GREETING_OF_A_GREEDY_RECEIVER = struct.pack(">8sBQ", b"lepton\0\1", 0, 2**62)


def test_a_receiver_that_does_not_say_goodbye_is_not_waited_for_long():
    done = threading.Event()

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        connection.recv(100)
        time.sleep(0.1)
        digest = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        connection.sendall(struct.pack(">Q32s", 0, digest))  # of no bytes at all
        done.wait(20)

    with serving(secured(answer)) as port:
        started = time.monotonic()
        assert tls.send(b"", "127.0.0.1", port, ALICE, timeout=15).size == 0
        assert time.monotonic() - started < ENOUGH
        done.set()


def test_all_addresses_of_a_host_share_one_time_out(monkeypatch):
    """A name may have any number of addresses, of which none answers."""
    tried = []

    class Silent:
        def __init__(self, *kind: object) -> None:
            self.timeout = 0.0

        def settimeout(self, seconds: float) -> None:
            self.timeout = seconds

        def connect(self, address: object) -> None:
            tried.append(self.timeout)
            time.sleep(min(self.timeout, 0.3))
            raise TimeoutError

        def close(self) -> None:
            pass

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 1))] * 50
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(connections.socket, "socket", Silent)
    with ends_in_time(), tcp_connected("many.test", 1, 1.0):
        pass
    assert len(tried) < 10
    assert tried == sorted(tried, reverse=True)


def test_an_address_that_refuses_does_not_keep_the_next_from_being_tried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = nobody.getsockname()
    with serving(lambda plain: plain.sendall(b"!")) as port:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*kind, closed), (*kind, ("127.0.0.1", port))]
        monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_, **__: found)
        with tcp_connected("two.test", port, 5.0) as plain:
            assert plain.recv(1) == b"!"


def test_a_host_that_does_not_exist_is_a_typed_error():
    with (
        pytest.raises(NodeError, match=r"no-such-host\.invalid"),
        tcp_connected("no-such-host.invalid", 1, 5.0),
    ):
        pass


def test_a_peer_that_goes_on_after_an_alert_is_heard_for_a_second():
    stop = threading.Event()
    here, there = socket.socketpair()

    def flood() -> None:
        with suppress(OSError):
            while not stop.is_set():
                there.sendall(bytes(1000))
                time.sleep(0.01)

    thread = threading.Thread(target=flood)
    thread.start()
    started = time.monotonic()
    close_after_alert(here)
    assert 0.5 < time.monotonic() - started < ENOUGH
    stop.set()
    thread.join()
    there.close()


# --- the reader's credit, and the memory budget ---


class Clock:
    """A clock that moves only when something is read."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Drip:
    """A connection that gives some bytes after some seconds each time."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        self.clock, self.count, self.seconds = clock, count, seconds
        self.timeout = 0.0

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds

    def recv_into(self, buffer: memoryview) -> int:
        if self.seconds > self.timeout:
            self.clock.now += self.timeout
            raise TimeoutError
        self.clock.now += self.seconds
        return min(self.count, len(buffer))


@pytest.mark.parametrize(
    ("count", "seconds", "is_fast_enough"),
    [(SLOWEST, 0.99, True), (SLOWEST, 1.02, False), (1, 0.5, False), (10_000, 9.7, True)],
)
def test_a_peer_is_fast_enough_or_runs_out_of_credit(monkeypatch, count, seconds, is_fast_enough):
    clock = Clock()
    monkeypatch.setattr("lepton_lab.tls.protocol.time", clock)
    reader = FrameReader(Drip(clock, count, seconds), 10.0)
    size = 2**20
    started = clock.now
    if is_fast_enough:
        assert len(reader.exactly(size)) == size
    else:
        with pytest.raises(TimeoutError):
            reader.exactly(size)
    assert clock.now - started <= 10.0 + size / SLOWEST
    assert reader.silence == 0.0


def test_memory_is_taken_whole_or_not_at_all():
    memory = MemoryBudget(10)
    assert memory.take(10)
    assert not memory.take(1)
    memory.give_back(4)
    assert not memory.take(5)
    assert memory.left == 4
    assert memory.take(4)
    assert memory.take(0)


# --- sources ---


def test_a_source_that_has_nothing_yet_is_a_typed_error():
    """A file in non-blocking mode gives None, which is not its end."""

    class NothingYet(io.RawIOBase):
        def readinto(self, buffer: object) -> None:
            return None

    class ReadOnly:
        def read(self, count: int) -> None:
            return None

    with tls.Receiver("127.0.0.1", 0, SERVER) as receiver:
        for source in (NothingYet(), ReadOnly()):
            with pytest.raises(InvalidParameter):
                tls.send(source, "127.0.0.1", receiver.port, ALICE)
        closed = io.BytesIO(b"x")
        closed.close()
        with pytest.raises(InvalidParameter, match="closed"):
            tls.send(closed, "127.0.0.1", receiver.port, ALICE)
        for path in ("a\0b", "\0"):
            with pytest.raises(InvalidParameter, match="NUL"):
                tls.send(path, "127.0.0.1", receiver.port, ALICE)
        tls.send(b"still there", "127.0.0.1", receiver.port, ALICE)
        assert receiver.receive(5) == b"still there"
