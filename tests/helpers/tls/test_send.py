"""Tests lepton_lab.tls.send: only an acknowledgement of the right bytes is success."""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lepton_lab import tls
from lepton_lab.errors import IntegrityError, NodeError
from tests.support.tls_peers import ALICE, GREETING, MAGIC, SERVER, WELCOME, Zeros


@contextmanager
def answering(answer: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """A server of our authority that answers one sender as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            plain.settimeout(10)
            try:
                with SERVER.wrap_socket(plain, server_side=True) as connection:
                    answer(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def read_all(connection: ssl.SSLSocket, size: int) -> bytes:
    raw = b""
    while len(raw) < size:
        raw += connection.recv(size - len(raw))
    return raw


SENT = MAGIC + struct.pack(">I", 5) + b"abcde" + struct.pack(">I", 0)
RIGHT = struct.pack(">Q32s", 5, hashlib.sha256(b"abcde").digest())


def test_the_sender_writes_what_the_byte_table_says_and_takes_its_acknowledgement():
    seen = []

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        seen.append(read_all(connection, len(SENT)))
        connection.sendall(RIGHT)

    with answering(answer) as port:
        assert (
            tls.send(b"abcde", "127.0.0.1", port, ALICE).digest == hashlib.sha256(b"abcde").digest()
        )
    assert seen == [SENT]


@pytest.mark.parametrize(
    "wrong",
    [
        RIGHT[:8] + bytes([RIGHT[8] ^ 1]) + RIGHT[9:],
        RIGHT[:-1] + bytes([RIGHT[-1] ^ 1]),
        struct.pack(">Q", 4) + RIGHT[8:],
        struct.pack(">Q32s", 0, hashlib.sha256(b"").digest()),
        bytes(40),
    ],
    ids=["digest", "digest's end", "size", "another message", "zeros"],
)
def test_an_acknowledgement_of_something_else_is_an_integrity_error(wrong):
    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        read_all(connection, len(SENT))
        connection.sendall(wrong)

    with answering(answer) as port, pytest.raises(IntegrityError):
        tls.send(b"abcde", "127.0.0.1", port, ALICE)


def test_a_receiver_that_breaks_off_at_any_byte_is_no_success():
    for cut in range(len(WELCOME + RIGHT)):

        def answer(connection: ssl.SSLSocket, cut: int = cut) -> None:
            connection.sendall(WELCOME[:cut])
            if cut > len(WELCOME):
                read_all(connection, len(SENT))
                connection.sendall(RIGHT[: cut - len(WELCOME)])

        with answering(answer) as port, pytest.raises(NodeError, match="broke off"):
            tls.send(b"abcde", "127.0.0.1", port, ALICE)


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 200 OK\r\n\r\n", bytes(17), GREETING.pack(MAGIC, 7, 1), b"+PONG\r\n" * 3],
)
def test_a_server_that_is_no_receiver_gets_nothing(greeting):
    seen = []

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(greeting)
        seen.append(connection.recv(100))

    with answering(answer) as port, pytest.raises(NodeError, match="not a receiver"):
        tls.send(b"secret", "127.0.0.1", port, ALICE)
    assert b"".join(seen) == b""


def test_a_receiver_that_never_acknowledges_is_a_timeout():
    done = threading.Event()

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        done.wait(10)

    with answering(answer) as port:
        with pytest.raises(NodeError, match="no answer in time"):
            tls.send(b"abcde", "127.0.0.1", port, ALICE, timeout=1.0)
        done.set()


def test_a_receiver_that_does_not_read_is_a_timeout():
    done = threading.Event()

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(WELCOME)
        done.wait(10)

    with answering(answer) as port:
        with pytest.raises(NodeError, match="no answer in time"):
            tls.send(Zeros(2**30), "127.0.0.1", port, ALICE, timeout=1.0)
        done.set()
